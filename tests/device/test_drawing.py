"""Tests of device/drawing.py: colors, overlays, palette PNGs, grids."""

import numpy as np
from PIL import Image

from device import drawing

COLORS = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0)], np.uint8)


def test_colors_differ():
    colors = drawing.class_colors(60)
    assert colors.shape == (60, 3) and tuple(colors[0]) == (0, 0, 0)
    assert len(np.unique(colors, axis=0)) == 60


def test_overlay_leaves_background_clear_and_ignored_pixels_white():
    image = np.full((1, 3, 3), 100, np.uint8)
    mask = np.array([[0, 1, 255]], np.uint8)
    assert drawing.overlay(image, mask, COLORS, 0.5).tolist() == [
        [[100, 100, 100], [177, 50, 50], [177, 177, 177]]]


def test_saved_mask_holds_indices_and_shows_colors(tmp_path):
    mask = np.array([[0, 1], [2, 255]], np.uint8)
    drawing.save_mask(tmp_path / "mask.png", mask, COLORS)
    with Image.open(tmp_path / "mask.png") as picture:
        assert picture.mode == "P"
        assert np.asarray(picture).tolist() == mask.tolist()
        assert np.asarray(picture.convert("RGB"))[0, 1].tolist() == [255, 0, 0]


def test_grid_holds_all_rows_and_a_legend(tmp_path):
    red = np.full((20, 30, 3), (255, 0, 0), np.uint8)
    drawing.save_grid(tmp_path / "grid.png", [[red, red], [red, red]], ("a", "b"),
                        ["background", "bird", "plane"] * 10, drawing.class_colors(30),
                        ["first", "second"])
    with Image.open(tmp_path / "grid.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert (pixels == (255, 0, 0)).all(-1).sum() == 4 * 192 * 288
    assert pixels.shape[1] >= 2 * 288


def test_masks_hold_the_values_of_the_user_s_labels(tmp_path):
    mask = np.array([[0, 1, 2]], np.uint8)
    colors = np.uint8([[0, 0, 0], [255, 0, 0], [0, 255, 0]])
    drawing.save_mask(tmp_path / "mask.png", mask, colors, values=np.uint8([0, 7, 2]))
    with Image.open(tmp_path / "mask.png") as file:
        assert np.asarray(file).tolist() == [[0, 7, 2]]
        assert np.asarray(file.convert("RGB")).tolist() == [colors.tolist()]
