"""The int8 encoder's features, on which the decoder is trained."""

import hashlib
import queue
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from device.tflite import invoke_model
from segmentation.int8.equalize import equalize
from segmentation.int8.interpreter import dequantize, open_bytes
from segmentation.int8.quantize import quantize
from segmentation.parallel import READER_THREADS


def make_feature_function(encoder, calibration_images):
    """Quantizes the encoder and returns a function that runs it in int8 on all CPU cores.

    Args: encoder, Keras model of one image in [-1, 1] with several outputs of different sizes;
        calibration_images uint8 (n, height, width, 3).
    Returns: function uint8 (batch, height, width, 3) -> list of float32 (batch, ...), the
        dequantized outputs in the encoder's own order.
    """
    model_bytes = quantize(equalize(encoder, calibration_images), calibration_images)
    interpreters = queue.SimpleQueue()
    for _ in range(READER_THREADS):
        interpreters.put(open_bytes(model_bytes))
    executor = ThreadPoolExecutor(READER_THREADS)
    shapes = [tuple(shape[1:]) for shape in encoder.output_shape]

    def run_one(image, *places):
        """Puts the dequantized outputs for one image into their places, in the encoder's order."""
        places = dict(zip(shapes, places))
        interpreter = interpreters.get()
        try:
            invoke_model(interpreter, image)
            for output in interpreter.get_output_details():
                place = places[tuple(output["shape"][1:])]
                values = interpreter.get_tensor(output["index"])[0]
                dequantize(values, output["quantization"], place)
        finally:
            interpreters.put(interpreter)

    def features(images):
        """Returns the dequantized outputs for a batch of images."""
        arrays = [np.empty((len(images), *shape), np.float32) for shape in shapes]
        for _ in executor.map(run_one, images, *arrays):  # which also raises what a thread raised
            pass
        return arrays

    return features


def cache_features(features, limit_bytes):
    """Returns the function of make_feature_function that computes each image's features once.

    For images that come again unchanged: with a frozen encoder their features are the same.
    Args: limit_bytes, of cached features; those of further images are computed each time.
    Returns: function of the same arguments -> list of tensors.
    """
    cache, cached_bytes = {}, 0

    def cached_features(images):
        """Returns the features, computed only of those images that are not in the cache."""
        nonlocal cached_bytes
        keys = [hashlib.sha256(np.ascontiguousarray(image)).digest() for image in images]
        found = {key: cache[key] for key in keys if key in cache}
        missing = [number for number, key in enumerate(keys) if key not in found]
        if missing:
            computed = features(images[missing])
            found |= {keys[number]: [tf.constant(array[place]) for array in computed]
                      for place, number in enumerate(missing)}
            computed_bytes = sum(array.nbytes for array in computed)
            if cached_bytes + computed_bytes <= limit_bytes:
                cached_bytes += computed_bytes
                cache.update(found)
        # As tensors: NumPy would copy arrays on one core, and TensorFlow once more.
        return [tf.stack(parts) for parts in zip(*(found[key] for key in keys))]

    return cached_features
