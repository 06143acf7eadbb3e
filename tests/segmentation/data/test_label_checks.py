"""Tests of label_checks.py: what is surely wrong is refused, what may be wrong is told."""

import numpy as np
import pytest

from device.errors import InputError
from segmentation.data.classes import name_classes
from segmentation.data.label_checks import (
    check_label_values,
    compare_classes,
    has_soft_edges,
    held_values,
    warn_of_labels,
)
from segmentation.data.pairing import Pairs


def counts_of(*files):
    """Pixels of each value; a file is a dict of value and pixels, or a list of values: 100 each."""
    counts = np.zeros((len(files), 256), np.uint32)
    for row, file in zip(counts, files):
        for value, pixels in (file if isinstance(file, dict) else dict.fromkeys(file, 100)).items():
            row[value] = pixels
    return counts


def what_is_said(counts, class_names=None, class_ids=None, ignore_label=255, other_ids="error"):
    """Returns the sentences of errors and warnings, as main.py would get them."""
    names = [f"{index}.png" for index in range(len(counts))]
    pairs, errors = Pairs("images", "labels", names, names), []
    has_class_ids = class_ids is not None
    class_names, class_ids = name_classes(held_values(counts), None, class_names, class_ids,
                                          ignore_label)
    labels_as = class_names, class_ids, ignore_label
    check_label_values(pairs, counts, *labels_as, other_ids, len(pairs), errors)
    return errors or warn_of_labels(pairs, counts, *labels_as, has_class_ids)


SOFT = {0: 9000, 255: 900} | dict.fromkeys(range(20, 240, 4), 2)
TWO_SOFT = {0: 8000, 128: 900, 255: 900} | dict.fromkeys(range(10, 250, 5), 1)
SMALL_SOFT = {0: 9300} | dict.fromkeys(range(1, 240, 3), 3)  # no value but 0 is frequent
JPEG = {0: 9000, 1: 20, 2: 12, 3: 5, 252: 7, 253: 6, 254: 15, 255: 900} | (
    dict.fromkeys(range(8, 248, 6), 1))


@pytest.mark.parametrize("counts, sentence", [
    (counts_of(SOFT, SOFT), "2 label(s) have soft edges, as after resizing or JPEG, so that their "
     "values are no class indices: 0.png (57 values), 1.png (57 values); convert the labels with "
     "import_labels.py."),
    (counts_of(TWO_SOFT), "1 label(s) have soft edges"), (counts_of(JPEG), "have soft edges"),
    (counts_of(SOFT, SOFT, [0, 255]), "2 label(s) have soft edges"),
    (counts_of(SMALL_SOFT, [0], [0], [0]), "1 label(s) have soft edges"),
    (counts_of([0, 255]), "The labels hold only 0 and 255 (1 file(s): 0.png), so the object seems "
     "to be 255, which is no class index: set CLASS_IDS = [0, 255] in main.py, or convert the "
     "labels with import_labels.py."),
    (counts_of([0, 128, 255], [0]), "The labels hold 0, 128, 255 alone, which seem to be gray "
     "levels, not class indices: convert the labels with import_labels.py, or set CLASS_IDS = [0, "
     "128, 255] (or CLASS_IDS = [0, 128], if the pixels of 255 are to be ignored)."),
    (counts_of([0, 128]), "The labels hold 0, 128 alone, which seem to be gray levels"),
    (counts_of([0, 85, 170, 255]), "The labels hold 0, 85, 170, 255 alone"),
    (counts_of([1, 2, 3], [1, 2]), "WARNING: no label holds 0, which is background: the classes "
     "seem to be numbered from 1. If so, set CLASS_IDS = [1, 2, 3]; for trimaps (1, 2, 3), where "
     "3 is the border, CLASS_IDS = [2, 1] and IGNORE_LABEL = 3."),
    (counts_of([0, 7, 11], [26]), "WARNING: 23 of the 27 classes are in no label: 1, 2, 3, 4, 5 "
     "and 18 more. Each costs time and memory for nothing: set CLASS_IDS = [0, 7, 11, 26]."),
    (counts_of([0, 1, 2, 254], [255]), "set CLASS_IDS = [0, 1, 2, 254]. If 254 marks pixels of no "
     "class, set IGNORE_LABEL = [254, 255] instead."),
    (counts_of([0, 1], [0, 1, 2, 3], range(8)), "WARNING: the labels seem to hold object numbers "
     "(1, 2, 3, ... in each file, up to 7 in 2.png), not classes: use the folder of class masks "
     "(SegmentationClass), or convert the labels with import_labels.py."),
])
def test_labels_that_are_something_else(counts, sentence):
    said, = what_is_said(counts)
    assert sentence in said


