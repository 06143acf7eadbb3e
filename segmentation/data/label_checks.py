"""Looks at the labels of a set as a whole, before anything is trained on them. Plain NumPy.

What is surely wrong is an error; what may be wrong is a warning; both name files that show it.
"""

import numpy as np

from device.errors import collect_or_raise, list_names
from segmentation.data.classes import BACKGROUND_NAMES
from segmentation.data.label_values import find_unknown, list_ignored

RARE_SHARE = 0.01  # of a file's pixels; a value of a soft edge has less
MIN_SOFT_VALUES = 8  # rare values between frequent ones, in one file: more than objects account for
MANY_VALUES = 64  # in one file: more than classes are ever seen in one picture
MAX_SOFT_SHARE = 0.2  # of a file's pixels, that its rare values have together
BLOCK_FILES = 4096  # looked at together, so that memory stays small
MIN_GRAY_STEP = 32  # between values that were drawn as gray levels, such as 0, 128, 255
MIN_VOID = 200  # where few classes are found, a value from here on may mean "no class"
MIN_OBJECTS = 5  # largest value from which labels may be object numbers
IMPORT = "convert the labels with import_labels.py"


def check_label_values(pairs, counts, class_names, class_ids, ignore_label, other_ids, num_training,
                       errors=None):
    """Checks that the label files hold class indices only, and enough of them to learn from.

    Args:
        counts: uint32 (n, 256), how many pixels each label file has of each value.
        class_names, class_ids: names and label values of each class, see classes.name_classes.
        ignore_label, other_ids: as the constants.
        num_training: how many of the pairs, the first ones, are trained on, the others being for
            validation, or 0: any images.
        errors: see collect_or_raise.
    Raises: InputError for values of no class, soft edges and gray levels; for labels that are
        trained on and hold less than two classes; for validation labels ignored everywhere.
    """
    found, ignored = held_values(counts[:num_training]), set(list_ignored(ignore_label))
    ignored -= {value for values in class_ids for value in values}
    unknown = find_unknown(held_values(counts), class_ids, ignore_label, other_ids)
    is_learned = set(found) - ignored
    held_out = set(held_values(counts[num_training:]))
    names_all_values = bool(class_names) and not unknown
    collect_or_raise(
        _describe_soft_edges(pairs, counts, unknown, len(class_ids))
        or _describe_gray_levels(pairs, counts[:num_training], class_ids, ignored)
        or _describe_unknown(pairs, counts, unknown, class_names, class_ids)
        or _describe_one_class(found, is_learned, ignore_label)
        or ([f"All pixels of the validation labels have the ignore label {ignore_label}: there is "
             f"nothing to measure on; choose other images."]
            if is_learned and held_out and held_out <= ignored and names_all_values else []),
        errors)


def warn_of_labels(pairs, counts, class_names, class_ids, ignore_label, has_class_ids):
    """Returns warnings of what may be wrong with the values of labels that pass as they are.

    Arguments as for check_label_values; has_class_ids, whether CLASS_IDS is set.
    """
    found = set(held_values(counts)) - set(list_ignored(ignore_label))
    absent = [values for values in class_ids if not found & set(values)]
    if has_class_ids or not found:
        return []
    warnings = []
    if class_ids[0] == [0] and 0 not in found:
        warnings.append(
            f"WARNING: no label holds 0, which is {class_names[0]}: the classes seem to be "
            f"numbered from 1. If so, set CLASS_IDS = {sorted(found)}; for trimaps (1, 2, 3), "
            f"where 3 is the border, CLASS_IDS = [2, 1] and IGNORE_LABEL = 3.")
    elif 2 * len(absent) >= len(class_ids):
        largest, void = max(found), ""
        if largest >= MIN_VOID:
            ignored = sorted({largest, *list_ignored(ignore_label)})
            void = f" If {largest} marks pixels of no class, set IGNORE_LABEL = {ignored} instead."
        warnings.append(
            f"WARNING: {len(absent)} of the {len(class_ids)} classes are in no label: "
            f"{list_names(values[0] for values in absent)}. Each costs time and memory for "
            f"nothing: set CLASS_IDS = {sorted(found)}.{void}")
    if _are_object_numbers(counts, ignore_label):
        holders = holder_names(pairs, counts, [max(found)])
        warnings.append(
            f"WARNING: the labels seem to hold object numbers (1, 2, 3, ... in each file, up to "
            f"{max(found)} in {list_names(holders)}), not classes: use the folder of class masks "
            f"(SegmentationClass), or {IMPORT}.")
    return warnings


def compare_classes(counts, validation_pairs, validation_counts, class_names, class_ids):
    """Returns warnings of classes that only the validation labels hold, or only the training ones.

    Args: counts, validation_counts: (n, 256), pixels of each value in each label file.
    """
    training, validation = set(held_values(counts)), set(held_values(validation_counts))
    unlearned = [index for index, values in enumerate(class_ids)
                 if validation & set(values) and not training & set(values)]
    unmeasured = [index for index, values in enumerate(class_ids)
                  if training & set(values) and not validation & set(values)]
    warnings = []
    if unlearned:
        holders = holder_names(validation_pairs, validation_counts,
                               [value for index in unlearned for value in class_ids[index]])
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


def held_values(counts):
    """Returns the values that label files hold, as a sorted list; counts (n, 256)."""
    return np.flatnonzero(np.any(counts, axis=0)).tolist()


