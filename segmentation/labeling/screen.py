"""Everything the window shows, its layout, and what is drawn anew where something changed."""

from matplotlib.offsetbox import AnchoredOffsetbox, HPacker, TextArea, VPacker
from matplotlib.patheffects import withStroke

from segmentation.labeling.bars import bar_state, fill_bar, fill_status, status_state
from segmentation.labeling.display import View, show_view
from segmentation.labeling.keys import format_help
from segmentation.labeling.panel import fill_panel, panel_state
from segmentation.labeling.session import describe_position
from segmentation.labeling.style import (
    ACCENT,
    BAR_HEIGHT,
    DARK,
    DOTS_PER_INCH,
    FAINT,
    LIGHT,
    PANEL,
    PANEL_WIDTH,
    STATUS_HEIGHT,
)

HELP_POINTS, HELP_ROOM = 8, (960, 545)  # size of its letters where the window has that room
REGIONS = {"panel": (panel_state, fill_panel), "bar": (bar_state, fill_bar),
           "status": (status_state, fill_status)}


def add_artists(window):
    """Adds what is drawn: the view, the stroke under way, the help, and the axes around."""
    figure = window.figure
    window.axes = figure.add_axes((0, 0, 1, 1), label="picture")
    window.axes.set_axis_off()
    for name in REGIONS:
        axes = figure.add_axes((0, 0, 1, 1), label=name, facecolor=PANEL, xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        setattr(window, name, axes)
    outlined = [withStroke(linewidth=3, foreground="black")]
    plot = window.axes.plot
    window.artists = {
        "view": window.axes.add_artist(View(window)),
        "stroke": plot([], [], animated=True, solid_capstyle="round", solid_joinstyle="round")[0],
        "outline": plot([], [], animated=True, linewidth=1.5, marker="o", markersize=4,
                        path_effects=outlined)[0],
        "first corner": plot([], [], animated=True, marker="o", markersize=11,
                             markerfacecolor="none", markeredgecolor="white",
                             path_effects=outlined)[0],
        "pointer": plot([], [], animated=True, marker="o", markerfacecolor="none",
                        markeredgecolor="white", path_effects=outlined)[0],
        "help": figure.add_artist(make_help(figure, HELP_POINTS))}


def make_help(figure, points):
    """Returns the box with all keys, in groups and two columns, hidden; points of its letters."""
    columns = [VPacker(children=[_help_line(*line, points) for line in column], pad=0,
                       sep=0.45 * points) for column in format_help()]
    box = AnchoredOffsetbox(loc="center", child=HPacker(children=columns, pad=points, sep=28),
                            frameon=True, pad=0.6, bbox_to_anchor=figure.bbox)
    box.patch.set(facecolor=DARK, edgecolor=FAINT, alpha=0.97)
    box.set(visible=False, zorder=10)
    return box


def _help_line(shown, text, points):
    """Returns a heading, where text is None, or a key and what it does."""
    style = {"color": LIGHT, "fontsize": points}
    if text is None:
        return TextArea(shown or " ", textprops={**style, "color": ACCENT, "weight": "bold"})
    key = TextArea(f"{shown:<12}", textprops={**style, "weight": "bold", "family": "monospace"})
    return HPacker(children=[key, TextArea(text, textprops=style)], pad=0, sep=6, align="baseline")


def lay_out(window):
    """Places picture, panel, bar and status line for the figure's size, on whole pixels."""
    total_width, total_height = window.figure.bbox.size
    unit = window.figure.dpi / DOTS_PER_INCH
    width = max(1, round(total_width - PANEL_WIDTH * unit))
    status, bar = round(STATUS_HEIGHT * unit), round(BAR_HEIGHT * unit)
    height = max(1, round(total_height - status - bar))
    for axes, x, y, w, h in (
            (window.axes, 0, status, width, height),
            (window.status, 0, 0, width, status), (window.bar, 0, status + height, width, bar),
            (window.panel, width, 0, total_width - width, total_height)):
        axes.set_position((x / total_width, y / total_height, w / total_width, h / total_height))
        if axes is not window.axes:
            axes.set(xlim=(0, w / unit), ylim=(h / unit, 0))
    window.drawn.clear()
    points = HELP_POINTS * min(1.15, total_width / unit / HELP_ROOM[0],
                               total_height / unit / HELP_ROOM[1])
    visible = window.artists["help"].get_visible()
    window.artists["help"].remove()
    window.artists["help"] = window.figure.add_artist(make_help(window.figure, points))
    window.artists["help"].set_visible(visible)


def refresh(window):
    """Draws what has changed: the panel, the bar, the status line, the title, the picture."""
    session = window.session
    title = describe_position(session) + (" - NOT SAVED" if session.unsaved else "")
    manager = window.figure.canvas.manager
    if manager is not None and window.drawn.get("title") != title:
        window.drawn["title"] = title
        manager.set_window_title(title)
    show_view(window)
    for name in REGIONS:
        refresh_region(window, name)


def refresh_region(window, name):
    """Draws one of the axes around the picture anew where what it shows has changed."""
    find_state, fill = REGIONS[name]
    state = find_state(window)
    if window.drawn.get(name) == state:
        return
    window.drawn[name] = state
    fill(window)
    if window.is_drawn:
        axes, canvas = getattr(window, name), window.figure.canvas
        for artist in (axes.patch, *axes.patches, *axes.texts):  # the axes' own draw takes 10 ms
            artist.draw(canvas.get_renderer())
        canvas.blit(axes.bbox)


def say(window, message, is_alarm=False):
    """Shows a message in the status line until the next key or click; an alarm in red."""
    window.message, window.is_alarm = message, is_alarm
    refresh(window)


def show_help(window, is_visible):
    """Shows or hides the box of all keys; the whole figure is drawn anew."""
    window.artists["help"].set_visible(is_visible)
    refresh(window)
    window.figure.canvas.draw_idle()
