"""import_labels.py's constants, checked."""

import os
from types import SimpleNamespace

from device.errors import collect_or_raise
from segmentation.data.classes import check_class_names


def _is_path(value):
    return (isinstance(value, (str, os.PathLike)) and os.fspath(value).strip() != ""
            and "\0" not in os.fspath(value))


def _is_name(value):
    return isinstance(value, str) and value.strip() != "" and value.isprintable()


def _are_names(value):
    return isinstance(value, (list, tuple)) and len(value) > 0 and all(map(_is_name, value))


def _is_merge(value):
    return isinstance(value, dict) and all(map(_is_name, (*value, *value.values())))


def _is_bool(value):
    return isinstance(value, bool)


PATH = "a path in quotation marks"
RULES = {  # constant: (whether a value is right, what it must be)
    "SOURCE": (_is_path, PATH),
    "IMAGE_DIR": (lambda value: value is None or _is_path(value), f"{PATH}, or None"),
    "LABEL_DIR": (_is_path, PATH),
    "SUFFIX": (lambda value: value is None or isinstance(value, str),
               'text such as "_mask", or None'),
    "LABELS_TURNED": (_is_bool, "True or False"),
    "OVERWRITE": (_is_bool, "True or False"),
    "CLASS_NAMES": (lambda value: value is None or _are_names(value),
                    "a list of names, each in quotation marks, or None"),
    "MERGE": (_is_merge, 'names in quotation marks, such as {"car": "vehicle"}, or {}'),
    "EMPTY": (lambda value: isinstance(value, str) and value in ("skip", "background"),
              '"skip" or "background"'),
    "CROWD": (lambda value: isinstance(value, str) and value in ("class", "ignore"),
              '"class" or "ignore"'),
}


def read_options(constants):
    """Returns import_labels.py's constants as an object with lower-case fields.

    Args: constants, dict of name and value, such as the script's globals().
    Raises: InputError with a sentence for each constant that can't be used.
    """
    findings = [f"{name} is {constants[name]!r}, but it must be {form}."
                for name, (is_right, form) in RULES.items() if not is_right(constants[name])]
    if not findings and constants["CLASS_NAMES"]:
        findings = [f"CLASS_NAMES: {sentence}"
                    for sentence in check_class_names(constants["CLASS_NAMES"])]
    collect_or_raise(findings)
    return SimpleNamespace(**{name.lower(): constants[name] for name in RULES})
