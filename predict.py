"""Runs the int8 model on a folder of images, on one image or on a camera; needs no TensorFlow.

    python predict.py

To a Coral go predict.py, import_data.py, pairing.py, measuring.py, the .tflite files and
model.json; it needs numpy, pillow, libedgetpu and one TFLite runtime (ai-edge-litert,
tflite-runtime or tensorflow).
Leaves in RESULT_DIR masks/ (palette PNGs: the pixel is the class) and overlays/ (to look at, with
a legend), and prints median times. Exit code 1 where a picture can't be read.
"""

import ctypes
import importlib
import math
import os
import platform
import struct
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

import measuring
from import_data import MAX_CLASSES, InputError, Progress, load_image, resize_image
from pairing import find_images, list_names

# Model
MODEL_PATH = "output/model_int8.tflite"  # where the Edge TPU is, its *_edgetpu.tflite is taken
DELEGATE = "auto"  # the Edge TPU if it is there; None: the processor; a library's name: only that
THREADS = os.cpu_count() or 1  # of the processor

# Pictures
IMAGES = "sample_data/images"  # a folder, an image, or a camera: its number, or "/dev/video0"
CAMERA_FRAMES = 100  # a camera is read so often; Ctrl-C ends it sooner
KEEP_ASPECT = False  # False stretches to the model's size, exactly as in training; True pads
FULL_SIZE = True  # resizes the logits (not the mask) to the picture's size; False: the model's size

# Results
RESULT_DIR = "output/predictions"
OVERLAY_SIDE = 1280  # pixels of an overlay's longer side at most; masks keep their size
WARM_UP = 3  # runs on an empty image before the first picture, because the first ones are slower

RUNTIMES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter",
            "tensorflow.lite.python.interpreter")
EDGETPU_LIBRARIES = {"Darwin": "libedgetpu.1.dylib", "Windows": "edgetpu.dll"}
COMPILED_OPERATION = b"edgetpu-custom-op"  # stands in every file that edgetpu_compiler writes
PADDING = 128  # grey: 0 to the network, like the zeros that its convolutions pad with
STEPS = ("load", "resize", "inference", "mask")

# Which fields of a .tflite's tables lead to other parts, by their numbers in TensorFlow's schema
# (tensorflow/compiler/mlir/lite/schema/schema.fbs): to a table, to a [vector of tables], to a
# vector of numbers of so many bytes, to text. None must not be there (sparse tensors, constants in
# other files, operations of other frameworks), and what lies "outside" must not be used (constants
# behind the model, in files above 2 GB): no file for the Edge TPU has them.
FILE_PARTS = {
    "Model": {1: ["OperatorCode"], 2: ["SubGraph"], 3: "text", 4: ["Buffer"], 5: 4,
              6: ["Metadata"], 7: ["SignatureDef"], 8: None, 9: None},
    "OperatorCode": {1: "text"},
    "SubGraph": {0: ["Tensor"], 1: 4, 2: 4, 3: ["Operator"], 4: "text"},
    "Tensor": {0: 4, 3: "text", 4: "Quantization", 6: None, 7: 4, 9: None, 10: None},
    "Quantization": {0: 4, 1: 4, 2: 4, 3: 8, 5: None},
    "Operator": {1: 4, 2: 4, 4: "Options", 5: 1, 7: 1, 8: 4, 9: "outside", 12: None},
    "Options": {},
    "ShapeOptions": {0: 4},  # of RESHAPE and SQUEEZE, the two that hold a vector
    "Buffer": {0: 1, 1: "outside"},
    "Metadata": {0: "text"},
    "SignatureDef": {0: ["TensorMap"], 1: ["TensorMap"], 2: "text"},
    "TensorMap": {0: "text"},
}
SHAPE_OPTIONS = (17, 30)  # the schema's numbers of ReshapeOptions and SqueezeOptions
MAX_ELEMENTS = 2**28  # of a tensor; more means that its shape is damaged
MAX_PARTS = 100_000  # tables of a file; more means that a count is damaged


class Picture(NamedTuple):
    """A picture: its result's name, the RGB PIL image, its own (height, width), its file."""

    name: str
    image: Any  # of a large JPEG no more than the model needs
    size: tuple
    path: Any = None


# ---- the file --------------------------------------------------------------------------------


