"""Which part of the image the window shows: fitted, zoomed, moved."""

import numpy as np

ZOOM_STEP = 1.25  # a click of the wheel


def set_view(window):
    """Gives the picture's axes the limits of window.center and window.scale."""
    box = window.axes.bbox
    (x, y), half_width, half_height = window.center, box.width / 2, box.height / 2
    window.axes.set_xlim(x - window.scale * half_width, x + window.scale * half_width)
    window.axes.set_ylim(y + window.scale * half_height, y - window.scale * half_height)


def fit_view(window):
    """Shows the whole picture."""
    full, box = window.session.picture.levels[0], window.axes.bbox
    window.scale = 1.02 * max(full.width / box.width, full.height / box.height)
    window.center, window.is_fitted = ((full.width - 1) / 2, (full.height - 1) / 2), True
    set_view(window)


def fit_again(window):
    """Keeps what is seen after the window has another size: the whole picture, or its middle."""
    if window.is_fitted:
        fit_view(window)
    else:
        set_view(window)


def place_of(window, event):
    """Returns where the mouse is, (x, y) in image pixels, also beyond the axes."""
    return tuple(window.axes.transData.inverted().transform((event.x, event.y)).tolist())


def zoom(window, event):
    """Zooms about the mouse pointer by the wheel, from 1/50 of a pixel up to four pictures."""
    full = window.session.picture.levels[0]
    factor = ZOOM_STEP ** -event.step
    if not 0.02 < window.scale * factor < 4 * max(full.size) / window.axes.bbox.width:
        return
    place, center = np.array(place_of(window, event)), np.array(window.center)
    window.center = tuple((place + (center - place) * factor).tolist())
    window.scale, window.is_fitted = window.scale * factor, False
    set_view(window)


def begin_pan(window, event):
    """Lets the mouse move the picture while its button is held."""
    x, y = window.center

    def move(right, up):
        """Moves the picture by screen pixels from where it was."""
        window.center, window.is_fitted = (x - right * window.scale, y + up * window.scale), False
        set_view(window)

    window.held = event.x, event.y, move


def screen_distance(window, point, other):
    """Returns how many screen pixels two points of the image are apart."""
    return float(np.hypot(*np.subtract(point, other)) / window.scale)


def describe_pixel(window, point):
    """Returns the place and the class at a point of the image, '' beyond it."""
    picture, names = window.session.picture, window.session.class_names
    column, row = round(point[0]), round(point[1])
    height, width = picture.drawing.label.shape
    if not (0 <= column < width and 0 <= row < height):
        return ""
    value = int(picture.drawing.label[row, column])
    name = names[value] if value < len(names) else \
        "ignored" if value == window.session.ignore_label else "unknown value"
    return f"x {column}, y {row}: {value} {name}"
