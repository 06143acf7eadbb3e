"""Pictures from files, and how a picture is brought to the model's size."""

import functools
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from device.errors import InputError
from device.files import list_tree, split_suffix
from device.images import PADDING_GRAY, load_image, resize_image


class Picture(NamedTuple):
    """A picture that is yet to be decoded.

    load is a function that returns the RGB PIL image and the (height, width) that the picture has
    (of a large JPEG it decodes no more than the model needs), or raises InputError.
    """

    name: str  # of its results
    load: Any
    path: Any = None  # its file, or None: the frame of a camera


def fit_image(image, image_size, keep_aspect):
    """Brings an RGB PIL image to the model's size, stretched, or padded where its shape is kept.

    Returns: uint8 (height, width, 3), and the box (left, upper, right, lower) that it fills there.
    """
    height, width = image_size
    if not keep_aspect:
        return resize_image(image, image_size), (0, 0, width, height)
    scale = min(height / image.height, width / image.width)
    inner = max(1, round(scale * image.height)), max(1, round(scale * image.width))
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    padded = np.full((height, width, 3), PADDING_GRAY, np.uint8)
    padded[top:top + inner[0], left:left + inner[1]] = resize_image(image, inner)
    return padded, (left, top, left + inner[1], top + inner[0])


def list_pictures(source, image_size, intensity_range=None):
    """Returns a Picture for each image in a folder (see files.list_tree), or for one image file.

    Its name holds the sub-folder, but no suffix, unless two images differ by the suffix alone.
    Args: intensity_range, see images.read_image.
    Raises: InputError where there is no image.
    """
    folder = Path(source).parent if Path(source).is_file() else Path(source)
    names = [Path(source).name] if Path(source).is_file() else list_tree(source)
    if not names:
        raise InputError(f"There are no images in {source}: correct IMAGES.")
    stems = Counter(split_suffix(name)[0] for name in names)
    pictures = []
    for name in names:
        stem = split_suffix(name)[0]
        load = functools.partial(_load_file, folder / name, image_size, intensity_range)
        pictures.append(Picture(stem if stems[stem] == 1 else name, load, folder / name))
    return pictures


def _load_file(path, image_size, intensity_range):
    image, (width, height) = load_image(path, image_size, intensity_range)
    return image, (height, width)
