"""Reads model.json, which main.py leaves beside the model, and checks it field by field."""

import ast
import json
import math
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from device.drawing import class_colors
from device.errors import InputError, shorten

IGNORED = 255  # class index of pixels that count nowhere; a class never has it
MAX_CLASSES = 255  # class indices have 8 bits, and one value is left for the ignore label
MODEL_INFO_FILE = "model.json"
TFLITE_FILE = "model_int8.tflite"
MAX_SIDE = 8192  # pixels of a model's input; an Edge TPU takes far less
SIZE_STEP = 32  # the encoder halves the image five times
DECODER_BLOCKS = 4
ENCODER_ALPHAS = 0.35, 0.5, 0.75, 1.0, 1.3, 1.4  # widths for which Keras has ImageNet weights
SHA256 = re.compile("[0-9a-f]{64}")
# Control characters could write over a terminal, surrogates can't be printed at all.
UNPRINTABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff]")


def find_output_dir(folder):
    """Returns main.py's OUTPUT_DIR, for the scripts that must not import main.py and TensorFlow.

    Args: folder of the scripts. On a device there is no main.py: the model lies in that folder, or
        in output/ there.
    Returns: Path, absolute or below folder.
    """
    script, folder = Path(folder) / "main.py", Path(folder)
    if not script.is_file():
        return folder if (folder / MODEL_INFO_FILE).is_file() else folder / "output"
    for node in ast.parse(script.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "OUTPUT_DIR":
            return folder / Path(ast.literal_eval(node.value)).expanduser()
    raise InputError(f"{script} has no line OUTPUT_DIR = ...: put it back.")


def read_model_info(folder, needed=("class_names", "class_colors", "image_size")):
    """Reads model.json, which main.py leaves beside the model, and checks it field by field.

    Args: needed, names of the fields that must be there; others are checked where they are.
    Returns: dict with class_names, class_colors, image_size, ignore_label and more (see main.py).
    Raises: InputError where the file is missing, can't be read, or a field has a wrong value.
    """
    path = Path(folder) / MODEL_INFO_FILE
    if not path.is_file():
        raise InputError(f"There is no {path}: run main.py first, or correct OUTPUT_DIR.")
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise InputError(f"{path} can't be read as JSON ({error}): train again.") from error
    if not isinstance(info, dict):
        raise InputError(f"{path} holds {_show(info)}, but not the fields of a model: train "
                         f"again.")
    missing = [name for name in needed if name not in info]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}: train again.")
    for name, (find_wrong_values, form) in MODEL_INFO_FORMS.items():
        wrong = find_wrong_values(info[name]) if name in info else []
        if wrong:
            raise InputError(f"{path}: {name} holds {_show(wrong[0])}, but needed is {form}: "
                             f"train again.")
    names = info.get("class_names")
    for field, what in (("class_colors", "colors"), ("class_ids", "classes")):
        if names and field in info and len(info[field]) != len(names):
            raise InputError(f"{path}: class_names holds {len(names)} classes and {field} "
                             f"{len(info[field])} {what}: train again.")
    return info


def _show(value):
    """Returns a value as one short line of JSON, in which every character can be printed."""
    return shorten(json.dumps(value))


def _is_text(value):
    return isinstance(value, str) and value.strip() != "" and not UNPRINTABLE.search(value)


def _is_inner_name(value):
    """Returns whether a value names a file in a folder or its sub-folders, and nothing beyond."""
    return (_is_text(value) and "\\" not in value and not os.path.splitdrive(value)[0]
            and not set(value.split("/")) & {"", ".", ".."})


def is_whole_number(value, least=1, most=math.inf):
    """Returns whether a value is a Python int within bounds; JSON can't hold NumPy's integers."""
    return type(value) is int and least <= value <= most  # True and False are int as well


def _is_color(value):
    return (isinstance(value, list) and len(value) == 3
            and all(is_whole_number(channel, 0, 255) for channel in value))


def _are_label_values(value):
    return isinstance(value, list) and value and all(
        is_whole_number(number, 0, 255) for number in value)


def _is_ignore_label(value):
    return value is None or value == [] or is_whole_number(value, 0, 255) or bool(
        _are_label_values(value))


def _is_range(value):
    return value is None or (
        isinstance(value, list) and len(value) == 2
        and all(type(number) in (int, float) and math.isfinite(number) for number in value)
        and value[0] < value[1])


def _is_side(value):
    return is_whole_number(value, SIZE_STEP, MAX_SIDE) and value % SIZE_STEP == 0


def _is_picture_size(value):
    return value in (None, "full") or (isinstance(value, list) and len(value) == 2 and all(
        is_whole_number(side, 1, MAX_SIDE) for side in value))


