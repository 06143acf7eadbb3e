"""The probability of one class in each pixel, as a gray picture (SAVE_PROBABILITIES)."""

import numpy as np
from PIL import Image


def class_probability(logits, index, scale, size):
    """Computes the softmax of one class, from 0 (impossible) to 255 (certain).

    Args: logits (height, width, classes), quantized ones with their scale (0: float ones); index
        of the class; size (height, width) to which the probabilities are resized bilinearly.
    Returns: uint8 of size.
    """
    real = logits.astype(np.float32) * np.float32(scale or 1)
    real -= real.max(axis=-1, keepdims=True)
    powers = np.exp(real)
    share = Image.fromarray(powers[..., index] / powers.sum(axis=-1))
    resized = np.asarray(share.resize(size[::-1], Image.Resampling.BILINEAR))
    return np.rint(255 * resized.clip(0, 1)).astype(np.uint8)
