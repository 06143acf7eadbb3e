"""Runs a .tflite model; needs no TensorFlow where another TFLite runtime is installed."""

import importlib

import numpy as np

from import_data import InputError

RUNTIMES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter", "tensorflow.lite.python.interpreter")


def load_runtime():
    """Returns the first TFLite runtime that is installed: a module with an Interpreter class.

    Raises: InputError where none is.
    """
    for name in RUNTIMES:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise InputError("No TFLite runtime is installed: pip install ai-edge-litert (or tensorflow).")


def open_model(path, threads=1):
    """Opens a .tflite model; returns its interpreter with tensors allocated.

    Raises: InputError where the file is missing or no .tflite.
    """
    try:
        interpreter = load_runtime().Interpreter(model_path=str(path), num_threads=threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{path} can't be opened as a .tflite model: {error}") from error
    return interpreter


def run_model(interpreter, image):
    """Runs the model on one image.

    Args: image uint8 (height, width, 3) of the model's size.
    Returns: quantised logits (height, width, num_classes), of the output's dtype.
    """
    detail = interpreter.get_input_details()[0]
    interpreter.set_tensor(detail["index"], quantise_image(image, detail["dtype"])[None])
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]


def quantise_image(image, dtype):
    """Turns pixels 0..255 into the model's input: pixel - 128 for int8, the pixel for uint8."""
    if dtype == np.uint8:
        return image
    return (image ^ 0x80).view(np.int8)  # the same bits as pixel - 128
