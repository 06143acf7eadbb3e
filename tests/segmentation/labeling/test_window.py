"""Tests of annotate_segmentation.py and annotation.py, with matplotlib's events on the Agg canvas.

The real window is tested by tests/annotate_window.
"""

import json
import os
import signal
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import write_pair
from matplotlib.backend_bases import CloseEvent, KeyEvent, MouseEvent, NavigationToolbar2
from PIL import ExifTags, Image, ImageDraw

import annotate_segmentation
from device.drawing import class_colors, save_mask
from device.errors import InputError
from device.images import read_image, read_label
from import_data import import_images
from segmentation.labeling import dialogs, label, prelabel, session, view
from segmentation.labeling.keys import KEYS
from segmentation.labeling.label import polygon_region, stroke_region
from segmentation.labeling.session import open_session
from segmentation.labeling.window import ACTIONS, OPACITIES, open_window

ROOT = Path(__file__).resolve().parents[3]
NAMES = ["background", "bird", "water", "sky"]
SIZE = (96, 128)  # (height, width) of the test images


# ---- help ------------------------------------------------------------------------------------


def make_images(folder, count=3, size=SIZE, suffix=".jpg"):
    """Writes images that differ; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    paths = [folder / f"image_{index}{suffix}" for index in range(count)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(path)
    return paths


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Runs each test in an empty folder: a model in the project's output/ must not be found."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def small_window(monkeypatch):
    monkeypatch.setattr(window, "WINDOW_SIZE", (720, 480))
    yield
    plt.close("all")


@pytest.fixture
def folders(tmp_path):
    make_images(tmp_path / "images")
    return tmp_path / "images", tmp_path / "labels"


@pytest.fixture
def window(folders):
    opened = open_window(open_session(*folders, NAMES, 255, folders[0].parent / "output"))
    yield opened
    opened.session.loader.shutdown()
    plt.close(opened.figure)


def open_again(window):
    """Closes the window and opens it anew on the same folders."""
    session = window.session
    window.figure.canvas.callbacks.process("close_event", CloseEvent(
        "close_event", window.figure.canvas))
    plt.close(window.figure)
    image_dir = session.image_paths[0].parent
    return open_window(open_session(image_dir, session.label_dir, None, 255, session.output_dir))


def press_key(window, *keys):
    canvas = window.figure.canvas
    for key in keys:
        canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", canvas, key))


def mouse(window, name, point, button=1, **more):
    """Sends a mouse event at (x, y) in image pixels."""
    x, y = window.axes.transData.transform(point)
    mouse_at(window, name, x, y, button, **more)


def mouse_at(window, name, x, y, button=1, **more):
    canvas = window.figure.canvas
    canvas.callbacks.process(name, MouseEvent(name, canvas, x, y, button, **more))


def click(window, *points, button=1, **more):
    for point in points:
        mouse(window, "button_press_event", point, button, **more)
        mouse(window, "button_release_event", point, button)


def drag(window, points, button=1):
    mouse(window, "button_press_event", points[0], button)
    for point in points[1:]:
        mouse(window, "motion_notify_event", point, button)
    mouse(window, "button_release_event", points[-1], button)


def click_row(window, action, key=None):
    """Clicks a row of the panel."""
    top = next(top for top, row_action, row_key in window.rows
               if row_action == action and key in (None, row_key))
    x, y = window.panel.transData.transform((60, top + 5))
    mouse_at(window, "button_press_event", x, y)
    mouse_at(window, "button_release_event", x, y)


def label_of(window):
    return window.session.picture.drawing.label


def saved(window, index=None):
    session = window.session
    path = session.image_paths[session.index if index is None else index]
    return read_label(session.label_path_of(session, path))


def label_files(window):
    return sorted(path.name for path in window.session.label_dir.glob("*.png"))


SQUARE = [(20, 20), (60, 20), (60, 50), (20, 50)]


def square_label(value=1):
    label = np.zeros(SIZE, np.uint8)
    label[20:51, 20:61] = value
    return label


# ---- rasterising -----------------------------------------------------------------------------


def inside_even_odd(points, size):
    """Says of each pixel's center whether it is inside, and how far it is from the border.

    An independent reference: crossings of a ray to the right, pixel by pixel, in floats.
    """
    y, x = np.mgrid[:size[0], :size[1]].astype(float)
    inside, distance = np.zeros(size, bool), np.full(size, np.inf)
    for (x1, y1), (x2, y2) in zip(points, np.roll(points, -1, axis=0)):
        if y1 != y2:
            inside ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
        length = max((x2 - x1) ** 2 + (y2 - y1) ** 2, 1e-9)
        share = np.clip(((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length, 0, 1)
        distance = np.minimum(distance, np.hypot(x1 + share * (x2 - x1) - x,
                                                 y1 + share * (y2 - y1) - y))
    return inside, distance


def full_mask(region, size):
    top, left, mask = region
    whole = np.zeros(size, bool)
    whole[top:top + mask.shape[0], left:left + mask.shape[1]] = mask
    return whole


@pytest.mark.parametrize("seed", range(40))
def test_polygon_agrees_with_even_odd_reference(seed):
    rng = np.random.default_rng(seed)
    size = (int(rng.integers(20, 90)), int(rng.integers(20, 90)))
    corners = rng.uniform(-15, 105, (int(rng.integers(3, 12)), 2))  # some beyond the label
    mask = full_mask(polygon_region(corners, size), size)
    inside, distance = inside_even_odd(corners, size)
    away = distance > 1.5  # rounding a corner moves a border by up to 0.71, the line's width by 0.5
    assert np.array_equal(mask[away], inside[away])


@pytest.mark.parametrize("seed", range(10))
def test_polygon_agrees_with_image_draw(seed):
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 80, (7, 2))
    canvas = Image.new("L", (80, 80))
    ImageDraw.Draw(canvas).polygon([tuple(corner) for corner in corners.tolist()], fill=1)
    assert np.array_equal(full_mask(polygon_region(corners, (80, 80)), (80, 80)),
                          np.asarray(canvas) > 0)


def test_polygon_beyond_the_label_is_empty():
    assert not polygon_region([(200, 200), (300, 200), (300, 300)], SIZE)[2].any()


@pytest.mark.parametrize("diameter", [1, 2, 5, 12, 31])
def test_stroke_covers_what_is_near_its_line(diameter):
    points = [(20.0, 20.0), (90.0, 40.0), (60.0, 80.0)]
    mask = full_mask(stroke_region(points, diameter, SIZE), SIZE)
    y, x = np.mgrid[:SIZE[0], :SIZE[1]].astype(float)
    distance = np.full(SIZE, np.inf)
    for (x1, y1), (x2, y2) in pairwise(points):
        length = (x2 - x1) ** 2 + (y2 - y1) ** 2
        share = np.clip(((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length, 0, 1)
        distance = np.minimum(distance, np.hypot(x1 + share * (x2 - x1) - x,
                                                 y1 + share * (y2 - y1) - y))
    assert mask[distance < diameter / 2 - 1.5].all()
    assert not mask[distance > diameter / 2 + 1.5].any()


@pytest.mark.parametrize("diameter", [1, 2, 7, 20])
def test_a_dot_has_the_diameter(diameter):
    mask = full_mask(stroke_region([(50, 50)], diameter, SIZE), SIZE)
    assert mask.any(axis=0).sum() == mask.any(axis=1).sum() == diameter
    assert mask[50, 50]


# ---- tools -----------------------------------------------------------------------------------


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


def test_polygon_closed_by_double_click(window):
    click(window, *SQUARE)
    mouse(window, "button_press_event", SQUARE[-1], dblclick=True)
    assert np.array_equal(saved(window), square_label())


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
    expected = 24 / (1 / window.view_scale(window))
    assert abs((saved(window)[:, 60] == 1).sum() - expected) <= 1
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


def test_clicks_do_nothing_while_the_toolbar_zooms(window):
    toolbar = NavigationToolbar2(window.figure.canvas)
    toolbar.draw_rubberband = toolbar.remove_rubberband = lambda *position: None
    toolbar.zoom()
    mouse(window, "button_press_event", (30, 30))
    mouse(window, "motion_notify_event", (60, 60), buttons={1})
    mouse(window, "button_release_event", (60, 60))
    assert not window.points and not window.dragging and "toolbar" in window.message
    left, right = window.axes.get_xlim()
    assert right - left < 60  # it zoomed
    toolbar.zoom()
    press_key(window, "b")
    click(window, (45, 45))
    assert saved(window)[45, 45] == 1 and (saved(window) == 1).sum() < 60


def test_home_of_the_toolbar_shows_the_whole_picture(window):
    toolbar = NavigationToolbar2(window.figure.canvas)
    press_key(window, "right")
    whole = window.axes.get_xlim()
    mouse(window, "scroll_event", (50, 50), None, step=3)
    assert window.axes.get_xlim() != whole
    toolbar.home()
    assert window.axes.get_xlim() == pytest.approx(whole)


# ---- zoom ------------------------------------------------------------------------------------


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
    if window.view_scale(window) * 10 < 2.6:  # else the corners are one click
        assert np.array_equal(saved(window), expected)


def test_wheel_keeps_the_place_under_the_pointer(window):
    x, y = window.axes.transData.transform((100, 20))
    mouse_at(window, "scroll_event", x, y, None, step=1)
    assert window.axes.transData.inverted().transform((x, y)) == pytest.approx((100, 20), abs=0.2)
    for _ in range(200):
        mouse_at(window, "scroll_event", x, y, None, step=1)
    assert window.view_scale(window) > 0.01
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
    window.opacity = 1.0
    middle, half = rng.uniform(20, 80, 2), float(rng.choice([3, 20, 90, 400]))
    box = window.axes.bbox
    window.axes.set_xlim(middle[0] - half, middle[0] + half)
    window.axes.set_ylim(middle[1] + half * box.height / box.width,
                         middle[1] - half * box.height / box.width)
    window.figure.canvas.draw()
    seen = np.asarray(window.figure.canvas.buffer_rgba())[..., :3]
    height = seen.shape[0]
    for _ in range(60):
        x, y = rng.integers(0, int(box.width)), rng.integers(int(box.y0), height)
        place = window.axes.transData.inverted().transform((x + 0.5, y + 0.5))
        column, row = np.floor(place + 0.5).astype(int)
        near_border = np.abs((place + 0.5) % 1 - 0.5).max() > 0.5 - 1 / (box.width / (2 * half))
        if 0 <= column < SIZE[1] and 0 <= row < SIZE[0] and not near_border:
            value = label_of(window)[row, column]
            if value:
                assert tuple(seen[height - 1 - y, x]) == tuple(class_colors(4)[value])


@pytest.mark.parametrize("start, stop, count, length", [
    (-0.5, 9.5, 10, 10), (-0.5, 9.5, 35, 10), (-20, 40, 50, 10), (2.2, 3.9, 100, 10),
    (-0.5, 5999.5, 1000, 6000), (20, 30, 10, 10), (-30, -20, 10, 10)])
def test_crop_axis(start, stop, count, length):
    screen, pixels, edges = view.crop_axis(start, stop, count, length)
    centers = start + (np.arange(count) + 0.5) * (stop - start) / count
    expected = [int(np.floor(center + 0.5)) for center in centers]
    inside = [index for index, pixel in enumerate(expected) if 0 <= pixel < length]
    assert list(range(count))[screen] == inside
    assert list(pixels) == [expected[index] for index in inside]
    assert 0 <= edges[0] <= edges[1] <= length


def test_image_on_the_screen_is_where_the_label_is(tmp_path):
    """A white square in a large image and its label cover each other on the screen."""
    image = np.zeros((1500, 2000, 3), np.uint8)
    image[600:900, 1100:1500] = 255
    (tmp_path / "images").mkdir()
    Image.fromarray(image).save(tmp_path / "images" / "a.png")
    session = open_session(tmp_path / "images", tmp_path / "labels", NAMES)
    session.open_current(session)
    session.picture.drawing.label[600:900, 1100:1500] = 1
    for limits in ((-0.5, 1999.5, 1499.5, -0.5), (1000, 1400, 800, 500), (1090, 1110, 610, 595)):
        columns, rows, crop = window.crop_view(
            session.picture, limits[:2], limits[2:], 400, 300)
        mask = session.picture.drawing.label[rows[1][:, None], columns[1]]
        assert (np.abs((crop[..., 0] > 127) * 1 - mask) > 0).mean() < 0.01


# ---- undo ------------------------------------------------------------------------------------


def test_fifty_strokes_are_undone_and_redone(window, monkeypatch):
    monkeypatch.setattr(window.figure.canvas, "draw_idle", lambda: None)  # it would take seconds
    rng = np.random.default_rng(3)
    press_key(window, "b")
    states = [label_of(window).copy()]
    while len(states) < 61:
        window.value = int(rng.choice([0, 1, 2, 3, 255]))
        drag(window, rng.uniform(0, 96, (3, 2)))
        if not np.array_equal(states[-1], label_of(window)):
            states.append(label_of(window).copy())
    for state in states[-2::-1]:
        press_key(window, "z")
        assert np.array_equal(label_of(window), state)
    assert not label_files(window)  # untouched again, so unlabeled again
    press_key(window, "z")
    assert window.message == "Nothing to undo."
    for state in states[1:]:
        press_key(window, "ctrl+y")
        assert np.array_equal(saved(window), state)
    press_key(window, "y")
    assert window.message == "Nothing to redo."


def test_a_new_stroke_ends_redo(window):
    press_key(window, "b")
    click(window, (20, 20), (80, 20))
    press_key(window, "ctrl+z")
    press_key(window, "ctrl+Z")  # with shift: redo
    assert saved(window)[20, 80] == 1
    press_key(window, "Z")  # shift or caps lock alone changes nothing
    click(window, (50, 80))
    press_key(window, "y")
    assert window.message == "Nothing to redo."
    assert saved(window)[20, 80] == 0 and saved(window)[80, 50] == 1


def test_undo_is_kept_for_images_visited_before(tmp_path):
    make_images(tmp_path / "images", 8)
    window = open_window(open_session(tmp_path / "images", tmp_path / "labels", NAMES))
    press_key(window, "b")
    click(window, (20, 20), (80, 20))
    press_key(window, *["right"] * 7)
    assert window.session.image_paths[0] in window.session.parked_drawings
    press_key(window, *["left"] * 7)
    assert saved(window)[20, 80] == 1
    press_key(window, "z")
    assert saved(window)[20, 80] == 0 and saved(window)[20, 20] == 1
    press_key(window, "z")
    assert not label_files(window)


def test_undo_stores_the_changed_rectangle_only():
    drawing = label.Drawing(np.zeros((4000, 6000), np.uint8), False, ())
    label.paint(drawing, stroke_region([(3000, 2000), (3100, 2050)], 40, (4000, 6000)), 2)
    step = drawing.undo_steps[-1]
    assert step.packed.shape[0] < 110 and step.packed.shape[1] < 160
    assert len(step.packed.content) < 1000


# ---- classes ---------------------------------------------------------------------------------


def test_class_keys_and_legend(window):
    press_key(window, "3")
    assert window.value == 3
    click_row(window, "class", "2")
    assert window.value == 2
    press_key(window, "7")
    assert window.value == 2 and "There is no class 7" in window.message
    click_row(window, "ignored")
    click_row(window, "brush")
    assert window.value == 255 and window.tool == "brush"
    click(window, (50, 50))
    assert saved(window)[50, 50] == 255


def test_a_class_is_added_while_working(window):
    click_row(window, "add class")
    press_key(window, *"Snow x", "backspace", "space", *"q", "enter")
    assert window.value == 4 and window.session.class_names[4] == "Snow q"
    click(window, *SQUARE)
    press_key(window, "enter")
    text = (window.session.label_dir / "classes.txt").read_text()
    assert text.split("\n") == [*NAMES, "Snow q", ""]
    assert (saved(window) == square_label(4)).all()
    with Image.open(window.session.label_dir / "image_0.png") as file:
        palette = np.array(file.getpalette()).reshape(-1, 3)
    assert (palette[:5] == class_colors(5)).all()
    again = open_again(window)
    assert again.session.class_names == [*NAMES, "Snow q"]
    folder = again.session.image_paths[0].parent
    named = open_session(folder, again.session.label_dir, NAMES)  # CLASS_NAMES as before
    assert named.class_names == [*NAMES, "Snow q"]
    longer = open_session(folder, again.session.label_dir, [*NAMES, "Snow q", "ice"])
    assert len(longer.class_names) == 6
    assert "ice" in (again.session.label_dir / "classes.txt").read_text()


@pytest.mark.parametrize("name, sentence", [("bird", "a class bird"), ("  ", "No name")])
def test_class_names_are_single_and_not_empty(window, name, sentence):
    press_key(window, "a", *name, "enter")
    assert sentence in window.message and window.session.class_names == NAMES
    press_key(window, "a", "z", "escape")
    assert window.typing is None and window.session.class_names == NAMES


def test_no_class_takes_the_index_to_be_ignored(folders):
    session = open_session(*folders, NAMES, ignore_label=4)
    with pytest.raises(InputError, match="No more classes"):
        session.add_class(session, "more")


def test_many_classes_scroll(folders):
    names = [f"class {index}" for index in range(60)]
    window = open_window(open_session(*folders, names))
    assert "40" not in [key for _, action, key in window.rows if action == "class"]
    x, y = window.panel.transData.transform((60, 200))
    for _ in range(100):
        mouse_at(window, "scroll_event", x, y, None, step=-1)
    click_row(window, "class", "59")
    assert window.value == 59
    assert max(top for top, *_ in window.rows) + 26 <= window.figure.bbox.height
    assert all(0 < top < window.figure.bbox.height for top, *_ in window.rows)


# ---- the picture -----------------------------------------------------------------------------


def seen_at(window, x, y):
    window.figure.canvas.draw()
    column, row = window.axes.transData.transform((x, y)).astype(int)
    seen = np.asarray(window.figure.canvas.buffer_rgba())
    return seen[seen.shape[0] - 1 - row, column, :3].astype(int)


def test_opacity_key(window):
    click(window, *SQUARE)
    press_key(window, "enter")
    image = np.asarray(window.session.picture.levels[0]).astype(int)[35, 40]
    color, seen = class_colors(4)[1].astype(int), {}
    for opacity in [*OPACITIES, OPACITIES[0]]:
        assert window.opacity == opacity
        seen[opacity] = seen_at(window, 40, 35)
        press_key(window, "o")
    assert np.abs(seen[1.0] - color).max() <= 1
    between = (seen[0.0] + color) / 2
    assert np.abs(seen[0.5] - between).max() <= 2 and np.abs(seen[0.0] - image).max() < 120


def test_ignored_pixels_are_hatched(window):
    click(window, *SQUARE)
    window.value = 255
    press_key(window, "enter")
    window.opacity = 1.0
    window.figure.canvas.draw()
    (left, top), (right, bottom) = window.axes.transData.transform([(25, 25), (55, 45)]).astype(int)
    seen = np.asarray(window.figure.canvas.buffer_rgba())
    part = seen[seen.shape[0] - top:seen.shape[0] - bottom, left:right, :3]
    white = (part == 255).all(axis=-1)
    assert 0.4 < white.mean() < 0.6
    assert 8 < np.abs(np.diff(white[5].astype(int))).sum() < part.shape[1] / 3


def test_help_shows_every_key(window):
    press_key(window, "h")
    assert window.artists["help"].get_visible()
    text = window.artists["help"].get_text()
    assert all(shown in text and what in text for shown, _, _, what in KEYS)
    click(window, (50, 50))
    assert not window.artists["help"].get_visible() and not window.points
    press_key(window, "h", "1")
    assert not window.artists["help"].get_visible()


def test_keys_are_single_and_have_actions():
    keys = [key for _, keys, _, _ in KEYS for key in keys]
    assert len(keys) == len(set(keys))
    assert {action for _, _, action, _ in KEYS if action} == set(ACTIONS)
    assert keys.format_key_table().count("\n") == len(KEYS) + 1


def test_every_action_is_a_sentence_or_works_on_a_new_window(window):
    for action, keys in {action: keys for _, keys, action, _ in KEYS if action}.items():
        if action != "close":
            press_key(window, keys[0], "escape")
    assert not window.busy


def test_matplotlibs_own_keys_are_off(window):
    before = window.axes.get_xscale(), window.figure.canvas.manager.key_press_handler_id
    press_key(window, "k", "l", "g", "s")
    assert window.axes.get_xscale() == before[0] == "linear"
    registered = window.figure.canvas.callbacks.callbacks["key_press_event"]
    assert before[1] not in registered


def test_resizing_the_window_keeps_painting_right(window):
    window.figure.set_size_inches(6, 7)
    window.figure.canvas.draw()
    window.on_resize(window, None)
    click(window, *SQUARE)
    press_key(window, "enter")
    assert np.array_equal(saved(window), square_label())


def test_the_place_under_the_mouse_is_named(window):
    click(window, *SQUARE)
    press_key(window, "enter")
    assert window.axes.format_coord(40.2, 34.9) == "x 40, y 35: 1 bird"
    assert window.axes.format_coord(-9, 0) == ""
    label_of(window)[0, :2] = 255, 37
    assert "ignored" in window.axes.format_coord(0, 0)
    assert "unknown value" in window.axes.format_coord(1, 0)


# ---- from image to image ---------------------------------------------------------------------


def test_next_previous_and_next_unlabeled(window):
    titles = []
    window.figure.canvas.manager.set_window_title = titles.append
    press_key(window, "right")
    assert titles[-1] == "image_1.jpg - 2 of 3 - 0 labeled"
    click(window, *SQUARE)
    press_key(window, "enter")
    assert titles[-1] == "image_1.jpg - 2 of 3 - 1 labeled"
    press_key(window, "left")
    assert titles[-1] == "image_0.jpg - 1 of 3 - 1 labeled"
    press_key(window, "left")
    assert window.message == "This is the first image."
    press_key(window, "n")
    assert window.session.index == 2
    press_key(window, " ")
    assert "last image" in window.message
    press_key(window, "n")
    assert window.session.index == 0
    assert label_files(window) == ["image_1.png"]


def test_the_first_image_without_a_label_is_shown_first(window):
    for _ in range(2):
        click(window, *SQUARE)
        press_key(window, "enter", "n")
    again = open_again(window)
    assert again.session.index == 2 and len(again.session.labeled) == 2


def test_all_background_is_said_by_a_key(window):
    press_key(window, "x")
    assert window.session.index == 1 and not saved(window, 0).any()
    click(window, *SQUARE)
    press_key(window, "enter", "x")
    assert "painted" in window.message and window.session.index == 1
    press_key(window, "left", "z")
    assert label_files(window) == ["image_1.png"]
    press_key(window, "x", "n", "x")
    assert "Every image has a label" in window.message
    press_key(window, "n")
    assert window.message == "All other images have a label."


def test_moving_on_waits_for_the_polygon(window):
    click(window, *SQUARE)
    press_key(window, "right")
    assert "under way" in window.message and window.session.index == 0
    press_key(window, "enter", "right")
    assert window.session.index == 1


def test_the_next_image_is_loaded_ahead(window):
    paths = window.session.image_paths
    assert paths[1] in window.session.preloading
    ahead = window.session.preloading[paths[1]].result()
    press_key(window, "right")
    assert window.session.picture is ahead
    assert set(window.session.preloading) == set(paths)


def test_few_images_are_kept_in_memory(tmp_path):
    make_images(tmp_path / "images", 12)
    window = open_window(open_session(tmp_path / "images", tmp_path / "labels", NAMES))
    for _ in range(10):
        press_key(window, "right")
        assert len(window.session.preloading) <= 4


def test_closing_by_key(window):
    press_key(window, "q")
    assert not plt.fignum_exists(window.figure.number)


# ---- labels on the disk ----------------------------------------------------------------------


def test_what_is_written_is_what_import_images_reads(window):
    for value in (1, 2, 3):
        window.value = value
        click(window, *SQUARE)
        press_key(window, "enter", "right")
    images, labels, weights = import_images(
        window.session.image_paths[0].parent, window.session.label_dir, SIZE, training=False)
    assert images.shape == (3, *SIZE, 3) and len(weights) == 4
    for found, value in zip(labels, (1, 2, 3)):
        assert np.array_equal(found, square_label(value))
    with Image.open(window.session.label_dir / "image_0.png") as file:
        assert file.mode == "P" and file.size == SIZE[::-1]
        assert tuple(file.convert("RGB").getpixel((30, 30))) == tuple(class_colors(4)[1])


def test_the_label_has_the_size_of_the_upright_image(tmp_path):
    (tmp_path / "images").mkdir()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (128, 96)).save(tmp_path / "images" / "photo.a.jpg", exif=exif)
    window = open_window(open_session(tmp_path / "images", tmp_path / "labels", NAMES))
    click(window, (10, 100), (80, 100), (80, 120))
    press_key(window, "enter")
    with Image.open(tmp_path / "labels" / "photo.a.png") as file:
        assert file.size == (96, 128)
    import_images(tmp_path / "images", tmp_path / "labels", (64, 64), training=False)


@pytest.mark.parametrize("mode", ["L", "P"])
def test_labels_from_elsewhere_keep_their_values(folders, mode):
    label = square_label(37)
    label[60:70, 60:70], label[80:90] = 255, 3
    folders[1].mkdir()
    file = Image.fromarray(label)
    if mode == "P":
        file.putpalette(np.random.default_rng(1).integers(0, 256, 768, np.uint8).tobytes())
    assert file.mode == mode
    file.save(folders[1] / "image_0.png")
    before = (folders[1] / "image_0.png").read_bytes()
    window = open_window(open_session(*folders, NAMES))
    assert window.session.index == 1
    press_key(window, "left")
    assert np.array_equal(label_of(window), label)
    assert session.unknown_values(window.session) == [37]
    assert any("unknown: 37" in text.get_text() for text in window.panel.texts)
    press_key(window, "right", "left")
    assert (folders[1] / "image_0.png").read_bytes() == before  # looked at, not touched
    press_key(window, "b")
    click(window, (110, 10))
    after = saved(window)
    changed = after != label
    assert (after[changed] == 1).all() and changed[10, 110] and not changed[20:].any()
    press_key(window, "z")
    assert np.array_equal(saved(window), label)


def test_unknown_values_are_hatched_the_other_way():
    image = np.zeros((60, 60, 3), np.uint8)
    ignored, unknown = (view.blend_label(image, np.full((60, 60), value, np.uint8), 4, 255, 1)
                        for value in (255, 37))
    assert np.array_equal(ignored[5, 1:], ignored[6, :-1])
    assert np.array_equal(unknown[5, :-1], unknown[6, 1:])
    assert not np.array_equal(ignored, unknown)


def test_images_and_labels_in_one_folder(tmp_path):
    make_images(tmp_path, 2)
    Image.fromarray(square_label()).save(tmp_path / "image_0.png")
    window = open_window(open_session(tmp_path, tmp_path, NAMES))
    assert len(window.session.image_paths) == 2 and window.session.index == 1
    click(window, *SQUARE)
    press_key(window, "enter")
    assert len(import_images(tmp_path, tmp_path, SIZE, training=False)[0]) == 2


def test_an_upper_case_label_is_opened_and_kept_in_place(folders):
    folders[1].mkdir()
    Image.fromarray(square_label()).save(folders[1] / "image_0.PNG", "PNG")
    window = open_window(open_session(*folders, NAMES))
    press_key(window, "left", "b", "0")
    click(window, (40, 35))
    assert [path.name for path in folders[1].glob("*.[pP]*")] == ["image_0.PNG"]
    assert saved(window)[35, 40] == 0


def test_nothing_is_saved_half(window, monkeypatch):
    click(window, *SQUARE)
    press_key(window, "enter")
    monkeypatch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(OSError(28, "full")))
    press_key(window, "b")
    click(window, (100, 80))
    assert "can't be written (full)" in window.message and window.session.unsaved
    assert np.array_equal(saved(window), square_label())
    press_key(window, "right")
    assert window.session.index == 0 and "can't be written" in window.message
    monkeypatch.undo()
    press_key(window, "right")
    assert window.session.index == 1 and saved(window, 0)[80, 100] == 1
    assert not window.session.unsaved


def test_closing_saves_what_could_not_be_saved_before(window, monkeypatch):
    monkeypatch.setattr(window, "keep",
                        lambda window: setattr(window.session, "unsaved", True))
    click(window, *SQUARE)
    press_key(window, "enter")
    assert not label_files(window)
    open_again(window)
    assert label_files(window) == ["image_0.png"]


def test_a_kill_loses_no_finished_stroke(folders):
    """A process is killed in the middle of its fourth stroke; the first three are on the disk."""
    program = textwrap.dedent(f"""
        import os, signal, sys
        sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}]
        import test_annotate_segmentation as test
        session = test.open_session({str(folders[0])!r}, {str(folders[1])!r}, test.NAMES)
        window = test.open_window(session)
        test.press_key(window, "b")
        for value, y in ((1, 20), (2, 45), (3, 70)):
            window.value = value
            test.drag(window, [(20, y), (100, y)])
        test.mouse(window, "button_press_event", (64, 90))
        test.mouse(window, "motion_notify_event", (90, 90))
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    result = subprocess.run([sys.executable, "-c", program], timeout=120)
    assert result.returncode == -signal.SIGKILL
    label = read_label(folders[1] / "image_0.png")
    assert [label[y, 60] for y in (20, 45, 70, 90)] == [1, 2, 3, 0]


