"""Tests of label_sheet.py: what a sheet of small images shows."""

import numpy as np
from PIL import Image

from device.drawing import CLASS_COLORS, save_mask
from segmentation.label_sheet import TILE, save_label_sheet


def write_pair(folder, name, value):
    Image.new("RGB", (64, 32), (10, 90, 200)).save(folder / f"{name}.jpg")
    save_mask(folder / f"{name}.png", np.full((32, 64), value, np.uint8), np.uint8(CLASS_COLORS))
    return folder / f"{name}.jpg", folder / f"{name}.png"


def find_color(path, color):
    """Returns the share of a picture's pixels that nearly have a color."""
    with Image.open(path) as file:
        pixels = np.asarray(file.convert("RGB")).astype(int)
    return (np.abs(pixels - color).max(axis=-1) < 12).mean()


def test_labels_lie_over_their_images(tmp_path):
    pairs = [write_pair(tmp_path, name, value) for name, value in (("a", 0), ("b", 1), ("c", 1))]
    save_label_sheet(tmp_path / "new/sheet.png", pairs, ["background", "duck"], 2)
    with Image.open(tmp_path / "new/sheet.png") as file:
        assert 2 * TILE[1] < file.width < 2.1 * TILE[1] and 2 * TILE[0] < file.height
    orange = np.array(CLASS_COLORS[1]) * 0.55 + np.array((10, 90, 200)) * 0.45
    clear, covered = (find_color(tmp_path / "new/sheet.png", color)
                      for color in ((10, 90, 200), orange))
    assert 0.1 < clear < 0.2 and 1.8 < covered / clear < 2.2


def test_an_image_that_is_damaged_leaves_its_place_and_its_name(tmp_path):
    pairs = [write_pair(tmp_path, "a", 1)]
    pairs[0][0].write_bytes(b"no image")
    save_label_sheet(tmp_path / "sheet.png", pairs, ["background", "duck"], 5)
    assert find_color(tmp_path / "sheet.png", (255, 255, 255)) > 0.9
