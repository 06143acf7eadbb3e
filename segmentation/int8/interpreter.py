"""TensorFlow's interpreter of .tflite files that are still in memory."""

import logging
import warnings
from contextlib import contextmanager

import numpy as np
import tensorflow as tf

from device.quiet import quiet_stderr
from device.tflite import run_model

REFERENCE_KERNELS = tf.lite.experimental.OpResolverType.BUILTIN_REF


def open_bytes(model_bytes, **options):
    """Opens a .tflite that is still in memory; returns its interpreter."""
    with quiet():
        interpreter = tf.lite.Interpreter(model_content=model_bytes, **options)
        interpreter.allocate_tensors()
    return interpreter


def open_layers(model_bytes):
    """Opens a .tflite so that every tensor can be read after a run."""
    return open_bytes(
        model_bytes, experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=(
            tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES))


def run_images(interpreter, images):
    """Runs a .tflite on images uint8 (n, height, width, 3); returns its quantized logits."""
    return np.stack([run_model(interpreter, image) for image in images])


def dequantize(values, quantization, out=None):
    """Turns quantized values into real ones: scale * (value - zero point), float32.

    Args: out, float32 array of the same shape to write into, or None: a new one.
    """
    scale, zero_point = quantization
    out = np.subtract(values, np.float32(zero_point), out=out, dtype=np.float32)
    return np.multiply(out, np.float32(scale), out=out)


@contextmanager
def quiet():
    """Holds back the notes of TensorFlow's converter that no user can act on."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), quiet_stderr():
            warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
            warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated")
            yield
    finally:
        logger.setLevel(level)
