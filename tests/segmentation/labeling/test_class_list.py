"""Tests of segmentation/labeling/class_list.py: classes renamed and merged with their labels."""

import os

import numpy as np
import pytest
from PIL import Image

from device.errors import InputError
from labeling.hand import NAMES, SQUARE, click, press_key, saved, square_label
from segmentation.labeling.class_list import merge_classes, rename_class
from segmentation.labeling.opening import open_session


def paint_all(window):
    """Paints classes 1, 2, 3 on the three images; the last stays open."""
    for value in "123":
        press_key(window, value)
        click(window, *SQUARE)
        press_key(window, "enter", "right")


def names_on_disk(window):
    return (window.session.label_dir / "classes.txt").read_text().split()


def test_a_class_is_renamed(window):
    press_key(window, "2", "f2", *"lake", "enter")
    assert names_on_disk(window) == ["background", "bird", "lake", "sky"]
    with pytest.raises(InputError, match="a class bird"):
        rename_class(window.session, 2, "bird")


def test_two_classes_become_one_in_all_labels(window):
    paint_all(window)
    press_key(window, "2", "f2", *"bird", "enter")
    assert "can't be undone" in window.question.text
    press_key(window, "y")
    assert names_on_disk(window) == ["background", "bird", "sky"]
    for index, value in enumerate((1, 1, 2)):
        assert np.array_equal(saved(window, index), square_label(value))
    assert window.session.class_names == ["background", "bird", "sky"]
    assert "in 2 labels" in window.message


def test_a_question_is_left_by_esc(window):
    paint_all(window)
    press_key(window, "2", "f2", *"bird", "enter", "escape")
    assert window.question is None and names_on_disk(window) == NAMES


def test_foreign_masks_of_255_get_a_class(folders, monkeypatch):
    folders[1].mkdir()
    Image.fromarray(square_label(255)).save(folders[1] / "image_0.png")
    session = open_session(*folders, NAMES)
    assert merge_classes(session, 255, 1) == 1
    assert session.class_names == NAMES
    with Image.open(folders[1] / "image_0.png") as file:
        assert np.array_equal(np.asarray(file), square_label(1))


def test_all_labels_are_changed_or_none(window, monkeypatch):
    paint_all(window)
    before = [saved(window, index) for index in range(3)]

    def fail(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("segmentation.labeling.class_list.write_class_names", fail)
    with pytest.raises(InputError, match="Nothing was changed"):
        merge_classes(window.session, 2, 1)
    assert all(np.array_equal(saved(window, index), before[index]) for index in range(3))
    assert sorted(os.listdir(window.session.label_dir)) == [
        "classes.txt", "image_0.png", "image_1.png", "image_2.png"]


def test_a_change_that_was_interrupted_is_finished_at_the_next_start(window, monkeypatch):
    paint_all(window)
    monkeypatch.setattr("segmentation.labeling.class_list.finish_rewriting", lambda folder: None)
    merge_classes(window.session, 2, 1)
    assert names_on_disk(window) == NAMES  # killed before the files were moved
    monkeypatch.undo()
    again = open_session(window.session.image_paths[0].parent, window.session.label_dir)
    assert again.class_names == ["background", "bird", "sky"]
    assert np.array_equal(saved(window, 2), square_label(2))
