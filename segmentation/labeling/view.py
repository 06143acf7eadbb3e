"""The visible part of an image and its label, at screen size. Plain NumPy and Pillow.

Pixels are RGBA bytes, uint8 (height, width, 4), or the same as one number each, uint32.
"""

import math

import numpy as np
from PIL import Image

from device.drawing import IGNORED_COLOR, class_colors

SHARP_PIXEL = 8  # screen pixels; an image pixel shown larger than this is drawn as a square
STRIPE = 6  # screen pixels, of the hatching
LANES = np.uint32(0x00FF00FF)  # every other byte of a pixel
BLOCK = 65_536  # pixels that are blended at a time: they stay in the CPU's cache


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


def crop_image(levels, columns, rows, quick=False):
    """Resamples the image for the screen, from the halved level that is nearest in size.

    Args: levels, RGBX pictures; columns and rows as crop_axis returns them; quick, whether speed
        matters more than smoothness. Returns: uint8 (height, width, 4).
    """
    width, height = len(columns[1]), len(rows[1])
    scale = (columns[2][1] - columns[2][0]) / width
    level = min(max(0, round(math.log2(max(scale, 1)))), len(levels) - 1)
    source = levels[level]
    box = [min(edge / 2**level, limit) for edge, limit in zip(
        (columns[2][0], rows[2][0], columns[2][1], rows[2][1]),
        (source.width, source.height) * 2)]
    near = quick or scale * SHARP_PIXEL < 1
    method = Image.Resampling.NEAREST if near else Image.Resampling.BILINEAR
    return np.asarray(source.resize((width, height), method, box))


def brighten(image, exposure, black, white):
    """Shows dark pictures brighter: stretches black..white to 0..255, with a gamma of 1 / exposure.

    Args: image uint8 (height, width, 4). Returns: the same shape; the fourth byte stays.
    """
    values = np.clip((np.arange(256) - black) / max(1, white - black), 0, 1)
    table = np.rint(255 * values ** (1 / exposure)).astype(np.uint8)
    bright = table[image]
    bright[..., 3] = 255
    return bright


def find_limits(picture):
    """Returns the gray values below which 0.5 % and 99.5 % of a picture's pixels lie."""
    shares = np.cumsum(picture.convert("RGB").convert("L").histogram())
    return tuple(int(np.searchsorted(shares, share * shares[-1])) for share in (0.005, 0.995))


def make_blend_table(num_classes, opacity):
    """Returns what blend_label needs of each label value: three uint32 arrays (256,).

    The image's share of 256, and the color's part of the red and blue and of the green bytes.
    """
    colors = np.zeros((256, 4), np.uint8)
    colors[...] = (*IGNORED_COLOR, 0)
    colors[:num_classes, :3] = class_colors(num_classes)
    packed = colors.view(np.uint32)[:, 0]
    share = np.full(256, round(256 * opacity), np.uint32)
    share[0] = 0
    return 256 - share, (packed & LANES) * share, ((packed >> 8) & LANES) * share


def blend_label(image, mask, table):
    """Lays the label over the image; class 0 stays clear.

    Args: image uint8 (height, width, 4), mask uint8 (height, width), table of make_blend_table.
    Returns: uint8 like image; the fourth byte is the image's share of it.
    """
    pixels = np.ascontiguousarray(image).view(np.uint32).ravel()
    mask, mixed = np.ascontiguousarray(mask).ravel(), np.empty(image.shape[:2], np.uint32)
    kept, red_blue, green = table
    flat = mixed.ravel()
    for start in range(0, len(flat), BLOCK):
        part, values = pixels[start:start + BLOCK], mask[start:start + BLOCK]
        if not values.any():
            flat[start:start + BLOCK] = part
            continue
        share = kept[values]
        low = (((part & LANES) * share + red_blue[values]) >> 8) & LANES
        high = (((part >> 8) & LANES) * share + green[values]) & ~LANES
        flat[start:start + BLOCK] = low | high
    return mixed.view(np.uint8).reshape(*image.shape[:2], 4)


def hatch(mask, num_classes, ignore_label, origin=(0, 0)):
    """Turns values without a class into stripes of 255 and 0: ignored like /, unknown like \\.

    Args: mask uint8 (height, width); origin (row, column) of its corner on the screen.
    Returns: uint8 like mask.
    """
    special = mask >= num_classes
    if ignore_label is not None:
        special |= mask == ignore_label
    if not special.any():
        return mask
    down = np.arange(mask.shape[0])[:, None] + origin[0]
    right = np.arange(mask.shape[1]) + origin[1]
    stripes = np.where(mask == ignore_label, down + right, down - right) // STRIPE % 2 == 0
    return np.where(special, np.where(stripes, 255, 0), mask).astype(np.uint8)


def outline(mask):
    """Returns the mask with 0 where all four neighbors, two pixels away, hold the same value."""
    inner = np.ones(mask.shape, bool)
    inner[2:] &= mask[2:] == mask[:-2]
    inner[:-2] &= mask[2:] == mask[:-2]
    inner[:, 2:] &= mask[:, 2:] == mask[:, :-2]
    inner[:, :-2] &= mask[:, 2:] == mask[:, :-2]
    return np.where(inner, 0, mask).astype(np.uint8)
