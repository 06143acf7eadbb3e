"""Tests of classes.py: names and class weights."""

import re

import numpy as np
import pytest

from device.errors import InputError
from segmentation.data import classes
from segmentation.data.classes import name_classes


def test_class_names_are_counted_from_the_values(tmp_path):
    names, class_ids = name_classes([0, 4, 255], tmp_path)
    assert names == ["background", "class 1", "class 2", "class 3", "class 4"]
    assert class_ids == [[0], [1], [2], [3], [4]]


def test_class_names_are_those_given_or_those_of_the_file(tmp_path):
    (tmp_path / "classes.txt").write_text("sky\nbird\n")
    assert name_classes([0, 1], tmp_path)[0] == ["sky", "bird"]
    assert name_classes([0, 1], tmp_path, ["a", "b", "c"])[0] == ["a", "b", "c"]


@pytest.mark.parametrize("found, class_names, class_ids, ignore_label, expected", [
    # The ignored value is no class, whether it is named or not.
    ([0, 1, 2], ["void", "cat", "dog"], None, 0, (["cat", "dog"], [[1], [2]])),
    ([0, 1, 2], ["cat", "dog"], None, 0, (["cat", "dog"], [[1], [2]])),
    ([0, 1, 2], None, None, 0, (["class 1", "class 2"], [[1], [2]])),
    ([0, 1, 2, 3], ["a", "b", "c", "d"], None, [1, 255], (["a", "c", "d"], [[0], [2], [3]])),
    # CLASS_IDS: a name for each class, or for each value.
    ([0, 7, 11], None, [[0], [7], [11]], 255, (
        ["background", "class 7", "class 11"], [[0], [7], [11]])),
    ([0, 2], ["a", "b"], [[0], [2]], 255, (["a", "b"], [[0], [2]])),
    ([0, 2], ["a", "b", "c"], [[0], [2]], 255, (["a", "c"], [[0], [2]])),
    ([0, 2, 3], ["a", "b"], [[0], [2, 3]], 255, (["a", "b"], [[0], [2, 3]])),
])
def test_names_belong_to_values(tmp_path, found, class_names, class_ids, ignore_label, expected):
    assert name_classes(found, tmp_path, class_names, class_ids, ignore_label) == expected


def test_names_must_be_as_many_as_class_ids(tmp_path):
    with pytest.raises(InputError, match=r"CLASS_IDS makes 2 classes, but there are 3 class names"):
        name_classes([0, 7], tmp_path, ["a", "b", "c"], [[0], [7]])


@pytest.mark.parametrize("text, sentence", [
    ("0 background\n1 duck\n", "numbers its lines (0 background, 1 duck)"),
    ("1: duck\n2: swan\n", "numbers its lines"), ("1, duck\n2, swan", "numbers its lines"),
    ("name,r,g,b\nduck,0,128,0\n", "is a table ('name,r,g,b', 'duck,0,128,0')"),
    ("duck 0 128 0\nswan 1 2 3\n", "is a table"), ("id\tname\nbird\n", "is a table"),
    ("\n \n", "is empty")])
def test_a_file_of_more_than_names_is_refused(tmp_path, text, sentence):
    (tmp_path / "classes.txt").write_text(text)
    with pytest.raises(InputError, match=re.escape(sentence)):
        classes.read_class_names(tmp_path)


@pytest.mark.parametrize("text, names", [
    ("__ignore__\n_background_\nswan\n", ["_background_", "swan"]),
    ("2nd gear\nname tag\n", ["2nd gear", "name tag"]), ("1\n2\n", ["1", "2"]),
    ("\ufeffsky\r\nbird\r\n", ["sky", "bird"])])
def test_names_as_people_have_them(tmp_path, text, names):
    (tmp_path / "classes.txt").write_text(text, encoding="utf-8")
    assert classes.read_class_names(tmp_path) == names


def test_class_weights_are_scaled_by_name():
    weights = classes.scale_class_weights(np.float32([1, 2]), ["sky", "bird"], {"bird": 3})
    assert weights.dtype == np.float32 and weights.tolist() == [1, 6]
    assert classes.scale_class_weights(np.float32([1, 2]), ["sky", "bird"], None).tolist() == [1, 2]


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
