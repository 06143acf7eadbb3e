"""What happens on each event of mouse, keyboard and window."""

import numpy as np

from segmentation.labeling import copying, strokes
from segmentation.labeling.actions import act, hide_label
from segmentation.labeling.keeping import wait_until_saved
from segmentation.labeling.keys import KEYS
from segmentation.labeling.moving import redraw_moved
from segmentation.labeling.saving import close_session
from segmentation.labeling.screen import lay_out, refresh, refresh_region, show_help
from segmentation.labeling.style import ROW_HEIGHT
from segmentation.labeling.viewport import begin_pan, fit_again, place_of, zoom

ACTION_OF_KEY = {name: action for _, keys, action, _ in KEYS for name in keys}


def on_press(window, event):
    """A mouse button went down."""
    if window.busy or window.dragging or window.question is not None:
        return
    if not may_go_on(window):
        return
    if window.artists["help"].get_visible():
        show_help(window, False)
    elif event.inaxes is window.panel:
        for top, action, key in window.rows:
            if action is not None and top <= event.ydata < top + ROW_HEIGHT:
                return act(window, action, key)
    elif event.inaxes is window.bar:
        for left, right, action in window.buttons:
            if left <= event.xdata < right:
                return act(window, action)
    elif event.inaxes is window.axes and event.button in (2, 3):
        begin_pan(window, event)
    elif event.inaxes is window.axes and event.button == 1:
        window.pointer = place_of(window, event)
        if window.floating is not None:
            copying.begin_drag(window, event)
        else:
            strokes.press_tool(window, event)
            refresh_region(window, "status")


def may_go_on(window):
    """Whether the label is on the disk, or can't be, which is said; not where one has to answer."""
    window.message, window.is_alarm = "", False
    wait_until_saved(window)
    return window.question is None


def on_motion(window, event):
    """The mouse moved: pans, drags a copied label, or draws the stroke under way."""
    if window.busy:
        return
    if window.held is not None:
        return move_view(window, event)
    point = place_of(window, event)
    window.pointer = point if event.inaxes is window.axes else None
    if window.dragging:
        strokes.extend_stroke(window, point)
    strokes.show_preview(window)
    if not window.dragging:
        refresh_region(window, "status")


def move_view(window, event):
    """Moves the picture, or the copied label, with the mouse."""
    x, y, move = window.held
    move(event.x - x, event.y - y)
    redraw_moved(window)


def on_release(window, event):
    """A mouse button went up: a lasso or brush stroke is done."""
    if window.held is not None:
        window.held = None
    elif window.dragging and event.button == 1:
        strokes.finish_stroke(window)


def on_scroll(window, event):
    """The wheel zooms; over the panel it scrolls the classes."""
    if window.busy or window.dragging or window.held is not None:
        return
    if event.inaxes is window.panel:
        window.first_row = max(0, window.first_row - int(np.sign(event.step)))
        refresh(window)
    elif event.inaxes is window.axes:
        zoom(window, event)
        redraw_moved(window)


def on_leave(window, event):
    """The mouse left the picture."""
    if not window.busy and not window.dragging and window.held is None:
        window.pointer = None
        strokes.show_preview(window)
        refresh_region(window, "status")


def on_key(window, event):
    """A key went down."""
    key = event.key or ""
    if window.busy:
        window.cancelled |= key == "escape"
    elif window.prompt is not None:
        type_in(window, key)
    elif window.question is not None:
        answer(window, key)
    elif key == "shift":
        hide_label(window)
    elif (not window.dragging or key == "escape") and may_go_on(window):
        if window.floating is not None and key in copying.ARROWS:
            return copying.nudge(window, key)
        key = key if key in ACTION_OF_KEY else key.lower()  # some are written large: ctrl+Z
        if key in ACTION_OF_KEY:
            act(window, ACTION_OF_KEY[key], key)
        elif window.artists["help"].get_visible():
            show_help(window, False)


def on_key_release(window, event):
    """A key went up: the label is shown again."""
    if window.is_hidden and "shift" in (event.key or ""):
        hide_label(window, False)


def type_in(window, key):
    """Takes the next character of the line that is typed."""
    prompt = window.prompt
    if key == "enter":
        window.prompt = None
        window.message, window.is_alarm = "", False
        prompt.accept(window, prompt.typed)
    elif key == "escape":
        window.prompt = None
    elif key == "backspace":
        prompt.typed = prompt.typed[:-1]
    elif key == "space" or len(key) == 1:
        prompt.typed += " " if key == "space" else key
    refresh(window)


def answer(window, key):
    """Takes the answer to a question."""
    question = window.question
    if key == "escape" or key in question.answers:
        window.question = None
        if key in question.answers:
            question.answers[key](window)
        refresh(window)


def on_draw(window, event):
    """The whole figure was drawn; from now on only what changes is."""
    if not window.figure.canvas.is_saving():
        window.is_drawn = True
        window.preview_box = None
        if not window.artists["help"].get_visible():
            for artist in strokes.set_preview(window):
                artist.set_clip_box(window.axes.bbox)
                window.axes.draw_artist(artist)


def on_resize(window, event):
    """The window has another size."""
    window.is_drawn = False
    lay_out(window)
    fit_again(window)
    refresh(window)
    window.figure.canvas.draw_idle()


def on_close(window, event):
    """The window is closed: what is not saved yet is saved."""
    window.cancelled, window.is_drawn = True, False
    if window.saving_timer is not None:
        window.saving_timer.stop()
    close_session(window.session)
