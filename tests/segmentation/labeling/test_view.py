"""Tests of segmentation/labeling/view.py, with matplotlib's events on the Agg canvas."""

import numpy as np
import pytest

from segmentation.labeling import view


@pytest.mark.parametrize("start, stop, count, length", [
    (-0.5, 9.5, 10, 10), (-0.5, 9.5, 35, 10), (-20, 40, 50, 10), (2.2, 3.9, 100, 10),
    (-0.5, 5999.5, 1000, 6000), (20, 30, 10, 10), (-30, -20, 10, 10)])
def test_crop_axis(start, stop, count, length):
    screen, pixels, edges = view.crop_axis(start, stop, count, length)
    centers = start + (np.arange(count) + 0.5) * (stop - start) / count
    expected = [int(np.floor(center + 0.5)) for center in centers]
    inside = [index for index, pixel in enumerate(expected) if 0 <= pixel < length]
    assert list(range(count))[screen] == inside
    assert list(pixels) == [expected[index] for index in inside]
    assert 0 <= edges[0] <= edges[1] <= length


def test_unknown_values_are_hatched_the_other_way():
    image = np.zeros((60, 60, 4), np.uint8)
    ignored, unknown = (view.blend_label(image, view.hatch(np.full((60, 60), value, np.uint8), 4,
                                                           255), view.make_blend_table(4, 1))
                        for value in (255, 37))
    assert np.array_equal(ignored[5, 1:], ignored[6, :-1])
    assert np.array_equal(unknown[5, :-1], unknown[6, 1:])
    assert not np.array_equal(ignored, unknown)
