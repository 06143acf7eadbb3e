"""Tests of segmentation/labeling/panel.py, with matplotlib's events on the Agg canvas."""

from labeling.hand import click_row, mouse_at
from segmentation.labeling.opening import open_session
from segmentation.labeling.window import open_window


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
