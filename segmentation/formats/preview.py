"""The picture that shows whether an import is right: some pictures with their labels over them."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from device.drawing import class_colors, overlay, save_grid
from device.errors import InputError
from device.images import read_image, read_label

COLUMNS, ROWS = 4, 3
TILE = (192, 256)  # (height, width)
NAME_HEIGHT = 16  # pixels below a picture for its name


def save_preview(path, jobs, targets, class_names):
    """Writes a grid of up to 12 pictures, spread over the set, with their labels and a legend.

    Args: jobs and targets of import_labels, in the same order.
    """
    labeled = [index for index, job in enumerate(jobs) if job.record and job.record.classes]
    labeled = labeled or list(range(len(jobs)))
    chosen = [labeled[place] for place in np.unique(np.linspace(
        0, len(labeled) - 1, min(len(labeled), COLUMNS * ROWS)).round().astype(int))]
    colors = class_colors(len(class_names))
    tiles = [_make_tile(jobs[index].picture, targets[index], colors) for index in chosen]
    columns = min(COLUMNS, len(tiles))
    tiles += [np.full((*TILE, 3), 255, np.uint8)] * (-len(tiles) % columns)
    rows = [tiles[start:start + columns] for start in range(0, len(tiles), columns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    save_grid(path, rows, [""] * columns, class_names, colors)


def _make_tile(picture, target, colors):
    """Returns a picture with its label and its name, as large as fits TILE, on white."""
    tile = Image.new("RGB", TILE[::-1], "white")
    label = read_label(target)
    height = TILE[0] - NAME_HEIGHT
    scale = min(height / label.shape[0], TILE[1] / label.shape[1])
    size = tuple(max(1, round(side * scale)) for side in label.shape)
    try:
        image = read_image(picture, size)
    except InputError:  # main.py says so before it trains; the label can be seen all the same
        image = np.full((*size, 3), 128, np.uint8)
    small = np.array(Image.fromarray(label).resize(size[::-1], Image.Resampling.NEAREST))
    tile.paste(Image.fromarray(overlay(image, small, colors)),
               ((TILE[1] - size[1]) // 2, (height - size[0]) // 2))
    ImageDraw.Draw(tile).text((0, height), picture.stem[:40], "black", ImageFont.load_default(12))
    return np.array(tile)
