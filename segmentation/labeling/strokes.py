"""The stroke under way: how it is begun, shown, painted or dropped."""

import numpy as np

from device.drawing import IGNORED_COLOR, class_colors
from device.errors import InputError
from segmentation.labeling.display import show_box, show_part, show_view, view_size
from segmentation.labeling.keeping import keep
from segmentation.labeling.label import paint, put_part
from segmentation.labeling.prelabel import read_logits
from segmentation.labeling.raster import connected_region, polygon_region, stroke_region
from segmentation.labeling.screen import refresh, refresh_region
from segmentation.labeling.snap import class_odds, snap_region
from segmentation.labeling.state import NotNowError
from segmentation.labeling.viewport import place_of, screen_distance

CLOSE_DISTANCE = 10  # screen pixels; a click so near to the first corner closes the polygon
SAME_SPOT = 2  # screen pixels between the clicks of a double click that ends a polygon or line
CORNER_TOOLS = ("polygon", "line")
FEWEST_CORNERS = {"polygon": 3, "line": 2, "lasso": 3, "brush": 1}
PREVIEW = ("stroke", "outline", "first corner", "pointer")
MARGIN = 16  # screen pixels around the points of a stroke, for its corners and their outlines


# ---- the mouse -------------------------------------------------------------------------------


def press_tool(window, event):
    """Starts a stroke, sets a corner, or closes what is under way."""
    point = place_of(window, event)
    if window.tool == "fill":
        label = window.session.picture.drawing.label
        return paint_region(window, connected_region(label, point))
    if window.tool not in CORNER_TOOLS:
        window.points, window.dragging = [point], True
    elif closes_polygon(window, point) or ends_here(window, event, point):
        return finish_stroke(window)
    else:
        window.points.append(point)
        refresh_region(window, "bar")
    return show_preview(window)


def closes_polygon(window, point):
    """Whether a click at the point, in image pixels, closes the polygon under way."""
    return (window.tool == "polygon" and len(window.points) >= 3
            and screen_distance(window, point, window.points[0]) <= CLOSE_DISTANCE)


def ends_here(window, event, point):
    """Whether a click is the second one of a double click on the last corner."""
    return (event.dblclick and len(window.points) >= FEWEST_CORNERS[window.tool]
            and screen_distance(window, point, window.points[-1]) <= SAME_SPOT)


def extend_stroke(window, point):
    """Adds the place of the mouse to a stroke that is held down."""
    if screen_distance(window, point, window.points[-1]) >= 1:
        window.points.append(point)


# ---- painting --------------------------------------------------------------------------------


def finish_stroke(window):
    """Paints the stroke under way, and saves the label before anything else is done.

    Raises: NotNowError where there are too few corners; they stay.
    """
    points, size = window.points, window.session.picture.drawing.label.shape
    if len(points) < FEWEST_CORNERS[window.tool]:
        if window.tool in CORNER_TOOLS:
            raise NotNowError(f"A {window.tool} needs at least "
                          f"{'three' if window.tool == 'polygon' else 'two'} corners.")
        return drop_stroke(window)
    if window.tool in ("brush", "line"):
        region = stroke_region(points, window.brush_size * window.scale, size)
    else:
        region = polygon_region(points, size)
    corners = (window.tool, tuple(points)) if window.tool in CORNER_TOOLS else ()
    snaps = window.tool == "lasso" and window.snaps
    drop_preview(window)
    if snaps:
        return paint_snapped(window, region)
    return paint_region(window, region, corners)


def paint_region(window, region, corners=()):
    """Paints a region with the chosen class, shows it, and saves the label."""
    drawing = window.session.picture.drawing
    changed = paint(drawing, region, window.value, window.lock, corners)
    if changed:
        show_part(window, *changed)
        keep(window)
    refresh(window)


def paint_snapped(window, region):
    """Paints a lasso, then what it snaps to, as two steps: undo takes the snap back first."""
    session, drawing = window.session, window.session.picture.drawing
    top, left, mask = region
    place = np.s_[top:top + mask.shape[0], left:left + mask.shape[1]]
    before = drawing.label[place].copy()
    if not paint(drawing, region, window.value, window.lock):
        return refresh(window)
    snapped = snap_region(session.picture.levels[0], region, find_odds(window))[2]
    after = drawing.label[place].copy()
    after[mask & ~snapped] = before[mask & ~snapped]
    if not np.array_equal(after, drawing.label[place]):
        put_part(drawing, top, left, after)
    show_part(window, top, left, *mask.shape)
    keep(window)
    return refresh(window)


