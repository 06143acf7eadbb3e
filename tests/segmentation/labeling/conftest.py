"""A window on matplotlib's Agg canvas, on three small images. The real one: real_window/."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest

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
    monkeypatch.setattr(style, "WINDOW_SIZE", (720, 560))
    yield
    plt.close("all")


@pytest.fixture
def folders(tmp_path):
    make_images(tmp_path / "images")
    return tmp_path / "images", tmp_path / "labels"


@pytest.fixture
def window(folders):
    opened = open_window(open_session(*folders, NAMES, 255, folders[0].parent / "output"))
    yield opened
    opened.session.loader.shutdown()
    plt.close(opened.figure)
