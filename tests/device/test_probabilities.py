"""Tests of device/probabilities.py: the softmax by hand."""

import numpy as np

from device.probabilities import class_probability


def test_softmax_by_hand():
    logits = np.array([[[0, 0], [127, -128], [-10, 10]]], np.int8)
    expected = 255 / (1 + np.exp([0, 0.1 * 255, -0.1 * 20]))
    assert np.allclose(class_probability(logits, 1, 0.1, (1, 3))[0], expected, atol=0.5)
    both = [class_probability(logits, index, 0.1, (1, 3)).astype(int) for index in (0, 1)]
    assert (abs(sum(both) - 255) <= 1).all()


def test_resized_to_the_picture():
    logits = np.zeros((4, 6, 3), np.float32)
    logits[..., 2] = 50
    assert (class_probability(logits, 2, 0, (40, 60)) == 255).all()
    assert class_probability(logits, 0, 0, (40, 60)).shape == (40, 60)
