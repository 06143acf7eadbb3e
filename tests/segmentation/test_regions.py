"""Tests of regions.py: regions drawn by hand."""

import numpy as np
import pytest

from segmentation.regions import largest_region


@pytest.mark.parametrize("rows, size", [
    (["...", "..."], 0), (["###", "###"], 6), (["#..", ".#.", "..#"], 1),
    (["#.#", "#.#", "###"], 7),  # two runs that a later row joins
    (["###.", "#..#", "###.", "..##"], 9), (["##.####"], 4), ([".", "#", "#"], 2),
    (["#.#.#.#", "#######", "......#"], 12), (["##..", "..##", "##.."], 2)])
def test_regions_by_hand(rows, size):
    assert largest_region(np.array([[cell == "#" for cell in row] for row in rows])) == size


def test_it_is_what_a_flood_fill_finds():
    random = np.random.default_rng(0)
    for _ in range(30):
        mask = random.random((12, 15)) < random.uniform(0.3, 0.7)
        assert largest_region(mask) == flood_largest(mask)


def flood_largest(mask):
    left, largest = set(zip(*np.nonzero(mask))), 0
    while left:
        waiting, size = [left.pop()], 0
        while waiting:
            row, column = waiting.pop()
            size += 1
            for other in ((row + 1, column), (row - 1, column), (row, column + 1),
                          (row, column - 1)):
                if other in left:
                    left.remove(other)
                    waiting.append(other)
        largest = max(largest, size)
    return largest