# ---- errors ----------------------------------------------------------------------------------


def test_an_empty_folder(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(InputError, match=r"No images in .*images: put"):
        open_session(tmp_path / "images", tmp_path / "labels")
    with pytest.raises(InputError, match="does not exist"):
        open_session(tmp_path / "nowhere", tmp_path / "labels")
    make_images(tmp_path / "images", 1, suffix=".png")
    with pytest.raises(InputError, match="PNGs, which are labels"):
        open_session(tmp_path / "images", tmp_path / "images")


def test_two_images_of_one_name(tmp_path):
    make_images(tmp_path / "images", 2)
    make_images(tmp_path / "images", 1, suffix=".bmp")
    with pytest.raises(InputError, match=r"image_0.bmp, image_0.jpg"):
        open_session(tmp_path / "images", tmp_path / "labels")


def test_a_label_in_the_other_unicode_normal_form_is_the_image_s(tmp_path):
    (tmp_path / "labels").mkdir()
    write_pair((tmp_path, tmp_path / "labels"), "M\u00f6we", np.eye(8))
    label = (tmp_path / "labels/M\u00f6we.png").rename(tmp_path / "labels/Mo\u0308we.png")
    session = open_session(tmp_path, tmp_path / "labels")
    assert session.labeled == set(session.image_paths)
    assert session.label_path_of(session, session.image_paths[0]) == label


def test_a_folder_that_cannot_be_written_is_said_at_the_start(folders, monkeypatch):
    (folders[0].parent / "file").write_text("")
    with pytest.raises(InputError, match="can't be written to"):
        open_session(folders[0], folders[0].parent / "file" / "labels")

    def refuse(**options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(session.tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match=r"can't be written to .*labels \(Permission denied\)"):
        open_session(*folders)


def test_unreadable_images_and_labels_of_another_size_are_skipped(tmp_path):
    paths = make_images(tmp_path / "images", 6)
    paths[1].write_bytes(b"no image")
    paths[2].write_bytes(paths[2].read_bytes()[:2000])  # torn
    (tmp_path / "labels").mkdir()
    Image.new("L", (50, 40), 1).save(tmp_path / "labels" / "image_3.png")
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "labels" / "image_4.png")
    before = (tmp_path / "labels" / "image_3.png").read_bytes()
    window = open_window(open_session(tmp_path / "images", tmp_path / "labels", NAMES))
    press_key(window, "right")
    assert window.session.image_paths == [paths[0], paths[5]]
    assert window.session.picture.image_path == paths[5]
    assert "Skipped: image_1.jpg can't be read" in window.message
    text = session.format_skipped(window.session)
    assert "image_3.jpg is 128x96 but its label is 50x40" in text and "image_4.png" in text
    assert (tmp_path / "labels" / "image_3.png").read_bytes() == before
    press_key(window, "left")
    assert window.session.picture.image_path == paths[0]


def test_skipping_backwards_and_at_the_end(tmp_path):
    paths = make_images(tmp_path / "images", 4)
    for path in (paths[1], paths[3]):
        path.write_bytes(b"no image")
    session = open_session(tmp_path / "images", tmp_path / "labels", NAMES)
    session.index = 2
    window = open_window(session)
    press_key(window, "left")
    assert window.session.picture.image_path == paths[0]
    press_key(window, "right", "right")
    assert window.session.picture.image_path in (paths[0], paths[2])


def test_only_unreadable_images(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"None of the images can be labeled:\n  a.jpg can't"):
        open_window(open_session(tmp_path / "images", tmp_path / "labels", NAMES))


def test_class_names_of_the_folder(folders):
    assert open_session(*folders).class_names == ["background", "object"]
    assert (folders[1] / "classes.txt").read_text() == "background\nobject\n"
    with pytest.raises(InputError, match=r"classes.txt says background, object, but CLASS_NAMES"):
        open_session(*folders, NAMES)
    (folders[1] / "classes.txt").write_text("a\nb\na\n")
    with pytest.raises(InputError, match="different names"):
        open_session(*folders)
    (folders[1] / "classes.txt").unlink()
    save_mask(folders[1] / "image_1.png", square_label(3), class_colors(4))
    assert open_session(*folders).class_names == ["background", "class 1", "class 2", "class 3"]


def test_no_display_names_the_package():
    with pytest.raises(InputError, match=r"python3-tk.*MPLBACKEND"):
        dialogs.check_display()
    result = subprocess.run(
        [sys.executable, str(ROOT / "annotate_segmentation.py")], text=True, capture_output=True,
        env={**os.environ, "MPLBACKEND": "TkAgg", "DISPLAY": "", "WAYLAND_DISPLAY": ""})
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "python3-tk" in result.stderr and "MPLBACKEND" in result.stderr


def test_questions_in_the_terminal(folders, monkeypatch):
    monkeypatch.setattr(dialogs, "open_dialogs", lambda: None)
    answers = iter([str(folders[0]), "", "background, bird ,fish"])
    monkeypatch.setattr("builtins.input", lambda question: next(answers))
    assert dialogs.ask_folder("Images", "IMAGE_DIR") == str(folders[0])
    with pytest.raises(InputError, match="set LABEL_DIR"):
        dialogs.ask_folder("Labels", "LABEL_DIR")
    assert dialogs.ask_class_names(folders[1]) == ["background", "bird", "fish"]
    open_session(*folders)
    assert dialogs.ask_class_names(folders[1]) is None


def test_main_runs_from_the_constants(folders, monkeypatch, capsys):
    monkeypatch.setattr(dialogs, "check_display", lambda: None)
    monkeypatch.setattr(annotate_segmentation, "IMAGE_DIR", str(folders[0]))
    monkeypatch.setattr(annotate_segmentation, "LABEL_DIR", str(folders[1]))
    (folders[0] / "image_1.jpg").write_bytes(b"no image")

    def paint_a_little():
        window = windows[0]
        click(window, *SQUARE)
        press_key(window, "enter", "right", "q")

    windows, build = [], window.open_window
    monkeypatch.setattr(window, "open_window",
                        lambda session: windows.append(build(session)))
    monkeypatch.setattr(plt, "show", paint_a_little)
    annotate_segmentation.main()
    printed = capsys.readouterr().out
    assert "3 images, 0 labeled" in printed and "1 of 2 images are labeled" in printed
    assert "1 image(s) were skipped:\n  image_1.jpg" in printed


def test_importing_starts_nothing_and_needs_no_tensorflow():
    program = ("import sys, annotate_segmentation, matplotlib.pyplot as plt; "
               "print('tensorflow' in sys.modules, 'tkinter' in sys.modules, plt.get_fignums())")
    result = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True,
                            cwd=ROOT)
    assert result.stdout.strip() == "False False []", result.stderr


