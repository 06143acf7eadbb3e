"""Augmentation: flips and crops of image and label together, colors of the image alone."""

import tensorflow as tf

from device.images import PADDING_GRAY, PADDING_LABEL

FLIP_PROBABILITY = 0.5
COLOR_RANGE = 0.2  # brightness, contrast and saturation vary by a factor of 1 -+ this
SCALE_RANGE = (0.6, 1.25)  # a crop of this share of the sides is shown at full size


def augment_batch(image, label, random_numbers, random_crops=False):
    """Flips and crops image and label together, and varies the color of the image alone.

    Args: image float32 (batch, height, width, 3) in 0..255, label uint8 (batch, height, width),
        random_numbers float32 (batch, RANDOM_NUMBERS) in 0..1; random_crops, whether to crop, as
        SCALE_RANGE says: it pays where the encoder is trained, not where only the decoder is.
    Returns: image and label of the same shapes and dtypes.
    """
    columns = tf.unstack(random_numbers, axis=1)
    flipped = columns[0] < FLIP_PROBABILITY
    image = tf.where(flipped[:, None, None, None], tf.reverse(image, [2]), image)
    label = tf.where(flipped[:, None, None], tf.reverse(label, [2]), label)
    image = _vary_color(image, *columns[1:4])
    if random_crops:
        image, label = _crop(image, label, *columns[4:7])
    return image, label


def _vary_color(image, *random_numbers):
    brightness, contrast, saturation = (
        1 + COLOR_RANGE * (2 * number[:, None, None, None] - 1) for number in random_numbers)
    gray = tf.reduce_mean(image, axis=3, keepdims=True)
    image = gray + (image - gray) * saturation
    mean = tf.reduce_mean(image, axis=(1, 2, 3), keepdims=True)
    return tf.clip_by_value((mean + (image - mean) * contrast) * brightness, 0.0, 255.0)


def _crop(image, label, scale, top, left):
    smallest, largest = SCALE_RANGE
    side = smallest * (largest / smallest) ** scale  # as likely larger as smaller
    top, left = (1 - side) * top, (1 - side) * left  # beyond the picture where side is above 1
    boxes = tf.stack([top, left, top + side, left + side], axis=1)
    numbers, size = tf.range(tf.shape(image)[0]), tf.shape(image)[1:3]
    image = tf.image.crop_and_resize(image, boxes, numbers, size,
                                     extrapolation_value=float(PADDING_GRAY))
    label = tf.image.crop_and_resize(label[..., None], boxes, numbers, size, method="nearest",
                                     extrapolation_value=float(PADDING_LABEL))
    return image, tf.cast(label[..., 0], tf.uint8)
