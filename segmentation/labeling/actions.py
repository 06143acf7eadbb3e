"""What the keys and the rows of the panel stand for."""

import matplotlib.pyplot as plt
import numpy as np

from device.errors import InputError
from segmentation.labeling.assistance import fill_prediction, go_least_sure
from segmentation.labeling.keys import TOOLS
from segmentation.labeling.label import redo, undo
from segmentation.labeling.navigation import go_next, go_previous, go_unlabeled, mark_background
from segmentation.labeling.screen import refresh
from segmentation.labeling.session import add_class
from segmentation.labeling.state import OPACITIES
from segmentation.labeling.strokes import abandon, close_polygon, drop_corner, keep
from segmentation.labeling.viewport import fit_view

BRUSH_STEP = 1.25


def act(window, action, key):
    """Does what a key or a row of the panel stands for; hides the help first."""
    if action != "help" and window.artists["help"].get_visible():
        window.artists["help"].set_visible(False)
    ACTIONS[action](window, key)


def choose_class(window, key):
    """Paints with the class of that number from now on."""
    if int(key) >= len(window.session.class_names):
        raise InputError(f"There is no class {key}: press a to add one.")
    window.value = int(key)
    refresh(window)


def choose_ignored(window, key):
    """Paints the ignore label from now on."""
    if window.session.ignore_label is None:
        raise InputError("IGNORE_LABEL is None: there is nothing to be ignored.")
    window.value = window.session.ignore_label
    refresh(window)


def start_typing(window, key):
    """Asks for the name of a new class in the status line."""
    window.typing = ""
    refresh(window)


def type_name(window, key):
    """Takes the next character of the new class's name."""
    if key == "enter":
        name, window.typing = window.typing, None
        window.value = add_class(window.session, name)
        window.message = f"Class {window.value} is {name.strip()}."
    elif key == "escape":
        window.typing = None
    elif key == "backspace":
        window.typing = window.typing[:-1]
    elif key == "space" or len(key) == 1:
        window.typing += " " if key == "space" else key
    refresh(window)


def choose_tool(window, key):
    """Paints with that tool from now on; a polygon under way is abandoned."""
    window.tool = next(tool for tool, tool_key in TOOLS.items() if tool_key == key)
    window.points = []
    refresh(window)


def change_brush(window, key):
    """Makes the brush larger or smaller, from 1 to 400 screen pixels."""
    factor = 1 / BRUSH_STEP if key == "-" else BRUSH_STEP
    window.brush_size = float(np.clip(window.brush_size * factor, 1, 400))
    refresh(window)


def take_back(window, key):
    """Takes the last corner of a polygon under way back, else the last stroke."""
    if window.points:
        return drop_corner(window, key)
    if not undo(window.session.picture.drawing):
        raise InputError("Nothing to undo.")
    keep(window)
    refresh(window)


def take_again(window, key):
    """Paints the stroke again that was undone last."""
    if not redo(window.session.picture.drawing):
        raise InputError("Nothing to redo.")
    keep(window)
    refresh(window)


def next_opacity(window, key):
    """Shows the label with the next opacity."""
    window.opacity = OPACITIES[(OPACITIES.index(window.opacity) + 1) % len(OPACITIES)]
    refresh(window)


def toggle_help(window, key=None):
    """Shows or hides the table of keys."""
    window.artists["help"].set_visible(not window.artists["help"].get_visible())
    refresh(window)


def close_window(window, key):
    """Closes the window."""
    plt.close(window.figure)


ACTIONS = {
    "class": choose_class, "ignored": choose_ignored, "add class": start_typing,
    "polygon": choose_tool, "lasso": choose_tool, "brush": choose_tool,
    "brush size": change_brush, "close polygon": close_polygon, "drop corner": drop_corner,
    "abandon": abandon, "undo": take_back, "redo": take_again, "opacity": next_opacity,
    "fit": fit_view, "next": go_next, "previous": go_previous, "unlabeled": go_unlabeled,
    "background": mark_background, "prelabel": fill_prediction, "least sure": go_least_sure,
    "help": toggle_help, "close": close_window}
