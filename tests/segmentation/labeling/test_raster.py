"""Tests of segmentation/labeling/raster.py, with matplotlib's events on the Agg canvas."""

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageDraw

from labeling.hand import SIZE
from segmentation.labeling.label import polygon_region, stroke_region


def inside_even_odd(points, size):
    """Says of each pixel's center whether it is inside, and how far it is from the border.

    An independent reference: crossings of a ray to the right, pixel by pixel, in floats.
    """
    y, x = np.mgrid[:size[0], :size[1]].astype(float)
    inside, distance = np.zeros(size, bool), np.full(size, np.inf)
    for (x1, y1), (x2, y2) in zip(points, np.roll(points, -1, axis=0)):
        if y1 != y2:
            inside ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
        length = max((x2 - x1) ** 2 + (y2 - y1) ** 2, 1e-9)
        share = np.clip(((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length, 0, 1)
        distance = np.minimum(distance, np.hypot(x1 + share * (x2 - x1) - x,
                                                 y1 + share * (y2 - y1) - y))
    return inside, distance


def full_mask(region, size):
    top, left, mask = region
    whole = np.zeros(size, bool)
    whole[top:top + mask.shape[0], left:left + mask.shape[1]] = mask
    return whole


@pytest.mark.parametrize("seed", range(40))
def test_polygon_agrees_with_even_odd_reference(seed):
    rng = np.random.default_rng(seed)
    size = (int(rng.integers(20, 90)), int(rng.integers(20, 90)))
    corners = rng.uniform(-15, 105, (int(rng.integers(3, 12)), 2))  # some beyond the label
    mask = full_mask(polygon_region(corners, size), size)
    inside, distance = inside_even_odd(corners, size)
    away = distance > 1.5  # rounding a corner moves a border by up to 0.71, the line's width by 0.5
    assert np.array_equal(mask[away], inside[away])


@pytest.mark.parametrize("seed", range(10))
def test_polygon_agrees_with_image_draw(seed):
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 80, (7, 2))
    canvas = Image.new("L", (80, 80))
    ImageDraw.Draw(canvas).polygon([tuple(corner) for corner in corners.tolist()], fill=1)
    assert np.array_equal(full_mask(polygon_region(corners, (80, 80)), (80, 80)),
                          np.asarray(canvas) > 0)


def test_polygon_beyond_the_label_is_empty():
    assert not polygon_region([(200, 200), (300, 200), (300, 300)], SIZE)[2].any()


@pytest.mark.parametrize("diameter", [1, 2, 5, 12, 31])
def test_stroke_covers_what_is_near_its_line(diameter):
    points = [(20.0, 20.0), (90.0, 40.0), (60.0, 80.0)]
    mask = full_mask(stroke_region(points, diameter, SIZE), SIZE)
    y, x = np.mgrid[:SIZE[0], :SIZE[1]].astype(float)
    distance = np.full(SIZE, np.inf)
    for (x1, y1), (x2, y2) in pairwise(points):
        length = (x2 - x1) ** 2 + (y2 - y1) ** 2
        share = np.clip(((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length, 0, 1)
        distance = np.minimum(distance, np.hypot(x1 + share * (x2 - x1) - x,
                                                 y1 + share * (y2 - y1) - y))
    assert mask[distance < diameter / 2 - 1.5].all()
    assert not mask[distance > diameter / 2 + 1.5].any()


@pytest.mark.parametrize("diameter", [1, 2, 7, 20])
def test_a_dot_has_the_diameter(diameter):
    mask = full_mask(stroke_region([(50, 50)], diameter, SIZE), SIZE)
    assert mask.any(axis=0).sum() == mask.any(axis=1).sum() == diameter
    assert mask[50, 50]
