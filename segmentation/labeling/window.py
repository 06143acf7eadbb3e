"""Opens the labeling window on a session."""

import matplotlib.pyplot as plt
import numpy as np

from device.errors import InputError
from segmentation.labeling import events, style
from segmentation.labeling.actions import may_close
from segmentation.labeling.keeping import ask_about_conflict
from segmentation.labeling.loading import open_current
from segmentation.labeling.navigation import show_picture
from segmentation.labeling.saving import ConflictError
from segmentation.labeling.screen import add_artists, lay_out, say
from segmentation.labeling.state import NotNowError, Window
from segmentation.labeling.toolkit import ask_before_closing, find_screen

EVENTS = {"button_press_event": events.on_press, "motion_notify_event": events.on_motion,
          "button_release_event": events.on_release, "scroll_event": events.on_scroll,
          "figure_leave_event": events.on_leave, "key_press_event": events.on_key,
          "key_release_event": events.on_key_release, "draw_event": events.on_draw,
          "resize_event": events.on_resize, "close_event": events.on_close}
SCREEN_SHARE = 0.92  # of a small screen that the window takes at most: frames need some


def open_window(session):
    """Builds the window on matplotlib's current backend and opens the session's image.

    Returns: Window; plt.show() hands it to the person.
    """
    with plt.rc_context({"toolbar": "None"}):  # its arrows and its floppy mislead
        size, dots = choose_size(find_screen())
        figure = plt.figure(figsize=np.divide(size, dots), dpi=dots, facecolor=style.DARK)
    window = Window(session, figure)
    add_artists(window)
    manager = figure.canvas.manager
    if manager is not None and manager.key_press_handler_id is not None:
        figure.canvas.mpl_disconnect(manager.key_press_handler_id)  # matplotlib's keys are ours
    for name, function in EVENTS.items():
        connect(window, name, function)
    ask_before_closing(figure, lambda: may_close(window))
    lay_out(window)
    show_picture(window, open_current(session))
    return window


def choose_size(screen):
    """Returns the window's (width, height) and its dots per inch, before the system enlarges them.

    Smaller than a small screen; on a very fine one that the system leaves as it is, larger.
    Args: screen, (width, height, ratio) of find_screen, or None.
    """
    if screen is None:
        return style.WINDOW_SIZE, style.DOTS_PER_INCH
    width, height, ratio = screen
    larger = max(1.0, min(2.0, height / 1440) / ratio)
    size = np.minimum(larger * np.array(style.WINDOW_SIZE),
                      SCREEN_SHARE * np.array((width, height)) / ratio)
    return tuple(size.tolist()), style.DOTS_PER_INCH * larger


def connect(window, name, function):
    """Calls function(window, event) for each event; an InputError is shown in the status line."""
    def call(event):
        """Calls the function, and shows what a person has to know."""
        try:
            function(window, event)
        except NotNowError as error:
            say(window, str(error))
        except ConflictError as error:
            ask_about_conflict(window, error)
        except InputError as error:
            if name == "close_event":
                raise
            say(window, str(error), is_alarm=True)

    window.figure.canvas.mpl_connect(name, call)
