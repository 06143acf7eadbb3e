"""The bar of buttons above the picture, and the status line below it."""

import textwrap

from matplotlib.patches import FancyBboxPatch

from segmentation.labeling.keys import HINTS, SNAP_HINT
from segmentation.labeling.state import EXPOSURES, LOOKS
from segmentation.labeling.style import (
    ACCENT,
    ALARM,
    ALARM_TEXT,
    BAR_HEIGHT,
    DIM,
    FAINT,
    GOOD,
    LIGHT,
    LINE,
    PANEL,
    STATUS_HEIGHT,
)
from segmentation.labeling.viewport import describe_pixel

BUTTONS = (("\u2190 previous", "previous"), ("next \u2192", "next"), ("\u21b6 undo", "undo"),
           ("\u21b7 redo", "redo"), ("fit", "fit"), ("all keys", "help"))
BUTTON_WIDTH, BUTTON_GAP = 88, 6
SAVED_WIDTH = 150  # at the right of the bar
LETTER = 7.4  # mean width of a letter of the status line
FACTS_WIDTH = 250  # at the right of the status line


def bar_state(window):
    """Returns all that the bar shows."""
    return (*_possible(window).values(), window.session.unsaved, window.is_saving_slow,
            _has_file(window), tuple(window.figure.bbox.size))


def _possible(window):
    session, drawing = window.session, window.session.picture.drawing
    return {"previous": session.index > 0, "next": session.index + 1 < len(session.image_paths),
            "undo": bool(window.points or drawing.undo_steps or window.marked_background),
            "redo": bool(drawing.redo_steps), "fit": not window.is_fitted,
            "help": True}


def _has_file(window):
    return window.session.picture.image_path in window.session.labeled


def fill_bar(window):
    """Fills the bar: buttons, and at the right whether everything is saved."""
    bar, possible = window.bar, _possible(window)
    for artist in [*bar.texts, *bar.patches]:
        artist.remove()
    width, left = bar.get_xlim()[1], 10
    button = min(BUTTON_WIDTH, (width - SAVED_WIDTH) / len(BUTTONS) - BUTTON_GAP)
    points = 10 * button / BUTTON_WIDTH
    window.buttons = []
    for text, action in BUTTONS:
        bar.add_patch(FancyBboxPatch((left + 3, 9), button - 6, BAR_HEIGHT - 18,
                                     boxstyle="round,pad=2,rounding_size=4",
                                     facecolor=LINE if possible[action] else PANEL,
                                     edgecolor="none"))
        bar.text(left + button / 2, BAR_HEIGHT / 2, text, ha="center", va="center",
                 fontsize=points, color=LIGHT if possible[action] else DIM)
        window.buttons.append((left, left + button, action))
        left += button + BUTTON_GAP + (10 if action in ("next", "redo") else 0)
    if window.session.unsaved:
        text, color = "\u25cf NOT SAVED", "#ff6b6b"
    elif window.is_saving_slow:
        text, color = "\u25cf saving ...", ACCENT
    elif _has_file(window):
        text, color = "\u25cf all saved", GOOD
    else:
        text, color = "\u25cb no label yet", FAINT
    bar.text(width - 14, BAR_HEIGHT / 2, text, color=color, ha="right", va="center", fontsize=10,
             weight="bold" if window.session.unsaved else "normal")


def status_state(window):
    """Returns all that the status line shows."""
    return (*_text_of(window), _facts_of(window), tuple(window.figure.bbox.size))


def _text_of(window):
    """Returns the sentence of the status line, its color and the line's."""
    if window.prompt is not None:
        return f"{window.prompt.text}: {window.prompt.typed}_   (Enter, or Esc)", ACCENT, PANEL
    if window.question is not None:
        return window.question.text, ACCENT, PANEL
    if window.message:
        return (window.message, ALARM_TEXT, ALARM) if window.is_alarm else \
            (window.message, LIGHT, PANEL)
    if window.floating is not None:
        return (f"The label of {window.floating.origin}: drag it into place (arrow keys: one "
                f"pixel), Enter keeps it, Esc drops it.", ACCENT, PANEL)
    hint = SNAP_HINT if window.tool == "lasso" and window.snaps else HINTS[window.tool]
    return hint, FAINT, PANEL


def _facts_of(window):
    """Returns the two lines at the right: what is under the pointer, and how it is drawn."""
    place = "" if window.pointer is None else describe_pixel(window, window.pointer)
    brush = max(1, round(window.brush_size * window.scale))
    exposure = f"   brightness x{EXPOSURES[window.exposure]:g}" if window.exposure else ""
    return place, f"label {LOOKS[window.look][0]}   brush {brush} px{exposure}"


def fill_status(window):
    """Fills the status line: what to do or what went wrong, and the facts at the right."""
    status = window.status
    for artist in [*status.texts]:
        artist.remove()
    text, color, ground = _text_of(window)
    width = status.get_xlim()[1]
    status.set_facecolor(ground)
    letters = max(20, int((width - 30 - FACTS_WIDTH) / LETTER))
    lines = textwrap.wrap(text, letters)
    if len(lines) > 2:  # then the facts make room
        lines = textwrap.wrap(text, max(20, int((width - 30) / LETTER)), max_lines=2,
                              placeholder=" ...")
    else:
        for index, fact in enumerate(_facts_of(window)):
            status.text(width - 14, STATUS_HEIGHT * (0.3 + 0.4 * index), fact, va="center",
                        ha="right", fontsize=9, color=FAINT if ground == PANEL else LIGHT)
    status.text(14, STATUS_HEIGHT / 2, "\n".join(lines), color=color, fontsize=10, va="center",
                linespacing=1.3, weight="bold" if ground == ALARM else "normal", parse_math=False)