def holder_names(pairs, counts, values):
    """Returns the sorted names of the label files that hold one of the values."""
    rows = np.flatnonzero(np.any(counts[:, values], axis=1))
    return sorted(pairs.label_names[row] for row in rows)


def has_soft_edges(counts):
    """Returns for each file whether many rare values lie between frequent ones, bool (n,).

    Masks that were resized smoothly, or saved as JPEG, hold such values at the objects' edges. Of
    small objects hardly any pixel is without an edge; there MANY_VALUES tell.
    Args: counts (n, 256).
    """
    parts = [_have_soft_edges(counts[start:start + BLOCK_FILES])
             for start in range(0, len(counts), BLOCK_FILES)]
    return np.concatenate(parts) if parts else np.zeros(0, bool)


def _have_soft_edges(counts):
    counts = np.asarray(counts, np.int64)
    pixels = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    is_rare = (counts > 0) & (counts < RARE_SHARE * pixels)
    is_frequent = counts >= RARE_SHARE * pixels
    first, last = is_frequent.argmax(axis=1), 255 - is_frequent[:, ::-1].argmax(axis=1)
    place = np.arange(256)
    between = is_rare & (place > first[:, None]) & (place < last[:, None])
    share = (counts * is_rare).sum(axis=1) / pixels[:, 0]
    fills = (between.sum(axis=1) >= MIN_SOFT_VALUES) & (
        between.sum(axis=1) > 2 * is_frequent.sum(axis=1))
    return (share < MAX_SOFT_SHARE) & (fills | ((counts > 0).sum(axis=1) > MANY_VALUES))


def _describe_soft_edges(pairs, counts, unknown, num_classes):
    soft = has_soft_edges(counts)
    has_objects = (counts > 0).sum(axis=1) > 1
    if not soft.any() or 2 * soft.sum() < has_objects.sum() or not (unknown or num_classes > 100):
        return []
    rows = np.flatnonzero(soft)
    values = (counts[rows] > 0).sum(axis=1)
    names = sorted(f"{pairs.label_names[row]} ({count} values)"
                   for row, count in zip(rows, values))
    return [f"{len(names)} label(s) have soft edges, as after resizing or JPEG, so that their "
            f"values are no class indices: {list_names(names)}; {IMPORT}."]


def _describe_gray_levels(pairs, counts, class_ids, ignored):
    """Returns a sentence where values are drawn gray levels (0 and 255, or 0, 128, 255)."""
    found = held_values(counts)
    steps = np.diff(found)
    if len(found) < 2 or found[-1] < 2 * MIN_GRAY_STEP or steps.min() < MIN_GRAY_STEP:
        return []
    named = [value for value in found if [value] in class_ids]
    if len(named) > 1 and set(found) <= {*named, *ignored} and len(class_ids) <= 2 * len(found):
        return []  # CLASS_IDS names them
    if found == [0, 255]:
        holders = holder_names(pairs, counts, [255])
        return [f"The labels hold only 0 and 255 ({len(holders)} file(s): {list_names(holders)}), "
                f"so the object seems to be 255, which is no class index: set CLASS_IDS = [0, 255] "
                f"in main.py, or {IMPORT}."]
    if set(found) <= {0} | ignored and found[-1] != 255:
        return []
    return [f"The labels hold {list_names(found)} alone, which seem to be gray levels, not class "
            f"indices: {IMPORT}, or set CLASS_IDS = {found}"
            + (f" (or CLASS_IDS = {found[:-1]}, if the pixels of 255 are to be ignored)."
               if found[-1] == 255 else ".")]


def _describe_unknown(pairs, counts, unknown, class_names, class_ids):
    if not unknown:
        return []
    holders = holder_names(pairs, counts, unknown)
    upward = class_ids == [[value] for value in range(len(class_ids))]
    form = f"0..{len(class_ids) - 1}" if upward else list_names(
        value for values in class_ids for value in values)
    remedy = "correct the labels, the class names or IGNORE_LABEL."
    if upward and unknown == [len(class_ids)] and len(class_names) > 1 and not _is_background(
            class_names[0]):
        remedy = (f"if the class names lack the background (the first is {class_names[0]}), write "
                  f"background in front of them; else " + remedy)
    return [f"{len(holders)} label(s) hold values beyond the {len(class_ids)} classes ({form}): "
            f"{list_names(unknown)} in {list_names(holders)}; {remedy}"]


def _describe_one_class(found, is_learned, ignore_label):
    if found and not is_learned:
        return [f"All label pixels have the ignore label {ignore_label}: nothing to learn from; "
                f"draw the labels or correct IGNORE_LABEL."]
    if len(is_learned) == 1:
        return [f"The labels hold class {is_learned.pop()} alone: there is nothing to tell apart; "
                f"draw the objects with 1, 2, ... on background 0."]
    return []


def _is_background(name):
    return name.strip().lower() in (*BACKGROUND_NAMES, "other", "others")


def _are_object_numbers(counts, ignore_label):
    """Returns whether each file counts its objects from 1 up, with different numbers of objects."""
    largest = set()
    for row in np.asarray(counts):
        values = set(np.flatnonzero(row).tolist()) - {0, *list_ignored(ignore_label)}
        if values and values != set(range(1, len(values) + 1)):
            return False
        largest.add(len(values))
    return max(largest, default=0) >= MIN_OBJECTS and len(largest - {0}) >= 3
