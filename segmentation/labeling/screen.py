"""What the window shows besides the picture: the status line, the help, the title; its layout."""

from matplotlib.patheffects import withStroke

from segmentation.labeling.keys import HINTS, format_help
from segmentation.labeling.panel import draw_panel
from segmentation.labeling.session import describe_position
from segmentation.labeling.style import (
    DARK,
    DOTS_PER_INCH,
    FAINT,
    LIGHT,
    PANEL,
    PANEL_WIDTH,
    STATUS_HEIGHT,
)
from segmentation.labeling.viewport import View


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
