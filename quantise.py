"""Full-int8 quantisation: Keras model -> .tflite bytes, and the encoder's features in int8.

main.py trains the decoder on what the int8 encoder really computes; tflite_convert.py converts the
whole model with the same calibration images, so that the encoder's quantisation is the same.
"""

import csv
import functools
import hashlib
import io
import logging
import queue
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python.schema_py_generated import Model

from equalise import equalise
from import_data import READER_THREADS
from predict import run_model

CALIBRATION_IMAGES = 100  # training images, evenly spaced, that set the ranges of all tensors
BIAS_IMAGES = 16  # of them, on which the biases are corrected; 40 were no better
SMALLEST_ACTIVE = 0.1  # bound of the share by which a shift is divided: noise is not blown up
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
        quantised = converter.convert()
        exact = make_float_converter(model, calibration_images.shape[1:]).convert()
    chosen = np.linspace(0, len(calibration_images) - 1, BIAS_IMAGES).astype(int)
    return correct_biases(quantised, exact, calibration_images[np.unique(chosen)])


def make_converter(model, calibration_images):
    """Returns TensorFlow's converter, set for full int8; arguments as for quantise."""
    converter = make_float_converter(model, calibration_images.shape[1:])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = functools.partial(one_by_one, calibration_images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return converter


def one_by_one(images):
    """Yields each image uint8 (height, width, 3) as the model's inputs: [float32 in [-1, 1]]."""
    for image in images:
        yield [np.float32(image[None]) / 127.5 - 1]


def make_float_converter(model, image_shape):
    """Returns TensorFlow's converter of a model of one image of (height, width, 3), float32."""
    @tf.function(input_signature=[tf.TensorSpec((1, *image_shape), tf.float32)])
    def one_image(image):
        """Runs the model on a batch of one, in inference mode."""
        return model(image, training=False)

    # Through a concrete function, without the model as trackable: calibration fails with it in
    # Keras 3, and a dynamic batch would leave operations that the Edge TPU refuses.
    with quiet():
        return tf.lite.TFLiteConverter.from_concrete_functions([one_image.get_concrete_function()])


def correct_biases(quantised, exact, images):
    """Shifts the biases of an int8 model so that its channels have the float model's means.

    Rounded weights shift a channel's mean, and in a deep network the shifts add up: they were most
    of MobileNetV2's error (bias correction: Nagel et al. 2019, Data-Free Quantization, measured on
    images as in its appendix D). Layer by layer from the front, each with those before corrected.
    Args: bytes of the int8 and of the float .tflite of one model, images uint8 (n, height, width,
        3).
    Returns: bytes of the int8 .tflite; nothing but biases has changed.
    """
    data, layers, wanted = bytearray(quantised), list_layers(quantised), list_layers(exact)
    if [layer.shape for layer in layers] != [layer.shape for layer in wanted]:
        raise ValueError("the float and the int8 model do not have the same convolutions")
    means, _ = channel_means(exact, wanted, images)
    for number, layer in enumerate(layers):
        (mean,), (active,) = channel_means(bytes(data), [layer], images)
        # A clamp (ReLU6) lets a shift through only where a value is not clamped.
        shift = (means[number] - mean) / np.maximum(active, SMALLEST_ACTIVE)
        values, scale = find_bias(data, layer.bias)
        values += np.round(shift / scale).astype(np.int32)
        if number % 20 == 19:
            print(f"Correcting biases: {number + 1} of {len(layers)} layers", flush=True)
    return bytes(data)


class Layer(NamedTuple):
    """A convolution in a .tflite: indices of its output and bias, the output's shape and (s, z)."""

    output: int
    bias: int
    shape: tuple
    quantization: tuple


def list_layers(model_bytes):
    """Returns the Layer of each convolution of a .tflite that has a bias, in order."""
    interpreter = open_layers(model_bytes)
    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    return [Layer(output, op["inputs"][2], tuple(tensors[output]["shape"]),
                  tensors[output]["quantization"])
            for op in interpreter._get_ops_details() for output in op["outputs"][:1]
            if op["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D") and len(op["inputs"]) == 3]


def channel_means(model_bytes, layers, images):
    """Runs a .tflite and averages the layers' outputs over images and places.

    Returns: list of float64 (channels,) means of the real values, and list of the shares of values
        that are not clamped (of a float model: 0).
    """
    interpreter = open_layers(model_bytes)
    sums, active = [0.0] * len(layers), [0.0] * len(layers)
    for image in images:
        run_model(interpreter, image)
        for number, layer in enumerate(layers):
            values = interpreter.get_tensor(layer.output)
            if values.dtype == np.int8:
                active[number] += ((values > -128) & (values < 127)).mean((0, 1, 2)) / len(images)
                values = dequantise(values, layer.quantization)
            sums[number] += values.mean((0, 1, 2), np.float64) / len(images)
    return sums, active


def find_bias(data, index):
    """Returns a tensor's int32 values, a view that writes into data, and its scale (channels,).

    Args: data, bytearray of a .tflite file; index of the tensor.
    """
    model = Model.GetRootAs(data, 0)
    tensor = model.Subgraphs(0).Tensors(index)
    values = model.Buffers(tensor.Buffer()).DataAsNumpy().view(np.int32)
    return values, tensor.Quantization().ScaleAsNumpy().astype(np.float64)


def balance_ties(model_bytes, images):
    """Shifts the logits' biases so that rounding them favours no class.

    Of equal logits the first is taken, so rounding moves the edge between two classes by half a
    step in favour of the earlier one: background grows, rare objects shrink.
    Args: bytes of a .tflite whose last convolution gives the logits, images uint8 (n, height,
        width, 3).
    Returns: bytes of the .tflite; nothing but that convolution's biases has changed.
    """
    interpreter = open_layers(model_bytes)
    *_, inputs = (op["inputs"] for op in interpreter._get_ops_details()
                  if op["op_name"] == "TRANSPOSE_CONV")
    if len(inputs) < 4:  # the converter leaves out biases that are all 0: of an untrained model
        return model_bytes
    ties = sum(count_ties(run_model(interpreter, image)) for image in images)
    step, _ = interpreter.get_output_details()[0]["quantization"]
    data = bytearray(model_bytes)
    values, scale = find_bias(data, inputs[3])
    values += np.round(choose_shifts(ties) * step / scale).astype(np.int32)
    return bytes(data)


def count_ties(logits):
    """Counts the pixels in which two classes both have the highest logit.

    Args: quantised logits (height, width, classes).
    Returns: int64 (classes, classes), symmetric, 0 on the diagonal.
    """
    is_highest = (logits == logits.max(-1, keepdims=True)).reshape(-1, logits.shape[-1])
    tied = is_highest[is_highest.sum(-1) > 1].astype(np.int64)
    ties = tied.T @ tied
    np.fill_diagonal(ties, 0)
    return ties


def choose_shifts(ties):
    """Returns the shift of each class's logit in steps, float64 (classes,); that of class 0 is 0.

    The later of two classes is to be half a step up against the earlier. More than two can't all
    have that, so the squared misses are least, weighted by the number of ties.
    Args: ties (classes, classes) of count_ties.
    """
    weights = ties + 1 - np.eye(len(ties))  # one more for each pair: some never tie
    wanted = 0.5 * (np.tril(weights) - np.triu(weights)).sum(1)
    laplacian = np.diag(weights.sum(1)) - weights
    shifts = np.linalg.lstsq(laplacian, wanted, rcond=None)[0]  # but for a constant
    return shifts - shifts[0]


def open_layers(model_bytes):
    """Opens a .tflite so that every tensor can be read after a run."""
    return open_bytes(
        model_bytes, experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=(
            tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES))


def layer_errors(model, calibration_images, images):
    """Measures what quantisation does to each layer, with TensorFlow's quantization debugger.

    The debugger converts for itself, so these are the errors before the biases are corrected.
    Args: as for make_converter, and images uint8 (n, height, width, 3) to measure on.
    Returns: list of dicts layer, operation, mean_squared_error (float against dequantised
        activations), error_in_steps (its root over the scale; 0.29 is mere rounding), worst first.
    """
    converter = make_converter(model, calibration_images)
    converter.inference_input_type = converter.inference_output_type = tf.float32

    with quiet():
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter, debug_dataset=functools.partial(one_by_one, images))
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


