"""The labeling window: what is drawn in it, and what the mouse and the keys do."""

import time
from dataclasses import dataclass, field

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from device.drawing import IGNORED_COLOR, class_colors
from device.errors import InputError
from segmentation.labeling.keys import HINTS, KEYS, TOOLS, format_help
from segmentation.labeling.label import (
    declare_background,
    paint,
    polygon_region,
    redo,
    stroke_region,
    undo,
)
from segmentation.labeling.prelabel import find_least_sure, prelabel
from segmentation.labeling.session import (
    Session,
    add_class,
    close_session,
    describe_position,
    go_to,
    next_unlabeled,
    open_current,
    save_current,
    unknown_values,
)
from segmentation.labeling.view import blend_label, crop_axis, crop_image

# Painting
BRUSH_SIZE = 24  # diameter in screen pixels at the start: zoomed in, the brush paints finer
BRUSH_STEP = 1.25
OPACITIES = (0.5, 0.75, 1.0, 0.0, 0.25)  # of the label over the image; a key goes through them
CLOSE_DISTANCE = 10  # screen pixels; a click so near to the first corner closes the polygon
ZOOM_STEP = 1.25  # a click of the wheel
# Window
DOTS_PER_INCH = 100  # a unit below is a dot of this; several screen pixels on very fine screens
WINDOW_SIZE = (1280, 800)  # (width, height)
PANEL_WIDTH, STATUS_HEIGHT, ROW_HEIGHT = 220, 30, 26
DARK, PANEL, RAISED, LIGHT, FAINT = "#1b1d21", "#26292e", "#3b4048", "#eceff3", "#9aa2ad"
PROGRESS_SECONDS = 0.2  # between two notes of how far a search is


@dataclass
class Window:
    """The figure, what is drawn in it, and what the mouse and the keys are in the middle of."""

    session: Session
    figure: plt.Figure
    axes: plt.Axes = None
    panel: plt.Axes = None
    artists: dict = field(default_factory=dict)
    background: object = None  # the drawn figure without the stroke under way
    rows: list = field(default_factory=list)  # what a click in the panel means: (top, action, key)
    first_row: int = 0  # the first class shown, where not all fit
    tool: str = "polygon"
    value: int = 1  # the class, or the ignore label, that is painted
    opacity: float = OPACITIES[0]
    brush_size: float = BRUSH_SIZE
    points: list = field(default_factory=list)  # of the stroke under way, in image pixels
    dragging: bool = False  # lasso or brush held down
    panning: tuple | None = None  # where the right button went down, and the limits there
    typing: str | None = None  # the new class's name so far
    message: str = ""
    busy: bool = False
    cancelled: bool = False


def open_window(session):
    """Builds the window on matplotlib's current backend and opens the session's image.

    Returns: Window; plt.show() hands it to the person.
    """
    figure = plt.figure(figsize=np.divide(WINDOW_SIZE, DOTS_PER_INCH), dpi=DOTS_PER_INCH,
                        facecolor=DARK)
    window = Window(session, figure)
    window.axes = figure.add_axes((0, 0, 1, 1))
    window.axes.set_axes_locator(keep_square)
    window.axes.set_axis_off()
    window.axes.format_coord = lambda x, y: describe_pixel(window, x, y)
    window.panel = figure.add_axes((0, 0, 1, 1))
    window.panel.set_navigate(False)
    add_artists(window)
    manager = figure.canvas.manager
    if manager is not None and manager.key_press_handler_id is not None:
        figure.canvas.mpl_disconnect(manager.key_press_handler_id)  # matplotlib's keys are ours
    for event, function in (
            ("button_press_event", on_press), ("motion_notify_event", on_motion),
            ("button_release_event", on_release), ("scroll_event", on_scroll),
            ("key_press_event", on_key), ("draw_event", on_draw),
            ("resize_event", on_resize), ("close_event", on_close)):
        connect(window, event, function)
    lay_out(window)
    show_picture(window, open_current(session))
    return window


