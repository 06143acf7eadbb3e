"""Augmentation: flips, quarter turns and crops of image and label together, colors of the image."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from device.images import PADDING_GRAY, PADDING_LABEL


class Augmentation(NamedTuple):
    """What is varied: main.py's FLIP, ROTATE and COLOR."""

    flip: str | None = "left-right"  # or "both": upside down, too; None: not at all
    rotate: int = 0  # 90: by a quarter, a half and three quarters of a turn
    color: float = 0.2  # brightness, contrast and saturation vary by a factor of 1 -+ this


def augment_batch(image, label, random_numbers, augmentation, crop_range=None):
    """Flips, turns and crops image and label together, and varies the color of the image alone.

    Args: image float32 (batch, height, width, 3) in 0..255, label uint8 (batch, height, width),
        random_numbers float32 (batch, RANDOM_NUMBERS) in 0..1; augmentation, an Augmentation;
        crop_range, smallest and largest side of a random crop, as shares of the image's, which is
        shown at full size, or None: no crops. Beyond the image there is padding.
    Returns: image and label of the same shapes and dtypes.
    """
    columns = tf.unstack(random_numbers, axis=1)
    turns = tf.zeros_like(columns[0])
    if augmentation.rotate:
        turns = tf.floor(columns[0] * 2**12 % 4)  # digits that the flips do not depend on
        image, label = _transpose(image, label, turns % 2 == 1)
    # A quarter of a turn is a transposition and a flip, half a turn are two flips.
    from_left = (turns == 1) | (turns == 2)
    from_top = turns >= 2
    if augmentation.flip:
        from_left ^= columns[0] < 0.5
    if augmentation.flip == "both":
        from_top ^= columns[0] * 2 % 1 < 0.5
    flips = []
    if augmentation.flip or augmentation.rotate:
        flips.append((2, from_left))
    if augmentation.flip == "both" or augmentation.rotate:
        flips.append((1, from_top))
    for axis, chosen in flips:
        image = tf.where(chosen[:, None, None, None], tf.reverse(image, [axis]), image)
        label = tf.where(chosen[:, None, None], tf.reverse(label, [axis]), label)
    image = _vary_color(image, augmentation.color, *columns[1:4])
    if crop_range:
        image, label = _crop(image, label, crop_range, *columns[4:7])
    return image, label


def _transpose(image, label, chosen):
    """Exchanges rows and columns of the chosen images, so that objects keep their shape and size.

    Of an image that is not square the square in the middle is shown, with padding on both sides. In
    a test with IMAGE_SIZE (128, 160), where cars and trucks differ in their length and lie across
    in validation alone, that gave a mean IoU of 0.94, enlarging the turned image to cover the size
    0.88, stretching it 0.71, and no turns 0.45; with (128, 256) 0.91, and stretched 0.48.
    """
    height, width = image.shape[1:3]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = np.s_[:, top:top + side, left:left + side]
    around = (0, 0), (top, height - side - top), (left, width - side - left)
    turned = tf.pad(tf.transpose(image[square], (0, 2, 1, 3)), (*around, (0, 0)),
                    constant_values=float(PADDING_GRAY))
    turned_label = tf.pad(tf.transpose(label[square], (0, 2, 1)), around,
                          constant_values=PADDING_LABEL)
    return (tf.where(chosen[:, None, None, None], turned, image),
            tf.where(chosen[:, None, None], turned_label, label))


def _vary_color(image, color, *random_numbers):
    brightness, contrast, saturation = (
        1 + color * (2 * number[:, None, None, None] - 1) for number in random_numbers)
    gray = tf.reduce_mean(image, axis=3, keepdims=True)
    image = gray + (image - gray) * saturation
    mean = tf.reduce_mean(image, axis=(1, 2, 3), keepdims=True)
    return tf.clip_by_value((mean + (image - mean) * contrast) * brightness, 0.0, 255.0)


def _crop(image, label, crop_range, scale, top, left):
    smallest, largest = crop_range
    side = smallest * (largest / smallest) ** scale  # as likely larger as smaller
    top, left = (1 - side) * top, (1 - side) * left  # beyond the picture where side is above 1
    boxes = tf.stack([top, left, top + side, left + side], axis=1)
    numbers, size = tf.range(tf.shape(image)[0]), image.shape[1:3]
    image = tf.image.crop_and_resize(image, boxes, numbers, size,
                                     extrapolation_value=float(PADDING_GRAY))
    label = tf.image.crop_and_resize(label[..., None], boxes, numbers, size, method="nearest",
                                     extrapolation_value=float(PADDING_LABEL))
    return image, tf.cast(label[..., 0], tf.uint8)
