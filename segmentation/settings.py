"""main.py's constants, checked once, as one frozen object. Plain Python, no TensorFlow.

main() calls read_settings(globals()); everything beneath is handed the Settings object, whose
fields are the constants' names in lower case: IMAGE_SIZE is settings.image_size.
"""

import math
import os
import re
from dataclasses import make_dataclass
from pathlib import Path

from device.errors import shorten
from device.model_info import (
    DECODER_BLOCKS,
    ENCODER_ALPHAS,
    MAX_CLASSES,
    MAX_SIDE,
    SIZE_STEP,
    is_whole_number,
)
from segmentation.data.classes import check_class_names
from segmentation.data.label_values import OTHER_IDS

FLIPS = ("left-right", "both")
LOSSES = ("dice+cross-entropy", "dice", "cross-entropy")
# What takes the place of a wrong constant, so that the folders are looked at all the same.
FALLBACKS = {"IMAGE_SIZE": (SIZE_STEP, SIZE_STEP), "VALIDATION_SPLIT": 0.2, "SEED": 1,
             "IGNORE_LABEL": 255, "SKIP_UNLABELED": False, "UNLABELED": False, "OTHER_IDS": "error",
             "LABELS_TURNED": False}


# ---- what a constant may be ------------------------------------------------------------------


def _is_number(value, most=1e9):
    return type(value) in (int, float) and 0 <= value <= most  # which "not a number" is not


def _is_positive(value):
    return _is_number(value) and value > 0


def is_path(value):
    """Whether a value is a path that is not empty."""
    is_one = isinstance(value, (str, os.PathLike))
    return is_one and "\0" not in os.fspath(value) and bool(os.fspath(value).strip())


def _is_list(value):
    return isinstance(value, (list, tuple))


def _is_size(value):
    return _is_list(value) and len(value) == 2 and all(
        is_whole_number(side, -math.inf, MAX_SIDE) for side in value)


def are_names(value):
    """Whether a value is a list of names; which ones check_class_names looks at."""
    # Files that are written after the training can't hold what is not printable.
    return _is_list(value) and all(
        isinstance(name, str) and name.strip() and name.isprintable() for name in value)


def _is_label_value(value):
    return is_whole_number(value, 0, 255)


def _are_label_values(value):
    return _is_list(value) and all(map(_is_label_value, value)) and len(set(value)) == len(value)


def _is_ignore_label(value):
    return _is_label_value(value) or (isinstance(value, list) and _are_label_values(value))


def _are_class_ids(value):
    """A list of values, or a dict of value -> class, where only class 0 may lack a value."""
    if isinstance(value, dict):
        return all(map(_is_label_value, [*value, *value.values()])) and (
            1 < len({0, *value.values()}) == max(value.values()) + 1 <= MAX_CLASSES)
    return _are_label_values(value) and 2 <= len(value) <= MAX_CLASSES


def _is_pattern(value):
    try:
        return isinstance(value, str) and bool(value) and re.compile(value) is not None
    except re.error:
        return False


def _are_factors(value):
    return isinstance(value, dict) and all(
        isinstance(name, str) and _is_number(factor) for name, factor in value.items())


def one_of(values):
    """Returns a rule: one of these strings."""
    # Strings only: `in` alone would ask an array for each of its elements.
    return lambda value: isinstance(value, str) and value in values


def _is_layer(value):
    return isinstance(value, str) and bool(
        re.fullmatch("block_([1-9]|1[0-6])_(expand|depthwise|project)", value))


def _are_filters(value):
    if not _is_list(value) or len(value) != DECODER_BLOCKS:
        return False
    return all(map(is_whole_number, value)) or all(
        _is_list(pair) and len(pair) == 2 and all(map(is_whole_number, pair)) for pair in value)


def or_none(is_right):
    """Returns a rule: what is right, or None."""
    return lambda value: value is None or is_right(value)


def is_bool(value):
    """Whether a value is True or False."""
    return isinstance(value, bool)


