"""Tests of segmentation/labeling/viewport.py, with matplotlib's events on the Agg canvas."""

import numpy as np
import pytest
from matplotlib.backend_bases import KeyEvent
from PIL import Image

from device.drawing import class_colors
from labeling.hand import (
    NAMES,
    SIZE,
    SQUARE,
    click,
    drag,
    label_of,
    mouse,
    mouse_at,
    press_key,
    saved,
    square_label,
)
from segmentation.labeling import display, moving
from segmentation.labeling.events import on_resize
from segmentation.labeling.loading import open_current
from segmentation.labeling.opening import open_session
from segmentation.labeling.view import crop_axis, crop_image
from segmentation.labeling.viewport import describe_pixel, set_view


@pytest.mark.parametrize("steps", [3, 8, 14])
def test_painting_is_correct_when_zoomed_and_moved(window, steps):
    for _ in range(steps):
        mouse(window, "scroll_event", (64, 48), None, step=1)
    mouse(window, "button_press_event", (64, 48), 3)
    x, y = window.axes.transData.transform((64, 48))
    mouse_at(window, "motion_notify_event", x + 40, y - 30, 3)
    mouse_at(window, "button_release_event", x + 40, y - 30, 3)
    corners = [(62.8, 46.8), (66.2, 46.8), (66.2, 49.2), (62.8, 49.2)]
    click(window, *corners)
    press_key(window, "enter")
    expected = np.zeros(SIZE, np.uint8)
    expected[47:50, 63:67] = 1
    if window.scale * 10 < 2.6:  # else the corners are one click
        assert np.array_equal(saved(window), expected)


def test_wheel_keeps_the_place_under_the_pointer(window):
    x, y = window.axes.transData.transform((100, 20))
    mouse_at(window, "scroll_event", x, y, None, step=1)
    assert window.axes.transData.inverted().transform((x, y)) == pytest.approx((100, 20), abs=0.2)
    for _ in range(200):
        mouse_at(window, "scroll_event", x, y, None, step=1)
    assert window.scale > 0.01
    for _ in range(400):
        mouse_at(window, "scroll_event", x, y, None, step=-1)
    press_key(window, "f")
    left, right = window.axes.get_xlim()
    assert left < 0 and right > SIZE[1] - 1


@pytest.mark.parametrize("seed", range(6))
def test_what_is_seen_is_what_is_saved(window, seed):
    """At random views, each screen pixel shows the label of the image pixel under it."""
    rng = np.random.default_rng(seed)
    label_of(window)[...] = rng.integers(0, 4, SIZE, np.uint8)
    window.look = 2  # 100 %
    middle, half = rng.uniform(20, 80, 2), float(rng.choice([3, 20, 90, 400]))
    box = window.axes.bbox
    window.center, window.scale, window.is_fitted = tuple(middle), 2 * half / box.width, False
    set_view(window)
    window.figure.canvas.draw()
    seen = np.asarray(window.figure.canvas.buffer_rgba())[..., :3]
    height = seen.shape[0]
    for _ in range(60):
        x, y = rng.integers(0, int(box.width)), rng.integers(int(box.y0), int(box.y1))
        place = window.axes.transData.inverted().transform((x + 0.5, y + 0.5))
        column, row = np.floor(place + 0.5).astype(int)
        near_border = np.abs((place + 0.5) % 1 - 0.5).max() > 0.5 - 1 / (box.width / (2 * half))
        if 0 <= column < SIZE[1] and 0 <= row < SIZE[0] and not near_border:
            value = label_of(window)[row, column]
            if value:
                assert tuple(seen[height - 1 - y, x]) == tuple(class_colors(4)[value])


def test_resizing_the_window_keeps_painting_right(window):
    window.figure.set_size_inches(6, 7)
    window.figure.canvas.draw()
    on_resize(window, None)
    click(window, *SQUARE)
    press_key(window, "enter")
    assert np.array_equal(saved(window), square_label())


def test_the_place_under_the_mouse_is_named(window):
    click(window, *SQUARE)
    press_key(window, "enter")
    assert describe_pixel(window, (40.2, 34.9)) == "x 40, y 35: 1 bird"
    assert describe_pixel(window, (-9, 0)) == ""
    label_of(window)[0, :2] = 255, 37
    assert "ignored" in describe_pixel(window, (0, 0))
    assert "unknown value" in describe_pixel(window, (1, 0))


