"""The keys of the labeling window, and the table of them."""

KEYS = (  # what is shown, the keys' names in matplotlib, the action, what it does
    ("left button", (), None, "paints: corner by corner (polygon), or held down (lasso, brush)"),
    ("right button", (), None, "held down: moves the picture"),
    ("wheel", (), None, "zooms about the pointer; over the legend: scrolls it"),
    ("0 ... 9", tuple("0123456789"), "class", "paints that class; 0, the background, erases"),
    ("i", ("i",), "ignored", "paints pixels to be ignored by the training (hatched)"),
    ("a", ("a",), "add class", "adds a class: type its name, then Enter"),
    ("c", ("c",), "polygon", "polygon: click the corners, close it on the first or with Enter"),
    ("l", ("l",), "lasso", "lasso: draw around the object"),
    ("b", ("b",), "brush", "brush"),
    ("+ / -", ("+", "=", "-"), "brush size", "larger or smaller brush"),
    ("Enter", ("enter",), "close polygon", "closes the polygon"),
    ("Backspace", ("backspace",), "drop corner", "takes the polygon's last corner back"),
    ("Esc", ("escape",), "abandon", "abandons the polygon or the stroke"),
    ("z", ("z", "ctrl+z", "cmd+z"), "undo", "undo"),
    ("y", ("y", "ctrl+y", "ctrl+Z", "ctrl+shift+z", "cmd+Z", "cmd+shift+z"), "redo", "redo"),
    ("o", ("o",), "opacity", "opacity of the label: 50, 75, 100, 0, 25 %"),
    ("f", ("f",), "fit", "shows the whole picture"),
    ("right, space", ("right", " ", "space"), "next", "next image"),
    ("left", ("left",), "previous", "previous image"),
    ("n", ("n",), "unlabeled", "next image without a label"),
    ("x", ("x",), "background", "no object here: all background, done; goes on"),
    ("p", ("p",), "prelabel", "fills the label with the trained model's prediction"),
    ("u", ("u",), "least sure", "image without a label of which the model is least sure"),
    ("h", ("h",), "help", "shows or hides this table"),
    ("q", ("q", "ctrl+w"), "close", "closes the window; everything is saved"))
TOOLS = {"polygon": "c", "lasso": "l", "brush": "b"}
HINTS = {"polygon": "Click the corners; close on the first one or with Enter.",
         "lasso": "Hold the left button down and draw around the object.",
         "brush": "Hold the left button down and paint."}


def format_help():
    """Returns the table of keys as it is shown in the window."""
    width = max(len(shown) for shown, *_ in KEYS)
    return "\n".join(f"{shown:<{width}}   {text}" for shown, _, _, text in KEYS)


def format_key_table():
    """Returns the table of keys in Markdown, for the README."""
    lines = [f"| {shown} | {text} |" for shown, _, _, text in KEYS]
    return "\n".join(["| key or mouse | what it does |", "|---|---|", *lines])