is_path_or_none = or_none(is_path)
PATH_RULES = (is_path, is_path_or_none)
FOLDER = "the path of a folder, in quotation marks"
SWITCH = "True or False"
COUNT = "a whole number from 1 up"
POSITIVE = "a number above 0"
# Name of the constant: (whether a value is right, what it must be).
RULES = {
    "IMAGE_DIR": (is_path, FOLDER),
    "LABEL_DIR": (is_path, FOLDER),
    "VALIDATION_IMAGE_DIR": (is_path_or_none, f"{FOLDER}, or None"),
    "VALIDATION_LABEL_DIR": (is_path_or_none, f"{FOLDER}, or None"),
    "VALIDATION_SPLIT": (lambda value: _is_positive(value) and value < 1,
                         "a number between 0 and 1, such as 0.2"),
    "SKIP_UNLABELED": (is_bool, SWITCH),
    "UNLABELED": (is_bool, SWITCH),
    "IMAGE_SIZE": (_is_size, f"(height, width), two whole numbers of at most {MAX_SIDE}"),
    "PICTURE_SIZE": (or_none(lambda value: one_of(("full",))(value) or _is_size(value)),
                     '(height, width), "full", or None'),
    "RARE_CROP_SHARE": (lambda value: _is_number(value, 1), "a number from 0 to 1"),
    "CLASS_NAMES": (or_none(are_names), "a list of names, each in quotation marks, or None"),
    "IGNORE_LABEL": (or_none(_is_ignore_label),
                     "a whole number of 0..255, a list of them, or None"),
    "CLASS_IDS": (or_none(_are_class_ids), "a list of different label values in the order of the "
                  "classes, such as [0, 7, 11], a dict of label value and class index, such as "
                  "{0: 0, 7: 1, 8: 1}, or None"),
    "OTHER_IDS": (one_of(OTHER_IDS), f"one of {', '.join(OTHER_IDS)}"),
    "LABELS_TURNED": (is_bool, SWITCH),
    "SPLIT_BY": (or_none(_is_pattern), 'a regular expression, such as r"(.*)_\\d+", or None'),
    "VALIDATION_LIST": (is_path_or_none, "the path of a text file, or None"),
    "CLASS_WEIGHTS": (or_none(_are_factors), 'a dict of class name and factor, such as '
                      '{"bird": 2}, or None'),
    "ENCODER_WEIGHTS": (is_path_or_none, '"imagenet", the path of a weights file, or None'),
    "ENCODER_ALPHA": (lambda value: _is_number(value) and value in ENCODER_ALPHAS,
                      f"one of {', '.join(map(str, ENCODER_ALPHAS))}"),
    "FROM_MODEL": (is_path_or_none, "the OUTPUT_DIR of an earlier run, or None"),
    "DECODER_FILTERS": (_are_filters, "four whole numbers, such as (512, 256, 128, 64), or four "
                        "pairs of them, such as ((128, 96), (96, 64), (64, 48), (48, 32))"),
    "LOSS": (one_of(LOSSES), f"one of {', '.join(LOSSES)}"),
    "CLASS_WEIGHT_POWER": (lambda value: _is_number(value, 10), "a number from 0 to 10"),
    "BATCH_SIZE": (is_whole_number, COUNT),
    "EPOCHS": (is_whole_number, COUNT),
    "LEARNING_RATE": (_is_positive, POSITIVE),
    "MIN_STEPS_PER_EPOCH": (is_whole_number, COUNT),
    "PATIENCE": (or_none(is_whole_number), f"{COUNT}, or None"),
    "FINE_TUNE_EPOCHS": (lambda value: is_whole_number(value, 0), "a whole number from 0 up"),
    "FINE_TUNE_FROM": (_is_layer, "a layer of MobileNetV2, block_1_expand to block_16_project"),
    "FINE_TUNE_LEARNING_RATE": (_is_positive, POSITIVE),
    "RESUME": (is_bool, SWITCH),
    "MIXED_PRECISION": (is_bool, SWITCH),
    "TENSORBOARD": (is_bool, SWITCH),
    "FLIP": (or_none(one_of(FLIPS)), 'one of "left-right", "both" or None'),
    "ROTATE": (lambda value: type(value) is int and value in (0, 90), "0 or 90"),
    "COLOR": (lambda value: _is_number(value, 0.9), "a number from 0 to 0.9"),
    "MIX_CLASSES": (lambda value: _is_number(value, 1), "a number from 0 to 1"),
    "PASTE_OBJECTS": (is_bool, SWITCH),
    "SEED": (lambda value: is_whole_number(value, 0, 2**32 - 1),
             f"a whole number of 0..{2**32 - 1}"),
    "OUTPUT_DIR": (is_path, FOLDER),
    "MEMORY_LIMIT_GB": (_is_number, "a number from 0 up"),
    "CACHE_DIR": (is_path_or_none, f"{FOLDER}, or None"),
}

