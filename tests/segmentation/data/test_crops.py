"""Tests of the crops of large pictures, by small arrays."""

import numpy as np

from segmentation.data.crops import PIXELS_PER_CLASS, choose_crop, find_rare_pixels

WEIGHTS = [0.2, 1.0, 3.0, 0.0]


def test_rare_pixels_are_those_of_all_classes_but_the_lightest():
    label = np.zeros((6, 8), np.uint8)
    label[1, 2], label[4, 5:7], label[0, 0] = 1, 2, 255
    found = find_rare_pixels(label, WEIGHTS, np.random.default_rng(0))
    assert {index: pixels.tolist() for index, pixels in found.items()} == {
        1: [[1, 2]], 2: [[4, 5], [4, 6]]}


def test_of_many_pixels_some_are_kept():
    label = np.ones((40, 40), np.uint8)
    label[0] = 0
    found = find_rare_pixels(label, WEIGHTS, np.random.default_rng(0))
    assert list(found) == [1] and found[1].shape == (PIXELS_PER_CLASS, 2)
    assert (label[tuple(found[1].T)] == 1).all()


def test_a_random_crop_lies_inside_the_picture():
    for number, expected in ((0.0, (0, 0)), (0.999999, (20, 50)), (0.5, (10, 25))):
        numbers = [0.9, 0, 0, number, number]
        assert choose_crop((30, 60), (10, 10), numbers, {1: np.array([[3, 3]])}, WEIGHTS,
                           1 / 3) == expected


def test_a_picture_smaller_than_the_crop_starts_at_0():
    assert choose_crop((5, 8), (10, 10), [0.9, 0, 0, 0.7, 0.7], {}, WEIGHTS, 1 / 3) == (0, 0)


def test_a_rare_crop_holds_its_pixel():
    pixels = {1: np.array([[3, 40], [29, 59]])}
    for numbers in np.random.default_rng(0).random((50, 5)):
        numbers[0] = 0.1
        top, left = choose_crop((30, 60), (10, 12), numbers, pixels, WEIGHTS, 1 / 3)
        assert 0 <= top <= 20 and 0 <= left <= 48
        row, column = pixels[1][int(numbers[2] * 2)]
        assert top <= row < top + 10 and left <= column < left + 12


def test_heavier_classes_are_drawn_more_often():
    pixels = {1: np.array([[0, 0]]), 2: np.array([[29, 59]])}
    random = np.random.default_rng(0).random((400, 5))
    random[:, 0] = 0
    crops = [choose_crop((30, 60), (10, 12), numbers, pixels, WEIGHTS, 1 / 3) for numbers in random]
    assert 270 < sum(crop[1] > 0 for crop in crops) < 330  # 3 of 4


def test_without_a_rare_class_crops_are_random():
    assert choose_crop((30, 60), (10, 10), [0.1, 0, 0, 0.5, 0.5], {}, WEIGHTS, 1 / 3) == (10, 25)
