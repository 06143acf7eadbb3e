"""Numbers the classes: background first, ignored ones 255, by MERGE and CLASS_NAMES."""

from collections import Counter
from typing import NamedTuple

from device.errors import list_names
from device.model_info import IGNORED, MAX_CLASSES
from segmentation.data.classes import BACKGROUND_NAMES, IGNORED_NAME

IGNORED_NAMES = (IGNORED_NAME, "ignore")


class Classes(NamedTuple):
    """names of the output's classes; values, every name in the labels -> number or IGNORED."""

    names: list
    values: dict


def number_classes(found, counts, class_names, merge, errors, remarks):
    """Numbers the classes.

    Args: found, the records.Found; counts, Counter of the annotations of each name; class_names,
        the wanted order or None; merge, dict name -> name; errors and remarks, lists to which
        sentences are added.
    Returns: Classes.
    """
    used = {name: _meaning(merge.get(name, name), class_names) for name in counts}
    meanings = set(used.values())
    if class_names:
        names = list(class_names)
        _check_class_names(names, used, found, errors)
    else:
        order = [_meaning(merge.get(name, name), None) for name in
                 [*found.class_order, *sorted(counts, key=_natural)]]
        names = [name for name in dict.fromkeys(order) if name in meanings]
        if found.has_background or "background" in meanings:
            names = ["background", *(name for name in names if name != "background")]
        names = [name for name in names if name is not None]
        _tell_unused(found, counts, remarks)
    if len(names) > MAX_CLASSES:
        errors.append(f"The labels hold {len(names)} classes, but at most {MAX_CLASSES} can be "
                      f"stored: join some by MERGE.")
    _tell_doubts(names, merge, counts, remarks)
    numbers = {name: number for number, name in enumerate(names)}
    numbers |= {None: IGNORED, "background": numbers.get("background", 0)}
    return Classes(names, {name: numbers.get(meaning, 0) for name, meaning in used.items()}
                   | {"background": 0})


def _meaning(name, class_names):
    """Returns the output's class of a name: None for ignored, "background" for its other names."""
    if class_names and name in class_names:
        return name
    if name.casefold() in IGNORED_NAMES:
        return None
    return "background" if name.casefold() in BACKGROUND_NAMES else name


def _check_class_names(names, used, found, errors):
    lacking = Counter(meaning for meaning in used.values()
                      if meaning not in names and meaning not in (None, "background"))
    if lacking:
        errors.append(f"The labels hold {len(lacking)} class(es) that CLASS_NAMES lacks: "
                      f"{list_names(sorted(lacking))}; add them, or join them by MERGE, such as "
                      f'MERGE = {{"{sorted(lacking)[0]}": "background"}}.')
    first = names[0]
    if found.has_background and first in used and first.casefold() not in BACKGROUND_NAMES:
        errors.append(f"CLASS_NAMES begins with {first}, which is annotated; its first name is "
                      f'what has no annotation: put "background" before it.')


def _tell_unused(found, counts, remarks):
    unused = [name for name in dict.fromkeys(found.class_order) if name not in counts
              and name.casefold() not in BACKGROUND_NAMES + IGNORED_NAMES]
    if unused:
        remarks.append(f"{len(unused)} listed class(es) have no annotation and are dropped: "
                       f"{list_names(unused)}.")


def _tell_doubts(names, merge, counts, remarks):
    absent = [name for name in merge if name not in counts]
    if absent:
        remarks.append(f"MERGE names what no label holds: {list_names(absent)}.")
    folded = Counter(name.casefold() for name in names)
    alike = [name for name in names if folded[name.casefold()] > 1]
    if alike:
        remarks.append(f"WARNING: {list_names(alike)} differ only by upper and lower case; MERGE "
                       f"can join them.")
    ignorable = [name for name in names if "ignore" in name.casefold()]
    if ignorable:
        remarks.append(f'If training should leave {ignorable[0]} out, set MERGE = '
                       f'{{"{ignorable[0]}": "ignore"}}.')


def _natural(name):
    """Returns a key that sorts "class 2" before "class 10"."""
    digits = "".join(c if c.isdigit() and c.isascii() else " " for c in name).split()
    return [int(number) for number in digits[:1]] if name.startswith("class ") else [], name