# ---- pre-labeling ---------------------------------------------------------------------------


def give_model(window, predict):
    """Puts a function in the place of the trained model."""
    window.session.predictor = None, predict


def test_prediction_is_put_in_and_undone(window):
    logits = np.zeros((32, 32, 4), np.float32)
    logits[:, :16, 0] = logits[:, 16:, 2] = 1
    give_model(window, lambda path: logits)
    press_key(window, "p")
    assert "Labeled by the model" in window.message
    assert (saved(window)[:, 65:] == 2).all() and not saved(window)[:, :63].any()
    press_key(window, "b")
    click(window, (20, 20))
    press_key(window, "z", "z")
    assert not label_files(window)
    press_key(window, "y")
    assert (saved(window)[:, 65:] == 2).all()


def test_enlarged_classes_agree_with_pillows_bilinear():
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(24, 40, 5)).astype(np.float32)
    size = (171, 333)
    planes = np.stack([np.asarray(Image.fromarray(logits[..., index]).resize(
        size[::-1], Image.Resampling.BILINEAR)) for index in range(5)])
    expected = planes.argmax(axis=0)
    order = np.sort(planes, axis=0)
    clear = order[-1] - order[-2] > 1e-3
    assert np.array_equal(prelabel.enlarge_classes(logits, size)[clear], expected[clear])