def test_image_on_the_screen_is_where_the_label_is(tmp_path):
    """A white square in a large image and its label cover each other on the screen."""
    image = np.zeros((1500, 2000, 3), np.uint8)
    image[600:900, 1100:1500] = 255
    (tmp_path / "images").mkdir()
    Image.fromarray(image).save(tmp_path / "images" / "a.png")
    session = open_session(tmp_path / "images", tmp_path / "labels", NAMES)
    open_current(session)
    session.picture.drawing.label[600:900, 1100:1500] = 1
    for limits in ((-0.5, 1999.5, 1499.5, -0.5), (1000, 1400, 800, 500), (1090, 1110, 610, 595)):
        columns = crop_axis(*limits[:2], 400, 2000)
        rows = crop_axis(*limits[:1:-1], 300, 1500)
        mask = session.picture.drawing.label[rows[1][:, None], columns[1]]
        for quick in (False, True):
            crop = crop_image(session.picture.levels, columns, rows, quick)
            assert (np.abs((crop[..., 0] > 127) * 1 - mask) > 0).mean() < 0.01


def test_maximize_and_restore_keep_the_picture_as_large_as_it_was(window):
    window.figure.canvas.draw()
    before = window.axes.get_xlim(), window.scale
    for _ in range(3):
        for size in ((19, 10), (7.2, 5.6)):
            window.figure.set_size_inches(*size)
            on_resize(window, None)
    assert window.axes.get_xlim() == pytest.approx(before[0])
    mouse(window, "scroll_event", (50, 50), None, step=3)
    zoomed = window.scale
    for size in ((19, 10), (7.2, 5.6)):
        window.figure.set_size_inches(*size)
        on_resize(window, None)
    assert window.scale == zoomed


@pytest.mark.parametrize("steps", [0, 4, 9])
def test_what_is_drawn_by_parts_is_what_is_drawn_as_a_whole(window, steps):
    """Strokes, undo, corners, a copied label: the buffer is at last that of a drawing anew."""
    window.figure.canvas.draw()
    for _ in range(steps):
        mouse(window, "scroll_event", (50, 40), None, step=1)
    press_key(window, "b", "2")
    drag(window, [(45, 38), (55, 42), (52, 47)])
    press_key(window, "1", "l")
    drag(window, [(40, 30), (60, 30), (60, 50)])
    press_key(window, "z", "y", "z", "o")
    mouse(window, "motion_notify_event", (48, 41))
    window.pointer = None
    press_key(window, "i", "c")
    by_parts = np.array(window.figure.canvas.buffer_rgba())
    window.shown.state = ()
    window.figure.canvas.draw()
    whole = np.array(window.figure.canvas.buffer_rgba())
    x, y = int(window.axes.bbox.x1), int(window.axes.bbox.height)
    top = by_parts.shape[0] - int(window.axes.bbox.y1)
    assert np.array_equal(by_parts[top:top + y, :x], whole[top:top + y, :x])


def test_a_large_view_is_coarse_while_it_moves_and_sharp_after(window, monkeypatch):
    window.figure.canvas.draw()
    monkeypatch.setattr(moving, "COARSE_PIXELS", 1000)
    monkeypatch.setattr(display, "MOVING_PIXELS", 20000)
    mouse(window, "scroll_event", (50, 40), None, step=1)
    assert window.shown.coarse
    coarse = window.shown.pixels.copy()
    moving.sharpen(window)
    difference = np.abs(window.shown.pixels.astype(int) - coarse)
    assert 0 < difference.mean() < 60 and coarse.shape == window.shown.pixels.shape


def test_corners_under_way_stay_on_the_screen_of_a_large_view(window, monkeypatch):
    window.figure.canvas.draw()
    monkeypatch.setattr(moving, "COARSE_PIXELS", 1000)
    click(window, *SQUARE[:3])
    mouse(window, "scroll_event", (50, 40), None, step=1)
    moving.sharpen(window)
    buffer = np.asarray(window.figure.canvas.buffer_rgba())
    height, width = window.shown.pixels.shape[:2]
    top = buffer.shape[0] - int(window.axes.bbox.y1)
    assert (buffer[top:top + height, :width] != window.shown.pixels).any(axis=2).sum() > 300


def test_shift_hides_the_label_and_e_shows_dark_pictures_brighter(window):
    window.figure.canvas.draw()
    click(window, *SQUARE)
    press_key(window, "enter")
    painted = window.shown.pixels.copy()
    press_key(window, "shift")
    hidden = window.shown.pixels.copy()
    assert not np.array_equal(painted, hidden)
    canvas = window.figure.canvas
    canvas.callbacks.process("key_release_event", KeyEvent("key_release_event", canvas, "shift"))
    assert np.array_equal(window.shown.pixels, painted)
    press_key(window, "e")
    assert window.shown.pixels.mean() > painted.mean() + 5
    press_key(window, "e", "e")
    assert np.array_equal(window.shown.pixels, painted)
