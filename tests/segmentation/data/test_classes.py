"""Tests of classes.py: names, checks of the labels' values, class weights."""

import numpy as np

from segmentation.data import classes


def values_of(*labels):
    """Which values each label holds, as reading.read_pairs returns it."""
    return np.array([np.bincount(label, minlength=256) > 0 for label in labels])


def test_class_names_are_counted_from_all_labels(tmp_path):
    names = classes.name_classes(values_of([0, 255], [0, 4, 255]), tmp_path)
    assert names == ["background", "class 1", "class 2", "class 3", "class 4"]


def test_class_names_are_those_given_or_those_of_the_file(tmp_path):
    (tmp_path / "classes.txt").write_text("sky\nbird\n")
    assert classes.name_classes(values_of([0, 1]), tmp_path) == ["sky", "bird"]
    assert classes.name_classes(values_of([0, 1]), tmp_path, ["a", "b", "c"]) == ["a", "b", "c"]


def test_counts_leave_out_other_values():
    labels = np.array([[[0, 0, 1]], [[2, 255, 1]]], np.uint8)
    assert classes.count_pixels(labels, 3).tolist() == [2, 2, 1]


def test_weights_are_inverse_to_frequency_with_mean_one():
    weights = classes.compute_class_weights([90, 9, 1])
    assert np.allclose(weights / weights[0], [1, 10, 90]) and np.isclose(weights.mean(), 1)
    damped = classes.compute_class_weights([100, 25, 4], power=0.5)
    assert np.allclose(damped / damped[0], [1, 2, 5])


def test_weights_are_capped_and_absent_classes_weigh_nothing():
    weights = classes.compute_class_weights([10**6, 0, 10], max_ratio=50)
    assert weights[1] == 0 and np.isclose(weights[2] / weights[0], 50)
    assert np.isclose((weights[0] + weights[2]) / 2, 1)
    assert classes.compute_class_weights([0, 0]).tolist() == [0, 0]
