"""Tests of device/tiles.py: tiles cover a picture, their logits blend, by small arrays."""

import numpy as np
import pytest

from device.tiles import (
    EDGE_WEIGHT,
    blend_rows,
    blend_tiles,
    cut_tile,
    tile_grid,
    tile_starts,
    tile_weights,
)


def test_starts_are_evenly_spaced_and_cover_the_axis():
    assert tile_starts(8, 8) == [0] and tile_starts(5, 8) == [0]
    assert tile_starts(9, 8) == [0, 1]
    assert tile_starts(14, 8) == [0, 6]
    assert tile_starts(15, 8) == [0, 4, 7]  # 7 apart would share less than a quarter


@pytest.mark.parametrize("length", [33, 64, 100, 257, 1000])
def test_neighbors_share_a_quarter_and_nothing_is_left_out(length):
    starts = tile_starts(length, 32)
    assert starts[0] == 0 and starts[-1] + 32 == length
    assert max(np.diff(starts)) <= 24


def test_grid_goes_row_by_row():
    assert tile_grid((14, 14), (8, 8)) == [(0, 0), (0, 6), (6, 0), (6, 6)]


def test_weights_fall_from_the_center_to_the_edge():
    weights = tile_weights((3, 5))
    assert weights.shape == (3, 5) and weights[1, 2] == 1
    np.testing.assert_allclose(weights[1], [1 / 3, 2 / 3, 1, 2 / 3, 1 / 3], rtol=1e-6)
    assert tile_weights((64, 64)).min() == np.float32(EDGE_WEIGHT)


def test_a_tile_beyond_the_picture_is_padded():
    image = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert cut_tile(image, 0, 0, (3, 4), 9).tolist() == [[0, 1, 2, 9], [3, 4, 5, 9], [9, 9, 9, 9]]


def color_of(tiles):
    """Stands in for a model: logits that tell the pixel itself, and its negative."""
    value = tiles[..., :1].astype(np.float32)
    return np.concatenate([value, -value], -1)


def test_one_tile_gives_the_models_logits_bit_for_bit():
    image = np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)
    logits = np.random.default_rng(1).normal(size=(8, 8, 2)).astype(np.float32)
    assert (blend_tiles(lambda tiles: logits[None], image, (8, 8), 128) == logits).all()


@pytest.mark.parametrize("size", [(8, 8), (5, 7), (5, 30), (31, 9), (40, 53)])
def test_what_all_tiles_agree_on_is_left_as_it_is(size):
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    blended = blend_tiles(color_of, image, (8, 8), 128)
    np.testing.assert_allclose(blended, color_of(image), rtol=1e-5)


def test_two_tiles_are_averaged_by_their_weights():
    image, answers = np.zeros((2, 6, 3), np.uint8), iter([0.0, 1.0])

    def run_tiles(tiles):
        return np.stack([np.full((2, 4, 1), next(answers), np.float32) for _ in tiles])

    first, second = tile_weights((2, 4))[0, 2:], tile_weights((2, 4))[0, :2]
    expected = [0, 0, *(second / (first + second)), 1, 1]
    np.testing.assert_allclose(blend_tiles(run_tiles, image, (2, 4), 0)[0, :, 0], expected,
                               rtol=1e-6)


def test_rows_come_as_soon_as_they_are_done():
    image = np.zeros((100, 20, 3), np.uint8)
    rows = [len(part) for part in blend_rows(color_of, image, (16, 16), 0)]
    assert sum(rows) == 100 and max(rows) <= 16
