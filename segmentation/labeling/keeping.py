"""Saves the label while the person goes on, and says in the window where that fails."""

from device.errors import InputError
from segmentation.labeling.saving import (
    ConflictError,
    begin_saving,
    finish_saving,
    merge_theirs,
    save_current,
    take_theirs,
)
from segmentation.labeling.screen import refresh
from segmentation.labeling.state import Question

LOOK_AGAIN = 200  # milliseconds until it is seen whether a label is saved


def keep(window):
    """Starts to save the label, and looks from time to time whether that is done."""
    begin_saving(window.session)
    if window.saving_timer is None:
        window.saving_timer = window.figure.canvas.new_timer(LOOK_AGAIN)
        window.saving_timer.add_callback(look_after_saving, window)
    window.saving_timer.start()


def look_after_saving(window):
    """Says whether the label is on the disk by now; called by the timer."""
    writing = window.session.writing
    window.is_saving_slow = writing is not None and not writing[0].done()
    if not window.is_saving_slow:
        window.saving_timer.stop()
        wait_until_saved(window)
    refresh(window)


def wait_until_saved(window):
    """Waits for the label; where it can't be saved, says so: the next stroke tries again."""
    try:
        finish_saving(window.session)
    except ConflictError as error:
        ask_about_conflict(window, error)
    except InputError as error:
        window.message, window.is_alarm = str(error), True


def ask_about_conflict(window, error):
    """Asks which of two versions of a label to keep."""
    def settle(function):
        """Returns the answer that settles the conflict by a function of the session."""
        def answer(window):
            """Settles it, and says so."""
            function(window.session)
            window.message, window.is_alarm = "Saved.", False

        return answer

    window.question = Question(
        f"{error} b: both together (where you painted, yours); t: theirs; m: mine; Esc: later.",
        {"b": settle(merge_theirs), "t": settle(take_theirs),
         "m": settle(lambda session: save_current(session, overwrite=True))})
    refresh(window)
