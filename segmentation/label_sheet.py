"""Images with their labels over them, in a grid: to see at a glance whether labels are right."""

import numpy as np
from PIL import Image, ImageDraw

from device.drawing import class_colors, overlay, save_grid
from device.errors import InputError
from device.fonts import load_font
from device.images import read_image, read_label, resize_label

TILE = (192, 256)  # (height, width) of an image with its name
NAME_HEIGHT = 16  # pixels below an image for its name
NAME_LENGTH = 40  # characters


def save_label_sheet(path, pairs, class_names, columns, intensity_range=None):
    """Writes a PNG of images with their labels and names, and a legend of the classes.

    Args: pairs, list of (image path, label path); columns, at most; intensity_range, see
        images.read_image.
    """
    colors = class_colors(len(class_names))
    tiles = [_make_tile(image_path, label_path, colors, intensity_range)
             for image_path, label_path in pairs]
    columns = min(columns, len(tiles))
    tiles += [np.full((*TILE, 3), 255, np.uint8)] * (-len(tiles) % columns)
    rows = [tiles[start:start + columns] for start in range(0, len(tiles), columns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    save_grid(path, rows, [""] * columns, class_names, colors)


def _make_tile(image_path, label_path, colors, intensity_range):
    """Returns an image with its label and its name, as large as fits TILE, on white."""
    tile, height = Image.new("RGB", TILE[::-1], "white"), TILE[0] - NAME_HEIGHT
    draw, font = ImageDraw.Draw(tile), load_font(12)
    draw.text((0, height), image_path.stem[:NAME_LENGTH], "black", font)
    try:
        label = read_label(label_path)
        scale = min(height / label.shape[0], TILE[1] / label.shape[1])
        size = tuple(max(1, round(side * scale)) for side in label.shape)
        image = read_image(image_path, size, intensity_range)
        covered = Image.fromarray(overlay(image, resize_label(label, size), colors))
        tile.paste(covered, ((TILE[1] - size[1]) // 2, (height - size[0]) // 2))
    except InputError:  # main.py and the window say why
        draw.text((0, height // 2), "can't be read", "black", font)
    return np.array(tile)
