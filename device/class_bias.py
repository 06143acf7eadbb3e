"""CLASS_BIAS: what is added to the logits of single classes, to find more or less of them."""

import math

import numpy as np

from device.errors import InputError


def read_class_bias(class_bias, class_names, scale=1):
    """Returns CLASS_BIAS as an array to be added to logits, float32 (classes,); None where empty.

    Args: class_bias, dict of class name -> number in logits: above 0 more pixels become this
        class; scale of quantized logits (0: they are float).
    Raises: InputError where a name is no class or a value no number.
    """
    if not isinstance(class_bias, dict):
        raise InputError('CLASS_BIAS must be a dict such as {"duck": 1.0}, or {} for none.')
    unknown = sorted(str(name) for name in class_bias if name not in class_names)
    if unknown:
        raise InputError(f"CLASS_BIAS names {', '.join(unknown)}, but the classes are "
                         f"{', '.join(class_names)}.")
    wrong = [f"{name}: {value!r}" for name, value in class_bias.items()
             if isinstance(value, bool) or not isinstance(value, (int, float))
             or not math.isfinite(value)]
    if wrong:
        raise InputError(f"CLASS_BIAS must hold numbers, such as 1.0, but holds "
                         f"{', '.join(wrong)}.")
    bias = np.array([class_bias.get(name, 0) for name in class_names], np.float32) / (scale or 1)
    return bias if bias.any() else None


def add_class_bias(logits, bias):
    """Returns logits (..., classes) with the array of read_class_bias added; None adds nothing."""
    return logits if bias is None else logits.astype(np.float32) + bias
