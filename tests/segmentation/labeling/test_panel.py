"""Tests of segmentation/labeling/panel.py, with matplotlib's events on the Agg canvas."""

from labeling.hand import click_row, make_images, mouse_at
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


def test_long_names_and_dollar_signs_stay_what_they_are_and_in_the_panel(tmp_path):
    path = make_images(tmp_path / "images", 1)[0]
    path.rename(path.with_name("WWW_$x^$_20261127_WWW.jpg"))
    window = open_window(open_session(tmp_path / "images", tmp_path / "labels", ["none", "$\\x$"]))
    window.figure.canvas.draw()
    for text in window.panel.texts:
        assert text.get_window_extent().x1 <= window.panel.bbox.x1
    shown = [text.get_text() for text in window.panel.texts]
    assert "WWW_$x^$_20261127_WWW.jpg" in shown and "1  $\\x$" in shown
