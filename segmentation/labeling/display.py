"""Puts the picture with its label on the screen, and only what changed of it.

A whole figure of 3840x2160 takes matplotlib and the toolkit 0.2 s to draw. So the view's pixels are
composed here and copied into the figure's own buffer, and the rectangle that changed is shown.
"""

import math

import numpy as np
from matplotlib.artist import Artist
from matplotlib.colors import to_rgba
from matplotlib.transforms import Bbox

from segmentation.labeling.state import EXPOSURES, LOOKS, Shown
from segmentation.labeling.style import DARK
from segmentation.labeling.view import (
    blend_label,
    brighten,
    crop_axis,
    crop_image,
    find_limits,
    hatch,
    make_blend_table,
    outline,
)

MOVING_PIXELS = 900_000  # that are computed then, at most
BACKGROUND = (255 * np.array(to_rgba(DARK))).astype(np.uint8)


class View(Artist):
    """Draws the composed view where matplotlib draws the whole figure."""

    def __init__(self, window):
        super().__init__()
        self.window = window

    def draw(self, renderer):
        """Draws the view where the axes are; matplotlib calls it."""
        if self.window.session.picture is None:
            return
        compose(self.window)
        box, graphics = self.axes.bbox, renderer.new_gc()
        renderer.draw_image(graphics, round(box.x0), round(box.y0), self.window.shown.pixels[::-1])
        graphics.restore()


def view_size(window):
    """Returns (height, width) of the view in screen pixels."""
    return round(window.axes.bbox.height), round(window.axes.bbox.width)


def _state_of(window):
    """Returns all that the view shows, to find out whether it has to be composed anew."""
    session, drawing = window.session, window.session.picture.drawing
    floating = window.floating and (window.floating.down, window.floating.right)
    return (session.picture.image_path, id(drawing), drawing.version, len(session.class_names),
            window.axes.get_xlim(), window.axes.get_ylim(), view_size(window), window.look,
            window.is_hidden, window.exposure, floating, window.shown.coarse)


