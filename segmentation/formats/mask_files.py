"""Reads one mask of any picture format as numbers or colors, and counts what it holds."""

from typing import NamedTuple

import numpy as np
from PIL import ImageOps

from device.images import gray_stretch, open_image
from segmentation.formats.reading import FormatError, damage_as_sentence

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM", "TGA")
LOSSY = (".jpg", ".jpeg", ".webp")
NOISE = 8  # how far JPEG moves the values of a flat area
MAX_KINDS = 100_000  # different colors a mask may have at all; a photo has more


class Counts(NamedTuple):
    """What a mask holds: arrays of its kinds of pixels, one entry each.

    values: int64, a number or a color (R * 65536 + G * 256 + B); pixels: how many have it; pure:
    how many of them have it (in lossy files: nearly) all around them; between: how many have both
    lower and higher neighbors, in a channel, as pixels on soft edges do.
    """

    values: np.ndarray
    pixels: np.ndarray
    pure: np.ndarray
    between: np.ndarray


class Mask(NamedTuple):
    """array int32 (height, width) of numbers, or uint8 (height, width, 3); palette uint8 (n, 3)."""

    array: np.ndarray
    palette: np.ndarray = None


def read_mask(path):
    """Reads a mask upright.

    Three equal channels are read as one. Where the whole picture has one color, alpha is the mask.

    Returns: Mask, with the palette where the file's numbers have one.
    Raises: FormatError or FileError for a file that can't be used.
    """
    if path.suffix.lower() == ".npy":
        return Mask(_read_array(path))
    with damage_as_sentence(path), open_image(path, FORMATS) as file:
        stretch = gray_stretch(file)
        image = ImageOps.exif_transpose(file)
        if image.mode == "P" and file.format == "GIF":
            image = image.convert("RGB")  # its palette is in any order
        if image.mode == "P":
            colors = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
            palette = np.zeros((256, 3), np.uint8)  # a file's own may be shorter than its numbers
            palette[:len(colors)] = colors
            return Mask(np.asarray(image, np.int32), palette)
        if image.mode in ("1", "L", "I", "F") or image.mode.startswith("I;"):
            return Mask(_to_numbers(path, np.asarray(image)) // stretch)
        if image.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
            return Mask(_without_alpha(np.asarray(image.convert("RGBA"))))
        return Mask(_join_channels(np.asarray(image.convert("RGB"))))


def _read_array(path):
    with damage_as_sentence(path):
        array = np.load(path, allow_pickle=False)
        array = array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array
        if array.ndim == 3 and array.shape[-1] in (3, 4) and array.dtype == np.uint8:
            return _join_channels(array[..., :3])
        if array.ndim != 2 or not array.size:
            raise FormatError(f"{path} has the shape {array.shape}: a mask needs (height, width).")
        return _to_numbers(path, array)


def _to_numbers(path, array):
    """Returns whole numbers from 0 up as int32."""
    is_whole = array.dtype.kind in "bui" or (array.dtype.kind == "f" and (array % 1 == 0).all())
    if not is_whole or array.min() < 0 or array.max() >= 2**31:
        raise FormatError(f"{path} holds other numbers than 0, 1, 2, ...: save class numbers.")
    return array.astype(np.int32)


def _without_alpha(array):
    color, alpha = array[..., :3], array[..., 3]
    if (color == color[0, 0]).all() and (alpha.min() != alpha.max() or not alpha.any()):
        return alpha.astype(np.int32)
    return _join_channels(color)


def _join_channels(color):
    if (color[..., 0] == color[..., 1]).all() and (color[..., 0] == color[..., 2]).all():
        return color[..., 0].astype(np.int32)
    return color


def pack(array):
    """Returns numbers as they are, and colors as one int32 each (R * 65536 + G * 256 + B)."""
    if array.ndim == 2:
        return array
    return array.astype(np.int32) @ np.array([65536, 256, 1], np.int32)


def unpack(values):
    """Returns colors uint8 (..., 3) of packed ones."""
    values = np.asarray(values)
    return np.stack([values >> 16 & 255, values >> 8 & 255, values & 255], axis=-1).astype(np.uint8)


def count_kinds(path, array):
    """Counts the pixels of each number or color; values as pack returns them.

    Raises: FormatError for what has as many colors as a photo.
    """
    packed = pack(array)
    values, pixels = count_values(packed.ravel())
    if len(values) > MAX_KINDS:
        raise FormatError(f"{path} has {len(values):,} different colors: it is a photo, no mask.")
    noise = NOISE if path.suffix.lower() in LOSSY else 0
    pure = find_pure(array if noise else packed, noise)
    rows, columns = np.nonzero(~pure)
    between = packed[rows, columns][_lie_between(array, rows, columns)]
    counts = [np.zeros(len(values), np.int64) for _ in range(2)]
    for count, some in zip(counts, (packed[pure], between)):
        kinds, number = count_values(some)
        count[np.searchsorted(values, kinds)] = number
    return Counts(values, pixels, *counts)


def _lie_between(array, rows, columns):
    """Returns which of n pixels have lower and higher neighbors in one channel: bool (n,)."""
    array = array if array.ndim == 3 else array[..., None]
    padded = np.pad(array, ((1, 1), (1, 1), (0, 0)), mode="edge")
    own = array[rows, columns]
    lower, higher = np.zeros(own.shape, bool), np.zeros(own.shape, bool)
    for down in range(3):
        for right in range(3):
            other = padded[rows + down, columns + right]
            lower |= other < own
            higher |= other > own
    return (lower & higher).any(axis=-1)


def count_values(flat):
    """Returns the sorted values of a flat array and how often each occurs.

    Runs of one value are counted at once: masks have long ones, and sorting all their pixels would
    take a second for 12 megapixels.
    """
    if not flat.size:
        return np.zeros(0, flat.dtype), np.zeros(0, np.int64)
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    lengths = np.diff(starts, append=flat.size)
    values, inverse = np.unique(flat[starts], return_inverse=True)
    return values, np.bincount(inverse.ravel(), lengths).astype(np.int64)


def find_pure(array, noise=0):
    """Returns where a pixel's eight neighbors (those within the picture) are no further from it.

    Args: array (height, width) or (height, width, channels); noise, a channel's largest difference.
    Returns: bool (height, width).
    """
    array = array if array.ndim == 3 else array[..., None]
    pure = np.ones(array.shape[:2], bool)
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        one, other = _overlap(down, right)
        if noise:
            close = (np.abs(array[one].astype(np.int32) - array[other]) <= noise).all(axis=-1)
        else:
            close = (array[one] == array[other]).all(axis=-1)
        pure[one] &= close
        pure[other] &= close
    return pure


def _overlap(down, right):
    """Returns two slices of an array: pixels that have a neighbor there, and those neighbors."""
    rows = slice(None, -down or None), slice(down, None)
    columns = slice(None, -right or None), slice(right, None)
    if right < 0:
        columns = slice(-right, None), slice(None, right)
    return (rows[0], columns[0]), (rows[1], columns[1])

