"""From image to image in the window."""

from device.errors import InputError
from segmentation.labeling.label import declare_background
from segmentation.labeling.screen import refresh, say
from segmentation.labeling.session import go_to, next_unlabeled, save_current
from segmentation.labeling.viewport import fit_view


def show_picture(window, sentences=()):
    """Shows the session's image as a whole; sentences say what was skipped on the way."""
    window.points, window.message = [], " ".join(sentences)
    toolbar = window.figure.canvas.toolbar
    fit_view(window)
    if toolbar is not None:  # its home button is to show this picture as a whole
        toolbar.update()
        toolbar.push_current()
    refresh(window)


def check_no_polygon(window):
    """Raises InputError while a polygon is under way."""
    if window.points:
        raise InputError("A polygon is under way: close it (Enter) or abandon it (Esc) first.")


def move(window, index, direction=1):
    """Goes to the image at an index.

    Raises: InputError while a polygon is under way, or where the label can't be saved.
    """
    check_no_polygon(window)
    show_picture(window, go_to(window.session, index, direction))


def go_next(window, key):
    """Goes to the next image."""
    if window.session.index + 1 == len(window.session.image_paths):
        raise InputError("This is the last image; n finds those without a label.")
    move(window, window.session.index + 1)


def go_previous(window, key):
    """Goes to the previous image."""
    if window.session.index == 0:
        raise InputError("This is the first image.")
    move(window, window.session.index - 1, direction=-1)


def go_unlabeled(window, key):
    """Goes to the next image without a label."""
    index = next_unlabeled(window.session)
    if index is None:
        raise InputError("All other images have a label.")
    move(window, index)


def mark_background(window, key):
    """Saves an all-background label and goes to the next image without a label."""
    declare_background(window.session.picture.drawing)
    save_current(window.session)
    if next_unlabeled(window.session) is None:
        return say(window, "All background. Every image has a label now.")
    go_unlabeled(window, key)
