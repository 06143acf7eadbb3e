"""Class names, checks of the labels' values, and class weights. Plain NumPy."""

from pathlib import Path

import numpy as np

from device.errors import InputError, collect_or_raise, list_names
from device.model_info import MAX_CLASSES

CLASS_NAMES_FILE = "classes.txt"  # one name a line, in the label folder
MAX_WEIGHT_RATIO = 100.0  # heaviest to lightest class weight; raw ratios of 400 did not converge


def read_class_names(label_dir):
    """Returns the names in label_dir/classes.txt (one a line), or None where there is no such file.

    Raises: InputError where the file is empty or no text.
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
    if not names:
        raise InputError(f"{path} is empty: write one class name a line, or remove it.")
    return names


def name_classes(values, label_dir, class_names=None, ignore_label=255, errors=None):
    """Returns the class names: those given, those of classes.txt, or names for the label values.

    Args: values bool (n, 256), which values each label file holds; label_dir may be None, which
        holds no classes.txt; errors, see collect_or_raise.
    Raises: InputError where there are not 2 to 255 different names.
    """
    try:
        if not class_names and values.any() and label_dir is not None:
            class_names = read_class_names(label_dir)
    except InputError as error:
        collect_or_raise([str(error)], errors)
    if not class_names:
        classes = set(_held(values)) - {ignore_label}
        return default_class_names(min(max(classes, default=0) + 1, MAX_CLASSES))
    collect_or_raise(check_class_names(class_names), errors)
    return list(class_names)


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


def default_class_names(num_classes):
    """Returns background, class 1, class 2, ... for labels whose classes have no names."""
    return ["background"] + [f"class {index}" for index in range(1, num_classes)]


def check_label_values(pairs, values, class_names, ignore_label, num_training, errors=None):
    """Checks that the label files hold class indices only, and enough of them to learn from.

    Args: values bool (n, 256), which values each label file holds; num_training, how many of the
        pairs, the first ones, are trained on, the others being for validation, or 0: any images;
        errors, see collect_or_raise.
    Raises: InputError for values beyond the classes and, of the labels that are trained on, masks
        of 0 and 255 or less than two classes; for validation labels that are ignored everywhere.
    """
    found = _held(values[:num_training])
    classes = set(found) - {ignore_label}
    beyond = sorted(set(_held(values)) - {ignore_label} - set(range(len(class_names))))
    held_out = set(_held(values[num_training:]))
    if 255 in found and set(found) <= {0, 255} and (classes or ignore_label != 255):
        holders = _holders(pairs, values, [255])
        collect_or_raise([
                f"The labels hold only 0 and 255 ({len(holders)} file(s): {list_names(holders)}), "
                f"so the object seems to be 255, which is no class index: save the object as 1 "
                f"(255 is for pixels to be ignored)."], errors)
    elif beyond:
        holders = _holders(pairs, values, beyond)
        collect_or_raise([
                f"{len(holders)} label(s) hold values beyond the {len(class_names)} classes "
                f"(0..{len(class_names) - 1}): {list_names(beyond)} in {list_names(holders)}; "
                f"correct the labels, the class names or IGNORE_LABEL."], errors)
    elif found and not classes:
        collect_or_raise([
                f"All label pixels have the ignore label {ignore_label}: nothing to learn from; "
                f"draw the labels or correct IGNORE_LABEL."], errors)
    elif len(classes) == 1:
        collect_or_raise([
                f"The labels hold class {classes.pop()} alone: there is nothing to tell apart; "
                f"draw the objects with 1, 2, ... on background 0."], errors)
    elif classes and held_out and held_out <= {ignore_label}:
        collect_or_raise([
                f"All pixels of the validation labels have the ignore label {ignore_label}: "
                f"there is nothing to measure on; choose other images."], errors)


def compare_classes(values, validation_pairs, validation_values, class_names, ignore_label):
    """Returns warnings of classes that only the validation labels hold, or only the training ones.

    Args: values, validation_values bool (n, 256), which values each label file holds.
    """
    training = set(_held(values)) - {ignore_label}
    validation = set(_held(validation_values)) - {ignore_label}
    unlearned, unmeasured = sorted(validation - training), sorted(training - validation)
    warnings = []
    if unlearned:
        holders = _holders(validation_pairs, validation_values, unlearned)
        warnings.append(
            f"WARNING: {len(holders)} validation label(s) hold what no training label holds, "
            f"{list_names(class_names[index] for index in unlearned)}: {list_names(holders)}; it "
            f"can't be learned and counts as IoU 0: label training images that show it, or choose "
            f"another SEED.")
    if unmeasured:
        warnings.append(
            f"WARNING: no validation label holds "
            f"{list_names(class_names[index] for index in unmeasured)}: it is learned, but not "
            f"measured; label validation images that show it, or choose another SEED.")
    return warnings


def _held(values):
    return [int(value) for value in np.flatnonzero(values.any(axis=0))]


def _holders(pairs, values, wanted):
    return sorted(pair.label_path.name for pair, row in zip(pairs, values) if row[wanted].any())


def count_pixels(labels, num_classes):
    """Counts the pixels of each class, int64 (num_classes,); other values are left out.

    Args: labels uint8 (n, height, width).
    """
    if getattr(labels, "value_counts", None) is not None:  # cache.StoredArray: counted already
        return labels.value_counts[:num_classes].copy()
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


def format_class_table(class_names, pixel_counts, class_weights):
    """Returns the printed table of classes: name, pixels, share of all pixels, weight."""
    width = max(5, *(len(name) for name in class_names))
    total = max(1, int(np.sum(pixel_counts)))
    lines = [f"{'class':<{width}}  {'pixels':>12}  {'share':>8}  {'weight':>8}"]
    for name, count, weight in zip(class_names, pixel_counts, class_weights):
        note = "" if count else "  never occurs: weight 0, it can't be learned"
        lines.append(f"{name:<{width}}  {count:>12,}  {count / total:>8.3%}  {weight:>8.3f}{note}")
    return "\n".join(lines)