def test_enlarging_in_stripes_has_no_seams(monkeypatch):
    logits = np.random.default_rng(3).normal(size=(16, 16, 3)).astype(np.float32)
    whole = prelabel.enlarge_classes(logits, (200, 150))
    monkeypatch.setattr(prelabel, "UPSAMPLE_MEMORY", 16 * 150 * 7)
    assert np.array_equal(prelabel.enlarge_classes(logits, (200, 150)), whole)


def test_doubt():
    sure, unsure = np.zeros((2, 8, 8, 3), np.float32)
    sure[..., 1] = 50
    unsure[..., :2] = 50
    assert prelabel.measure_uncertainty(sure) == pytest.approx(0, abs=1e-6)
    assert prelabel.measure_uncertainty(unsure) == pytest.approx(1, abs=1e-6)
    even = np.log(np.array([[[0.5, 0.3, 0.2]]], np.float32))
    assert prelabel.measure_uncertainty(even) == pytest.approx(0.8, abs=1e-6)


def test_least_sure_image_is_found_and_measured_once(tmp_path):
    paths = make_images(tmp_path / "images", 6)
    paths[4].write_bytes(b"no image")
    window = open_window(open_session(tmp_path / "images", tmp_path / "labels", NAMES))
    asked = []

    def predict(path):
        asked.append(path)
        if path == paths[4]:
            raise InputError("can't be read")
        logits = np.zeros((4, 4, 4), np.float32)
        logits[..., 0] = {0: 9, 1: 3, 2: 0.5, 3: 1, 5: 4}[paths.index(path)]
        return logits

    give_model(window, predict)
    press_key(window, "u")
    assert window.session.picture.image_path == paths[2] and len(asked) == 5
    press_key(window, "x")  # paths[2] is labeled now; on paths[3]
    press_key(window, "left", "u")
    assert window.session.picture.image_path == paths[3] and asked.count(paths[3]) == 1


