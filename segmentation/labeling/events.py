"""What happens on each event of mouse, keyboard and window."""

import numpy as np

from segmentation.labeling.actions import act, toggle_help, type_name
from segmentation.labeling.keys import KEYS
from segmentation.labeling.screen import lay_out, refresh, say
from segmentation.labeling.session import close_session
from segmentation.labeling.strokes import finish_stroke, press_tool, set_preview, show_preview
from segmentation.labeling.style import ROW_HEIGHT
from segmentation.labeling.viewport import pan, place_of, toolbar_is_on, view_scale, zoom


def on_press(window, event):
    """A mouse button went down."""
    if window.busy or window.dragging:
        return
    window.message = ""
    if window.artists["help"].get_visible():
        toggle_help(window)
    elif event.inaxes is window.panel:
        click_panel(window, event)
    elif event.inaxes is window.axes and toolbar_is_on(window):
        if event.button == 1:
            say(window, "The toolbar's zoom or pan is on: click it again to go on painting.")
    elif event.inaxes is window.axes and event.button in (2, 3):
        limits = np.array(window.axes.get_xlim()), np.array(window.axes.get_ylim())
        window.panning = event.x, event.y, limits
    elif event.inaxes is window.axes and event.button == 1:
        press_tool(window, event)


def on_motion(window, event):
    """The mouse moved: pans, or draws the stroke under way."""
    if window.busy:
        return
    if window.panning is not None:
        return pan(window, event)
    point = place_of(window, event)
    if window.dragging:
        moved = np.hypot(*np.subtract(point, window.points[-1])) / view_scale(window)
        if moved >= 1:
            window.points.append(point)
    if window.points or (window.tool == "brush" and not window.artists["help"].get_visible()):
        inside = event.inaxes is window.axes and not toolbar_is_on(window)
        show_preview(window, point if inside else None)


def on_release(window, event):
    """A mouse button went up: a lasso or brush stroke is done."""
    if window.panning is not None and event.button in (2, 3):
        window.panning = None
    elif window.dragging and event.button == 1:
        finish_stroke(window)


def on_scroll(window, event):
    """The wheel zooms; over the panel it scrolls the classes."""
    if window.busy or window.dragging:
        return
    if event.inaxes is window.panel:
        window.first_row = max(0, window.first_row - int(np.sign(event.step)))
        refresh(window)
    elif event.inaxes is window.axes:
        zoom(window, event)


def click_panel(window, event):
    """A click on a row of the panel does what the row's key does."""
    for top, action, key in window.rows:
        if action is not None and top <= event.ydata < top + ROW_HEIGHT:
            act(window, action, key)


def on_key(window, event):
    """A key went down."""
    key = event.key or ""
    if window.busy:
        window.cancelled |= key == "escape"
    elif window.typing is not None:
        type_name(window, key)
    elif not window.dragging or key == "escape":
        window.message = ""
        actions = {name: action for _, keys, action, _ in KEYS for name in keys}
        key = key if key in actions else key.lower()  # some are written large: ctrl+Z is redo
        if key in actions:
            act(window, actions[key], key)
        elif window.artists["help"].get_visible():
            toggle_help(window)


def on_draw(window, event):
    """The figure was drawn: it is kept, so that a stroke can be drawn over it quickly."""
    canvas = window.figure.canvas
    if not canvas.is_saving():  # the toolbar's button draws at another size
        window.background = canvas.copy_from_bbox(window.figure.bbox)
        for artist in set_preview(window, None):
            window.axes.draw_artist(artist)


def on_resize(window, event):
    """The window has another size."""
    lay_out(window)
    refresh(window)


def on_close(window, event):
    """The window is closed: what is not saved yet is saved."""
    window.cancelled = True
    window.background = None
    close_session(window.session)
