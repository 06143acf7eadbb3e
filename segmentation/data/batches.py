"""Training batches as a tf.data.Dataset: shuffled, augmented, encoded.

All random numbers depend on the seed, the epoch and the place in it alone. So a run that is
resumed, or spread over several devices, sees the batches that one uninterrupted device sees.
"""

import functools

import numpy as np
import tensorflow as tf

from segmentation.data.augmentation import augment_batch
from segmentation.data.pasting import paste_objects
from segmentation.data.tiling import draw_crop_numbers

RANDOM_NUMBERS = 8  # an image: flip, brightness, contrast, saturation, scale, top, left, pasting


def epoch_order(count, batch_size, shuffle=False, seed=0, epoch=0, repeats=1):
    """Returns which images make up each batch of an epoch, and the random numbers of each.

    Args: count of images; epoch from 0; repeats, how often the epoch goes through the images.
    Returns: list of (indices int64 (batch,), random_numbers float32 (batch, RANDOM_NUMBERS) in
        0..1); the last batch may be smaller.
    """
    random = np.random.default_rng((seed, epoch))
    order = np.concatenate([random.permutation(count) if shuffle else np.arange(count)
                            for _ in range(repeats)])
    random_numbers = random.random((len(order), RANDOM_NUMBERS), np.float32)
    return [(order[start:start + batch_size], random_numbers[start:start + batch_size])
            for start in range(0, len(order), batch_size)]


def count_steps(count, batch_size, repeats=1):
    """Returns how many batches an epoch has that goes through so many images repeatedly."""
    return -(-count * repeats // batch_size)


def make_dataset(images, labels, batch_size, augmentation=None, shuffle=False, seed=0,
                 epochs=range(1), repeats=1, features=None, replicas=(0, 1, 1), crop_range=None,
                 pasted_classes=0, read_crops=None):
    """Streams the batches of all epochs, one after the other, prefetched.

    Args:
        images, labels: uint8 (n, height, width, 3) and (n, height, width).
        epochs, repeats: numbers of the epochs, from 0, and how often each goes through the images.
        features: None, or a function that turns uint8 images into a list of float32 arrays, which
            are served in place of the images.
        replicas: (first, last, total): serves devices first to last - 1 of so many in all. The
            images of a batch are dealt out one by one, and each device's share is an element.
        augmentation, crop_range: see augment_batch; None: the images stay as they are.
        pasted_classes: number of classes whose objects are pasted into other images; 0: none. They
            are mirrored only where augmentation flips.
        read_crops: None, or a function of tiling.make_crop_reader: images and labels are larger
            pictures, of which it cuts the crops that make up a batch.
    Returns: tf.data.Dataset of image float32 (batch, height, width, 3) in 0..255, or a tuple of
        features, and label uint8 (batch, height, width).
    """
    if read_crops is None:
        one_image = images[:1]
    else:
        one_image, _ = read_crops([0], draw_crop_numbers(len(images) * repeats, seed, 0)[:1])
    mirrors = augmentation is not None and augmentation.flip is not None
    fetch = make_fetch(images, labels, batch_size, shuffle, seed, epochs, repeats, replicas,
                       pasted_classes, mirrors, read_crops)

    # Not from_generator: TensorFlow 2.21 then lets malloc give memory back at once
    # (M_TRIM_THRESHOLD), and every step spends a third of its time on getting it again.
    first, last, _ = replicas
    steps = count_steps(len(images), batch_size, repeats)
    numbers = tf.data.Dataset.range(len(epochs) * steps * (last - first))
    decode = _decode_by(fetch, one_image.shape[1:3], augmentation, crop_range)
    dataset = numbers.map(decode, num_parallel_calls=2)
    if features is not None:
        dataset = dataset.map(_encode_by(features, one_image), num_parallel_calls=2)
    return dataset.prefetch(2)


def make_fetch(images, labels, batch_size, shuffle, seed, epochs, repeats, replicas, pasted_classes,
               mirrors, read_crops):
    """Returns a function number -> (image, label, random_numbers): an element before it is varied.

    It counts over all epochs, steps and devices, and is plain NumPy: image uint8 (batch, height,
    width, 3), label uint8 (batch, height, width), random_numbers of epoch_order.
    Args: as for make_dataset; mirrors, whether half of the pasted objects are mirrored.
    """
    first, last, total = replicas
    order = functools.lru_cache(2)(lambda epoch: epoch_order(
        len(images), batch_size, shuffle, seed, epoch, repeats))
    crop_numbers = functools.lru_cache(2)(lambda epoch: draw_crop_numbers(
        len(images) * repeats, seed, epoch))
    steps = count_steps(len(images), batch_size, repeats)

    def fetch(number):
        """Returns the images, labels and random_numbers of a batch, by its number in all epochs."""
        step, replica = divmod(int(number), last - first)
        epoch, step = divmod(step, steps)
        indices, random_numbers = (
            array[first + replica::total] for array in order(epochs[epoch])[step])
        if read_crops is None:
            image, label = images[indices], labels[indices]
            donors = images, labels
        else:
            numbers = crop_numbers(epochs[epoch])[step * batch_size:(step + 1) * batch_size]
            image, label = read_crops(indices, numbers[first + replica::total])
            donors = image.copy(), label.copy()  # whole pictures would be slow to read each time
        for place, random_number in enumerate(random_numbers[:, -1] if pasted_classes else ()):
            random = np.random.default_rng(int(random_number * 2**24))  # all bits of a float32
            paste_objects(image[place], label[place], *donors, pasted_classes, random, mirrors)
        return image, label, random_numbers

    return fetch


def _decode_by(fetch, image_size, augmentation, crop_range):
    def decode(number):
        """Returns images and labels of a batch by its number, augmented if asked for."""
        image, label, random_numbers = tf.numpy_function(
            fetch, [number], (tf.uint8, tf.uint8, tf.float32), stateful=False)
        image = tf.cast(tf.ensure_shape(image, (None, *image_size, 3)), tf.float32)
        label = tf.ensure_shape(label, (None, *image_size))
        if augmentation is None:
            return image, label
        random_numbers = tf.ensure_shape(random_numbers, (None, RANDOM_NUMBERS))
        return augment_batch(image, label, random_numbers, augmentation, crop_range)

    return decode


def _encode_by(features, one_image):
    shapes = [(None, *array.shape[1:]) for array in features(one_image)]

    def encode(image, label):
        """Puts the features in the image's place."""
        arrays = tf.numpy_function(features, [tf.cast(tf.round(image), tf.uint8)],
                                   [tf.float32] * len(shapes), stateful=False)
        return tuple(map(tf.ensure_shape, arrays, shapes)), label

    return encode
