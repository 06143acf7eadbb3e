"""Tests of label_values.py: which value is which class."""

import numpy as np
import pytest

from device.model_info import IGNORED
from segmentation.data.label_values import (
    count_up,
    find_unknown,
    group_class_ids,
    make_value_table,
)


@pytest.mark.parametrize("class_ids, ignore_label, other_ids, expected", [
    (None, 255, "error", {0: 0, 1: 1, 200: 200, 254: 254, 255: IGNORED}),
    (None, None, "error", {0: 0, 254: 254, 255: IGNORED}),  # 255 classes at most
    (None, 0, "error", {0: IGNORED, 1: 0, 2: 1, 255: 254}),
    (None, [0, 3], "error", {0: IGNORED, 1: 0, 2: 1, 3: IGNORED, 4: 2}),
    ([0, 7, 11], 255, "error", {0: 0, 7: 1, 11: 2, 1: IGNORED, 255: IGNORED}),
    ([0, 128, 255], 255, "error", {0: 0, 128: 1, 255: 2}),  # a class is never ignored
    ([7, 0], 255, "background", {7: 0, 0: 1, 50: 0, 255: IGNORED}),
    ({0: 0, 7: 1, 8: 1, 26: 2}, 255, "ignore", {7: 1, 8: 1, 26: 2, 9: IGNORED}),
    ({7: 1, 8: 1, 26: 2}, [3, 255], "background", {0: 0, 3: IGNORED, 7: 1, 9: 0, 26: 2}),
])
def test_values_become_classes(class_ids, ignore_label, other_ids, expected):
    groups = None if class_ids is None else group_class_ids(class_ids)
    table = make_value_table(groups, ignore_label, other_ids)
    assert table.dtype == np.uint8
    assert {value: int(table[value]) for value in expected} == expected


def test_class_ids_are_grouped_by_class():
    assert group_class_ids([0, 7, 11]) == [[0], [7], [11]]
    assert group_class_ids({26: 2, 8: 1, 7: 1, 0: 0}) == [[0], [7, 8], [26]]
    assert group_class_ids({7: 1}) == [[0], [7]]
    assert group_class_ids({0: 1}) == [[1], [0]]  # the smallest value that is free
    assert count_up(3, 255) == [[0], [1], [2]] and count_up(3, [0, 2]) == [[1], [3], [4]]


def test_unknown_values_are_errors_only_where_nothing_is_said_of_them():
    found, groups = [0, 5, 7, 255], [[0], [7]]
    assert find_unknown(found, groups, 255) == [5]
    assert find_unknown(found, groups, None) == [5, 255]
    assert find_unknown(found, groups, 255, "ignore") == []