def find_odds(window):
    """Returns the trained model's log-odds of the chosen class, or None without a model."""
    session = window.session
    if session.predictor[1] is None:
        return None
    try:
        logits = read_logits(session)
    except InputError:  # the model was removed meanwhile; the colors are enough
        return None
    return class_odds(logits, window.value) if window.value < logits.shape[-1] else None


# ---- corners ---------------------------------------------------------------------------------


def drop_corner(window):
    """Takes the last corner back."""
    if window.tool in CORNER_TOOLS:
        del window.points[-1:]
        redraw_preview(window)


def drop_stroke(window):
    """Drops the stroke under way."""
    drop_preview(window)
    refresh(window)


def give_corners_back(window, step):
    """Puts the corners of an undone polygon or line under way again."""
    if step.corners:
        window.tool, window.points = step.corners[0], list(step.corners[1])
        window.message = "Its corners are back: z takes the last one, Esc drops them all."


# ---- preview ---------------------------------------------------------------------------------


def show_preview(window):
    """Draws the stroke under way over the picture, without drawing that again."""
    if not window.is_drawn or window.artists["help"].get_visible():
        return
    artists = set_preview(window)
    old, window.preview_box = window.preview_box, find_preview_box(window)
    boxes = [box for box in (old, window.preview_box) if box]
    if boxes:
        show_box(window, (min(box[0] for box in boxes), min(box[1] for box in boxes),
                          max(box[2] for box in boxes), max(box[3] for box in boxes)), artists)


def find_preview_box(window):
    """Returns the box around what moves of the stroke: the pointer, its last points, the first."""
    moving = window.points[-2:] + window.points[:1 if window.tool in CORNER_TOOLS else 0]
    if window.pointer is not None and (moving or window.tool in ("brush", "line")):
        moving.append(window.pointer)
    return box_of(window, moving)


def box_of(window, points):
    """Returns the box (top, left, bottom, right) of points in screen pixels, with a margin."""
    if not points:
        return None
    height = view_size(window)[0]
    places = window.axes.transData.transform(points) - window.axes.bbox.min
    (left, low), (right, high) = places.min(axis=0), places.max(axis=0)
    margin = MARGIN + (window.brush_size / 2 if window.tool in ("brush", "line") else 0)
    return (int(height - high - margin), int(left - margin), int(height - low + margin) + 1,
            int(right + margin) + 1)


def redraw_preview(window):
    """Shows the picture without the stroke under way, then the stroke: where corners went."""
    if window.is_drawn:
        show_view(window)
        show_box(window, (0, 0, *view_size(window)), set_preview(window))
    window.preview_box = find_preview_box(window)
    refresh(window)


def drop_preview(window):
    """Forgets the stroke under way and takes it off the screen."""
    box = box_of(window, window.points + ([window.pointer] if window.pointer else []))
    window.points, window.dragging, window.preview_box = [], False, None
    if box and window.is_drawn:
        show_box(window, box)


def set_preview(window):
    """Fills the artists of the stroke under way; returns those to be drawn, in order."""
    for name in PREVIEW:
        window.artists[name].set_data([], [])
    artists, points, pointer = window.artists, window.points, window.pointer
    width = window.brush_size * 72 / window.figure.dpi  # matplotlib's points
    color, drawn = paint_color(window), []
    follow = [pointer] if window.tool in CORNER_TOOLS and points and pointer is not None else []
    shown = [*points, *follow]
    if window.tool in ("brush", "line") and shown:
        artists["stroke"].set(xdata=[x for x, _ in shown], ydata=[y for _, y in shown],
                              color=color, alpha=0.6, linewidth=width)
        drawn.append(artists["stroke"])
    if window.tool in ("brush", "line") and pointer is not None:
        artists["pointer"].set(xdata=pointer[:1], ydata=pointer[1:], markersize=width)
        drawn.append(artists["pointer"])
    if window.tool != "brush" and points:
        artists["outline"].set(xdata=[x for x, _ in shown], ydata=[y for _, y in shown],
                               color=color, marker="" if window.tool == "lasso" else "o")
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
