"""What the trained model does in the window: it fills labels, and finds unsure images."""

import time

from segmentation.labeling.navigation import move
from segmentation.labeling.prelabel import (
    find_least_sure,
    get_predictor,
    prelabel,
    prelabel_all,
)
from segmentation.labeling.review import mark_unreviewed
from segmentation.labeling.saving import save_current
from segmentation.labeling.screen import refresh, say
from segmentation.labeling.state import NotNowError, check_nothing_under_way

PROGRESS_SECONDS = 0.2  # between two notes of how far a search is


def wait_for(window, message):
    """Shows a message at once, and lets the window take the Esc key."""
    say(window, message)
    if not window.is_drawn:
        window.figure.canvas.draw()
    window.figure.canvas.flush_events()


def run_busy(window, message, function):
    """Runs a function that takes seconds while the window takes nothing but the Esc key."""
    window.busy, window.cancelled = True, False
    try:
        wait_for(window, message)
        return function()
    finally:
        window.busy, window.message = False, ""


def make_report(window):
    """Returns report(done, count): shows the progress, returns False once Esc was pressed."""
    shown = 0.0

    def report(done, count):
        """Shows how far it is, now and then; returns whether to go on."""
        nonlocal shown
        if time.monotonic() - shown > PROGRESS_SECONDS:
            shown = time.monotonic()
            wait_for(window, f"The model has looked at {done} of {count} images; Esc: enough.")
        return not window.cancelled

    return report


def fill_prediction(window):
    """Fills the label with the model's prediction where nothing is painted."""
    check_nothing_under_way(window)
    session = window.session
    run_busy(window, "The model looks at the image; the first time takes some seconds ...",
             lambda: prelabel(session))
    save_current(session)
    mark_unreviewed(session, session.picture.image_path)
    say(window, "Labeled by the model where nothing was painted: correct it, undo it with z, or "
                "press r if it is right.")


def fill_all_predictions(window):
    """Fills the labels of all images without one, to be reviewed."""
    check_nothing_under_way(window)
    report = make_report(window)
    filled = run_busy(window, "The model is loaded; this takes some seconds ...",
                      lambda: prelabel_all(window.session, report))
    say(window, f"The model labeled {len(filled)} images; r goes through them.")


def go_least_sure(window):
    """Goes to the image without a label of which the model is least sure."""
    check_nothing_under_way(window)
    report = make_report(window)
    index = run_busy(window, "The model is loaded; this takes some seconds ...",
                     lambda: find_least_sure(window.session, report))
    if index is None:
        raise NotNowError("All other images have a label.")
    move(window, index)


def prepare_magnet(window):
    """Loads the trained model for the magnet where there is one that knows these classes."""
    session = window.session
    if session.predictor[1] is None and (session.output_dir / "model.keras").is_file():
        run_busy(window, "The model is loaded for the magnet; this takes some seconds ...",
                 lambda: get_predictor(session))
    refresh(window)
