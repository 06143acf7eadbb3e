"""Tests of segmentation/labeling/copying.py: the label of the image before, dragged into place."""

import numpy as np

from labeling.hand import SQUARE, click, drag, label_files, label_of, press_key, saved, square_label
from segmentation.labeling.label import shift_label


def paint_and_go_on(window):
    press_key(window, "2")
    click(window, *SQUARE)
    press_key(window, "enter", "right")


def test_a_copied_label_is_dragged_and_kept(window):
    paint_and_go_on(window)
    press_key(window, "d")
    assert not label_of(window).any() and window.floating is not None
    drag(window, [(40, 35), (50, 38), (52, 40)])
    press_key(window, "left", "up")
    assert (window.floating.down, window.floating.right) == (4, 11)
    press_key(window, "enter")
    assert np.array_equal(saved(window), shift_label(square_label(2), 4, 11))
    press_key(window, "z")
    assert label_files(window) == ["image_0.png"]


def test_it_is_seen_before_it_is_kept(window):
    paint_and_go_on(window)
    window.look = 2
    press_key(window, "d")
    assert window.shown.pixels is not None or not window.is_drawn
    window.figure.canvas.draw()
    seen = window.shown.pixels
    center = window.axes.transData.transform((40, 35)) - window.axes.bbox.min
    pixel = seen[seen.shape[0] - 1 - int(center[1]), int(center[0]), :3]
    assert tuple(pixel) == (86, 180, 233)


def test_it_is_never_lost_without_being_asked_for(window):
    paint_and_go_on(window)
    press_key(window, "d", "home", "n", "x")
    assert window.session.index == 1 and window.floating is not None
    assert "Enter keeps it" in window.message
    press_key(window, "escape")
    assert window.floating is None and not label_of(window).any()


def test_with_the_lock_only_background_is_painted(window):
    paint_and_go_on(window)
    press_key(window, "1")
    click(window, (19.5, 19.5), (60.5, 19.5), (60.5, 30.5), (19.5, 30.5))
    press_key(window, "enter", "v", "d", "enter")
    assert (saved(window)[20:31, 20:61] == 1).all() and (saved(window)[31:51, 20:61] == 2).all()


def test_without_a_label_before_it_says_so(window):
    press_key(window, "d")
    assert "No image before" in window.message and window.floating is None


def test_shift_label():
    label = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert shift_label(label, 1, -1).tolist() == [[0, 0, 0, 0], [1, 2, 3, 0], [5, 6, 7, 0]]
    assert shift_label(label, -2, 2).tolist() == [[0, 0, 8, 9], [0] * 4, [0] * 4]
    assert not shift_label(label, 3, 0).any() and not shift_label(label, 0, -9).any()
