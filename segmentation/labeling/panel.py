"""The panel at the right of the window: the classes and the tools, one a row."""

from matplotlib.patches import Rectangle

from device.drawing import class_colors
from segmentation.labeling.keys import TOOLS
from segmentation.labeling.session import unknown_values
from segmentation.labeling.style import FAINT, LIGHT, PANEL_WIDTH, RAISED, ROW_HEIGHT


def draw_panel(window):
    """Draws the legend and the tools, and notes which row means what."""
    panel, session = window.panel, window.session
    for artist in [*panel.texts, *panel.patches]:
        artist.remove()
    window.rows = []
    number = f"{session.index + 1} of {len(session.image_paths)}, {len(session.labeled)} labeled"
    panel.text(16, 26, shorten_middle(session.image_paths[session.index].name, 24), color=LIGHT,
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
        text = f"{index}  {shorten_middle(names[index], 18)}"
        top = draw_row(window, top, "class", str(index), text, None, window.value == index,
                       colors[index] / 255)
    if session.ignore_label is not None:
        top = draw_row(window, top, "ignored", "i", "i  ignored", None,
                       window.value == session.ignore_label, "#777777", "/////")
    if unknown:
        values = shorten_middle(", ".join(map(str, unknown)), 14)
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


def shorten_middle(text, length):
    """Returns the text with its middle left out where it is longer than length."""
    if len(text) <= length:
        return text
    return f"{text[:length // 2 - 1]}...{text[len(text) - length // 2 + 2:]}"