def prepare(model, calibration_images):
    """Returns the U-Net as it is quantised: of images in [-1, 1], its encoder equalised.

    Args: calibration_images uint8 (n, height, width, 3).
    """
    image = keras.Input(calibration_images.shape[1:])
    encoder = equalise(model.get_layer("encoder"), calibration_images)
    return keras.Model(image, model.get_layer("decoder")(encoder(image)))


def make_feature_function(encoder, calibration_images):
    """Quantises the encoder and returns a function that runs it in int8 on several processors.

    Args: encoder, Keras model of one image in [-1, 1] with several outputs of different sizes;
        calibration_images uint8 (n, height, width, 3).
    Returns: function uint8 (batch, height, width, 3) -> list of float32 (batch, ...), the
        dequantised outputs in the encoder's own order.
    """
    model_bytes = quantise(equalise(encoder, calibration_images), calibration_images)
    interpreters = queue.SimpleQueue()
    for _ in range(READER_THREADS):
        interpreters.put(open_bytes(model_bytes))
    executor = ThreadPoolExecutor(READER_THREADS)
    shapes = [tuple(shape[1:]) for shape in encoder.output_shape]

    def run_one(image, *places):
        """Puts the dequantised outputs for one image into their places, in the encoder's order."""
        places = dict(zip(shapes, places))
        interpreter = interpreters.get()
        try:
            run_model(interpreter, image)
            for output in interpreter.get_output_details():
                place = places[tuple(output["shape"][1:])]
                values = interpreter.get_tensor(output["index"])[0]
                dequantise(values, output["quantization"], place)
        finally:
            interpreters.put(interpreter)

    def features(images):
        """Returns the dequantised outputs for a batch of images."""
        arrays = [np.empty((len(images), *shape), np.float32) for shape in shapes]
        for _ in executor.map(run_one, images, *arrays):  # which also raises what a thread raised
            pass
        return arrays

    return features


def remember(features, limit_bytes):
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


def open_bytes(model_bytes, **options):
    """Opens a .tflite that is still in memory; returns its interpreter."""
    with quiet():
        interpreter = tf.lite.Interpreter(model_content=model_bytes, **options)
    interpreter.allocate_tensors()
    return interpreter


def run_images(interpreter, images):
    """Runs a .tflite on images uint8 (n, height, width, 3); returns its quantised logits."""
    return np.stack([run_model(interpreter, image) for image in images])


def dequantise(values, quantization, out=None):
    """Turns quantised values into real ones: scale * (value - zero point), float32.

    Args: out, float32 array of the same shape to write into, or None: a new one.
    """
    scale, zero_point = quantization
    out = np.subtract(values, np.float32(zero_point), out=out, dtype=np.float32)
    return np.multiply(out, np.float32(scale), out=out)
