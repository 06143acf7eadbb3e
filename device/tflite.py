"""Runs a .tflite: finds a runtime and the Edge TPU's delegate, opens the file, runs an image."""

import ctypes
import importlib
import os
import platform
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from device.errors import InputError
from device.images import PIXEL_SCALE
from device.model_info import MAX_CLASSES
from device.tflite_file import check_file

RUNTIMES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter",
            "tensorflow.lite.python.interpreter")
EDGETPU_LIBRARIES = {"Darwin": "libedgetpu.1.dylib", "Windows": "edgetpu.dll"}
COMPILED_OPERATION = b"edgetpu-custom-op"  # stands in every file that edgetpu_compiler writes


def load_runtime():
    """Returns the first TFLite runtime that is installed: a module with an Interpreter class.

    Raises: InputError where none is.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's own notes hide our lines
    reasons = []
    for name in RUNTIMES:
        try:
            return importlib.import_module(name)
        except ImportError as error:
            reasons.append(str(error))
    raise InputError("No TFLite runtime can be imported: pip install ai-edge-litert (or "
                     f"tensorflow). The reasons: {'; '.join(reasons)}.")


def find_compiled(path):
    """Returns what was compiled from a .tflite: itself, or *_edgetpu.tflite if newer, or None."""
    for file in (path, path.with_name(f"{path.stem}_edgetpu.tflite")):
        if (file.is_file() and file.stat().st_mtime >= path.stat().st_mtime
                and COMPILED_OPERATION in file.read_bytes()):
            return file
    return None


def find_delegate(library="auto"):
    """Loads the Edge TPU's delegate.

    Args: library, its name or path, or "auto": this system's usual one.
    Returns: the delegate for open_model or None, and a sentence: which it is, or what is missing.
    """
    if library == "auto":
        library = EDGETPU_LIBRARIES.get(platform.system(), "libedgetpu.so.1")
    try:
        ctypes.CDLL(library)  # first: load_delegate would print a traceback where it is missing
        return load_runtime().load_delegate(library), f"Its library is {library}."
    except OSError as error:
        return None, f"The Edge TPU's library can't be loaded ({error}): install libedgetpu."
    except (ValueError, RuntimeError, AttributeError):
        return None, f"{library} finds no Edge TPU: plug it in, and let no other program use it."


def choose_model(path, library):
    """Decides what runs where.

    Args: path of a .tflite, compiled for the Edge TPU or not; library as DELEGATE.
    Returns: the path to open, its delegate (None: the CPU), and a sentence: which, and why.
    Raises: InputError where there is no model, or where the Edge TPU is demanded and not there.
    """
    path, delegate = Path(path), None
    if not path.is_file():
        raise InputError(f"There is no {path}: run tflite_convert.py first, or correct MODEL_PATH.")
    compiled = find_compiled(path)
    if library is None:
        reason = "DELEGATE is None."
    elif compiled is None:
        reason = f"No {path.stem}_edgetpu.tflite, compiled and not older, is beside it."
    else:
        delegate, reason = find_delegate(library)
    if delegate is not None:
        return compiled, delegate, f"On the Edge TPU: {compiled}. {reason}"
    if compiled == path:
        raise InputError(f"{path} is compiled for the Edge TPU and runs nowhere else. {reason}")
    if library not in ("auto", None):
        raise InputError(f"DELEGATE asks for the Edge TPU. {reason}")
    return path, None, f"On the CPU: {path}. {reason}"


def open_model(path, threads=1, delegate=None):
    """Opens a .tflite model; returns its interpreter with tensors allocated.

    The file is checked first and the model run once, so that a damaged one is found here.
    Args: delegate as find_delegate returns it, or None: the CPU.
    Raises: InputError where the file is missing, no .tflite, or compiled and without delegate.
    """
    runtime, delegates = load_runtime(), None if delegate is None else [delegate]
    try:
        check_file(Path(path).read_bytes())
        with warnings.catch_warnings():  # tf.lite's is only taken where there is no other
            warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated")
            interpreter = runtime.Interpreter(
                model_path=str(path), num_threads=threads, experimental_delegates=delegates)
        interpreter.allocate_tensors()
        interpreter.invoke()  # on whatever is in the input: only this runs all of its own checks
        for detail in interpreter.get_input_details() + interpreter.get_output_details():
            interpreter.get_tensor(detail["index"])
    except (ValueError, RuntimeError, OSError) as error:
        if delegate is None and COMPILED_OPERATION.decode() in str(error):
            error = "it is compiled for the Edge TPU and needs its delegate"
        raise InputError(f"{path} can't be opened as a .tflite model: {error}") from None
    return interpreter


def model_shape(interpreter):
    """Returns the (height, width) that the model takes and its number of classes.

    Raises: InputError where the model's inputs and outputs are not those of a segmentation.
    """
    details = interpreter.get_input_details() + interpreter.get_output_details()
    shapes = [tuple(map(int, detail["shape"])) for detail in details]
    if [len(shape) for shape in shapes] != [4, 4] or shapes[0][::3] != (1, 3):
        raise InputError(f"The model's inputs and outputs have the shapes {shapes}; needed are one "
                         f"input (1, height, width, 3), one output (1, height, width, classes).")
    types = [detail["dtype"] for detail in details]
    if not set(types) <= {np.int8, np.uint8, np.float32}:
        names = [np.dtype(dtype).name for dtype in types]
        raise InputError(f"The model's input and output hold {' and '.join(names)}; needed are "
                         f"int8, uint8 or float32.")
    scale = details[0]["quantization"][0]
    if types[0] != np.float32 and not 0 < scale < np.inf:
        raise InputError(f"The model's input has the scale {scale}: it is damaged or was quantized "
                         f"by another tool; run tflite_convert.py again.")
    if not 2 <= shapes[1][3] <= MAX_CLASSES:
        raise InputError(f"The model gives {shapes[1][3]} classes; masks hold 2 to {MAX_CLASSES}.")
    return shapes[0][1:3], shapes[1][3]


def run_model(interpreter, image):
    """Runs the model on one image.

    Args: image uint8 (height, width, 3) of the model's size.
    Returns: quantized logits (height, width, num_classes), of the output's dtype.
    """
    detail = interpreter.get_input_details()[0]
    image = quantize_image(image, detail["dtype"], detail["quantization"])
    interpreter.set_tensor(detail["index"], image[None])
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]


def quantize_image(image, dtype, quantization=None):
    """Turns pixels 0..255 into the model's input.

    The network was trained on pixel / 127.5 - 1, and an integer tensor of scale s and zero point z
    holds real / s + z, rounded and clipped. With tflite_convert.py's scale of 2 / 255 that is
    pixel - 128 for int8 (z = -1) and the pixel itself for uint8 (z = 127).
    Args: image uint8, dtype int8, uint8 or float32, quantization (s, z) or None: those above.
    """
    values = np.arange(256) / PIXEL_SCALE - 1
    if not np.issubdtype(dtype, np.floating):
        limits = np.iinfo(dtype)
        scale, zero_point = quantization or (2 / 255, limits.min + 127)
        # At 2 / 255 every value is a half, and all have to go up, whatever float32 made of scale.
        values = np.floor(values / scale + zero_point + 0.501).clip(limits.min, limits.max)
    return values.astype(dtype)[image]


def most_likely_classes(logits, mask_size, box):
    """Resizes logits bilinearly and returns the most likely class of each pixel.

    Args: logits (height, width, classes), quantized ones as they are: all classes share one scale;
        mask_size (height, width); box of the picture in the logits.
    Returns: uint8 of mask_size. One class at a time, because a device has little memory.
    """
    height, width, num_classes = logits.shape
    if (*mask_size, *box) == (height, width, 0, 0, width, height):
        return logits.argmax(-1).astype(np.uint8)
    mask, highest = np.zeros(mask_size, np.uint8), np.full(mask_size, -np.inf, np.float32)
    for index in range(num_classes):
        plane = Image.fromarray(logits[..., index].astype(np.float32))
        plane = np.asarray(plane.resize(mask_size[::-1], Image.Resampling.BILINEAR, box))
        mask[plane > highest] = index
        np.maximum(highest, plane, out=highest)
    return mask
