"""import_labels.py's constants, checked."""

from types import SimpleNamespace

from device.errors import collect_or_raise
from segmentation.data.classes import check_class_names
from segmentation.settings import SWITCH, are_names, find_wrong, is_bool, is_path, one_of, or_none


def _is_merge(value):
    return isinstance(value, dict) and are_names([*value, *value.values()])


PATH = "a path in quotation marks"
RULES = {  # constant: (whether a value is right, what it must be)
    "SOURCE": (is_path, PATH),
    "IMAGE_DIR": (or_none(is_path), f"{PATH}, or None"),
    "LABEL_DIR": (is_path, PATH),
    "SUFFIX": (or_none(lambda value: isinstance(value, str)), 'text such as "_mask", or None'),
    "LABELS_TURNED": (is_bool, SWITCH),
    "OVERWRITE": (is_bool, SWITCH),
    "CLASS_NAMES": (or_none(lambda value: are_names(value) and len(value) > 0),
                    "a list of names, each in quotation marks, or None"),
    "MERGE": (_is_merge, 'names in quotation marks, such as {"car": "vehicle"}, or {}'),
    "EMPTY": (one_of(("skip", "background")), '"skip" or "background"'),
    "CROWD": (one_of(("class", "ignore")), '"class" or "ignore"'),
}


def read_options(constants):
    """Returns import_labels.py's constants as an object with lower-case fields.

    Args: constants, dict of name and value, such as the script's globals().
    Raises: InputError with a sentence for each constant that can't be used.
    """
    errors = list(find_wrong(constants, RULES).values())
    if not errors and constants["CLASS_NAMES"]:
        errors = [f"CLASS_NAMES: {sentence}"
                  for sentence in check_class_names(constants["CLASS_NAMES"])]
    collect_or_raise(errors)
    return SimpleNamespace(**{name.lower(): constants[name] for name in RULES})
