"""The panel at the right of the window: the classes, the tools and the switches, one a row."""

from matplotlib.patches import Rectangle

from device.drawing import class_colors
from segmentation.labeling.keys import TOOLS
from segmentation.labeling.session import unknown_values
from segmentation.labeling.style import (
    ACCENT,
    DIM,
    FAINT,
    LIGHT,
    PANEL_WIDTH,
    RAISED,
    ROW_HEIGHT,
)

SWITCHES = (("snap", "m", "magnet", "snaps"), ("lock", "v", "lock", "lock"))
OTHER_ROWS = 15.2  # rows that the panel needs besides those of the classes


def panel_state(window):
    """Returns all that the panel shows."""
    session = window.session
    return (session.index, tuple(session.image_paths[session.index:session.index + 1]),
            len(session.image_paths), len(session.labeled), tuple(session.class_names),
            session.ignore_label, tuple(unknown_values(session)), len(session.unreviewed),
            window.first_row, window.value, window.tool, window.snaps, window.lock,
            tuple(window.figure.bbox.size))


def fill_panel(window):
    """Fills the panel with the legend and the tools, and notes which row means what."""
    panel, session = window.panel, window.session
    for artist in [*panel.texts, *panel.patches]:
        artist.remove()
    window.rows = []
    path = session.image_paths[session.index]
    name = panel.text(16, 24, shorten_middle(path.name, 25), color=LIGHT, fontsize=11,
                      weight="bold", va="center", parse_math=False)
    room = panel.bbox.width * (1 - 38 / PANEL_WIDTH)  # letters shrink by steps: some is left
    name.set_fontsize(11 * min(1.0, room / name.get_window_extent().width))
    number = f"{session.index + 1} of {len(session.image_paths)}, {len(session.labeled)} labeled"
    panel.text(16, 44, number, color=FAINT, fontsize=10, va="center")
    if session.unreviewed:
        count, here = len(session.unreviewed), path in session.unreviewed
        waiting = f"{count} to review, this too" if here else f"{count} to review"
        panel.text(16, 62, f"r: {waiting}", color=ACCENT, fontsize=9, va="center")
    top = _draw_heading(window, "CLASSES", 82)
    top = _draw_classes(window, top)
    top = _draw_row(window, top, "add class", "a", "add a class", "a")
    top = _draw_heading(window, "TOOL", top + 13)
    for tool, key in TOOLS.items():
        top = _draw_row(window, top, tool, key, tool, key, window.tool == tool)
    top = _draw_heading(window, "SWITCHES", top + 13)
    for action, key, text, name in SWITCHES:
        is_on = getattr(window, name)
        top = _draw_row(window, top, action, key, f"{text}: {'on' if is_on else 'off'}", key, is_on)


def _draw_classes(window, top):
    """Draws the rows of the classes that fit, of the ignore label, and of unknown values."""
    session, names = window.session, window.session.class_names
    unknown = unknown_values(session)
    room = window.panel.get_ylim()[0] / ROW_HEIGHT - OTHER_ROWS - bool(unknown)
    fitting = len(names) if len(names) <= room else max(3, int(room) - 1)
    window.first_row = max(0, min(window.first_row, len(names) - fitting))
    end = min(len(names), window.first_row + fitting)
    colors = class_colors(len(names))
    for index in range(window.first_row, end):
        text = f"{index}  {shorten_middle(names[index], 18)}"
        top = _draw_row(window, top, "class", str(index), text, None, window.value == index,
                        colors[index] / 255)
    if fitting < len(names):
        above, below = window.first_row, len(names) - end
        counts = [f"{count} {where}" for count, where in ((above, "above"), (below, "below"))
                  if count]
        top = _draw_row(window, top, None, None, f"{', '.join(counts)} (wheel)", "...")
    if session.ignore_label is not None:
        top = _draw_row(window, top, "ignored", "i", "i  ignored", None,
                        window.value == session.ignore_label, "#777777", "/////")
    if unknown:
        values = shorten_middle(", ".join(map(str, unknown)), 14)
        top = _draw_row(window, top, None, None, f"unknown: {values}", None, False, "#777777",
                        "\\\\\\\\\\")
    return top


def _draw_heading(window, text, top):
    """Draws a heading in the panel; returns where the next row starts."""
    window.panel.text(16, top, text, color=DIM, fontsize=8, weight="bold", va="center")
    return top + 12


def _draw_row(window, top, action, key, text, sign, chosen=False, color=None, hatch=None):
    """Draws a row that can be clicked, its sign or colored square first; returns the next top."""
    panel, middle = window.panel, top + ROW_HEIGHT / 2
    if chosen:
        panel.add_patch(Rectangle((8, top + 1), PANEL_WIDTH - 16, ROW_HEIGHT - 2, color=RAISED))
    if color is not None:
        panel.add_patch(Rectangle((16, middle - 7), 14, 14, facecolor=color, hatch=hatch,
                                  edgecolor=LIGHT, linewidth=1))
    else:
        panel.text(23, middle, sign, color=FAINT, fontsize=10, va="center", ha="center")
    panel.text(40, middle, text, color=LIGHT if action else FAINT, fontsize=10, va="center",
               weight="bold" if chosen else "normal", parse_math=False)
    window.rows.append((top, action, key))
    return top + ROW_HEIGHT


def shorten_middle(text, length):
    """Returns the text with its middle left out where it is longer than length."""
    if len(text) <= length:
        return text
    return f"{text[:length // 2 - 1]}...{text[len(text) - length // 2 + 2:]}"
