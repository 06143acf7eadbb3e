"""Tests of segmentation/labeling/keys.py, with matplotlib's events on the Agg canvas."""

from labeling.hand import press_key
from segmentation.labeling.actions import ACTIONS, WITH_KEY
from segmentation.labeling.keys import KEYS


def test_keys_are_single_and_have_actions():
    keys = [key for _, keys, _, _ in KEYS for key in keys]
    assert len(keys) == len(set(keys))
    assert {action for _, _, action, _ in KEYS if action} == {*ACTIONS, *WITH_KEY}


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
