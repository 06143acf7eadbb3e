"""Tests of segmentation/labeling/saving.py: two windows on one folder, and a full disk."""

import os

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backend_bases import CloseEvent

from device.drawing import class_colors, save_mask
from device.errors import InputError
from labeling.hand import NAMES, SIZE, SQUARE, click, label_files, press_key, saved, square_label
from segmentation.labeling.opening import open_session
from segmentation.labeling.window import open_window


def write_theirs(window):
    """Another program paints class 3 at the bottom, and removes what was there."""
    theirs = np.zeros(SIZE, np.uint8)
    theirs[80:90] = 3
    path = window.session.picture.label_path
    save_mask(path, theirs, class_colors(4))
    os.utime(path, ns=(1, 1))
    return theirs


def disturb(window):
    """Paints, lets another program write, paints on; returns the other's label."""
    click(window, *SQUARE)
    press_key(window, "enter", "b", "2")
    theirs = write_theirs(window)
    click(window, (100, 10))
    return theirs


def test_a_label_changed_elsewhere_is_asked_about_not_overwritten(window):
    theirs = disturb(window)
    assert "changed by another program" in window.question.text and window.session.unsaved
    assert np.array_equal(saved(window), theirs)
    press_key(window, "escape", "right")
    assert window.session.index == 0 and window.question is not None  # it can't be left either


def test_both_versions_together(window):
    theirs = disturb(window)
    press_key(window, "b")
    expected = theirs.copy()
    expected[saved(window) == 2] = 2
    assert saved(window)[10, 100] == 2 and (saved(window)[80:90] == 3).all()
    assert not window.session.unsaved and window.question is None


def test_theirs_or_mine(window):
    theirs = disturb(window)
    press_key(window, "t")
    assert np.array_equal(saved(window), theirs)
    press_key(window, "z")  # mine again
    assert (saved(window) == 1)[20:50, 20:60].all()
    write_theirs(window)
    click(window, (110, 60))
    press_key(window, "m")
    assert (saved(window) == 1)[20:50, 20:60].all() and not (saved(window) == 3).any()


def test_two_windows_on_one_folder_add_classes_with_numbers_of_their_own(window):
    folder = window.session.image_paths[0].parent
    other = open_window(open_session(folder, window.session.label_dir))
    press_key(other, "a", *"fog", "enter")
    press_key(window, "a", *"ice", "enter")
    assert window.session.class_names == [*NAMES, "fog", "ice"] and window.value == 5
    plt.close(other.figure)


def fail(*arguments):
    raise OSError(28, "No space left on device")


def test_q_on_a_full_disk_asks_and_loses_nothing(window, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "replace", fail)
    click(window, *SQUARE)
    press_key(window, "enter", "q")
    assert plt.fignum_exists(window.figure.number) and "lose" in window.question.text
    press_key(window, "escape")
    monkeypatch.undo()
    press_key(window, "q")
    assert not plt.fignum_exists(window.figure.number)
    assert np.array_equal(saved(window), square_label())


def test_a_window_closed_by_force_leaves_a_copy(window, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda source, target: replace(source, target)
                        if tmp_path == target.parent else fail())
    click(window, *SQUARE)
    press_key(window, "enter")
    canvas = window.figure.canvas
    with pytest.raises(InputError, match=r"as it was drawn here is .*unsaved_image_0.png"):
        canvas.callbacks.process("close_event", CloseEvent("close_event", canvas))
    assert (tmp_path / "unsaved_image_0.png").is_file() and not label_files(window)
