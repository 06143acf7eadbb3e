"""The int8 encoder's features, on which the decoder is trained."""

import hashlib
import queue
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from device.tflite import run_model
from segmentation.int8.equalize import equalize
from segmentation.int8.interpreter import dequantize, open_bytes
from segmentation.int8.quantize import quantize
from segmentation.parallel import READER_THREADS


def make_feature_function(encoder, calibration_images):
    """Quantizes the encoder and returns a function that runs it in int8 on several processors.

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
            run_model(interpreter, image)
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
    """Returns the function of make_feature_function with a memory of the images it has seen.

    For images that come again unchanged: of a frozen encoder their features are the same.
    Args: limit_bytes, of features; what goes beyond is computed again each time.
    Returns: function of the same arguments -> list of tensors.
    """
    kept, kept_bytes = {}, 0

    def recall(images):
        """Returns the features, computed only of those images that are not in the memory."""
        nonlocal kept_bytes
        keys = [hashlib.sha256(np.ascontiguousarray(image)).digest() for image in images]
        found = {key: kept[key] for key in keys if key in kept}
        missing = [number for number, key in enumerate(keys) if key not in found]
        if missing:
            fresh = features(images[missing])
            found |= {keys[number]: [tf.constant(array[place]) for array in fresh]
                      for place, number in enumerate(missing)}
            fresh_bytes = sum(array.nbytes for array in fresh)
            if kept_bytes + fresh_bytes <= limit_bytes:
                kept_bytes += fresh_bytes
                kept.update(found)
        # As tensors: from arrays NumPy would copy them on one core, and TensorFlow once more.
        return [tf.stack(parts) for parts in zip(*(found[key] for key in keys))]

    return recall
