"""Opens a .tflite, runs it on one image, and turns its logits into a mask."""

import warnings
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from PIL import Image

from device.errors import InputError, shorten
from device.images import PIXEL_SCALE
from device.model_files import COMPILED_OPERATION
from device.model_info import MAX_CLASSES
from device.quiet import quiet_stderr
from device.runtime import describe_failure, hold_numpy_lines, load_runtime
from device.tflite_file import check_file


def open_model(path, threads=1, delegate=None, runtime=None):
    """Opens a .tflite model; returns its interpreter with tensors allocated.

    The file is checked first and the model run once, so that a damaged one is found here.
    Args: threads of the CPU; delegate as load_delegate returns it, or None: the CPU; runtime as
        load_runtime returns it, or None: the first that is installed.
    Raises: InputError where the file is missing or damaged, or the delegate can't run it.
    """
    runtime, delegates = runtime or load_runtime(), None if delegate is None else [delegate]
    try:
        check_file(Path(path).read_bytes())
    except (ValueError, OSError) as error:
        raise InputError(f"{path} can't be opened as a .tflite model: {error}") from None
    try:
        # tf.lite's runtime is only taken where there is no other.
        with warnings.catch_warnings(), hold_numpy_lines(), (
                quiet_stderr() if delegate is None else nullcontext()):  # libedgetpu may crash
            warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated")
            interpreter = runtime.module.Interpreter(
                model_path=str(path), num_threads=threads, experimental_delegates=delegates)
            interpreter.allocate_tensors()
        interpreter.invoke()  # on whatever is in the input: only this runs all of its own checks
        for detail in interpreter.get_input_details() + interpreter.get_output_details():
            interpreter.get_tensor(detail["index"])
    except (ValueError, RuntimeError, OSError) as error:
        raise InputError(_describe_refusal(path, delegate, runtime, str(error))) from error
    except Exception as error:  # SystemError where C code was built for another numpy
        raise InputError(describe_failure(runtime.name, error)) from error
    return interpreter


def _describe_refusal(path, delegate, runtime, message):
    """Returns a sentence: why a runtime does not open a file that is whole."""
    if delegate is not None:
        return (f"The Edge TPU does not take {path} ({shorten(message, 160)}): libedgetpu and "
                f"{runtime} do not fit each other, or the file was compiled for another version; "
                f"docs/coral.md lists the versions that go together.")
    if COMPILED_OPERATION.decode() in message:
        message = "it is compiled for the Edge TPU and needs its delegate"
    return f"{path} can't be opened as a .tflite model: {message}"


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
    num_classes = shapes[1][3] // (4 if is_folded(shapes[0][1:], shapes[1][1:]) else 1)
    if not 2 <= num_classes <= MAX_CLASSES:
        raise InputError(f"The model gives {num_classes} classes; masks hold 2 to {MAX_CLASSES}.")
    return shapes[0][1:3], num_classes


def run_model(interpreter, image):
    """Runs the model on one image.

    Args: image uint8 (height, width, 3) of the model's size.
    Returns: quantized logits (height, width, num_classes), of the output's dtype.
    """
    invoke_model(interpreter, image)
    logits = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
    return unfold_logits(logits) if is_folded(image.shape, logits.shape) else logits


def is_folded(image_shape, logits_shape):
    """Whether a model of these shapes (height, width, channels) gives folded logits.

    They have half the image's size and at least 2 classes of 4 pixels each; see unfold_logits.
    """
    (height, width, _), (rows, columns, channels) = image_shape, logits_shape
    return (height, width) == (2 * rows, 2 * columns) and channels >= 8 and channels % 4 == 0


def unfold_logits(folded):
    """Moves the logits of 2x2 pixels in one place to their pixels: TensorFlow's depth_to_space.

    tflite_convert.py's models give them folded: see segmentation/int8/quantize.py, fold_head.
    Args: folded (height, width, 4 * classes): channel (2 * row + column) * classes + class.
    Returns: logits (2 * height, 2 * width, classes), of the same dtype.
    """
    height, width, channels = folded.shape
    pixels = folded.reshape(height, width, 2, 2, channels // 4).swapaxes(1, 2)
    return pixels.reshape(2 * height, 2 * width, channels // 4)


def invoke_model(interpreter, image):
    """Runs the model on one image, uint8 of its size; its outputs are then read from it."""
    detail = interpreter.get_input_details()[0]
    image = quantize_image(image, detail["dtype"], detail["quantization"])
    interpreter.set_tensor(detail["index"], image[None])
    interpreter.invoke()


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
