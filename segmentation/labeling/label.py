"""A label under work: strokes painted into it, undo and redo. Plain NumPy.

A region is (top, left, mask), mask bool, as segmentation/labeling/raster.py makes them.
"""

import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

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
    corners: tuple  # of the polygon or line that was painted, to be corrected after an undo


@dataclass
class Drawing:
    """A label under work: uint8 (height, width), or Packed while its image is not at hand."""

    label: np.ndarray | Packed
    existed: bool  # whether a label file was there before the first stroke
    values: tuple  # the values that it held when it was opened
    undo_steps: deque = field(default_factory=lambda: deque(maxlen=MAX_UNDO_STEPS))
    redo_steps: list = field(default_factory=list)
    depth: int = 0  # strokes taken minus strokes undone
    version: int = 0  # grows with every change
    on_disk: np.ndarray | Packed | None = None  # the label as it was last read or written
    stamp: tuple | None = None  # time and size of the label file then; None: there was none


def paint(drawing, region, value, lock=False, corners=()):
    """Sets the region to a class index as one step that can be undone.

    Args: lock, whether only background is painted over; corners, see Step.
    Returns: the rectangle that changed (top, left, height, width), or None; then no step is taken.
    """
    top, left, mask = region
    part = drawing.label[top:top + mask.shape[0], left:left + mask.shape[1]]
    changed = mask & (part == 0 if lock and value else part != value)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    if not len(rows):
        return None
    inside = np.s_[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    _remember(drawing, top + rows[0], left + columns[0], part[inside], corners)
    part[inside][changed[inside]] = value
    return int(top + rows[0]), int(left + columns[0]), *part[inside].shape


def put_part(drawing, top, left, part):
    """Puts a rectangle of a label, uint8 (height, width), as one step that can be undone."""
    height, width = part.shape
    _remember(drawing, top, left, drawing.label[top:top + height, left:left + width], ())
    drawing.label[top:top + height, left:left + width] = part


def replace_label(drawing, label):
    """Puts a whole label in place of the present one as one step that can be undone."""
    put_part(drawing, 0, 0, label)


def shift_label(label, down, right):
    """Returns the label moved by whole pixels; 0 where nothing comes in, what leaves is cut off."""
    height, width = label.shape
    moved = np.zeros_like(label)
    if abs(down) < height and abs(right) < width:
        moved[max(0, down):height + min(0, down), max(0, right):width + min(0, right)] = \
            label[max(0, -down):height - max(0, down), max(0, -right):width - max(0, right)]
    return moved


def declare_background(drawing):
    """Makes a label in which nothing is painted count as done, as a step that can be undone."""
    if not has_label(drawing):
        _remember(drawing, 0, 0, drawing.label[:0], ())


def _remember(drawing, top, left, content, corners):
    drawing.undo_steps.append(Step(int(top), int(left), pack(content), tuple(corners)))
    drawing.redo_steps.clear()
    drawing.depth += 1
    drawing.version += 1


def undo(drawing):
    """Takes the last step back; returns it, or None where there is none."""
    return _exchange(drawing, drawing.undo_steps, drawing.redo_steps, -1)


def redo(drawing):
    """Takes the step again that was undone last; returns it, or None where there is none."""
    return _exchange(drawing, drawing.redo_steps, drawing.undo_steps, 1)


def _exchange(drawing, source, target, change):
    if not source:
        return None
    step = source.pop()
    height, width = step.packed.shape
    part = drawing.label[step.top:step.top + height, step.left:step.left + width]
    target.append(step._replace(packed=pack(part)))
    part[...] = unpack(step.packed)
    drawing.depth += change
    drawing.version += 1
    return step


def pack(content):
    """Compresses a uint8 array; labels shrink about a hundredfold in 2 ms a megapixel."""
    return Packed(content.shape, zlib.compress(np.ascontiguousarray(content), 1))


def unpack(packed):
    """Returns the array that pack was given."""
    return np.frombuffer(bytearray(zlib.decompress(packed.content)), np.uint8).reshape(packed.shape)


def park(drawing):
    """Packs a drawing whose image is not at hand."""
    for name in ("label", "on_disk"):
        if isinstance(getattr(drawing, name), np.ndarray):
            setattr(drawing, name, pack(getattr(drawing, name)))


def unpark(drawing):
    """Unpacks a drawing again."""
    for name in ("label", "on_disk"):
        if isinstance(getattr(drawing, name), Packed):
            setattr(drawing, name, unpack(getattr(drawing, name)))


def has_label(drawing):
    """Whether a label is to be kept for this image: it existed, or something was painted."""
    return drawing.existed or drawing.depth > 0
