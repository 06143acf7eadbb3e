"""The hand that works on a window in these tests: keys, clicks, drags; and small images."""

from concurrent.futures import wait

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backend_bases import CloseEvent, KeyEvent, MouseEvent
from PIL import Image

from device.images import read_label
from segmentation.labeling.keeping import look_after_saving
from segmentation.labeling.opening import open_session
from segmentation.labeling.session import label_path_of
from segmentation.labeling.window import open_window

NAMES = ["background", "bird", "water", "sky"]

PATIENCE = 20  # seconds that a label may take to be saved before the hand goes on

SIZE = (96, 128)  # (height, width) of the test images


def make_images(folder, count=3, size=SIZE, suffix=".jpg"):
    """Writes images that differ; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    paths = [folder / f"image_{index}{suffix}" for index in range(count)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(path)
    return paths


def open_again(window):
    """Closes the window and opens it anew on the same folders."""
    session = window.session
    window.figure.canvas.callbacks.process("close_event", CloseEvent(
        "close_event", window.figure.canvas))
    plt.close(window.figure)
    image_dir = session.image_paths[0].parent
    return open_window(open_session(image_dir, session.label_dir, None, 255, session.output_dir))


def press_key(window, *keys):
    canvas = window.figure.canvas
    for key in keys:
        canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", canvas, key))
        let_time_pass(window)


def let_time_pass(window):
    """Lets the label be saved, and does what the window's timer does: Agg has none."""
    if window.session.writing is not None:
        wait([window.session.writing[0]], PATIENCE)
        look_after_saving(window)


def mouse(window, name, point, button=1, **more):
    """Sends a mouse event at (x, y) in image pixels."""
    x, y = window.axes.transData.transform(point)
    mouse_at(window, name, x, y, button, **more)


def mouse_at(window, name, x, y, button=1, **more):
    canvas = window.figure.canvas
    canvas.callbacks.process(name, MouseEvent(name, canvas, x, y, button, **more))
    let_time_pass(window)


def click(window, *points, button=1, **more):
    for point in points:
        mouse(window, "button_press_event", point, button, **more)
        mouse(window, "button_release_event", point, button)


def drag(window, points, button=1):
    mouse(window, "button_press_event", points[0], button)
    for point in points[1:]:
        mouse(window, "motion_notify_event", point, button)
    mouse(window, "button_release_event", points[-1], button)


def click_row(window, action, key=None):
    """Clicks a row of the panel."""
    top = next(top for top, row_action, row_key in window.rows
               if row_action == action and key in (None, row_key))
    x, y = window.panel.transData.transform((60, top + 5))
    mouse_at(window, "button_press_event", x, y)
    mouse_at(window, "button_release_event", x, y)


def label_of(window):
    return window.session.picture.drawing.label


def saved(window, index=None):
    session = window.session
    path = session.image_paths[session.index if index is None else index]
    return read_label(label_path_of(session, path))


def label_files(window):
    return sorted(path.name for path in window.session.label_dir.glob("*.png"))

SQUARE = [(19.5, 19.5), (60.5, 19.5), (60.5, 50.5), (19.5, 50.5)]  # around pixel centers


def square_label(value=1):
    label = np.zeros(SIZE, np.uint8)
    label[20:51, 20:61] = value
    return label


def give_model(window, predict):
    """Puts a function in the place of the trained model."""
    window.session.predictor = None, predict