def check_file(data):
    """Walks through a .tflite and checks that every part of it lies inside the file.

    The runtimes don't look: a truncated file crashes them, Python and all.
    Args: data, the file's bytes. Raises: ValueError where it is damaged or no .tflite.
    """
    if data[4:8] != b"TFL3":
        raise ValueError("it is empty." if not data else "it is no .tflite file.")
    waiting, count = [("Model", _number(data, "I", 0))], 0
    while waiting:
        name, start = waiting.pop()
        count += 1
        if count > MAX_PARTS:
            raise ValueError("it is damaged: too many parts.")
        fields = _list_fields(data, start)
        for field, kind in FILE_PARTS[name].items():
            place = fields[field] if field < len(fields) else None
            if place is not None:
                waiting += _check_field(data, place, kind)
        if name == "Tensor" and fields and fields[0]:
            _check_shape(data, fields[0])
        if (name == "Operator" and len(fields) > 4 and fields[3] and fields[4]
                and _number(data, "B", fields[3]) in SHAPE_OPTIONS):
            waiting += _check_field(data, fields[4], "ShapeOptions")


def _check_shape(data, place):
    """A damaged dimension would have the runtime fill the memory, or compute for hours."""
    start = place + _number(data, "I", place)
    sides = struct.unpack_from(f"<{_number(data, 'I', start)}i", data, start + 4)
    if math.prod(abs(side) for side in sides) > MAX_ELEMENTS:
        raise ValueError(f"it is damaged: a tensor of the shape {sides[:8]}.")


def _check_inside(data, place, size):
    if not 0 <= place <= len(data) - size:
        raise ValueError(f"it is truncated or damaged: bytes {place} to {place + size} of its "
                         f"{len(data)}.")


def _number(data, kind, place):
    """Reads a little-endian number of one of struct's kinds."""
    _check_inside(data, place, struct.calcsize(f"<{kind}"))
    return struct.unpack_from(f"<{kind}", data, place)[0]


def _list_fields(data, start):
    """Returns where the fields of the table at start lie, None for those it leaves out."""
    vtable = start - _number(data, "i", start)
    size, length = _number(data, "H", vtable), _number(data, "H", vtable + 2)
    _check_inside(data, start, length)
    offsets = [_number(data, "H", place) for place in range(vtable + 4, vtable + size, 2)]
    if size < 4 or size % 2 or length < 4 or any(0 < offset < 4 or offset >= length
                                                 for offset in offsets):
        raise ValueError(f"it is damaged: the table at byte {start}.")
    return [start + offset if offset else None for offset in offsets]


def _check_field(data, place, kind):
    """Checks what the field at a place leads to; returns the (name, start) of tables behind it."""
    if kind is None:
        raise ValueError("it uses a part of the format that no model for the Edge TPU has.")
    if kind == "outside":
        if _number(data, "Q", place) > 1:
            raise ValueError("its constants lie behind the model, as in files above 2 GB.")
        return []
    start = place + _number(data, "I", place)
    if isinstance(kind, str) and kind != "text":
        return [(kind, start)]
    count = _number(data, "I", start)
    size = 4 if isinstance(kind, list) else 1 if kind == "text" else kind
    _check_inside(data, start + 4, count * size)
    if kind == "text":
        data[start + 4:start + 4 + count].decode("utf-8")  # the runtimes do that later, unguarded
        if _number(data, "B", start + 4 + count):
            raise ValueError(f"it is damaged: the text at byte {start} has no end.")
    if not isinstance(kind, list):
        return []
    if count > MAX_PARTS:
        raise ValueError("it is damaged: too many parts.")
    places = range(start + 4, start + 4 + 4 * count, 4)
    return [(kind[0], place + _number(data, "I", place)) for place in places]


# ---- the model -------------------------------------------------------------------------------


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
    Returns: the path to open, its delegate (None: the processor), and a sentence: which, and why.
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
    return path, None, f"On the processor: {path}. {reason}"


