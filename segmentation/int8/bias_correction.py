"""Corrects the biases of an int8 model: of every convolution, and of the logits."""

from typing import NamedTuple

import numpy as np
from tensorflow.lite.python.schema_py_generated import Model

from device.tflite import invoke_model, run_model
from segmentation.int8.interpreter import dequantize, open_layers

MIN_UNCLAMPED_SHARE = 0.1  # divided by if it is less: channels nearly always clamped shift too far


def correct_biases(int8_bytes, float_bytes, images):
    """Shifts the biases of an int8 model so that its channels have the float model's means.

    Rounded weights shift a channel's mean, and in a deep network the shifts add up: they were most
    of MobileNetV2's error (bias correction: Nagel et al. 2019, Data-Free Quantization, measured on
    images as in its appendix D). Layer by layer from the front, each with those before corrected.
    Args: bytes of the int8 and of the float .tflite of one model, images uint8 (n, height, width,
        3).
    Returns: bytes of the int8 .tflite; nothing but biases has changed.
    """
    data, layers = bytearray(int8_bytes), list_layers(int8_bytes)
    float_layers = list_layers(float_bytes)
    if [layer.shape for layer in layers] != [layer.shape for layer in float_layers]:
        raise ValueError("the float and the int8 model do not have the same convolutions")
    float_means, _ = channel_means(float_bytes, float_layers, images)
    for number, (layer, float_mean) in enumerate(zip(layers, float_means)):
        (mean,), (unclamped,) = channel_means(bytes(data), [layer], images)
        # A clamp (ReLU6) lets a shift through only where a value is not clamped.
        shift = (float_mean - mean) / np.maximum(unclamped, MIN_UNCLAMPED_SHARE)
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
    means, unclamped = [0.0] * len(layers), [0.0] * len(layers)
    for image in images:
        invoke_model(interpreter, image)
        for number, layer in enumerate(layers):
            values = interpreter.get_tensor(layer.output)
            if values.dtype == np.int8:
                is_unclamped = (values > -128) & (values < 127)
                unclamped[number] += is_unclamped.mean((0, 1, 2)) / len(images)
                values = dequantize(values, layer.quantization)
            means[number] += values.mean((0, 1, 2), np.float64) / len(images)
    return means, unclamped


def find_bias(data, index):
    """Returns a tensor's int32 values, a view that writes into data, and its scale (channels,).

    Args: data, bytearray of a .tflite file; index of the tensor.
    """
    model = Model.GetRootAs(data, 0)
    tensor = model.Subgraphs(0).Tensors(index)
    values = model.Buffers(tensor.Buffer()).DataAsNumpy().view(np.int32)
    return values, tensor.Quantization().ScaleAsNumpy().astype(np.float64)


def correct_tie_bias(model_bytes, images):
    """Shifts the logits' biases so that rounding them favors no class.

    Of equal logits the first is taken, so rounding moves the edge between two classes by half a
    step in favor of the earlier one: background grows, rare objects shrink.
    Args: bytes of a .tflite whose last convolution gives the logits, folded or not; images uint8
        (n, height, width, 3).
    Returns: bytes of the .tflite; nothing but that convolution's biases has changed.
    """
    interpreter = open_layers(model_bytes)
    ties = sum(count_ties(run_model(interpreter, image)) for image in images)
    step, _ = interpreter.get_output_details()[0]["quantization"]
    data = bytearray(model_bytes)
    values, scale = find_bias(data, list_layers(model_bytes)[-1].bias)
    offsets = np.tile(solve_logit_offsets(ties), len(values) // len(ties))  # of 2x2 pixels, or one
    values += np.round(offsets * step / scale).astype(np.int32)
    return bytes(data)


def count_ties(logits):
    """Counts the pixels in which two classes both have the highest logit.

    Args: quantized logits (height, width, classes).
    Returns: int64 (classes, classes), symmetric, 0 on the diagonal.
    """
    is_highest = (logits == logits.max(-1, keepdims=True)).reshape(-1, logits.shape[-1])
    tied = is_highest[is_highest.sum(-1) > 1].astype(np.int64)
    ties = tied.T @ tied
    np.fill_diagonal(ties, 0)
    return ties


def solve_logit_offsets(ties):
    """Returns the shift of each class's logit in steps, float64 (classes,); that of class 0 is 0.

    The later of two classes needs half a step more than the earlier. Not all pairs of more than two
    classes can have that, so it is solved by least squares, weighted by the number of ties.
    Args: ties (classes, classes) of count_ties.
    """
    weights = ties + 1 - np.eye(len(ties))  # one more for each pair: some never tie
    target = 0.5 * (np.tril(weights) - np.triu(weights)).sum(1)
    laplacian = np.diag(weights.sum(1)) - weights
    offsets = np.linalg.lstsq(laplacian, target, rcond=None)[0]  # any constant may be added
    return offsets - offsets[0]
