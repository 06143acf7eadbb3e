"""A label under work: strokes painted into it, undo and redo. Plain NumPy and Pillow.

Points are (x, y) in pixels of the upright image, (0, 0) is the center of the first pixel. A region
is (top, left, mask), mask bool.
"""

import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from device.errors import InputError

MAX_UNDO_STEPS = 100  # an image


class Packed(NamedTuple):
    """A compressed piece of a label: a stroke on 24 megapixels takes kilobytes to be undone."""

    shape: tuple
    content: bytes


class Step(NamedTuple):
    """What undo or redo puts back: the content of one rectangle of the label."""

    top: int
    left: int
    packed: Packed


@dataclass
class Drawing:
    """A label under work: uint8 (height, width), or Packed while its image is not at hand."""

    label: np.ndarray | Packed
    existed: bool  # whether a label file was there before the first stroke
    values: tuple  # the values that it held when it was opened
    undo_steps: deque = field(default_factory=lambda: deque(maxlen=MAX_UNDO_STEPS))
    redo_steps: list = field(default_factory=list)
    depth: int = 0  # strokes taken minus strokes undone


def polygon_region(points, size):
    """Rasterises a polygon: its inside and its border, by Pillow's even-odd rule.

    Args: points, at least one (x, y); size (height, width) of the label.
    Returns: region, cut off at the label's edges.
    """
    corners = np.rint(np.asarray(points, np.float64)).astype(int)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return _draw_region((top, left, bottom, right), size, lambda draw, origin: draw.polygon(
        [tuple(corner) for corner in (corners - origin).tolist()], fill=1))


def stroke_region(points, diameter, size):
    """Rasterises a brush stroke: a disk of the diameter, in image pixels, along the points.

    Returns: region, cut off at the label's edges.
    """
    path, diameter = np.rint(np.asarray(points, np.float64)).astype(int), max(1, round(diameter))
    (left, top), (right, bottom) = path.min(axis=0) - diameter, path.max(axis=0) + diameter

    def draw_stroke(draw, origin):
        """Draws the path in a picture whose corner lies at the origin."""
        corners = [tuple(corner) for corner in (path - origin).tolist()]
        draw.point(corners, fill=1)  # Pillow draws no ellipse of a single pixel
        if len(corners) > 1:
            draw.line(corners, fill=1, width=diameter)
        before = diameter // 2  # the disk has diameter pixels across, this many left of the center
        for x, y in corners:
            draw.ellipse((x - before, y - before, x - before + diameter - 1,
                          y - before + diameter - 1), fill=1)

    return _draw_region((top, left, bottom, right), size, draw_stroke)


def _draw_region(box, size, draw_shape):
    """Draws into the part of a box (top, left, bottom, right; inclusive) that is on the label."""
    top, left = max(0, int(box[0])), max(0, int(box[1]))
    height, width = min(size[0], int(box[2]) + 1) - top, min(size[1], int(box[3]) + 1) - left
    if height <= 0 or width <= 0:
        return 0, 0, np.zeros((0, 0), bool)
    canvas = Image.new("L", (width, height))
    draw_shape(ImageDraw.Draw(canvas), np.array((left, top)))
    return top, left, np.asarray(canvas).view(bool)


def paint(drawing, region, value):
    """Sets the region to a class index as one step that can be undone.

    Returns: whether any pixel changed; where none did, no step is taken.
    """
    top, left, mask = region
    part = drawing.label[top:top + mask.shape[0], left:left + mask.shape[1]]
    changed = mask & (part != value)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    if not len(rows):
        return False
    inside = np.s_[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    _remember(drawing, top + rows[0], left + columns[0], part[inside])
    part[inside][changed[inside]] = value
    return True


def replace_label(drawing, label):
    """Puts a whole label in place of the present one as one step that can be undone."""
    _remember(drawing, 0, 0, drawing.label)
    drawing.label[...] = label


def declare_background(drawing):
    """Makes an empty label count as done, as one step that can be undone.

    Raises: InputError where something is painted: it would be lost.
    """
    if drawing.label.any():
        raise InputError("Something is painted here: undo or erase it first.")
    if not has_label(drawing):
        _remember(drawing, 0, 0, drawing.label[:0])


def _remember(drawing, top, left, content):
    drawing.undo_steps.append(Step(int(top), int(left), pack(content)))
    drawing.redo_steps.clear()
    drawing.depth += 1


def undo(drawing):
    """Takes the last step back; returns whether there was one."""
    return _exchange(drawing, drawing.undo_steps, drawing.redo_steps, -1)


def redo(drawing):
    """Takes the step again that was undone last; returns whether there was one."""
    return _exchange(drawing, drawing.redo_steps, drawing.undo_steps, 1)


def _exchange(drawing, source, target, change):
    if not source:
        return False
    step = source.pop()
    height, width = step.packed.shape
    part = drawing.label[step.top:step.top + height, step.left:step.left + width]
    target.append(Step(step.top, step.left, pack(part)))
    part[...] = unpack(step.packed)
    drawing.depth += change
    return True


def pack(content):
    """Compresses a uint8 array; labels shrink about a hundredfold in 2 ms a megapixel."""
    return Packed(content.shape, zlib.compress(np.ascontiguousarray(content), 1))


def unpack(packed):
    """Returns the array that pack was given."""
    return np.frombuffer(bytearray(zlib.decompress(packed.content)), np.uint8).reshape(packed.shape)


def has_label(drawing):
    """Whether a label is to be kept for this image: it existed, or something was painted."""
    return drawing.existed or drawing.depth > 0