def test_the_search_can_be_ended(tmp_path, monkeypatch):
    make_images(tmp_path / "images", 8)
    window = open_window(open_session(tmp_path / "images", tmp_path / "labels", NAMES))
    give_model(window, lambda path: np.zeros((4, 4, 4), np.float32))
    monkeypatch.setattr(window, "PROGRESS_SECONDS", -1)
    monkeypatch.setattr(window.figure.canvas, "flush_events",
                        lambda: press_key(window, "right", "escape"))
    press_key(window, "u")
    assert len(window.session.uncertainties) == 1 and window.session.index == 1


def test_without_a_model_a_sentence_says_so(window):
    press_key(window, "p")
    assert "run main.py first" in window.message and not window.busy
    press_key(window, "u")
    assert "run main.py first" in window.message and not window.busy


def test_a_model_of_other_classes_is_refused(window):
    window.session.output_dir.mkdir()
    info = {"class_names": ["background", "fish"], "class_colors": [[0, 0, 0], [1, 1, 1]],
            "image_size": [32, 32]}
    (window.session.output_dir / "model.json").write_text(json.dumps(info))
    press_key(window, "p")
    assert "knows background, fish, but you label background, bird, water, sky" in window.message
    assert not label_files(window)


def test_pre_labeling_with_a_real_model(window):
    """The model that main.py would save: built by get_model, opened by tflite_convert."""
    keras = pytest.importorskip("keras")
    from get_model import get_model
    from segmentation.results import save_model

    session = window.session
    session.output_dir.mkdir()
    keras.utils.set_random_seed(1)
    model = get_model((32, 32), 4, None, (8, 8, 8, 8))
    save_model(model, session.output_dir / "model.keras")
    info = {"class_names": NAMES, "class_colors": class_colors(4).tolist(),
            "image_size": [32, 32], "ignore_label": 255}
    (session.output_dir / "model.json").write_text(json.dumps(info))
    press_key(window, "p")
    assert "Labeled by the model" in window.message
    image = read_image(session.image_paths[0], (32, 32))
    logits = np.asarray(model(image[None].astype(np.float32), training=False))[0]
    expected = prelabel.enlarge_classes(logits, SIZE)
    assert (saved(window) == expected).mean() > 0.97
    press_key(window, "u")
    assert window.session.index in (1, 2) and len(session.uncertainties) == 2
    os.utime(session.output_dir / "model.keras", (1, 1))  # trained anew
    press_key(window, "p")
    assert session.uncertainties == {} and session.predictor[0] == 10**9
