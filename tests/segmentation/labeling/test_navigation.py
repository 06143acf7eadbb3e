"""Tests of segmentation/labeling/navigation.py, with matplotlib's events on the Agg canvas."""

import numpy as np
import pytest
from PIL import Image

from device.errors import InputError
from labeling.hand import (
    NAMES,
    SIZE,
    SQUARE,
    click,
    label_files,
    make_images,
    open_again,
    press_key,
    saved,
    square_label,
)
from segmentation.labeling.opening import open_session
from segmentation.labeling.session import format_skipped
from segmentation.labeling.window import open_window


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
    text = format_skipped(window.session)
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


def test_background_by_mistake_is_said_and_taken_back_from_the_next_image(window):
    press_key(window, "x")
    assert "image_0.jpg is saved as all background; z takes that back" in window.message
    assert window.session.index == 1
    press_key(window, "z")
    assert window.session.index == 0 and not label_files(window)
    assert "has no label again" in window.message


def test_left_past_unreadable_images_stays_near(tmp_path):
    paths = make_images(tmp_path / "images", 5)
    session = open_session(tmp_path / "images", tmp_path / "labels", NAMES)
    session.index = 2
    window = open_window(session)
    for path in paths[:2]:
        path.write_bytes(b"no image")
    window.session.preloading.pop(paths[1], None)
    press_key(window, "left")
    assert window.session.picture.image_path == paths[2]
    assert "image_0.jpg" in window.message and "image_1.jpg" in window.message


def test_numbers_home_and_end(tmp_path):
    make_images(tmp_path / "images", 12)
    window = open_window(open_session(tmp_path / "images", tmp_path / "labels", NAMES))
    press_key(window, "end")
    assert window.session.index == 11
    press_key(window, "home")
    assert window.session.index == 0
    press_key(window, "g", "1", "2", "backspace", "1", "enter")
    assert window.session.index == 10
    press_key(window, "g", "9", "9", "enter")
    assert window.session.index == 10 and "1 to 12" in window.message


def test_masks_of_0_and_255_are_pointed_out(folders):
    folders[1].mkdir()
    Image.fromarray(square_label(255)).save(folders[1] / "image_0.png")
    window = open_window(open_session(*folders, NAMES))
    press_key(window, "left")
    assert "only 0 and 255" in window.message and window.is_alarm
    press_key(window, "1", "f2", *"255", "enter", "y")
    assert np.array_equal(saved(window), square_label(1))
