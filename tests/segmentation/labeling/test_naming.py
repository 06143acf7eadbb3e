"""Tests of segmentation/labeling/naming.py: choosing a class."""

from labeling.hand import SQUARE, click, label_of, mouse, press_key
from segmentation.labeling.opening import open_session
from segmentation.labeling.window import open_window


def test_class_and_eraser_are_swapped(window):
    press_key(window, "3", "s")
    assert window.value == 0
    press_key(window, "s")
    assert window.value == 3


def test_the_class_under_the_pointer_is_taken(window):
    press_key(window, "2")
    click(window, *SQUARE)
    press_key(window, "enter", "1")
    mouse(window, "motion_notify_event", (40, 35))
    press_key(window, "t")
    assert window.value == 2
    label_of(window)[35, 40] = 77
    press_key(window, "t")
    assert window.value == 2 and "77 is no class" in window.message


def test_classes_above_9_have_keys(folders):
    names = ["background", *(f"kind {letter}" for letter in "abcdefghijklmn"), "tree"]
    window = open_window(open_session(*folders, names))
    press_key(window, "/", "1", "2", "enter")
    assert window.value == 12
    press_key(window, ".")
    assert window.value == 13
    press_key(window, ",", ",")
    assert window.value == 11
    press_key(window, "/", *"tr", "enter")
    assert window.value == 15
    press_key(window, ".", ",")
    assert window.value == 15
    press_key(window, "/", *"zz", "enter")
    assert window.value == 15 and "no class zz" in window.message
