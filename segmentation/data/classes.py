"""Class names and class weights. Plain NumPy."""

import re
from pathlib import Path

import numpy as np

from device.errors import InputError, collect_or_raise, list_names
from device.files import write_whole
from device.model_info import MAX_CLASSES
from segmentation.data.label_values import count_up, list_ignored

CLASS_NAMES_FILE = "classes.txt"  # one name a line, in the label folder
MAX_ABSENT_ROWS = 5  # of the table; more classes that never occur are told in one line
BACKGROUND_NAMES = ("background", "_background_", "bg", "void", "unlabeled", "unlabelled")
IGNORED_NAME = "__ignore__"  # of labelme
NUMBERED_LINE = re.compile(r"\d+[\s:,;=.)]+\S")  # "1 duck"
COLOR_LINE = re.compile(r"[\s,;:]\d{1,3}[\s,;]+\d{1,3}[\s,;]+\d{1,3}\W*$")  # "duck,0,128,0"
HEADER_LINE = re.compile(r"(name|class|label|id|index)s?\s*[,;\t].*", re.IGNORECASE)
MAX_WEIGHT_RATIO = 100.0  # heaviest to lightest class weight; raw ratios of 400 did not converge


def read_class_names(label_dir):
    """Returns the names in label_dir/classes.txt (one a line), or None where there is no such file.

    A first line __ignore__, as labelme writes it for pixels of no class, is passed over.
    Raises: InputError where the file is empty or no text, or holds more than names.
    """
    path = Path(label_dir) / CLASS_NAMES_FILE
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no UTF-8 text: write one class name a line.") from error
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}): repair or remove "
                         f"it.") from error
    names = [line.strip() for line in lines if line.strip()]
    if names and names[0] == IGNORED_NAME:
        del names[0]
    if not names:
        raise InputError(f"{path} is empty: write one class name a line, or remove it.")
    if len(names) > 1 and all(NUMBERED_LINE.match(name) for name in names):
        raise InputError(f"{path} numbers its lines ({list_names(names[:2])}): write the names "
                         f"alone, the first for value 0.")
    is_header = HEADER_LINE.fullmatch(names[0]) is not None
    if is_header or all(map(COLOR_LINE.search, names)):
        raise InputError(f"{path} is a table ({names[0]!r}, {names[-1]!r}): write one class name a "
                         f"line and nothing else.")
    return names


def write_class_names(label_dir, class_names):
    """Writes classes.txt: one name a line."""
    text = "\n".join(class_names) + "\n"
    write_whole(Path(label_dir) / CLASS_NAMES_FILE, lambda file: file.write(text.encode("utf-8")))


def name_classes(found, label_dir, class_names=None, class_ids=None, ignore_label=255,
                 errors=None):
    """Returns the names of the classes, and the label values of each, as lists of the same length.

    Names are those given, those of classes.txt, or made of the values. Where class_ids is None, a
    name belongs to the value of its place (0, 1, 2, ...), or to that of the next class where the
    names leave out the ignored values.
    Args: found, label values that the labels hold; label_dir may be None, which holds no
        classes.txt; class_ids, list of lists as label_values.group_class_ids returns it, or None;
        ignore_label, as IGNORE_LABEL; errors, see collect_or_raise.
    Raises: InputError where there are not 2 to 255 different names, or not as many as class_ids.
    """
    try:
        if not class_names and found and label_dir is not None:
            class_names = read_class_names(label_dir)
    except InputError as error:
        collect_or_raise([str(error)], errors)
    ignored, sentences = list_ignored(ignore_label), check_class_names(class_names or "ab")
    if class_ids is None:
        largest = max(set(found) - set(ignored), default=0)
        skipped = [value for value in ignored if value < max(len(class_names or ()), largest + 1)]
        count = len(class_names) if class_names else min(largest + 1, MAX_CLASSES)
        if class_names and skipped and largest + 1 - len(skipped) != count:
            class_names = [name for value, name in enumerate(class_names) if value not in ignored]
            count = len(class_names)
        elif not class_names:
            count -= len(skipped)
        class_ids = count_up(count, ignore_label)
    elif class_names and len(class_ids) != len(class_names) > max(map(max, class_ids)):
        class_names = [class_names[values[0]] for values in class_ids]  # one name a value
    if not class_names:
        return default_class_names([values[0] for values in class_ids]), class_ids
    if not sentences and len(class_names) != len(class_ids):
        sentences = [f"CLASS_IDS makes {len(class_ids)} classes, but there are {len(class_names)} "
                     f"class names ({list_names(class_names)}): give one name for each class."]
    collect_or_raise(sentences, errors)
    return list(class_names), class_ids


