"""What the keys, the buttons and the rows of the panel stand for."""

import matplotlib.pyplot as plt
import numpy as np

from device.errors import InputError
from segmentation.labeling import assistance, copying, naming, navigation, strokes
from segmentation.labeling.contact_sheet import save_contact_sheets
from segmentation.labeling.display import show_part, show_view
from segmentation.labeling.keeping import keep
from segmentation.labeling.keys import TOOLS
from segmentation.labeling.label import redo, undo
from segmentation.labeling.saving import save_rest
from segmentation.labeling.screen import refresh, say, show_help
from segmentation.labeling.state import (
    EXPOSURES,
    LOOKS,
    NotNowError,
    Question,
    check_nothing_under_way,
)
from segmentation.labeling.viewport import fit_view

BRUSH_STEP = 1.25


def act(window, action, key=None):
    """Does what a key, a button or a row of the panel stands for; hides the help first."""
    if action != "help" and window.artists["help"].get_visible():
        show_help(window, False)
    if action in WITH_KEY:
        WITH_KEY[action](window, key)
    else:
        ACTIONS[action](window)


def choose_tool(window, key):
    """Paints with that tool from now on."""
    tool = next(tool for tool, tool_key in TOOLS.items() if tool_key == key)
    if tool != window.tool:
        check_nothing_under_way(window)
        strokes.drop_preview(window)
    window.tool = tool
    refresh(window)


def change_brush(window, key):
    """Makes the brush larger or smaller, from 1 to 400 screen pixels."""
    factor = 1 / BRUSH_STEP if key == "-" else BRUSH_STEP
    window.brush_size = float(np.clip(window.brush_size * factor, 1, 400))
    strokes.show_preview(window)
    refresh(window)


def switch_snap(window):
    """Lets the lasso snap to the object within it, or not."""
    window.snaps = not window.snaps
    refresh(window)
    if window.snaps:
        assistance.prepare_magnet(window)


def switch_lock(window):
    """Paints over background only, or over everything."""
    window.lock = not window.lock
    refresh(window)


def finish(window):
    """Closes the polygon, ends the line, or keeps the copied label."""
    if window.floating is not None:
        copying.put_down(window)
    elif window.points:
        strokes.finish_stroke(window)


def abandon(window):
    """Drops what is under way."""
    if window.floating is not None:
        copying.let_go(window)
    strokes.drop_stroke(window)


def take_back(window):
    """Takes the last corner back, else the last stroke; a polygon's corners come back then."""
    if window.points:
        return strokes.drop_corner(window)
    check_nothing_under_way(window)
    drawing = window.session.picture.drawing
    if not drawing.undo_steps and window.marked_background is not None:
        return navigation.take_background_back(window)
    step = undo(drawing)
    if step is None:
        raise NotNowError("Nothing to undo.")
    strokes.give_corners_back(window, step)
    return _show_step(window, step)


def take_again(window):
    """Paints the stroke again that was undone last."""
    drawing = window.session.picture.drawing
    corners = drawing.redo_steps[-1].corners if drawing.redo_steps else ()
    if corners and (window.tool, tuple(window.points)) == corners:
        strokes.drop_preview(window)
    check_nothing_under_way(window)
    step = redo(drawing)
    if step is None:
        raise NotNowError("Nothing to redo.")
    return _show_step(window, step)


def _show_step(window, step):
    show_part(window, step.top, step.left, *step.packed.shape)
    keep(window)
    if window.points:
        return strokes.redraw_preview(window)
    return refresh(window)


def next_look(window):
    """Shows the label in the next look."""
    window.look = (window.look + 1) % len(LOOKS)
    refresh(window)


def next_exposure(window):
    """Shows the image brighter, or as it is again."""
    window.exposure = (window.exposure + 1) % len(EXPOSURES)
    refresh(window)


def hide_label(window, is_hidden=True):
    """Hides the label while a key is held."""
    window.is_hidden = is_hidden
    show_view(window)


def fit(window):
    """Shows the whole picture."""
    fit_view(window)
    refresh(window)


def toggle_help(window):
    """Shows or hides the table of keys."""
    show_help(window, not window.artists["help"].get_visible())


def write_contact_sheets(window):
    """Saves pictures of all labels."""
    paths = save_contact_sheets(window.session)
    say(window, f"{len(paths)} picture(s) of all labels: {paths[0]}" +
        (f" to {paths[-1].name}." if len(paths) > 1 else "."))


def may_close(window):
    """Whether nothing is lost if the window is closed now; where something is, asks."""
    try:
        check_nothing_under_way(window)
        save_rest(window.session)
    except NotNowError as error:
        say(window, str(error))
        return False
    except InputError as error:
        window.question = Question(f"{error} y: close and lose the last strokes, Esc: stay.",
                                   {"y": lambda window: plt.close(window.figure)})
        refresh(window)
        return False
    return True


def close_window(window):
    """Closes the window, once nothing is lost by it."""
    if may_close(window):
        plt.close(window.figure)


WITH_KEY = {
    "polygon": choose_tool, "lasso": choose_tool, "brush": choose_tool, "line": choose_tool,
    "fill": choose_tool, "brush size": change_brush, "class": naming.choose_class,
    "next class": naming.choose_next_class, "first or last": navigation.go_first_or_last}
ACTIONS = {
    "snap": switch_snap, "lock": switch_lock, "finish": finish,
    "drop corner": strokes.drop_corner, "abandon": abandon, "undo": take_back, "redo": take_again,
    "copy label": copying.copy_label, "class by name": naming.ask_class,
    "swap": naming.swap_eraser, "take class": naming.take_class,
    "ignored": naming.choose_ignored, "add class": naming.ask_new_class,
    "rename class": naming.ask_new_name, "look": next_look, "hide": hide_label,
    "exposure": next_exposure, "fit": fit, "next": navigation.go_next,
    "previous": navigation.go_previous, "go to number": navigation.ask_number,
    "unlabeled": navigation.go_unlabeled, "background": navigation.mark_background,
    "prelabel": assistance.fill_prediction, "prelabel all": assistance.fill_all_predictions,
    "review": navigation.accept_review, "least sure": assistance.go_least_sure,
    "contact sheet": write_contact_sheets, "help": toggle_help, "close": close_window}
