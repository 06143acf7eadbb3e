"""Looks at the images of a set as a whole: shapes and rotations. Plain NumPy."""

import math

import numpy as np

from device.errors import list_names
from device.images import SIDEWAYS
from device.model_info import SIZE_STEP

MAX_STRETCH = 1.25  # of an image's height against its width, until a note says so
FLIPS = (2, 3, 4)  # EXIF orientations that leave height and width as they are


def note_shapes(sizes, image_size, picture_size=None):
    """Returns a note where images are stretched by more than a quarter, and the size that fits.

    Args: sizes int (n, 2), height and width of each image; image_size (height, width) to which
        they are stretched; picture_size, PICTURE_SIZE: with "full" they are not.
    """
    if picture_size == "full":
        return []
    constant = "IMAGE_SIZE" if picture_size is None else "PICTURE_SIZE"
    sizes = np.asarray(sizes, np.float64)
    sizes = sizes[(sizes > 0).all(axis=1)]
    shapes = sizes[:, 1] / sizes[:, 0]
    stretch = shapes / (image_size[1] / image_size[0])
    distorted = np.maximum(stretch, 1 / stretch) > MAX_STRETCH
    if not distorted.any():
        return []
    upright = int((shapes < 1).sum())
    mixed = f" ({upright} are upright, {len(shapes) - upright} are not)" if (
        0 < upright < len(shapes)) else ""
    better = fit_size(float(np.exp(np.log(shapes).mean())), image_size)
    remedy = f" {constant} = {better} fits them best." if better != tuple(image_size) else ""
    return [f"Note: {distorted.sum()} of {len(shapes)} images{mixed} are stretched by more than a "
            f"quarter to fit {constant} {tuple(image_size)}.{remedy}"]


def fit_size(shape, image_size):
    """Returns the (height, width) of about image_size's pixels whose width / height is near shape.

    Both are divisible by SIZE_STEP.
    """
    pixels = image_size[0] * image_size[1]
    middle = round(math.sqrt(pixels / shape) / SIZE_STEP)
    heights = [SIZE_STEP * max(1, middle + step) for step in (-1, 0, 1)]
    sizes = [(height, max(SIZE_STEP, round(height * shape / SIZE_STEP) * SIZE_STEP))
             for height in heights]

    def misfit(size):
        """How far a size is off in shape, and half as important, in pixels; both as logarithms."""
        return (abs(math.log(size[1] / size[0] / shape))
                + abs(math.log(size[0] * size[1] / pixels)) / 2)

    return min(sizes, key=misfit)


def note_rotations(names, sizes, orientations, labels_turned):
    """Returns a note on images that EXIF turns without a change of size, so that their labels may
    be upright or not.

    Args: names, sizes (n, 2) and orientations (n,) of the images; labels_turned, LABELS_TURNED.
    """
    sizes, orientations = np.asarray(sizes), np.asarray(orientations)
    is_square = sizes[:, 0] == sizes[:, 1]
    unclear = np.isin(orientations, FLIPS) | (np.isin(orientations, SIDEWAYS) & is_square)
    if labels_turned or not unclear.any():
        return []
    return [f"Note: {unclear.sum()} of {len(names)} images are turned by EXIF "
            f"({list_names(names[index] for index in np.flatnonzero(unclear))}), and their sizes "
            f"can't tell whether their labels are upright: look at predictions.png, and where the "
            f"labels lie the wrong way, set LABELS_TURNED = True."]
