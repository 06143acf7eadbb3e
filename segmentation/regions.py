"""The largest connected region of a mask. Plain NumPy."""

import numpy as np


def largest_region(mask):
    """Returns how many pixels the largest connected region of a mask has, 0 where it is empty.

    Pixels that touch by a side are connected. The mask is cut into horizontal runs, and runs of
    neighboring rows that overlap are joined.
    Args: mask bool (height, width).
    """
    rows, starts, stops = _find_runs(mask)
    if not len(rows):
        return 0
    parents = np.arange(len(rows))

    def find_root(run):
        """Returns the run by which the whole region of a run is known."""
        while parents[run] != run:
            parents[run] = run = parents[parents[run]]
        return run

    begins = np.searchsorted(rows, np.arange(mask.shape[0] + 1))  # of each row's runs
    for run in range(begins[1], len(rows)):
        first, last = begins[rows[run] - 1], begins[rows[run]]
        first += np.searchsorted(stops[first:last], starts[run], "right")
        for above in range(first, last):
            if starts[above] >= stops[run]:
                break
            parents[find_root(above)] = find_root(run)
    roots = [find_root(run) for run in range(len(rows))]
    return int(np.bincount(roots, stops - starts).max())


def _find_runs(mask):
    """Returns the row, first column and column behind the end of each run, in reading order."""
    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(edges == 1)
    return rows, starts, np.nonzero(edges == -1)[1]
