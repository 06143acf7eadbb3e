"""The stroke under way: how it is begun, shown, painted or abandoned."""

import numpy as np

from device.drawing import IGNORED_COLOR, class_colors
from device.errors import InputError
from segmentation.labeling.label import paint, polygon_region, stroke_region
from segmentation.labeling.screen import refresh
from segmentation.labeling.session import save_current
from segmentation.labeling.viewport import place_of, view_scale

CLOSE_DISTANCE = 10  # screen pixels; a click so near to the first corner closes the polygon


def show_preview(window, pointer):
    """Puts the stroke under way on the screen, over the figure, without drawing that again.

    Args: pointer, where the mouse is, in image pixels, or None.
    """
    canvas = window.figure.canvas
    if window.background is not None:
        canvas.restore_region(window.background)
        for artist in set_preview(window, pointer):
            window.axes.draw_artist(artist)
        canvas.blit(window.figure.bbox)


def set_preview(window, pointer):
    """Fills the artists of the stroke under way; returns those to be drawn, in order."""
    for name in ("stroke", "outline", "first corner", "pointer"):
        window.artists[name].set_data([], [])
    artists, points = window.artists, window.points
    width = window.brush_size * 72 / window.figure.dpi  # matplotlib's points
    color, drawn = paint_color(window), []
    if window.tool == "brush":
        artists["stroke"].set(xdata=[x for x, _ in points], ydata=[y for _, y in points],
                              color=color, alpha=0.6, linewidth=width)
        drawn.append(artists["stroke"])
        if pointer is not None:
            artists["pointer"].set(xdata=pointer[:1], ydata=pointer[1:], markersize=width)
            drawn.append(artists["pointer"])
    elif points:
        follow = [pointer] if window.tool == "polygon" and pointer is not None else []
        shown = [*points, *follow]
        artists["outline"].set(xdata=[x for x, _ in shown], ydata=[y for _, y in shown],
                               color=color, marker="o" if window.tool == "polygon" else "")
        drawn.append(artists["outline"])
        if pointer is not None and closes_polygon(window, pointer):
            artists["first corner"].set_data(points[0][:1], points[0][1:])
            drawn.append(artists["first corner"])
    return drawn


def paint_color(window):
    """Returns the color in which the stroke under way is drawn, RGB 0..1."""
    if window.value == 0 or window.value >= len(window.session.class_names):
        return tuple(channel / 255 for channel in IGNORED_COLOR)  # black would be hard to see
    return tuple(class_colors(len(window.session.class_names))[window.value] / 255)


def closes_polygon(window, point):
    """Whether a click at the point, in image pixels, closes the polygon under way."""
    if window.tool != "polygon" or len(window.points) < 3:
        return False
    distance = np.hypot(*np.subtract(point, window.points[0])) / view_scale(window)
    return distance <= CLOSE_DISTANCE


def press_tool(window, event):
    """Starts a stroke, or sets or closes the corners of a polygon."""
    point = place_of(window, event)
    if window.tool != "polygon":
        window.points, window.dragging = [point], True
    elif closes_polygon(window, point) or (event.dblclick and len(window.points) >= 3):
        return finish_stroke(window)
    elif not event.dblclick:
        window.points.append(point)
    show_preview(window, point)


def finish_stroke(window):
    """Paints the stroke under way, and saves the label before anything else is done."""
    session, points = window.session, window.points
    drawing = session.picture.drawing
    window.points, window.dragging = [], False
    if window.tool == "brush":
        diameter = window.brush_size * view_scale(window)
        region = stroke_region(points, diameter, drawing.label.shape)
    elif len(points) < 3:
        return refresh(window)
    else:
        region = polygon_region(points, drawing.label.shape)
    if paint(drawing, region, window.value):
        keep(window)
    refresh(window)


def keep(window):
    """Saves the label; where that fails, says so and goes on: the next stroke tries again."""
    try:
        save_current(window.session)
    except InputError as error:
        window.message = str(error)


def close_polygon(window, key):
    """Closes the polygon under way."""
    if window.points and len(window.points) < 3:
        raise InputError("A polygon needs at least three corners.")
    if window.points:
        finish_stroke(window)


def drop_corner(window, key):
    """Takes the last corner of the polygon back."""
    del window.points[-1:]
    refresh(window)


def abandon(window, key):
    """Drops the polygon or stroke under way."""
    window.points, window.dragging = [], False
    refresh(window)