def check_class_names(class_names):
    """Returns a list of the sentence that says what is wrong with the names, or an empty one."""
    doubles = sorted({name for name in class_names if class_names.count(name) > 1})
    if doubles:
        return [f"The class names hold {list_names(doubles)} more than once: give each class a "
                f"name of its own."]
    if not 2 <= len(class_names) <= MAX_CLASSES:
        return [f"{len(class_names)} class name(s) are given ({list_names(class_names)}): it takes "
                f"2 to {MAX_CLASSES}, the background first."]
    return []


def default_class_names(values):
    """Returns background for value 0 and class 1, class 2, ... for the others that have no name."""
    return [f"class {value}" if value else "background" for value in values]


def count_pixels(labels, num_classes):
    """Counts the pixels of each class, int64 (num_classes,); other values are left out.

    Args: labels uint8 (n, height, width).
    """
    if getattr(labels, "class_counts", None) is not None:  # a StoredArray: counted already
        return labels.class_counts[:num_classes].copy()
    counts = np.zeros(256, np.int64)
    for label in labels:
        counts += np.bincount(label.ravel(), minlength=256)
    return counts[:num_classes]


def compute_class_weights(pixel_counts, power=1.0, max_ratio=MAX_WEIGHT_RATIO):
    """Weighs classes by the inverse of their pixel frequency: weight ~ (1 / frequency) ** power.

    Args:
        pixel_counts: int array (num_classes,).
        power: 1 is the plain inverse, 0.5 (its square root) damps it, 0 weighs all alike.
        max_ratio: no weight is more than this many times the lightest.
    Returns: float32 (num_classes,), mean 1 over the classes that occur, 0 for those that do not.
    """
    counts = np.asarray(pixel_counts, np.float64)
    occurs = counts > 0
    if not occurs.any():
        return np.zeros(len(counts), np.float32)
    weights = np.zeros(len(counts))
    weights[occurs] = (counts.sum() / counts[occurs]) ** power
    weights = np.minimum(weights, max_ratio * weights[occurs].min())
    return (weights / weights[occurs].mean()).astype(np.float32)


def scale_class_weights(class_weights, class_names, factors):
    """Multiplies class weights by CLASS_WEIGHTS, a dict of class name and factor, or None."""
    return class_weights * np.float32([(factors or {}).get(name, 1) for name in class_names])


def format_class_table(class_names, pixel_counts, class_weights):
    """Returns the printed table of classes: name, pixels, share of all pixels, weight."""
    width = max(5, *(len(name) for name in class_names))
    total = max(1, int(np.sum(pixel_counts)))
    lines = [f"{'class':<{width}}  {'pixels':>12}  {'share':>8}  {'weight':>8}"]
    absent = [name for name, count in zip(class_names, pixel_counts) if not count]
    for name, count, weight in zip(class_names, pixel_counts, class_weights):
        if not count and len(absent) > MAX_ABSENT_ROWS:
            continue
        note = "" if count else "  never occurs: weight 0, it can't be learned"
        lines.append(f"{name:<{width}}  {count:>12,}  {count / total:>8.3%}  {weight:>8.3f}{note}")
    if len(absent) > MAX_ABSENT_ROWS:
        lines.append(f"{len(absent)} classes never occur and can't be learned: "
                     f"{list_names(absent)}")
    return "\n".join(lines)
