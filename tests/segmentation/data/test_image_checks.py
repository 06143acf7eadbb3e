"""Tests of image_checks.py: notes on stretched and turned images."""

import numpy as np
import pytest

from segmentation.data.image_checks import fit_size, note_rotations, note_shapes

LANDSCAPE, PORTRAIT = [480, 600], [600, 480]  # height, width


def test_stretched_images_are_counted():
    assert note_shapes([LANDSCAPE] * 3, (128, 160)) == []
    assert note_shapes([LANDSCAPE] * 3 + [PORTRAIT] * 3 + [[0, 0]], (128, 160)) == [
        "Note: 3 of 6 images (3 are upright, 3 are not) are stretched by more than a quarter to "
        "fit IMAGE_SIZE (128, 160). IMAGE_SIZE = (128, 128) fits them best."]
    assert note_shapes([[500, 1000]], (128, 160), (128, 160)) == [
        "Note: 1 of 1 images are stretched by more than a quarter to fit PICTURE_SIZE (128, 160). "
        "PICTURE_SIZE = (96, 192) fits them best."]
    assert note_shapes([[500, 1000]], (500, 1000), "full") == []


@pytest.mark.parametrize("shape, expected", [
    (4 / 3, (128, 160)), (3 / 4, (160, 128)), (1, (128, 128)), (2, (96, 192)), (100, (32, 3200))])
def test_the_size_that_fits(shape, expected):
    assert fit_size(shape, (128, 160)) == expected


def test_turned_images_of_unknown_labels_are_named():
    names, sizes = ["a", "b", "c"], np.array([[4, 8], [8, 8], [8, 4]])
    note, = note_rotations(names, sizes, [3, 6, 6], False)
    assert note.startswith("Note: 2 of 3 images are turned by EXIF (a, b), and their sizes can't")
    assert note_rotations(names, sizes, [3, 6, 6], True) == []
    assert note_rotations(names, sizes, [1, 1, 6], False) == []