@pytest.mark.parametrize("counts, options", [
    (counts_of([0, 1, 255], [0, 2]), {}), (counts_of([0, 1]), {}),
    (counts_of([0, 255]), {"class_ids": [[0], [255]]}),
    (counts_of([0, 128, 255]), {"class_ids": [[0], [128], [255]]}),
    (counts_of([0, 128, 255]), {"class_ids": [[0], [128]]}),
    (counts_of([0, 7, 8, 26]), {"class_ids": [[0], [7, 8], [26]]}),
    (counts_of([0, 3, 7, 9]), {"class_ids": [[0], [7]], "other_ids": "ignore"}),
    (counts_of([0, 1, 2]), {"ignore_label": 0}),
    (counts_of([0, 1, 2, 9]), {"ignore_label": [9, 0]}),
    # Many classes, most of them rare, as in a street: those of a file do not fill what is between.
    (counts_of(dict(enumerate([5000, 3000, 900] + [40] * 31))), {}),
    # As many classes as there are, each where it is.
    (counts_of({value: 1 + value for value in range(150)}), {"class_names": [
        f"c{index}" for index in range(150)]}),
])
def test_labels_that_are_right(counts, options):
    assert what_is_said(counts, **options) == []


def test_names_without_the_background_are_noticed():
    assert what_is_said(counts_of([0, 1, 2]), ["cat", "dog"]) == [
        "1 label(s) hold values beyond the 2 classes (0..1): 2 in 0.png; if the class names lack "
        "the background (the first is cat), write background in front of them; else correct "
        "the labels, the class names or IGNORE_LABEL."]
    assert what_is_said(counts_of([0, 1, 2, 3]), ["background", "dog"]) == [
        "1 label(s) hold values beyond the 2 classes (0..1): 2, 3 in 0.png; correct the labels, "
        "the class names or IGNORE_LABEL."]
    assert what_is_said(counts_of([0, 7, 9]), class_ids=[[0], [7]]) == [
        "1 label(s) hold values beyond the 2 classes (0, 7): 9 in 0.png; correct the labels, the "
        "class names or IGNORE_LABEL."]


def test_soft_edges_are_found_file_by_file():
    assert has_soft_edges(counts_of(SOFT, [0, 1], TWO_SOFT, JPEG, [0, 255])).tolist() == [
        True, False, True, True, False]


def test_classes_of_one_side_are_told():
    pairs = Pairs("i", "l", ["a.png"], ["a.png"])
    warnings = compare_classes(counts_of([0, 7]), pairs, counts_of([0, 9]), ["sky", "car", "cat"],
                               [[0], [7, 8], [9]])
    assert warnings[0].startswith("WARNING: 1 validation label(s) hold what no training label "
                                  "holds, cat: a.png;")
    assert warnings[1].startswith("WARNING: no validation label holds car: it is learned")
    assert compare_classes(counts_of([0, 7]), pairs, counts_of([0, 8]), ["sky", "car"],
                           [[0], [7, 8]]) == []  # values of one class


def test_validation_labels_that_are_ignored_everywhere_are_an_error():
    pairs = Pairs("i", "l", ["a.png", "b.png"], ["a.png", "b.png"])
    with pytest.raises(InputError, match="nothing to measure on"):
        check_label_values(pairs, counts_of([0, 1], [255]), ["a", "b"], [[0], [1]], 255, "error", 1)
