"""A window on matplotlib's Agg canvas, on three small images. The real one: real_window/."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from labeling.hand import NAMES, make_images
from segmentation.labeling import style
from segmentation.labeling.opening import open_session
from segmentation.labeling.window import open_window


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Runs each test in an empty folder: a model in the project's output/ must not be found."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def small_window(monkeypatch):
    """A small figure; draw_idle draws it once, at the end of the test, as a toolkit waits for idle.

    matplotlib's Agg canvas alone would draw all of it at each call.
    """
    waiting = set()
    monkeypatch.setattr(style, "WINDOW_SIZE", (720, 560))
    monkeypatch.setattr(FigureCanvasAgg, "draw_idle", lambda canvas: waiting.add(canvas))
    yield waiting
    for canvas in waiting:
        if plt.fignum_exists(canvas.figure.number):
            canvas.draw()
    plt.close("all")


@pytest.fixture
def folders(tmp_path):
    make_images(tmp_path / "images")
    return tmp_path / "images", tmp_path / "labels"


@pytest.fixture
def window(folders, small_window):
    opened = open_window(open_session(*folders, NAMES, 255, folders[0].parent / "output"))
    yield opened
    if opened.figure.canvas in small_window:
        opened.figure.canvas.draw()
    opened.session.loader.shutdown()
    plt.close(opened.figure)
