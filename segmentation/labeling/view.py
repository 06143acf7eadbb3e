"""The visible part of an image and its label, at screen size. Plain NumPy and Pillow."""

import math

import numpy as np
from PIL import Image

from device.drawing import class_colors, overlay

SHARP_PIXEL = 8  # screen pixels; an image pixel shown larger than this is drawn as a square
STRIPE = 6  # screen pixels, of the hatching


def crop_axis(start, stop, count, length):
    """Says which pixel of an axis each of count screen pixels between start and stop shows.

    Args: start and stop in image coordinates, length of the image's axis in pixels.
    Returns: (slice of the screen pixels on the image, their image pixels, the edges of the former
        in pixels from the image's edge).
    """
    step = (stop - start) / count
    pixels = np.floor(start + step * (np.arange(count) + 0.5) + 0.5).astype(int)
    shown = np.flatnonzero((pixels >= 0) & (pixels < length))
    if not len(shown):
        return slice(0, 0), pixels[:0], (0.0, 0.0)
    first, last = int(shown[0]), int(shown[-1]) + 1
    edges = [min(max(start + step * screen + 0.5, 0.0), float(length)) for screen in (first, last)]
    return slice(first, last), pixels[first:last], tuple(edges)


def crop_image(levels, columns, rows):
    """Resamples the image for the screen, from the halved level that is just large enough.

    Args: columns and rows as crop_axis returns them. Returns: uint8 (height, width, 3).
    """
    width, height = len(columns[1]), len(rows[1])
    scale = (columns[2][1] - columns[2][0]) / width
    level = min(max(0, int(math.log2(max(scale, 1)))), len(levels) - 1)
    source = levels[level]
    box = [min(edge / 2**level, limit) for edge, limit in zip(
        (columns[2][0], rows[2][0], columns[2][1], rows[2][1]),
        (source.width, source.height) * 2)]
    near = scale * SHARP_PIXEL < 1
    method = Image.Resampling.NEAREST if near else Image.Resampling.BILINEAR
    return np.asarray(source.resize((width, height), method, box))


def blend_label(image, mask, num_classes, ignore_label, opacity):
    """Lays the label over the image; ignored pixels are hatched like /, unknown values like \\.

    Args: image uint8 (height, width, 3), mask uint8 (height, width). Returns: uint8 like image.
    """
    special = mask >= num_classes
    if ignore_label is not None:
        special |= mask == ignore_label
    if special.any():
        down, right = np.ogrid[:mask.shape[0], :mask.shape[1]]
        ignored = mask == ignore_label
        stripes = np.where(ignored, down + right, down - right) // STRIPE % 2 == 0
        mask = np.where(special, np.where(stripes, 255, 0), mask).astype(np.uint8)
    return overlay(image, mask, class_colors(num_classes), opacity)