def _is_channels(value):
    values = value if isinstance(value, list) and len(value) == 2 else [value]
    return all(is_whole_number(number, 1, 65536) for number in values)


def _one(is_right):
    """Returns a function of a value that returns [value] where it is wrong, else []."""
    return lambda value: [] if is_right(value) else [value]


def _many(is_right, fewest, most=math.inf):
    """Returns a function of a list that returns its wrong entries, or [list] for a wrong length."""
    def find_wrong_values(values):
        """Returns the wrong entries of a list, or [list] for a wrong length."""
        if not isinstance(values, list) or not fewest <= len(values) <= most:
            return [values]
        return [value for value in values if not is_right(value)]

    return find_wrong_values


_FOLDER = _one(_is_text), "the path of a folder"
_FILE_NAMES = (_many(_is_inner_name, 1), "a list of file names, sub-folders with / in front of "
               "them, that lead to no other folder")
MODEL_INFO_FORMS = {  # field: function that returns its wrong values, what they must be
    "class_names": (_many(_is_text, 2, MAX_CLASSES), f"a list of 2 to {MAX_CLASSES} names"),
    "class_colors": (_many(_is_color, 2, MAX_CLASSES),
                      "a list of colors, three integers from 0 to 255 each"),
    "image_size": (_many(_is_side, 2, 2),
                   f"height and width, multiples of {SIZE_STEP} from {SIZE_STEP} to {MAX_SIDE}"),
    "picture_size": (_one(_is_picture_size), 'null, "full", or height and width'),
    "ignore_label": (_one(_is_ignore_label), "null, an integer from 0 to 255 or a list of them"),
    "class_ids": (_many(_are_label_values, 2, MAX_CLASSES),
                  "a list of the label values of each class, lists of integers from 0 to 255"),
    "other_ids": (_one(lambda value: value in ("error", "ignore", "background")),
                  "error, ignore or background"),
    "labels_turned": (_one(lambda value: isinstance(value, bool)), "true or false"),
    "intensity_range": (_one(_is_range), "null, or two numbers, the smaller one first"),
    "decoder_filters": (_many(_is_channels, DECODER_BLOCKS, DECODER_BLOCKS),
                        "a list of four numbers of channels, or of four pairs of them"),
    "encoder_alpha": (_one(lambda value: type(value) in (int, float) and value in ENCODER_ALPHAS),
                      f"one of {', '.join(map(str, ENCODER_ALPHAS))}"),
    "encoder_frozen": (_one(lambda value: isinstance(value, bool)), "true or false"),
    "image_dir": _FOLDER, "label_dir": _FOLDER,
    "validation_image_dir": _FOLDER, "validation_label_dir": _FOLDER,
    "training_images": _FILE_NAMES, "validation_images": _FILE_NAMES,
    "tflite_sha256": (_one(lambda value: isinstance(value, dict) and all(
        _is_inner_name(name) and "/" not in name and isinstance(sha256, str)
        and SHA256.fullmatch(sha256)
        for name, sha256 in value.items())), "the SHA-256 of each .tflite, by its file name"),
}


class ModelClasses(NamedTuple):
    """What model.json says of a model's classes and of the pictures that it takes.

    names; colors, uint8 (classes, 3); label_values, uint8 (classes,), of the labels that it was
    trained on, 0, 1, 2, ... for most; picture_size as PICTURE_SIZE in main.py; intensity_range, the
    (low, high) that becomes 0..255 of pictures with more than 8 bits, or None.
    """

    names: list
    colors: Any
    label_values: Any
    picture_size: Any = None
    intensity_range: Any = None


def read_classes(folder, num_classes):
    """Returns the ModelClasses of model.json.

    Without a model.json the classes are numbered, and that is printed.

    Raises: InputError where model.json is damaged or belongs to another model.
    """
    path, numbers = Path(folder) / MODEL_INFO_FILE, np.arange(num_classes, dtype=np.uint8)
    if not path.is_file():
        print(f"There is no {path}: the classes are numbered.")
        names = [f"class {index}" for index in range(num_classes)]
        return ModelClasses(names, class_colors(num_classes), numbers)
    info = read_model_info(folder, needed=("class_names", "class_colors"))
    if len(info["class_names"]) != num_classes:
        raise InputError(f"{path} names {len(info['class_names'])} classes, but the model gives "
                         f"{num_classes}: take the two files of one training.")
    values = np.uint8([values[0] for values in info.get("class_ids", numbers[:, None])])
    return ModelClasses(info["class_names"], np.array(info["class_colors"], np.uint8), values,
                        info.get("picture_size"), info.get("intensity_range"))
