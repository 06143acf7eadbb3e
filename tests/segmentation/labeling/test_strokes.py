"""Tests of segmentation/labeling/strokes.py, with matplotlib's events on the Agg canvas."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from labeling.hand import (
    NAMES,
    SIZE,
    SQUARE,
    click,
    drag,
    label_files,
    label_of,
    mouse,
    press_key,
    saved,
    square_label,
)
from segmentation.labeling.opening import open_session
from segmentation.labeling.window import open_window


def test_polygon_closed_by_its_first_corner(window):
    click(window, *SQUARE)
    assert not label_of(window).any()
    click(window, (20.4, 20.3))
    assert np.array_equal(label_of(window), square_label())
    assert np.array_equal(saved(window), square_label())


def test_polygon_closed_by_enter(window):
    press_key(window, "2")
    click(window, *SQUARE)
    press_key(window, "enter")
    assert np.array_equal(saved(window), square_label(2))


def test_polygon_closed_by_double_click_on_one_spot(window):
    click(window, *SQUARE)
    mouse(window, "button_press_event", SQUARE[-1], dblclick=True)
    assert np.array_equal(saved(window), square_label())


def test_quick_clicks_on_different_spots_are_corners(window):
    """A toolkit calls two clicks within half a second and 6 pixels a double click."""
    click(window, *SQUARE)
    step = 5 * window.scale
    for number in range(1, 4):
        click(window, (SQUARE[-1][0], SQUARE[-1][1] - number * step), dblclick=True)
    assert len(window.points) == 7 and not label_files(window)


def test_polygon_needs_three_corners(window):
    click(window, *SQUARE[:2])
    press_key(window, "enter")
    assert "three corners" in window.message and len(window.points) == 2


def test_corners_are_taken_back_and_the_polygon_abandoned(window):
    click(window, *SQUARE, (100, 90))
    press_key(window, "backspace")
    assert len(window.points) == 4
    press_key(window, "z")
    assert len(window.points) == 3
    press_key(window, "escape")
    assert not window.points and not label_files(window)


def test_lasso(window):
    press_key(window, "l", "3")
    angles = np.linspace(0, 2 * np.pi, 80)
    path = np.stack([64 + 25 * np.cos(angles), 48 + 25 * np.sin(angles)], axis=1)
    drag(window, path)
    y, x = np.mgrid[:SIZE[0], :SIZE[1]]
    distance = np.hypot(x - 64, y - 48)
    assert (saved(window)[distance < 24] == 3).all() and not saved(window)[distance > 27].any()


def test_a_click_with_the_lasso_paints_nothing(window):
    press_key(window, "l")
    click(window, (50, 50))
    assert not label_files(window)


def test_brush_size_is_that_on_the_screen(window):
    press_key(window, "b")
    drag(window, [(30, 48), (60, 48), (90, 48)])
    assert (saved(window)[:, 60] == 1).sum() == round(24 * window.scale)
    press_key(window, "+", "+", "-")
    assert window.brush_size == pytest.approx(24 * 1.25)


def test_eraser_paints_class_0(window):
    click(window, *SQUARE)
    press_key(window, "enter", "b", "0")
    click(window, (40, 35))
    assert saved(window)[35, 40] == 0 and saved(window)[25, 25] == 1


def test_erasing_nothing_leaves_the_image_unlabeled(window):
    press_key(window, "b", "0")
    drag(window, [(40, 35), (80, 35)])
    press_key(window, "right", "left")
    assert not label_files(window) and not window.session.labeled


def test_a_stroke_may_leave_the_picture(window):
    press_key(window, "b")
    drag(window, [(100, 48), (127, 48), (200, 48), (400, 48)])
    assert (saved(window)[48, 100:] == 1).all()
    press_key(window, "l")
    drag(window, [(10, 10), (-50, 10), (-50, 60), (10, 60)])
    assert (saved(window)[20:50, 0:10] == 1).all()


# ---- nothing is lost by a slip of the hand ---------------------------------------------------


@pytest.mark.parametrize("key", ["l", "b", "w", "k", "right", "n", "x", "p", "u", "q", "d", "r",
                                 "home", "g", "ctrl+p", "f2"])
def test_unfinished_corners_are_never_dropped_without_being_asked_for(window, key):
    click(window, *SQUARE)
    press_key(window, key)
    assert len(window.points) == 4 and window.tool == "polygon" and window.session.index == 0
    assert plt.fignum_exists(window.figure.number)
    press_key(window, "enter")
    assert np.array_equal(saved(window), square_label())


def test_a_class_can_be_added_while_corners_are_under_way(window):
    click(window, *SQUARE)
    press_key(window, "a", *"fog", "enter", "enter")
    assert np.array_equal(saved(window), square_label(4))


def test_undo_gives_the_polygon_s_corners_back(window):
    click(window, *SQUARE, (10, 60))
    press_key(window, "enter", "z")
    assert not label_of(window).any() and len(window.points) == 5
    press_key(window, "z")  # the corner that was wrong
    press_key(window, "enter")
    assert np.array_equal(saved(window), square_label())


def test_redo_paints_the_polygon_that_was_undone(window):
    click(window, *SQUARE)
    press_key(window, "enter", "z", "y")
    assert not window.points and np.array_equal(saved(window), square_label())


# ---- more tools ------------------------------------------------------------------------------


def test_line(window):
    press_key(window, "w", "2")
    click(window, (20, 30), (100, 30), (100, 70))
    press_key(window, "enter")
    width = round(24 * window.scale)
    assert (saved(window)[:, 60] == 2).sum() == width == (saved(window)[50] == 2).sum()
    press_key(window, "z")
    assert len(window.points) == 3 and window.tool == "line"


def test_fill_a_region_and_an_outline(window):
    press_key(window, "b")
    drag(window, [(30, 20), (90, 20), (90, 70), (30, 70), (30, 20)])
    press_key(window, "k", "3")
    click(window, (60, 45))
    assert saved(window)[45, 60] == 3 and saved(window)[5, 5] == 0 and saved(window)[20, 60] == 1
    press_key(window, "2")
    click(window, (30, 45))
    assert saved(window)[20, 60] == 2 and saved(window)[45, 60] == 3


def test_lock_paints_over_background_only(window):
    click(window, *SQUARE)
    press_key(window, "enter", "v", "b", "2")
    drag(window, [(10, 35), (110, 35)])
    assert saved(window)[35, 40] == 1 and saved(window)[35, 80] == 2
    press_key(window, "0")  # the eraser erases, locked or not
    click(window, (40, 35))
    assert saved(window)[35, 40] == 0


def test_a_lasso_snaps_and_undo_takes_the_snap_back_first(tmp_path):
    pixels = np.full((*SIZE, 3), 60, np.uint8)
    pixels[30:60, 40:90] = (220, 60, 60)
    pixels += np.random.default_rng(0).integers(0, 20, pixels.shape, np.uint8)
    (tmp_path / "images").mkdir()
    Image.fromarray(pixels).save(tmp_path / "images" / "a.png")
    window = open_window(open_session(tmp_path / "images", tmp_path / "labels", NAMES))
    press_key(window, "l", "m")
    drag(window, [(35, 25), (95, 25), (95, 65), (35, 65)])
    expected = np.zeros(SIZE, np.uint8)
    expected[30:60, 40:90] = 1
    overlap = (saved(window) & expected).sum() / (saved(window) | expected).sum()
    assert overlap > 0.97
    press_key(window, "z")
    assert saved(window).sum() == 60 * 40
    press_key(window, "z")
    assert not label_files(window)
