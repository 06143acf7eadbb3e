"""Full-int8 quantisation: Keras model -> .tflite bytes, and the encoder's features in int8.

main.py trains the decoder on what the int8 encoder really computes; tflite_convert.py converts the
whole model with the same calibration images, so that the encoder's quantisation is the same.
"""

import csv
import io
import logging
import queue
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from import_data import READER_THREADS
from predict import run_model

CALIBRATION_IMAGES = 100  # training images, evenly spaced, that set the ranges of all tensors
REFERENCE_KERNELS = tf.lite.experimental.OpResolverType.BUILTIN_REF


def calibration_indices(count):
    """Returns which of so many training images calibrate: evenly spaced, CALIBRATION_IMAGES."""
    return np.linspace(0, count - 1, min(CALIBRATION_IMAGES, count)).astype(int)


def with_both_ends(images):
    """Returns a copy of calibration images in which two pixels are 0 and 255.

    So the input's range is exactly 0..255, and its int8 value pixel - 128.
    Args: images uint8 (n, height, width, 3).
    """
    images = images.copy()
    images[0, 0, 0], images[0, -1, -1] = 0, 255
    return images


def quantise(model, calibration_images, input_type="int8", output_type="int8"):
    """Quantises a Keras model to int8: weights and activations, inputs and outputs, batch 1.

    Args: model, a function of one batch in [-1, 1]; calibration_images uint8 (n, height, width, 3);
        input_type and output_type "int8" or "uint8".
    Returns: bytes of a .tflite file whose int8 input is pixel - 128: the scaling of 0..255 to
        [-1, 1] is the quantisation of the input, no operation is left of it.
    """
    converter = make_converter(model, calibration_images)
    converter.inference_input_type = tf.as_dtype(input_type)
    converter.inference_output_type = tf.as_dtype(output_type)
    with quiet():
        return converter.convert()


def make_converter(model, calibration_images):
    """Returns TensorFlow's converter, set for full int8; arguments as for quantise."""
    def calibration_data():
        for image in calibration_images:
            yield [np.float32(image[None]) / 127.5 - 1]

    @tf.function(input_signature=[tf.TensorSpec((1, *calibration_images.shape[1:]), tf.float32)])
    def one_image(image):
        return model(image, training=False)

    # Through a concrete function, without the model as trackable: calibration fails with it in
    # Keras 3, and a dynamic batch would leave operations that the Edge TPU refuses.
    with quiet():
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [one_image.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = calibration_data
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return converter


def layer_errors(model, calibration_images, images):
    """Measures what quantisation does to each layer, with TensorFlow's quantization debugger.

    Args: as for make_converter, and images uint8 (n, height, width, 3) to measure on.
    Returns: list of dicts layer, operation, mean_squared_error (float against dequantised
        activations), error_in_steps (its root over the scale; 0.29 is mere rounding), worst first.
    """
    converter = make_converter(model, calibration_images)
    converter.inference_input_type = converter.inference_output_type = tf.float32

    def data():
        for image in images:
            yield [np.float32(image[None]) / 127.5 - 1]

    with quiet():
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter, debug_dataset=data)
        debugger.run()
        text = io.StringIO()
        debugger.layer_statistics_dump(text)
    rows = [{"layer": row["tensor_name"].split(";")[0], "operation": row["op_name"],
             "mean_squared_error": float(row["mean_squared_error"]),
             "error_in_steps": float(row["mean_squared_error"]) ** 0.5 / float(row["scale"])}
            for row in csv.DictReader(io.StringIO(text.getvalue()))]
    return sorted(rows, key=lambda row: -row["error_in_steps"])


@contextmanager
def quiet():
    """Holds back the notes of TensorFlow's converter that no user can act on."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
            warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated")
            yield
    finally:
        logger.setLevel(level)


def unscaled(model):
    """Returns the U-Net without its scaling of 0..255: a model of images in [-1, 1]."""
    return keras.Model(model.get_layer("scale_input").output, model.output)


def make_feature_function(encoder, calibration_images):
    """Quantises the encoder and returns a function that runs it in int8 on several processors.

    Args: encoder, Keras model of one image in [-1, 1] with several outputs of different sizes;
        calibration_images uint8 (n, height, width, 3).
    Returns: function uint8 (batch, height, width, 3) -> list of float32 (batch, ...), the
        dequantised outputs in the encoder's own order.
    """
    model_bytes = quantise(encoder, calibration_images)
    interpreters = queue.SimpleQueue()
    for _ in range(READER_THREADS):
        interpreters.put(open_bytes(model_bytes))
    executor = ThreadPoolExecutor(READER_THREADS)
    shapes = [(1, *shape[1:]) for shape in encoder.output_shape]

    def run_one(image):
        interpreter = interpreters.get()
        try:
            run_model(interpreter, image)
            outputs = {tuple(output["shape"]): dequantise(
                interpreter.get_tensor(output["index"]), output["quantization"])
                for output in interpreter.get_output_details()}
        finally:
            interpreters.put(interpreter)
        return [outputs[shape] for shape in shapes]

    def features(images):
        return [np.concatenate(parts) for parts in zip(*executor.map(run_one, images))]

    return features


def open_bytes(model_bytes, **options):
    """Opens a .tflite that is still in memory; returns its interpreter."""
    with quiet():
        interpreter = tf.lite.Interpreter(model_content=model_bytes, **options)
    interpreter.allocate_tensors()
    return interpreter


def run_images(interpreter, images):
    """Runs a .tflite on images uint8 (n, height, width, 3); returns its quantised logits."""
    return np.stack([run_model(interpreter, image) for image in images])


def dequantise(values, quantization):
    """Turns quantised values into real ones: scale * (value - zero point), float32."""
    scale, zero_point = quantization
    return np.float32(scale) * (values.astype(np.float32) - np.float32(zero_point))