def add_artists(window):
    """Adds what is drawn: the view, the stroke under way, the status line, the help."""
    axes, outlined = window.axes, [withStroke(linewidth=3, foreground="black")]
    window.artists = {
        "view": axes.add_artist(View(window)),
        "stroke": axes.plot([], [], animated=True, solid_capstyle="round",
                            solid_joinstyle="round")[0],
        "outline": axes.plot([], [], animated=True, linewidth=1.5, marker="o", markersize=4,
                             path_effects=outlined)[0],
        "first corner": axes.plot([], [], animated=True, marker="o", markersize=11,
                                  markerfacecolor="none", markeredgecolor="white",
                                  path_effects=outlined)[0],
        "pointer": axes.plot([], [], animated=True, marker="o", markerfacecolor="none",
                             markeredgecolor="white", path_effects=outlined)[0],
        "hint": window.figure.text(0, 0, "", color=LIGHT, fontsize=10, va="center"),
        "facts": window.figure.text(0, 0, "", color=FAINT, fontsize=10, va="center", ha="right"),
        "help": window.figure.text(
            0, 0, format_help(), color=LIGHT, fontsize=10, family="monospace", va="center",
            ha="center", multialignment="left", linespacing=1.45, visible=False, zorder=10,
            bbox={"boxstyle": "round,pad=1.2", "facecolor": DARK, "edgecolor": FAINT,
                  "alpha": 0.96})}


def connect(window, name, function):
    """Calls function(window, event) for each event; an InputError is shown in the status line."""
    def call(event):
        """Calls the function, and shows what a person has to know."""
        try:
            function(window, event)
        except InputError as error:
            say(window, str(error))

    window.figure.canvas.mpl_connect(name, call)


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


def lay_out(window):
    """Places picture, panel and status line for the figure's size."""
    width, height = window.figure.bbox.size / window.figure.dpi * DOTS_PER_INCH
    picture_width = max(1, width - PANEL_WIDTH) / width
    status_height = min(0.5, STATUS_HEIGHT / height)
    window.axes.set_position((0, status_height, picture_width, 1 - status_height))
    window.panel.set_position((picture_width, 0, 1 - picture_width, 1))
    window.panel.set(xlim=(0, PANEL_WIDTH), ylim=(height, 0), facecolor=PANEL, xticks=[], yticks=[])
    window.panel.spines[:].set_visible(False)
    window.artists["hint"].set_position((12 / width, status_height / 2))
    window.artists["facts"].set_position((picture_width - 12 / width, status_height / 2))
    window.artists["help"].set_position((picture_width / 2, 0.5))


def refresh(window):
    """Draws everything anew: the panel, the status line, the title, the picture."""
    session = window.session
    unsaved = " - NOT SAVED" if session.unsaved else ""
    if window.figure.canvas.manager is not None:
        window.figure.canvas.manager.set_window_title(describe_position(session) + unsaved)
    draw_panel(window)
    hint = window.message or HINTS[window.tool]
    if window.typing is not None:
        hint = f"Name of the new class: {window.typing}_   (Enter: add it, Esc: don't)"
    window.artists["hint"].set_text(hint)
    window.artists["facts"].set_text("" if len(hint) > 90 else (
        f"label {window.opacity:.0%}    brush {window.brush_size:.0f}"))
    window.figure.canvas.draw_idle()


def say(window, message):
    """Shows a message in the status line until the next key or click."""
    window.message = message
    refresh(window)


def draw_panel(window):
    """Draws the legend and the tools, and notes which row means what."""
    panel, session = window.panel, window.session
    for artist in [*panel.texts, *panel.patches]:
        artist.remove()
    window.rows = []
    number = f"{session.index + 1} of {len(session.image_paths)}, {len(session.labeled)} labeled"
    panel.text(16, 26, shorten(session.image_paths[session.index].name, 24), color=LIGHT,
               fontsize=11, weight="bold", va="center")
    panel.text(16, 46, number, color=FAINT, fontsize=10, va="center")
    top = draw_heading(window, "CLASSES", 78)
    top = draw_classes(window, top)
    top = draw_row(window, top, "add class", "a", "add a class", "+")
    top = draw_heading(window, "TOOL", top + 16)
    for tool, key in TOOLS.items():
        top = draw_row(window, top, tool, key, tool, key, window.tool == tool)
    draw_row(window, top + 16, "help", "h", "all keys", "h", window.artists["help"].get_visible())


def draw_classes(window, top):
    """Draws the rows of the classes that fit, of the ignore label, and of unknown values."""
    session, names = window.session, window.session.class_names
    unknown = unknown_values(session)
    fitting = max(3, int((window.panel.get_ylim()[0] - top) / ROW_HEIGHT) - 10)
    window.first_row = max(0, min(window.first_row, len(names) - fitting))
    shown = range(window.first_row, min(len(names), window.first_row + fitting))
    colors = class_colors(len(names))
    for index in shown:
        top = draw_row(window, top, "class", str(index), f"{index}  {shorten(names[index], 18)}",
                       None, window.value == index, colors[index] / 255)
    if session.ignore_label is not None:
        top = draw_row(window, top, "ignored", "i", "i  ignored", None,
                       window.value == session.ignore_label, "#777777", "/////")
    if unknown:
        values = shorten(", ".join(map(str, unknown)), 14)
        top = draw_row(window, top, None, None, f"unknown: {values}", None, False, "#777777",
                       "\\\\\\\\\\")
    return top


