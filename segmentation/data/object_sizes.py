"""How large the labeled objects are at IMAGE_SIZE: what is only a few pixels is hardly learned."""

import numpy as np

from segmentation.evenly import choose_evenly
from segmentation.regions import find_runs, join_runs

MAX_LABELS = 100  # evenly spaced over the set, that are looked at
MIN_SIDE = 12  # pixels; objects with a smaller median side were learned poorly at IMAGE_SIZE


def object_boxes(mask):
    """Returns height, width and pixels of each connected object of a mask, int (objects, 3).

    Pixels that touch by a side or a corner are connected.
    Args: mask bool (height, width).
    """
    rows, starts, ends = find_runs(mask)
    roots, sides = join_runs(rows, starts, ends, by_corner=True), []
    for number in np.unique(roots):
        runs = roots == number
        sides.append((np.ptp(rows[runs]) + 1, ends[runs].max() - starts[runs].min(),
                      (ends[runs] - starts[runs]).sum()))
    return np.array(sides, int).reshape(-1, 3)


def median_object_sizes(labels, num_classes):
    """Returns the median height and width of each class's objects, float (num_classes, 2).

    Of each picture the largest object counts, since the others may be parts of one that something
    hides. NaN for a class without an object; the most frequent class, the background, is NaN too.
    Args: labels uint8 (n, height, width).
    """
    labels = [labels[int(index)] for index in choose_evenly(len(labels), MAX_LABELS)]
    counts = sum(np.bincount(label.ravel(), minlength=256)[:num_classes] for label in labels)
    sizes = np.full((num_classes, 2), np.nan)
    for index in set(np.flatnonzero(counts).tolist()) - {int(np.argmax(counts))}:
        boxes = [object_boxes(label == index) for label in labels if (label == index).any()]
        sizes[index] = np.median([found[np.argmax(found[:, 2]), :2] for found in boxes], axis=0)
    return sizes


def describe_small_objects(sizes, class_names):
    """Returns a sentence on the class with the smallest objects, or '' where none is too small."""
    sides = np.sqrt(np.prod(sizes, axis=1))
    if not (sides < MIN_SIDE).any():
        return ""
    smallest = int(np.nanargmin(sides))
    height, width = sizes[smallest]
    return (f"NOTE: the median {class_names[smallest]} is {height:.0f} x {width:.0f} pixels "
            f"(height x width) at IMAGE_SIZE: raise IMAGE_SIZE, or set PICTURE_SIZE "
            f"(docs/tiles.md).")
