"""Traces labels exactly, as a patient person would: the outlines of their regions as polygons."""

import numpy as np


def trace_outlines(mask):
    """Returns the closed outlines of a bool mask, lists of (x, y) corners on pixels' edges.

    Each outline runs around True pixels on its left or, around a hole, on its right; by the
    even-odd rule all of them together hold exactly the True pixels.
    """
    padded = np.pad(mask, 1).astype(np.int8)
    steps = {}  # from a corner of the pixel grid (row, column) to the next ones
    down = np.argwhere(np.diff(padded, axis=1) != 0)
    across = np.argwhere(np.diff(padded, axis=0) != 0)
    for row, column in down.tolist():  # an edge between two columns
        start, end = (row, column + 1), (row + 1, column + 1)
        if padded[row, column]:
            start, end = end, start
        steps.setdefault(start, []).append(end)
    for row, column in across.tolist():  # an edge between two rows
        start, end = (row + 1, column), (row + 1, column + 1)
        if not padded[row, column]:
            start, end = end, start
        steps.setdefault(start, []).append(end)
    outlines = []
    while steps:
        start = next(iter(steps))
        path, here = [start], _step(steps, start)
        while here != start:
            path.append(here)
            here = _step(steps, here)
        outlines.append(_drop_straight([(column - 1.5, row - 1.5) for row, column in path]))
    return outlines


def _step(steps, here):
    ends = steps[here]
    end = ends.pop()
    if not ends:
        del steps[here]
    return end


def _drop_straight(path):
    """Leaves out the corners that lie on a straight line."""
    before, after = np.roll(path, 1, axis=0), np.roll(path, -1, axis=0)
    first, second = np.subtract(path, before), np.subtract(after, path)
    turns = first[:, 0] * second[:, 1] != first[:, 1] * second[:, 0]
    return [corner for corner, turn in zip(path, turns) if turn]
