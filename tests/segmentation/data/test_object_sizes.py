"""Tests of the sizes of labeled objects, by small arrays."""

import numpy as np

from segmentation.data.object_sizes import (
    describe_small_objects,
    median_object_sizes,
    object_boxes,
)


def boxes(*rows):
    mask = np.array([[pixel == "#" for pixel in row] for row in rows])
    return sorted(tuple(found[:2]) for found in object_boxes(mask).tolist())


def test_boxes_of_connected_objects():
    assert boxes("....", "....") == []
    assert boxes("##..", "##..", "...#") == [(1, 1), (2, 2)]
    assert boxes("#...", ".#..", "..#.") == [(3, 3)]  # corners connect
    assert boxes("#.#", "#.#", "###") == [(3, 3)]  # two arms are joined below
    assert boxes("#.##", "####", "....", "#..#") == [(1, 1), (1, 1), (2, 4)]
    assert boxes("#.#.#", "#.#.#", "#####") == [(3, 5)]


def test_pixels_are_counted():
    assert object_boxes(np.array([[1, 1, 0], [0, 1, 0]], bool)).tolist() == [[2, 2, 3]]


def test_medians_of_all_classes_but_the_background():
    labels = np.zeros((3, 8, 8), np.uint8)
    labels[0, 0:2, 0:3] = 1
    labels[1, 4:8, 0:5] = 1
    labels[1, 0, 7] = 1  # a smaller part, which does not count
    labels[2, 1, 1] = 255
    sizes = median_object_sizes(labels, 3)
    assert sizes[1].tolist() == [3, 4]
    assert np.isnan(sizes[[0, 2]]).all()


def test_small_objects_are_named():
    sizes = np.array([[np.nan, np.nan], [9, 6], [40, 30]])
    said = describe_small_objects(sizes, ["background", "duck", "swan"])
    assert "the median duck is 9 x 6 pixels" in said and "PICTURE_SIZE" in said
    assert describe_small_objects(sizes[[0, 2]], ["background", "swan"]) == ""