def draw_heading(window, text, top):
    """Draws a heading in the panel; returns where the next row starts."""
    window.panel.text(16, top, text, color=FAINT, fontsize=8, weight="bold", va="center")
    return top + 14


def draw_row(window, top, action, key, text, sign, chosen=False, color=None, hatch=None):
    """Draws a row that can be clicked, its sign or colored square first; returns the next top."""
    panel, middle = window.panel, top + ROW_HEIGHT / 2
    if chosen:
        panel.add_patch(Rectangle((8, top + 1), PANEL_WIDTH - 16, ROW_HEIGHT - 2, color=RAISED))
    if color is not None:
        panel.add_patch(Rectangle((16, middle - 7), 14, 14, facecolor=color, hatch=hatch,
                                  edgecolor=LIGHT, linewidth=1))
    else:
        panel.text(23, middle, sign, color=FAINT, fontsize=10, va="center", ha="center")
    panel.text(40, middle, text, color=LIGHT, fontsize=10, va="center",
               weight="bold" if chosen else "normal")
    window.rows.append((top, action, key))
    return top + ROW_HEIGHT


def shorten(text, length):
    """Returns the text with its middle left out where it is longer than length."""
    if len(text) <= length:
        return text
    return f"{text[:length // 2 - 1]}...{text[len(text) - length // 2 + 2:]}"


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


def toolbar_is_on(window):
    """Whether the toolbar's own zoom or pan takes the mouse."""
    toolbar = window.figure.canvas.toolbar
    return toolbar is not None and bool(toolbar.mode)


def closes_polygon(window, point):
    """Whether a click at the point, in image pixels, closes the polygon under way."""
    if window.tool != "polygon" or len(window.points) < 3:
        return False
    distance = np.hypot(*np.subtract(point, window.points[0])) / view_scale(window)
    return distance <= CLOSE_DISTANCE


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


def pan(window, event):
    """Moves the picture with the mouse."""
    x, y, (x_limits, y_limits) = window.panning
    scale = view_scale(window)
    window.axes.set_xlim(x_limits - (event.x - x) * scale)
    window.axes.set_ylim(y_limits + (event.y - y) * scale)
    window.figure.canvas.draw_idle()


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


def act(window, action, key):
    """Does what a key or a row of the panel stands for; hides the help first."""
    if action != "help" and window.artists["help"].get_visible():
        window.artists["help"].set_visible(False)
    ACTIONS[action](window, key)


def choose_class(window, key):
    """Paints with the class of that number from now on."""
    if int(key) >= len(window.session.class_names):
        raise InputError(f"There is no class {key}: press a to add one.")
    window.value = int(key)
    refresh(window)


def choose_ignored(window, key):
    """Paints the ignore label from now on."""
    if window.session.ignore_label is None:
        raise InputError("IGNORE_LABEL is None: there is nothing to be ignored.")
    window.value = window.session.ignore_label
    refresh(window)


def start_typing(window, key):
    """Asks for the name of a new class in the status line."""
    window.typing = ""
    refresh(window)


def type_name(window, key):
    """Takes the next character of the new class's name."""
    if key == "enter":
        name, window.typing = window.typing, None
        window.value = add_class(window.session, name)
        window.message = f"Class {window.value} is {name.strip()}."
    elif key == "escape":
        window.typing = None
    elif key == "backspace":
        window.typing = window.typing[:-1]
    elif key == "space" or len(key) == 1:
        window.typing += " " if key == "space" else key
    refresh(window)


def choose_tool(window, key):
    """Paints with that tool from now on; a polygon under way is abandoned."""
    window.tool = next(tool for tool, tool_key in TOOLS.items() if tool_key == key)
    window.points = []
    refresh(window)


def change_brush(window, key):
    """Makes the brush larger or smaller, from 1 to 400 screen pixels."""
    factor = 1 / BRUSH_STEP if key == "-" else BRUSH_STEP
    window.brush_size = float(np.clip(window.brush_size * factor, 1, 400))
    refresh(window)


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


