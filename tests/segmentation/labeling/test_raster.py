"""Tests of segmentation/labeling/raster.py, with matplotlib's events on the Agg canvas."""

from itertools import pairwise

import numpy as np
import pytest

from device.images import read_label
from labeling.hand import SIZE
from labeling.outlines import trace_outlines
from segmentation.labeling.raster import connected_region, polygon_region, stroke_region


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
    assert mask[inside].all()  # beyond that, parts that are thinner than a pixel
    assert np.array_equal(mask[distance > 1], inside[distance > 1])


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
    assert mask[distance < diameter / 2 - 0.01].all()
    assert not mask[distance > diameter / 2 + (0.01 if diameter > 1 else 0.3)].any()


@pytest.mark.parametrize("diameter", [1, 2, 7, 20])
def test_a_dot_has_the_diameter(diameter):
    mask = full_mask(stroke_region([(50, 50)], diameter, SIZE), SIZE)
    assert mask.any(axis=0).sum() == mask.any(axis=1).sum() == diameter
    assert mask[50, 50]


def paint_outlines(mask):
    """Paints a mask's outlines one after the other, each turning over what it holds."""
    painted = np.zeros(mask.shape, bool)
    for outline in trace_outlines(mask):
        painted ^= full_mask(polygon_region(outline, mask.shape), mask.shape)
    return painted


def test_a_square_traced_on_its_edge_is_that_square():
    square = [(9.5, 9.5), (19.5, 9.5), (19.5, 19.5), (9.5, 19.5)]
    assert full_mask(polygon_region(square, (30, 30)), (30, 30)).sum() == 100
    on_centers = [(10, 10), (20, 10), (20, 20), (10, 20)]
    assert full_mask(polygon_region(on_centers, (30, 30)), (30, 30)).sum() == 100


@pytest.mark.parametrize("name", ["davis_birds", "birds"])
def test_exact_outlines_give_back_every_validation_label(shared, name):
    """The bar is an IoU of 0.995 and an area within 0.5 %; exact outlines give 1."""
    for path in sorted((shared / "data" / name / "val" / "labels").glob("*.png")):
        mask = read_label(path) > 0
        painted = paint_outlines(mask)
        assert np.array_equal(painted, mask), path.name


def test_outlines_traced_within_07_pixels_are_not_too_large(shared):
    """Every corner of the pixels' staircase is missed by up to 0.7 pixels, to any side."""
    rng, overlap, union, areas = np.random.default_rng(0), 0, 0, [0, 0]
    for path in sorted((shared / "data/davis_birds/val/labels").glob("*.png")):
        mask = read_label(path) > 0
        painted = np.zeros(mask.shape, bool)
        for outline in trace_outlines(mask):
            angles = rng.uniform(0, 2 * np.pi, len(outline))
            reach = 0.7 * np.sqrt(rng.uniform(0, 1, len(outline)))
            wander = (reach * [np.cos(angles), np.sin(angles)]).T
            region = polygon_region(np.array(outline) + wander, mask.shape)
            painted ^= full_mask(region, mask.shape)
        overlap, union = overlap + (painted & mask).sum(), union + (painted | mask).sum()
        areas = [areas[0] + painted.sum(), areas[1] + mask.sum()]
    assert overlap / union > 0.97
    assert abs(areas[0] / areas[1] - 1) < 0.01  # parts thinner than a pixel are painted


@pytest.mark.parametrize("thin", [
    [(5, 5.2), (40, 5.4), (40, 5.3)], [(5.2, 5), (5.3, 40), (5.4, 5)],
    [(5, 5), (40, 40), (40, 40.2), (5, 5.2)]])
def test_what_is_thinner_than_a_pixel_paints_a_line(thin):
    mask = full_mask(polygon_region(thin, (50, 50)), (50, 50))
    assert 34 <= mask.sum() <= 72
    rows, columns = np.nonzero(mask)
    assert max(len(set(rows)), len(set(columns))) >= 34


@pytest.mark.parametrize("diameter", range(1, 9))
@pytest.mark.parametrize("offset", [0, 0.3, 0.5, 0.9])
def test_a_straight_stroke_is_just_as_wide(diameter, offset):
    level = stroke_region([(10, 25 + offset), (70, 25 + offset)], diameter, SIZE)[2]
    assert set(level[:, 20:40].sum(axis=0)) == {diameter}
    upright = stroke_region([(40 + offset, 10), (40 + offset, 70)], diameter, SIZE)[2]
    assert set(upright[20:40].sum(axis=1)) == {diameter}


def test_a_slow_stroke_has_no_ears():
    """A brush that is moved by fractions of a pixel paints what a quick one does."""
    slow = [(20 + step * 0.1, 40) for step in range(400)]
    slow = full_mask(stroke_region(slow, 7, SIZE), SIZE)
    quick = full_mask(stroke_region([(20, 40), (59.9, 40)], 7, SIZE),
                      SIZE)
    assert np.array_equal(slow, quick)


def test_a_connected_region_ends_at_other_values():
    label = np.array([[0, 0, 1, 0], [1, 0, 1, 0], [0, 1, 1, 0], [0, 0, 1, 2]], np.uint8)
    regions = {(0, 0): [(0, 0), (0, 1), (1, 1)], (3, 1): [(0, 3), (1, 3), (2, 3)],
               (1, 3): [(2, 0), (3, 0), (3, 1)], (3, 3): [(3, 3)],
               (2, 2): [(0, 2), (1, 2), (2, 1), (2, 2), (3, 2)]}
    for point, expected in regions.items():
        mask = full_mask(connected_region(label, point), label.shape)
        assert sorted(map(tuple, np.argwhere(mask).tolist())) == expected
    assert not connected_region(label, (9, 9))[2].any()


@pytest.mark.parametrize("seed", range(4))
def test_a_connected_region_agrees_with_spreading_step_by_step(seed):
    label = np.random.default_rng(seed).integers(0, 2, (40, 60)).astype(np.uint8)
    expected = np.zeros(label.shape, bool)
    expected[20, 30], size = True, 0
    while size < expected.sum():
        size, padded = expected.sum(), np.pad(expected, 1)
        expected = (padded[1:-1, 1:-1] | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2]
                    | padded[1:-1, 2:]) & (label == label[20, 30])
    assert np.array_equal(full_mask(connected_region(label, (30, 20)), label.shape), expected)
