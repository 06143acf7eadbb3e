"""Streams training batches: shuffled, augmented in pair, by a seed that makes each epoch anew.

Everything that is drawn depends on the seed, the epoch and the place in it alone, so a run that is
resumed, or spread over several devices, sees what an uninterrupted one on one device sees.
"""

import functools

import numpy as np
import tensorflow as tf

FLIP_PROBABILITY = 0.5
COLOUR_RANGE = 0.2  # brightness, contrast and saturation vary by a factor of 1 -+ this
SCALE_RANGE = (0.6, 1.25)  # a window of this share of the sides is shown at full size
PADDING = 128.0  # grey around a picture that is shown smaller: near 0 to the network
BEYOND = 255  # label around such a picture: never a class, since at most 255 are allowed
DRAWS = 7  # random numbers an image: flip, brightness, contrast, saturation, scale, top, left


def epoch_order(count, batch_size, shuffle=False, seed=0, epoch=0, repeats=1):
    """Returns which images make up each batch of an epoch, and the random numbers of each.

    Args: count of images; epoch from 0; repeats, how often the epoch goes through the images.
    Returns: list of (indices int64 (batch,), draws float32 (batch, DRAWS) in 0..1); the last batch
        may be smaller.
    """
    random = np.random.default_rng((seed, epoch))
    order = np.concatenate([random.permutation(count) if shuffle else np.arange(count)
                            for _ in range(repeats)])
    draws = random.random((len(order), DRAWS), np.float32)
    return [(order[start:start + batch_size], draws[start:start + batch_size])
            for start in range(0, len(order), batch_size)]


def count_steps(count, batch_size, repeats=1):
    """Returns how many batches an epoch has that goes through so many images repeatedly."""
    return -(-count * repeats // batch_size)


def make_dataset(images, labels, batch_size, augment=False, shuffle=False, seed=0,
                 epochs=range(1), repeats=1, features=None, replicas=(0, 1, 1), windows=False):
    """Streams the batches of all epochs, one after the other, prefetched.

    Args: images uint8 (n, height, width, 3), labels uint8 (n, height, width); epochs, their
        numbers from 0, and repeats: see epoch_order; features, None or a function uint8 images ->
        list of float32 arrays, which take the images' place; replicas (first, last, total), the
        part of all devices that is served: a batch is dealt out image by image, and each device's
        share is an element of its own; augment and windows: see augment_batch.
    Returns: tf.data.Dataset of image float32 (batch, height, width, 3) in 0..255, or a tuple of
        features, and label uint8 (batch, height, width).
    """
    first, last, total = replicas
    order = functools.lru_cache(2)(lambda epoch: epoch_order(
        len(images), batch_size, shuffle, seed, epoch, repeats))
    steps = count_steps(len(images), batch_size, repeats)

    def fetch(number):
        """Returns the images, labels and draws of a batch, by its number in all epochs."""
        step, replica = divmod(int(number), last - first)
        epoch, step = divmod(step, steps)
        indices, draws = (array[first + replica::total] for array in order(epochs[epoch])[step])
        return images[indices], labels[indices], draws

    def decode(number):
        """Returns image and label of a batch by its number, augmented where wanted."""
        image, label, draws = tf.numpy_function(
            fetch, [number], (tf.uint8, tf.uint8, tf.float32), stateful=False)
        image = tf.cast(tf.ensure_shape(image, (None, *images.shape[1:])), tf.float32)
        label = tf.ensure_shape(label, (None, *labels.shape[1:]))
        if not augment:
            return image, label
        return augment_batch(image, label, tf.ensure_shape(draws, (None, DRAWS)), windows)

    # Not from_generator: TensorFlow 2.21 then lets malloc give memory back at once
    # (M_TRIM_THRESHOLD), and every step spends a third of its time on getting it again.
    numbers = tf.data.Dataset.range(len(epochs) * steps * (last - first))
    dataset = numbers.map(decode, num_parallel_calls=2)
    if features is not None:
        dataset = dataset.map(_encode_by(features, images[:1]), num_parallel_calls=2)
    return dataset.prefetch(2)


def _encode_by(features, one_image):
    shapes = [(None, *array.shape[1:]) for array in features(one_image)]

    def encode(image, label):
        """Puts the features in the image's place."""
        arrays = tf.numpy_function(features, [tf.cast(tf.round(image), tf.uint8)],
                                   [tf.float32] * len(shapes), stateful=False)
        return tuple(map(tf.ensure_shape, arrays, shapes)), label

    return encode


def augment_batch(image, label, draws, windows=False):
    """Flips and crops image and label together, and varies the colour of the image alone.

    Args: image float32 (batch, height, width, 3) in 0..255, label uint8 (batch, height, width),
        draws float32 (batch, DRAWS) in 0..1; windows, whether to crop, as SCALE_RANGE says: it
        pays where the encoder is trained, not where only the decoder is.
    Returns: image and label of the same shapes and dtypes.
    """
    columns = tf.unstack(draws, axis=1)
    flipped = columns[0] < FLIP_PROBABILITY
    image = tf.where(flipped[:, None, None, None], tf.reverse(image, [2]), image)
    label = tf.where(flipped[:, None, None], tf.reverse(label, [2]), label)
    image = _vary_colour(image, *columns[1:4])
    if windows:
        image, label = _crop(image, label, *columns[4:7])
    return image, label


def _vary_colour(image, *draws):
    brightness, contrast, saturation = (
        1 + COLOUR_RANGE * (2 * draw[:, None, None, None] - 1) for draw in draws)
    grey = tf.reduce_mean(image, axis=3, keepdims=True)
    image = grey + (image - grey) * saturation
    mean = tf.reduce_mean(image, axis=(1, 2, 3), keepdims=True)
    return tf.clip_by_value((mean + (image - mean) * contrast) * brightness, 0.0, 255.0)


def _crop(image, label, scale, top, left):
    smallest, largest = SCALE_RANGE
    side = smallest * (largest / smallest) ** scale  # as likely larger as smaller
    top, left = (1 - side) * top, (1 - side) * left  # beyond the picture where side is above 1
    boxes = tf.stack([top, left, top + side, left + side], axis=1)
    window = tf.range(tf.shape(image)[0]), tf.shape(image)[1:3]
    image = tf.image.crop_and_resize(image, boxes, *window, extrapolation_value=PADDING)
    label = tf.image.crop_and_resize(label[..., None], boxes, *window, method="nearest",
                                     extrapolation_value=float(BEYOND))
    return image, tf.cast(label[..., 0], tf.uint8)