def take_back(window, key):
    """Takes the last corner of a polygon under way back, else the last stroke."""
    if window.points:
        return drop_corner(window, key)
    if not undo(window.session.picture.drawing):
        raise InputError("Nothing to undo.")
    keep(window)
    refresh(window)


def take_again(window, key):
    """Paints the stroke again that was undone last."""
    if not redo(window.session.picture.drawing):
        raise InputError("Nothing to redo.")
    keep(window)
    refresh(window)


def next_opacity(window, key):
    """Shows the label with the next opacity."""
    window.opacity = OPACITIES[(OPACITIES.index(window.opacity) + 1) % len(OPACITIES)]
    refresh(window)


def toggle_help(window, key=None):
    """Shows or hides the table of keys."""
    window.artists["help"].set_visible(not window.artists["help"].get_visible())
    refresh(window)


def close_window(window, key):
    """Closes the window."""
    plt.close(window.figure)


def show_picture(window, sentences=()):
    """Shows the session's image as a whole; sentences say what was skipped on the way."""
    window.points, window.message = [], " ".join(sentences)
    toolbar = window.figure.canvas.toolbar
    fit_view(window)
    if toolbar is not None:  # its home button is to show this picture as a whole
        toolbar.update()
        toolbar.push_current()
    refresh(window)


def check_no_polygon(window):
    """Raises InputError while a polygon is under way."""
    if window.points:
        raise InputError("A polygon is under way: close it (Enter) or abandon it (Esc) first.")


def move(window, index, direction=1):
    """Goes to the image at an index.

    Raises: InputError while a polygon is under way, or where the label can't be saved.
    """
    check_no_polygon(window)
    show_picture(window, go_to(window.session, index, direction))


def go_next(window, key):
    """Goes to the next image."""
    if window.session.index + 1 == len(window.session.image_paths):
        raise InputError("This is the last image; n finds those without a label.")
    move(window, window.session.index + 1)


def go_previous(window, key):
    """Goes to the previous image."""
    if window.session.index == 0:
        raise InputError("This is the first image.")
    move(window, window.session.index - 1, direction=-1)


def go_unlabeled(window, key):
    """Goes to the next image without a label."""
    index = next_unlabeled(window.session)
    if index is None:
        raise InputError("All other images have a label.")
    move(window, index)


def mark_background(window, key):
    """Saves an all-background label and goes to the next image without a label."""
    declare_background(window.session.picture.drawing)
    save_current(window.session)
    if next_unlabeled(window.session) is None:
        return say(window, "All background. Every image has a label now.")
    go_unlabeled(window, key)


def wait_for(window, message):
    """Shows a message at once, and lets the window take the Esc key."""
    window.message = message
    refresh(window)
    window.figure.canvas.draw()
    window.figure.canvas.flush_events()


def fill_prediction(window, key):
    """Fills the label with the model's prediction."""
    check_no_polygon(window)
    window.busy = True
    try:
        wait_for(window, "The model looks at the image; the first time takes some seconds ...")
        prelabel(window.session)
    finally:
        window.busy = False
    window.message = "Labeled by the model: correct it, or undo it with z."
    keep(window)
    refresh(window)


def go_least_sure(window, key):
    """Goes to the image without a label of which the model is least sure."""
    check_no_polygon(window)
    window.busy, window.cancelled, shown = True, False, 0.0

    def report(done, count):
        """Shows in the window how many are done, at most every PROGRESS_SECONDS."""
        nonlocal shown
        if time.monotonic() - shown > PROGRESS_SECONDS:
            shown = time.monotonic()
            wait_for(window, f"The model has looked at {done} of {count} images; Esc: enough.")
        return not window.cancelled

    try:
        wait_for(window, "The model is loaded; this takes some seconds ...")
        index = find_least_sure(window.session, report)
    finally:
        window.busy = False
    if index is None:
        raise InputError("All other images have a label.")
    move(window, index)


ACTIONS = {
    "class": choose_class, "ignored": choose_ignored, "add class": start_typing,
    "polygon": choose_tool, "lasso": choose_tool, "brush": choose_tool,
    "brush size": change_brush, "close polygon": close_polygon, "drop corner": drop_corner,
    "abandon": abandon, "undo": take_back, "redo": take_again, "opacity": next_opacity,
    "fit": fit_view, "next": go_next, "previous": go_previous, "unlabeled": go_unlabeled,
    "background": mark_background, "prelabel": fill_prediction, "least sure": go_least_sure,
    "help": toggle_help, "close": close_window}


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