def open_model(path, threads=1, delegate=None):
    """Opens a .tflite model; returns its interpreter with tensors allocated.

    The file is checked first and the model run once, so that a damaged one is found here.
    Args: delegate as find_delegate returns it, or None: the processor.
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
        raise InputError(f"The model's input has the scale {scale}: it is damaged or was quantised "
                         f"by another tool; run tflite_convert.py again.")
    if not 2 <= shapes[1][3] <= MAX_CLASSES:
        raise InputError(f"The model gives {shapes[1][3]} classes; masks hold 2 to {MAX_CLASSES}.")
    return shapes[0][1:3], shapes[1][3]


def read_classes(folder, num_classes):
    """Returns the class names and colours, uint8 (classes, 3), of model.json, or numbered ones.

    Raises: InputError where model.json is damaged or belongs to another model.
    """
    path = Path(folder) / measuring.MODEL_INFO_FILE
    if not path.is_file():
        print(f"There is no {path}: the classes are numbered.")
        names = [f"class {index}" for index in range(num_classes)]
        return names, measuring.class_colours(num_classes)
    info = measuring.read_model_info(folder, needed=("class_names", "class_colours"))
    if len(info["class_names"]) != num_classes:
        raise InputError(f"{path} names {len(info['class_names'])} classes, but the model gives "
                         f"{num_classes}: take the two files of one training.")
    return info["class_names"], np.array(info["class_colours"], np.uint8)


# ---- one picture -----------------------------------------------------------------------------


def run_model(interpreter, image):
    """Runs the model on one image.

    Args: image uint8 (height, width, 3) of the model's size.
    Returns: quantised logits (height, width, num_classes), of the output's dtype.
    """
    detail = interpreter.get_input_details()[0]
    image = quantise_image(image, detail["dtype"], detail["quantization"])
    interpreter.set_tensor(detail["index"], image[None])
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]


def quantise_image(image, dtype, quantization=None):
    """Turns pixels 0..255 into the model's input.

    The network was trained on pixel / 127.5 - 1, and an integer tensor of scale s and zero point z
    holds real / s + z, rounded and clipped. With tflite_convert.py's scale of 2 / 255 that is
    pixel - 128 for int8 (z = -1) and the pixel itself for uint8 (z = 127).
    Args: image uint8, dtype int8, uint8 or float32, quantization (s, z) or None: those above.
    """
    values = np.arange(256) / 127.5 - 1
    if not np.issubdtype(dtype, np.floating):
        limits = np.iinfo(dtype)
        scale, zero_point = quantization or (2 / 255, limits.min + 127)
        # At 2 / 255 every value is a half, and all have to go up, whatever float32 made of scale.
        values = np.floor(values / scale + zero_point + 0.501).clip(limits.min, limits.max)
    return values.astype(dtype)[image]


def fit_image(image, image_size):
    """Brings an RGB PIL image to the model's size, stretched or padded as KEEP_ASPECT says.

    Returns: uint8 (height, width, 3), and the box (left, upper, right, lower) that it fills there.
    """
    height, width = image_size
    if not KEEP_ASPECT:
        return resize_image(image, image_size), (0, 0, width, height)
    scale = min(height / image.height, width / image.width)
    inner = max(1, round(scale * image.height)), max(1, round(scale * image.width))
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    padded = np.full((height, width, 3), PADDING, np.uint8)
    padded[top:top + inner[0], left:left + inner[1]] = resize_image(image, inner)
    return padded, (left, top, left + inner[1], top + inner[0])


def most_likely(logits, mask_size, box):
    """Resizes logits bilinearly and returns the most likely class of each pixel.

    Args: logits (height, width, classes), quantised ones as they are: all classes share one scale;
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


# ---- all pictures ----------------------------------------------------------------------------


def read_files(source, image_size, failures):
    """Yields a Picture for each image in a folder, or for one image file.

    A file that can't be read is passed over, and its sentence added to the list failures.
    Raises: InputError where there is no image.
    """
    paths = [Path(source)] if Path(source).is_file() else find_images(source)
    if not paths:
        raise InputError(f"There are no images in {source}: correct IMAGES.")
    stems, progress = Counter(path.stem for path in paths), Progress("Predicting", len(paths))
    for number, path in enumerate(paths):
        progress.show(number)
        try:
            image, (width, height) = load_image(path, image_size)
        except InputError as error:
            failures.append(str(error))
            continue
        name = path.stem if stems[path.stem] == 1 else path.name  # a.jpg and a.png: two results
        yield Picture(name, image, (height, width), path)


