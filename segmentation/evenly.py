"""Chooses some of many, evenly spaced. Plain NumPy."""

import numpy as np


def choose_evenly(count, most):
    """Returns the positions of at most so many of count things, evenly spaced, int64 (n,).

    The first and the last are among them; all are where there are no more.
    """
    return np.linspace(0, count - 1, min(most, count)).astype(int)
