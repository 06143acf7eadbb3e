"""Tests of evenly.py."""

from segmentation.evenly import choose_evenly


def test_ends_are_chosen_and_nothing_twice():
    assert choose_evenly(5, 9).tolist() == [0, 1, 2, 3, 4]
    assert choose_evenly(10, 4).tolist() == [0, 3, 6, 9]
    assert choose_evenly(1, 3).tolist() == [0] and choose_evenly(0, 3).tolist() == []
    assert all(len(set(choose_evenly(count, most).tolist())) == min(count, most)
               for count in range(1, 300) for most in range(1, 120))