def read_camera(device, failures):
    """Yields CAMERA_FRAMES Pictures of a camera; where it stops, a sentence goes to failures.

    Raises: InputError without OpenCV: a V4L device is no file that Pillow could read.
    """
    try:
        import cv2
    except ImportError as error:
        raise InputError("A camera is read with OpenCV, which can't be imported: "
                         "pip install opencv-python-headless.") from error
    camera, progress = cv2.VideoCapture(device), Progress("Predicting", CAMERA_FRAMES)
    try:
        for number in range(CAMERA_FRAMES):
            progress.show(number)
            is_read, frame = camera.read()
            if not is_read:
                failures.append(f"camera {device} gives no frame {number}: is it there, and free?")
                return
            image = Image.fromarray(np.ascontiguousarray(frame[..., ::-1]))  # OpenCV gives BGR
            yield Picture(f"frame_{number:05}", image, frame.shape[:2])
    finally:
        camera.release()


def run_pictures(interpreter, image_size, pictures, save):
    """Predicts all pictures and calls save(picture, mask uint8) with each.

    Returns: for each picture the seconds that STEPS took; saving is no part of them.
    """
    seconds, moments = [], [time.perf_counter()]
    try:
        for picture in pictures:
            moments.append(time.perf_counter())
            image, box = fit_image(picture.image, image_size)
            moments.append(time.perf_counter())
            logits = run_model(interpreter, image)
            moments.append(time.perf_counter())
            ratio = np.tile(np.divide(logits.shape[1::-1], image_size[::-1]), 2)  # 1, or below
            mask_size = picture.size if FULL_SIZE else (box[3] - box[1], box[2] - box[0])
            mask = most_likely(logits, mask_size, tuple(box * ratio))
            seconds.append(np.diff([*moments, time.perf_counter()]))
            save(picture, mask)
            moments = [time.perf_counter()]
    except KeyboardInterrupt:
        print("Stopped by Ctrl-C.")
    return seconds


def save_results(folder, picture, mask, class_names, colours):
    """Writes masks/name.png and overlays/name.jpg, the latter no larger than OVERLAY_SIDE."""
    measuring.save_mask(folder / "masks" / f"{picture.name}.png", mask, colours)
    scale = min(1, OVERLAY_SIDE / max(mask.shape))
    size = [max(1, round(scale * side)) for side in mask.shape]
    image = load_image(picture.path, size)[0] if picture.path else picture.image
    measuring.save_overlay(folder / "overlays" / f"{picture.name}.jpg", resize_image(image, size),
                           mask, class_names, colours)


def format_times(seconds):
    """Returns the table of median milliseconds that STEPS took, and all together."""
    columns = np.column_stack([seconds, np.sum(seconds, axis=1)])
    medians = 1000 * np.median(columns, axis=0)
    title = f"median of {len(seconds)} picture(s)"
    return (title + "".join(f"{step:>11}" for step in (*STEPS, "together")) + "\n"
            + f"{'milliseconds':<{len(title)}}" + "".join(f"{value:>11.2f}" for value in medians))


def main():
    """Predicts all pictures; returns the exit code: 1 where some could not be read, else 0."""
    path, delegate, sentence = choose_model(MODEL_PATH, DELEGATE)
    print(sentence)
    interpreter = open_model(path, THREADS, delegate)
    image_size, num_classes = model_shape(interpreter)
    class_names, colours = read_classes(path.parent, num_classes)
    folder, failures = Path(RESULT_DIR), []
    for kind in ("masks", "overlays"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for _ in range(WARM_UP):
        run_model(interpreter, np.zeros((*image_size, 3), np.uint8))
    is_camera = isinstance(IMAGES, int) or str(IMAGES).startswith("/dev/video")
    pictures = (read_camera(IMAGES, failures) if is_camera
                else read_files(IMAGES, image_size, failures))
    seconds = run_pictures(
        interpreter, image_size, pictures,
        lambda picture, mask: save_results(folder, picture, mask, class_names, colours))
    if seconds:
        print(f"{format_times(seconds)}\nLook at {folder / 'overlays'} and {folder / 'masks'}.")
    if failures:
        print(f"FAILED: {len(failures)} picture(s) can't be used: {list_names(failures)}")
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (InputError, OSError) as error:
        sys.exit(f"Error: {error}")
