"""Saves all labels of a folder in a few pictures, to be looked through at a glance.

    python -m segmentation.labeling.contact_sheet IMAGES LABELS [OUTPUT]
"""

import sys

import numpy as np
from PIL import Image

from device.drawing import class_colors, overlay, save_grid
from device.errors import InputError, run_script
from device.images import read_image, read_label, resize_label
from segmentation.labeling.opening import open_session
from segmentation.labeling.session import label_path_of

COLUMNS, ROWS = 5, 4  # images on a sheet
TILE = (180, 240)  # (height, width) into which each is fitted


def save_contact_sheets(session, report=None):
    """Saves contact_sheet_01.png, ... with every labeled image and its label over it.

    Args: report(done, count), called after each sheet, or None.
    Returns: the paths of the pictures, in session.output_dir.
    Raises: InputError where there is no label, or where a picture can't be written.
    """
    labeled = [path for path in session.image_paths if path in session.labeled]
    if not labeled:
        raise InputError("There is no label yet.")
    colors, paths = class_colors(len(session.class_names)), []
    sheets = range(0, len(labeled), COLUMNS * ROWS)
    for number, start in enumerate(sheets, 1):
        some = labeled[start:start + COLUMNS * ROWS]
        tiles = [make_tile(session, path, colors) for path in some]
        tiles += [np.full((*TILE, 3), 255, np.uint8)] * (-len(tiles) % COLUMNS)
        rows = [tiles[index:index + COLUMNS] for index in range(0, len(tiles), COLUMNS)]
        titles = [", ".join(path.stem[-12:] for path in some[index:index + COLUMNS])
                  for index in range(0, len(some), COLUMNS)]
        path = session.output_dir / f"contact_sheet_{number:02}.png"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_grid(path, rows, [""] * COLUMNS, session.class_names, colors, titles)
        except OSError as error:
            raise InputError(f"{path} can't be written ({error.strerror}): make room.") from error
        paths.append(path)
        if report is not None:
            report(number, len(sheets))
    return paths


def make_tile(session, image_path, colors):
    """Returns an image with its label over it, fitted into a tile, uint8 (*TILE, 3)."""
    tile = np.zeros((*TILE, 3), np.uint8)
    try:
        image = read_image(image_path, intensity_range=session.intensity_range)
        label = read_label(label_path_of(session, image_path))
    except InputError:
        return tile  # an image that can't be read is black here, and skipped in the window
    scale = min(TILE[0] / image.shape[0], TILE[1] / image.shape[1])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    small = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))
    top, left = (TILE[0] - height) // 2, (TILE[1] - width) // 2
    tile[top:top + height, left:left + width] = overlay(
        small, resize_label(label, (height, width)), colors)
    return tile


def main():
    """Saves the sheets of the folders named on the command line."""
    if len(sys.argv) not in (3, 4):
        raise InputError(__doc__.strip())
    session = open_session(*sys.argv[1:3], output_dir=(*sys.argv, ".")[3])
    for path in save_contact_sheets(session):
        print(path)


if __name__ == "__main__":
    run_script(main)