def compose(window):
    """Composes image and label for the whole view, into window.shown, where that is out of date."""
    shown, state = window.shown, _state_of(window)
    if shown.state == state:
        return
    height, width = view_size(window)
    step = math.ceil(math.sqrt(height * width / MOVING_PIXELS)) if shown.coarse else 1
    rows, columns = -(-height // step), -(-width // step)
    _crop(window, rows, columns, step)
    pixels = np.empty((rows, columns), np.uint32)
    if shown.image is None or shown.image.shape[:2] != pixels.shape:
        pixels[...] = BACKGROUND.view(np.uint32)
    if shown.image is not None:
        blended = _blend(window, np.s_[:], np.s_[:])
        pixels[shown.rows[0], shown.columns[0]] = blended.view(np.uint32)[..., 0]
    if step > 1:
        enlarged = np.empty((rows, step, columns * step), np.uint32)
        enlarged[...] = np.repeat(pixels, step, axis=1)[:, None]
        pixels = enlarged.reshape(rows * step, columns * step)
    pixels = pixels.view(np.uint8).reshape(*pixels.shape, 4)
    shown.pixels, shown.state = pixels[:height, :width], state


def _crop(window, height, width, step):
    """Crops the image for the view, where that has changed."""
    shown, picture = window.shown, window.session.picture
    (left, right), (bottom, top) = window.axes.get_xlim(), window.axes.get_ylim()
    key = (picture.image_path, left, top, right, bottom, height, width, window.exposure)
    if shown.key == key:
        return
    full = picture.levels[0]
    shown.columns = crop_axis(left, left + step * window.scale * width, width, full.width)
    shown.rows = crop_axis(top, top + step * window.scale * height, height, full.height)
    shown.key, shown.image = key, None
    if len(shown.columns[1]) and len(shown.rows[1]):
        shown.image = crop_image(picture.levels, shown.columns, shown.rows, step > 1)
        if window.exposure:
            limits = find_limits(picture.levels[-1])
            shown.image = brighten(shown.image, EXPOSURES[window.exposure], *limits)


def _blend(window, rows, columns):
    """Returns a part of the view: its image with the label over it."""
    shown, session = window.shown, window.session
    image = shown.image[rows, columns]
    _, opacity, only_outline = LOOKS[window.look]
    if window.is_hidden or opacity == 0:
        opaque = image.copy()
        opaque[..., 3] = 255
        return opaque
    at = shown.rows[1][rows], shown.columns[1][columns]
    mask = _take(session.picture.drawing.label, *at)
    if window.floating is not None:
        moved = _take(window.floating.label, at[0] - window.floating.down,
                      at[1] - window.floating.right)
        mask = np.where(moved > 0, moved, mask)
    num_classes = len(session.class_names)
    origin = rows.start or 0, columns.start or 0
    mask = hatch(mask, num_classes, session.ignore_label, origin)
    if only_outline:
        mask = outline(mask)
    blended = blend_label(image, mask, make_blend_table(num_classes, opacity))
    blended[..., 3] = 255
    return blended


def _take(label, rows, columns):
    """Returns the label at ascending rows and columns, 0 beyond it."""
    height, width = label.shape
    first, last = np.searchsorted(rows, (0, height)).tolist()
    left, right = np.searchsorted(columns, (0, width)).tolist()
    taken = np.zeros((len(rows), len(columns)), np.uint8)
    if first < last and left < right:
        columns = columns[left:right]
        band = label[rows[first:last], columns[0]:columns[-1] + 1]
        taken[first:last, left:right] = band[:, columns - columns[0]]
    return taken


def show_view(window):
    """Composes the view where it has changed, and shows it; the stroke under way is gone then."""
    if not window.is_drawn:
        return window.figure.canvas.draw_idle()
    if window.shown.state != _state_of(window):
        compose(window)
        show_box(window, (0, 0, *view_size(window)))
    return None


def show_part(window, top, left, height, width):
    """Shows a rectangle of the label that has changed, in image pixels, without the rest."""
    shown = window.shown
    if (not window.is_drawn or shown.coarse or shown.image is None or window.floating is not None
            or LOOKS[window.look][2] or len(shown.state) == 0):
        return show_view(window)
    rows = slice(*np.searchsorted(shown.rows[1], (top, top + height)).tolist())
    columns = slice(*np.searchsorted(shown.columns[1], (left, left + width)).tolist())
    shown.state = _state_of(window)
    if rows.start < rows.stop and columns.start < columns.stop:
        first, before = shown.rows[0].start, shown.columns[0].start
        box = (first + rows.start, before + columns.start, first + rows.stop,
               before + columns.stop)
        shown.pixels[box[0]:box[2], box[1]:box[3]] = _blend(window, rows, columns)
        show_box(window, box)
    return None


def show_box(window, box, artists=()):
    """Shows a rectangle of the view, and artists of the stroke under way over it.

    Args: box (top, left, bottom, right) in screen pixels from the view's upper left corner.
    """
    height, width = view_size(window)
    top, left = max(0, box[0]), max(0, box[1])
    bottom, right = min(height, box[2]), min(width, box[3])
    canvas, axes = window.figure.canvas, window.axes
    if top >= bottom or left >= right:
        return
    buffer = np.asarray(canvas.get_renderer().buffer_rgba())
    x, y = round(axes.bbox.x0), buffer.shape[0] - round(axes.bbox.y1)
    buffer[y + top:y + bottom, x + left:x + right] = window.shown.pixels[top:bottom, left:right]
    place = Bbox.from_extents(x + left, axes.bbox.y1 - bottom, x + right, axes.bbox.y1 - top)
    for artist in artists:
        artist.set_clip_path(None)
        artist.set_clip_box(place)
        axes.draw_artist(artist)
    canvas.blit(place)


def forget_view(window):
    """Makes the next drawing compose the view from the beginning, as for another image."""
    window.shown = Shown()
