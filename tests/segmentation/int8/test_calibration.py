"""Tests of calibration.py: which images calibrate, and the range of the input."""

import numpy as np

from segmentation.int8 import calibration


def test_calibration_images_are_evenly_spaced(monkeypatch):
    monkeypatch.setattr(calibration, "CALIBRATION_IMAGES", 3)
    assert calibration.calibration_indices(9).tolist() == [0, 4, 8]
    assert calibration.calibration_indices(2).tolist() == [0, 1]


def test_both_ends_are_there_and_the_images_unchanged():
    images = np.full((2, 4, 4, 3), 100, np.uint8)
    marked = calibration.add_extreme_pixels(images)
    assert marked.min() == 0 and marked.max() == 255 and (images == 100).all()
    assert (marked != images).sum() == 6
