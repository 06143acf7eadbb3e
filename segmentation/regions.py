"""The connected regions of a mask, found by its horizontal runs. Plain NumPy."""

import numpy as np


def find_runs(mask):
    """Returns the runs of True in the rows of a mask bool (height, width), in reading order.

    Returns: their rows, first columns, and columns behind the last, three int arrays (runs,).
    """
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    padded[:, 1:-1] = mask
    places = np.flatnonzero(np.diff(padded, axis=1).ravel())  # start and end take turns
    width = mask.shape[1] + 1
    return places[::2] // width, places[::2] % width, places[1::2] % width


def find_touching(rows, starts, stops, change, by_corner=False):
    """Finds for each run of find_runs those that it touches in the row above (change -1) or below.

    Args: by_corner, whether runs touch that have no more than a corner in common.
    Returns: lists of the first such run, and of the one behind the last.
    """
    if not len(rows):
        return [], []
    width = int(stops.max()) + 1
    line = (rows + change) * width
    sides = ("left", "right") if by_corner else ("right", "left")
    return (np.searchsorted(rows * width + stops, line + starts, sides[0]).tolist(),
            np.searchsorted(rows * width + starts, line + stops, sides[1]).tolist())


def join_runs(rows, starts, stops, by_corner=False):
    """Returns the connected region of each run, known by the number of one run in it, (runs,)."""
    parents = list(range(len(rows)))

    def find_root(run):
        """Returns the run by which the region of a run is known so far (union-find)."""
        while parents[run] != run:
            parents[run] = run = parents[parents[run]]
        return run

    for run, (first, last) in enumerate(zip(*find_touching(rows, starts, stops, -1, by_corner))):
        for above in range(first, last):
            parents[find_root(above)] = find_root(run)
    return np.array([find_root(run) for run in range(len(rows))], int)


def largest_region(mask):
    """Returns how many pixels the largest connected region of a mask has, 0 where it is empty.

    Pixels that touch by a side are connected.
    Args: mask bool (height, width).
    """
    rows, starts, stops = find_runs(mask)
    return int(np.bincount(join_runs(rows, starts, stops), stops - starts, 1).max())
