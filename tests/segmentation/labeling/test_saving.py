"""Tests of segmentation/labeling/saving.py: two windows on one folder, a full or a slow disk."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backend_bases import CloseEvent

from device.drawing import class_colors, save_mask
from device.errors import InputError
from device.images import read_label
from labeling import hand
from labeling.hand import (
    NAMES,
    SIZE,
    SQUARE,
    click,
    drag,
    label_files,
    press_key,
    saved,
    square_label,
)
from segmentation.labeling.opening import open_session
from segmentation.labeling.window import open_window

ROOT = Path(__file__).resolve().parents[3]


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


# ---- a slow disk: one goes on while a label is on its way to it --------------------------------


class SlowDisk:
    """Renames no file until it is told to, and goes on soon after, or fails like a full disk."""

    def __init__(self, monkeypatch):
        self.may_write, self.is_full, self.replace = threading.Event(), False, os.replace
        monkeypatch.setattr(os, "replace", self.write)
        monkeypatch.setattr(hand, "PATIENCE", 0)

    def write(self, source, target):
        assert self.may_write.wait(60)
        if self.is_full:
            fail()
        self.replace(source, target)

    def write_soon(self, is_full=False):
        """Goes on while the window waits for the next key."""
        self.is_full = is_full
        threading.Timer(0.2, self.may_write.set).start()


@pytest.fixture
def slow_disk(monkeypatch):
    disk = SlowDisk(monkeypatch)
    yield disk
    disk.may_write.set()


def bar_of(window):
    return " ".join(text.get_text() for text in window.bar.texts)


def paint_square(window):
    click(window, *SQUARE)
    press_key(window, "enter")
    assert not label_files(window) and not window.session.writing[0].done()
    assert "saving ..." in bar_of(window) and not window.session.unsaved


def test_moving_on_waits_for_the_label_on_its_way(window, slow_disk):
    paint_square(window)
    slow_disk.write_soon()
    press_key(window, "right")
    assert window.session.index == 1 and np.array_equal(saved(window, 0), square_label())
    assert len(window.session.labeled) == 1
    press_key(window, "left", "z", "escape")  # which waits until the file is removed
    assert not label_files(window)  # the file's time was known: no conflict with oneself


def test_closing_waits_for_the_label_on_its_way(window, slow_disk):
    paint_square(window)
    slow_disk.write_soon()
    press_key(window, "q")
    assert not plt.fignum_exists(window.figure.number)
    assert np.array_equal(saved(window), square_label())


def test_a_window_closed_by_force_waits_too(window, slow_disk):
    paint_square(window)
    slow_disk.write_soon()
    canvas = window.figure.canvas
    canvas.callbacks.process("close_event", CloseEvent("close_event", canvas))
    assert np.array_equal(saved(window), square_label())


def test_undo_waits_for_the_label_on_its_way(window, slow_disk):
    paint_square(window)
    slow_disk.write_soon()
    press_key(window, "z", "escape")
    assert not label_files(window) and not window.session.labeled


@pytest.mark.parametrize("key", ["right", "q"])
def test_a_disk_that_is_full_by_then_stops_what_is_done_next(window, slow_disk, key):
    paint_square(window)
    slow_disk.write_soon(is_full=True)
    press_key(window, key)
    said = window.question.text if key == "q" else window.message
    assert "can't be written (No space left" in said
    assert window.session.unsaved and "NOT SAVED" in bar_of(window)
    assert window.session.index == 0 and plt.fignum_exists(window.figure.number)
    slow_disk.is_full = False
    press_key(window, "escape", "right")
    assert window.session.index == 1 and np.array_equal(saved(window, 0), square_label())


def test_a_disk_that_is_full_is_said_without_a_key(window, monkeypatch):
    monkeypatch.setattr(os, "replace", fail)
    click(window, *SQUARE)
    press_key(window, "enter")  # and the timer
    assert "can't be written (No space left" in window.message and window.is_alarm
    assert "NOT SAVED" in bar_of(window)


def test_a_key_that_meets_a_conflict_does_not_answer_it(window, monkeypatch):
    click(window, *SQUARE)
    press_key(window, "enter", "b")
    theirs = write_theirs(window)
    monkeypatch.setattr(hand, "let_time_pass", lambda window: None)
    click(window, (100, 10))
    press_key(window, "t")  # meant: the class under the pointer; not: their version
    assert "changed by another program" in window.question.text
    assert np.array_equal(saved(window), theirs)
    press_key(window, "t")
    assert window.question is None and not window.session.unsaved


def test_strokes_quicker_than_the_disk_are_all_saved(window, monkeypatch):
    monkeypatch.setattr(hand, "let_time_pass", lambda window: None)
    press_key(window, "b")
    for x in range(5, 120, 10):
        drag(window, [(x, 20), (x, 80)])
    press_key(window, "right")
    assert (saved(window, 0)[50, 5:120:10] == 1).all()


def test_a_kill_while_a_stroke_is_saved_loses_that_stroke_alone(folders):
    """A process is killed when its third stroke is written and not yet renamed."""
    program = textwrap.dedent(f"""
        import os, signal, sys, time
        sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests/segmentation")!r}]
        import matplotlib
        matplotlib.use("Agg")
        from labeling import hand
        from segmentation.labeling.opening import open_session
        from segmentation.labeling.window import open_window
        window = open_window(open_session({str(folders[0])!r}, {str(folders[1])!r}, hand.NAMES))
        hand.let_time_pass = lambda window: None
        replace, count = os.replace, []
        def kill_at_the_third(source, target):
            count.append(target)
            if len(count) == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            replace(source, target)
        os.replace = kill_at_the_third
        hand.press_key(window, "b")
        for value, y in ((1, 20), (2, 45), (3, 70), (1, 90)):
            window.value = value
            hand.drag(window, [(20, y), (100, y)])
        time.sleep(60)
    """)
    result = subprocess.run([sys.executable, "-c", program], timeout=120)
    assert result.returncode == -signal.SIGKILL
    label = read_label(folders[1] / "image_0.png")
    assert [label[y, 60] for y in (20, 45, 70, 90)] == [1, 2, 0, 0]