Settings = make_dataclass("Settings", [name.lower() for name in RULES], frozen=True)


# ---- checking --------------------------------------------------------------------------------


def read_settings(constants):
    """Checks main.py's constants.

    Args: constants, dict of name and value, such as main.py's globals(); it holds all of RULES.
    Returns: Settings, where a wrong constant has its entry of FALLBACKS or None, and the list of
        errors, a sentence for each wrong constant. With errors the settings serve to look at the
        folders, so that all errors come together, and not to train with.
    """
    errors = find_wrong(constants, RULES, _look_closer)
    values = {name.lower(): FALLBACKS.get(name) if name in errors else constants[name]
              for name in RULES}
    for name, value in values.items():
        if RULES[name.upper()][0] in PATH_RULES and value is not None:
            values[name] = os.path.expanduser(value)
    return Settings(**values), list(errors.values())


def describe_image_size(image_size):
    """Returns a sentence with the nearest valid sizes, or '' where both sides are multiples of 32.

    Args: image_size, two whole numbers (height, width).
    """
    below = tuple(max(SIZE_STEP, side // SIZE_STEP * SIZE_STEP) for side in image_size)
    above = tuple(max(SIZE_STEP, -(-side // SIZE_STEP) * SIZE_STEP) for side in image_size)
    if tuple(image_size) == below:
        return ""
    return (f"IMAGE_SIZE {tuple(image_size)} (height, width) must be divisible by {SIZE_STEP} and "
            f"at least {SIZE_STEP}: the nearest valid sizes are {below} and {above}.")


def describe_missing_weights(weights):
    """Returns a sentence where ENCODER_WEIGHTS is a path to no file of weights, else ''."""
    if weights in (None, "imagenet"):
        return ""
    if Path(weights).suffix == ".keras":
        return (f"ENCODER_WEIGHTS {weights} is a whole model, but the weights of a MobileNetV2 are "
                f"needed: to start from a model of your own, set FROM_MODEL to its folder.")
    if Path(weights).is_file():
        return ""
    return (f"The weights file {weights} does not exist: correct ENCODER_WEIGHTS, or set it to "
            f'"imagenet" to download them.')


def find_wrong(constants, rules, look_closer=lambda name, constants: ""):
    """Returns a dict of the name of each wrong constant and a sentence on it.

    Args: constants, dict of name and value; rules, such as RULES; look_closer, a function that
        returns what is wrong with a constant that its rule lets pass, or ''.
    """
    sentences = {name: look_closer(name, constants) if is_right(constants[name]) else
                 f"{name} is {shorten(repr(constants[name]))}, but it must be {form}."
                 for name, (is_right, form) in rules.items()}
    return {name: sentence for name, sentence in sentences.items() if sentence}


def _look_closer(name, constants):
    """Returns what is wrong with a constant of the right type, or ''."""
    value = constants[name]
    if RULES[name][0] in PATH_RULES and value is not None and not os.fspath(value).isprintable():
        return (f"{name} is {shorten(repr(value))}, in which Python reads a backslash and a letter "
                f"as one sign: put an r in front of the quotation marks, r\"...\", or write / for "
                f"each backslash.")
    if name == "IMAGE_SIZE":
        return describe_image_size(value)
    if name == "CLASS_NAMES" and value is not None:
        return "".join(f"CLASS_NAMES: {sentence}" for sentence in check_class_names(value))
    if name == "VALIDATION_LABEL_DIR" and value is not None \
            and constants["VALIDATION_IMAGE_DIR"] is None:
        return "VALIDATION_LABEL_DIR is set, but VALIDATION_IMAGE_DIR is None: set both or neither."
    return ""
