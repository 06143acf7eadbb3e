"""What the trained model does in the window: it fills a label, and finds unsure images."""

import time

from device.errors import InputError
from segmentation.labeling.navigation import check_no_polygon, move
from segmentation.labeling.prelabel import find_least_sure, prelabel
from segmentation.labeling.screen import refresh
from segmentation.labeling.strokes import keep

PROGRESS_SECONDS = 0.2  # between two notes of how far a search is


def wait_for(window, message):
    """Shows a message at once, and lets the window take the Esc key."""
    window.message = message
    refresh(window)
    window.figure.canvas.draw()
    window.figure.canvas.flush_events()


def fill_prediction(window, key):
    """Fills the label with the model's prediction."""
    check_no_polygon(window)
    window.busy = True
    try:
        wait_for(window, "The model looks at the image; the first time takes some seconds ...")
        prelabel(window.session)
    finally:
        window.busy = False
    window.message = "Labeled by the model: correct it, or undo it with z."
    keep(window)
    refresh(window)


def go_least_sure(window, key):
    """Goes to the image without a label of which the model is least sure."""
    check_no_polygon(window)
    window.busy, window.cancelled, shown = True, False, 0.0

    def report(done, count):
        """Shows in the window how many are done, at most every PROGRESS_SECONDS."""
        nonlocal shown
        if time.monotonic() - shown > PROGRESS_SECONDS:
            shown = time.monotonic()
            wait_for(window, f"The model has looked at {done} of {count} images; Esc: enough.")
        return not window.cancelled

    try:
        wait_for(window, "The model is loaded; this takes some seconds ...")
        index = find_least_sure(window.session, report)
    finally:
        window.busy = False
    if index is None:
        raise InputError("All other images have a label.")
    move(window, index)
