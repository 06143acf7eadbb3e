"""Tests of segmentation/labeling/screen.py, with matplotlib's events on the Agg canvas."""

import numpy as np
from matplotlib.text import Text

from device.drawing import class_colors
from labeling.hand import SQUARE, click, press_key
from segmentation.labeling.keys import KEYS
from segmentation.labeling.state import LOOKS


def seen_at(window, x, y):
    window.figure.canvas.draw()
    column, row = window.axes.transData.transform((x, y)).astype(int)
    seen = np.asarray(window.figure.canvas.buffer_rgba())
    return seen[seen.shape[0] - 1 - row, column, :3].astype(int)


def test_opacity_key(window):
    click(window, *SQUARE)
    press_key(window, "enter")
    image = np.asarray(window.session.picture.levels[0]).astype(int)[35, 40, :3]
    color, seen = class_colors(4)[1].astype(int), {}
    for name, opacity, is_outline in [*LOOKS, LOOKS[0]]:
        assert LOOKS[window.look][0] == name
        if not is_outline:
            seen[opacity] = seen_at(window, 40, 35)
        press_key(window, "o")
    assert np.abs(seen[1.0] - color).max() <= 1
    between = (seen[0.0] + color) / 2
    assert np.abs(seen[0.5] - between).max() <= 2 and np.abs(seen[0.0] - image).max() < 120


def test_ignored_pixels_are_hatched(window):
    click(window, *SQUARE)
    window.value = 255
    press_key(window, "enter")
    window.look = 2  # 100 %
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
    texts = [text.get_text().strip() for text in window.artists["help"].findobj(Text)]
    assert all(shown in texts and what in texts for shown, _, _, what in KEYS)
    click(window, (50, 50))
    assert not window.artists["help"].get_visible() and not window.points
    press_key(window, "h", "1")
    assert not window.artists["help"].get_visible()
