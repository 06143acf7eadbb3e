"""Tests of segmentation/labeling/actions.py, with matplotlib's events on the Agg canvas."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from device.drawing import class_colors
from labeling.hand import (
    NAMES,
    SQUARE,
    click,
    click_row,
    drag,
    label_files,
    label_of,
    make_images,
    open_again,
    press_key,
    saved,
    square_label,
)
from segmentation.labeling.opening import open_session
from segmentation.labeling.window import open_window


def test_fifty_strokes_are_undone_and_redone(window):
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
    assert window.prompt is None and window.session.class_names == NAMES


def test_closing_by_key(window):
    press_key(window, "q")
    assert not plt.fignum_exists(window.figure.number)
