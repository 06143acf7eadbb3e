"""The part of the image that the window shows: drawn at screen size, zoomed and moved."""

import numpy as np
from matplotlib.artist import Artist

from segmentation.labeling.view import blend_label, crop_axis, crop_image

ZOOM_STEP = 1.25  # a click of the wheel


class View(Artist):
    """The visible part of image and label at screen size; imshow would take 50 ms longer."""

    def __init__(self, window):
        super().__init__()
        self.window, self.crop = window, (None, None)

    def draw(self, renderer):
        """Draws the crop pixel by pixel where the axes are; matplotlib calls it."""
        if self.window.session.picture is None:
            return
        box, graphics = self.axes.bbox, renderer.new_gc()
        renderer.draw_image(graphics, round(box.x0), round(box.y0), self.render()[::-1])
        graphics.restore()

    def render(self):
        """Returns what is seen, uint8 RGBA of the axes' size; the image's crop is kept."""
        session, axes = self.window.session, self.axes
        width, height = round(axes.bbox.width), round(axes.bbox.height)
        key = (session.picture.image_path, axes.get_xlim(), axes.get_ylim(), width, height)
        if self.crop[0] != key:
            self.crop = key, crop_view(session.picture, *key[1:])
        columns, rows, image = self.crop[1]
        rgba = np.zeros((height, width, 4), np.uint8)
        if image is not None:
            mask = session.picture.drawing.label[rows[1][:, None], columns[1]]
            seen = rgba[rows[0], columns[0]]
            seen[..., 3] = 255
            seen[..., :3] = blend_label(image, mask, len(session.class_names),
                                        session.ignore_label, self.window.opacity)
        return rgba


def crop_view(picture, x_limits, y_limits, width, height):
    """Returns columns and rows (see crop_axis) and the image between the limits, or None."""
    full = picture.levels[0]
    columns = crop_axis(*x_limits, width, full.width)
    rows = crop_axis(*y_limits[::-1], height, full.height)
    visible = len(columns[1]) and len(rows[1])
    return columns, rows, crop_image(picture.levels, columns, rows) if visible else None


def fit_view(window, key=None):
    """Shows the whole picture."""
    full, box = window.session.picture.levels[0], window.axes.bbox
    scale = 1.02 * max(full.width / box.width, full.height / box.height)
    for set_limits, length, pixels in ((window.axes.set_xlim, full.width, box.width),
                                       (window.axes.set_ylim, full.height, -box.height)):
        middle, half = (length - 1) / 2, scale * pixels / 2
        set_limits(middle - half, middle + half)
    window.figure.canvas.draw_idle()


def keep_square(axes, renderer):
    """Shows pixels as squares again where the toolbar's zoom has stretched them.

    matplotlib calls it before it draws the axes, and wants their place.
    """
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    scales = (right - left) / axes.bbox.width, (bottom - top) / axes.bbox.height
    if abs(scales[0] / scales[1] - 1) > 1e-6:
        half_width, half_height = max(scales) * axes.bbox.size / 2
        axes.set_xlim((left + right) / 2 - half_width, (left + right) / 2 + half_width)
        axes.set_ylim((bottom + top) / 2 + half_height, (bottom + top) / 2 - half_height)
    return axes.get_position(original=True)


def view_scale(window):
    """Returns how many image pixels a screen pixel shows."""
    left, right = window.axes.get_xlim()
    return (right - left) / window.axes.bbox.width


def place_of(window, event):
    """Returns where the mouse is, (x, y) in image pixels, also beyond the axes."""
    return tuple(window.axes.transData.inverted().transform((event.x, event.y)).tolist())


def zoom(window, event):
    """Zooms about the mouse pointer by the wheel, from 1/8 of a pixel up to four pictures."""
    full = window.session.picture.levels[0]
    factor = ZOOM_STEP ** -event.step
    if not 0.02 < view_scale(window) * factor < 4 * max(full.size) / window.axes.bbox.width:
        return
    x, y = place_of(window, event)
    window.axes.set_xlim([x + (limit - x) * factor for limit in window.axes.get_xlim()])
    window.axes.set_ylim([y + (limit - y) * factor for limit in window.axes.get_ylim()])
    window.figure.canvas.draw_idle()


def pan(window, event):
    """Moves the picture with the mouse."""
    x, y, (x_limits, y_limits) = window.panning
    scale = view_scale(window)
    window.axes.set_xlim(x_limits - (event.x - x) * scale)
    window.axes.set_ylim(y_limits + (event.y - y) * scale)
    window.figure.canvas.draw_idle()


def describe_pixel(window, x, y):
    """Returns the place and class under the mouse, for the toolbar."""
    picture, names = window.session.picture, window.session.class_names
    column, row = round(x), round(y)
    height, width = picture.drawing.label.shape
    if not (0 <= column < width and 0 <= row < height):
        return ""
    value = int(picture.drawing.label[row, column])
    name = names[value] if value < len(names) else \
        "ignored" if value == window.session.ignore_label else "unknown value"
    return f"x {column}, y {row}: {value} {name}"


def toolbar_is_on(window):
    """Whether the toolbar's own zoom or pan takes the mouse."""
    toolbar = window.figure.canvas.toolbar
    return toolbar is not None and bool(toolbar.mode)
