"""Which value of a label file is which class. Plain NumPy.

Inside the program a label holds class indices 0, 1, 2, ... and IGNORED. The values in a person's
files may be others (CLASS_IDS, IGNORE_LABEL); masks that predict.py writes hold those again.
"""

import numpy as np

from device.model_info import IGNORED

OTHER_IDS = ("error", "ignore", "background")  # what a value may be that CLASS_IDS leaves out


def list_ignored(ignore_label):
    """Returns the label values that belong to no class: IGNORE_LABEL is None, a value or a list."""
    if ignore_label is None:
        return []
    return list(ignore_label) if isinstance(ignore_label, (list, tuple)) else [ignore_label]


def group_class_ids(class_ids):
    """Returns the values of each class as a list of lists, the form in which model.json has them.

    Args: class_ids as CLASS_IDS: a list of values in the order of the classes, or a dict of value
        and class index; where a dict gives class 0 no value, it gets the smallest that is free.
    """
    if not isinstance(class_ids, dict):
        return [[value] for value in class_ids]
    groups = [[] for _ in range(max(class_ids.values()) + 1)]
    for value, index in sorted(class_ids.items()):
        groups[index].append(value)
    if not groups[0]:
        groups[0] = [min(set(range(256)) - set(class_ids))]
    return groups


def count_up(num_classes, ignore_label):
    """Returns the values of each class where CLASS_IDS is None: 0, 1, 2, ... but the ignored."""
    ignored = list_ignored(ignore_label)
    return [[value] for value in range(256) if value not in ignored][:num_classes]


def make_value_table(class_ids, ignore_label, other_ids="error"):
    """Returns the class index of each label value, or IGNORED, as uint8 (256,).

    Args: class_ids, list of lists as group_class_ids returns it, or None: all values count up. A
        value of a class is never ignored. other_ids, one of OTHER_IDS; values that are an error
        become IGNORED.
    """
    table = np.full(256, 0 if other_ids == "background" else IGNORED, np.uint8)
    table[list_ignored(ignore_label)] = IGNORED
    if class_ids is None:  # 255 classes at most: where nothing is ignored, value 255 is an error
        class_ids = count_up(IGNORED, ignore_label)
    for index, values in enumerate(class_ids):
        table[values] = index
    return table


def find_unknown(found, class_ids, ignore_label, other_ids="error"):
    """Returns which of the values that labels hold belong to no class and are not ignored.

    Args: found, list of values; the others as for make_value_table, class_ids not None.
    """
    known = {value for values in class_ids for value in values} | set(list_ignored(ignore_label))
    return [value for value in found if value not in known] if other_ids == "error" else []
