"""Opens the labeling window on a session."""

import matplotlib.pyplot as plt
import numpy as np

from device.errors import InputError
from segmentation.labeling import style
from segmentation.labeling.events import (
    on_close,
    on_draw,
    on_key,
    on_motion,
    on_press,
    on_release,
    on_resize,
    on_scroll,
)
from segmentation.labeling.navigation import show_picture
from segmentation.labeling.screen import add_artists, lay_out, say
from segmentation.labeling.session import open_current
from segmentation.labeling.state import Window
from segmentation.labeling.style import DARK, DOTS_PER_INCH
from segmentation.labeling.viewport import describe_pixel, keep_square


def open_window(session):
    """Builds the window on matplotlib's current backend and opens the session's image.

    Returns: Window; plt.show() hands it to the person.
    """
    figure = plt.figure(figsize=np.divide(style.WINDOW_SIZE, DOTS_PER_INCH), dpi=DOTS_PER_INCH,
                        facecolor=DARK)
    window = Window(session, figure)
    window.axes = figure.add_axes((0, 0, 1, 1))
    window.axes.set_axes_locator(keep_square)
    window.axes.set_axis_off()
    window.axes.format_coord = lambda x, y: describe_pixel(window, x, y)
    window.panel = figure.add_axes((0, 0, 1, 1))
    window.panel.set_navigate(False)
    add_artists(window)
    manager = figure.canvas.manager
    if manager is not None and manager.key_press_handler_id is not None:
        figure.canvas.mpl_disconnect(manager.key_press_handler_id)  # matplotlib's keys are ours
    for event, function in (
            ("button_press_event", on_press), ("motion_notify_event", on_motion),
            ("button_release_event", on_release), ("scroll_event", on_scroll),
            ("key_press_event", on_key), ("draw_event", on_draw),
            ("resize_event", on_resize), ("close_event", on_close)):
        connect(window, event, function)
    lay_out(window)
    show_picture(window, open_current(session))
    return window


def connect(window, name, function):
    """Calls function(window, event) for each event; an InputError is shown in the status line."""
    def call(event):
        """Calls the function, and shows what a person has to know."""
        try:
            function(window, event)
        except InputError as error:
            say(window, str(error))

    window.figure.canvas.mpl_connect(name, call)
