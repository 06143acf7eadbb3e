"""Tests of mirrored.py: names and confusions, drawn by hand."""

import numpy as np

from segmentation.train import mirrored


def test_names_that_differ_by_left_and_right():
    assert mirrored.find_left_right_pairs(["background", "right_hand", "Left hand", "hand"]) == [
        ("Left hand", "right_hand")]
    assert mirrored.find_left_right_pairs(["ear_l", "ear_r", "lane-left", "lane-right"]) == [
        ("ear_l", "ear_r"), ("lane-left", "lane-right")]
    assert mirrored.find_left_right_pairs(["left", "bright left", "copyright"]) == []


def test_pairs_that_are_taken_for_each_other():
    confusion = np.array([[900, 5, 5, 0], [10, 50, 40, 0], [10, 30, 60, 0], [0, 40, 0, 60]])
    assert mirrored.find_confused_pairs(confusion) == [(1, 2)]
    missed = np.array([[900, 0, 0], [60, 20, 20], [60, 20, 20]])  # mostly not found at all
    assert mirrored.find_confused_pairs(missed) == []
    untrained = np.array([[300, 300, 400], [2, 20, 30], [2, 25, 25]])  # found nearly everywhere
    assert mirrored.find_confused_pairs(untrained) == []
    with_background = np.array([[600, 400, 0], [40, 60, 0], [0, 0, 9]])
    assert mirrored.find_confused_pairs(with_background) == []


def test_warnings(capsys):
    names = ["background", "left hand", "right hand"]
    confusion = np.array([[900, 0, 0], [0, 60, 40], [0, 30, 70]])
    for flip in (None, "both"):
        mirrored.warn_of_left_right(names, flip)
        mirrored.warn_of_confused_pairs(confusion, names, flip)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and "left hand and right hand differ by left and right" in lines[0]
    assert "taken for each other: 40% and 30% of their pixels" in lines[1]
