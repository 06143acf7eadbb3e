"""Tests of segmentation/labeling/bars.py: the buttons above and the status line below."""

import numpy as np

from labeling.hand import SQUARE, click, mouse_at, press_key, saved, square_label
from segmentation.labeling.screen import say
from segmentation.labeling.style import ALARM


def click_button(window, action):
    left, right, _ = next(button for button in window.buttons if button[2] == action)
    x, y = window.bar.transData.transform(((left + right) / 2, 20))
    mouse_at(window, "button_press_event", x, y)
    mouse_at(window, "button_release_event", x, y)


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_buttons_do_what_their_keys_do(window):
    click_button(window, "next")
    assert window.session.index == 1
    click_button(window, "previous")
    click(window, *SQUARE)
    press_key(window, "enter")
    click_button(window, "undo")
    assert not saved(window).any() if window.session.labeled else len(window.points) == 4
    click_button(window, "redo")
    assert np.array_equal(saved(window), square_label())
    click_button(window, "help")
    assert window.artists["help"].get_visible()


def test_it_is_seen_that_everything_is_saved(window):
    assert any("no label yet" in text for text in texts(window.bar))
    click(window, *SQUARE)
    press_key(window, "enter")
    assert any("all saved" in text for text in texts(window.bar))


def test_a_failure_is_red_and_long_sentences_stay_in_their_place(window):
    say(window, "The disk is full. " * 30, is_alarm=True)
    assert window.status.get_facecolor()[:3] == tuple(
        int(ALARM[place:place + 2], 16) / 255 for place in (1, 3, 5))
    sentence = window.status.texts[-1]
    assert sentence.get_text().endswith("...")
    window.figure.canvas.draw()
    box = sentence.get_window_extent()
    assert box.x1 <= window.status.bbox.x1 and box.y1 <= window.status.bbox.y1
    press_key(window, "1")
    assert window.status.get_facecolor()[:3] != (1, 0, 0) and not window.message


def test_a_hint_after_a_failure_is_not_red(window):
    click(window, *SQUARE)
    press_key(window, "enter", "x")
    assert "painted" in window.message and not window.is_alarm
    say(window, "The disk is full.", is_alarm=True)
    press_key(window, "z")
    assert "corners are back" in window.message and not window.is_alarm
