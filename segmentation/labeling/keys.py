"""The keys of the labeling window, in groups, and the table of them."""

# What is shown, the keys' names in matplotlib, the action, what it does.
GROUPS = {
    "Mouse": (
        ("left button", (), None, "paints with the tool: clicks, or held down"),
        ("right button", (), None, "held down: moves the picture"),
        ("wheel", (), None, "zooms about the pointer; over the classes: scrolls them")),
    "Tools": (
        ("c", ("c",), "polygon", "polygon: click the corners, close on the first or with Enter"),
        ("l", ("l",), "lasso", "lasso: draw around the object"),
        ("m", ("m",), "snap", "magnet: the lasso snaps to the object within it, on or off"),
        ("b", ("b",), "brush", "brush"),
        ("w", ("w",), "line", "line (wires, cracks): click its corners, Enter"),
        ("k", ("k",), "fill", "bucket: a click gives a connected region the class"),
        ("+ / -", ("+", "=", "-"), "brush size", "brush and line wider or narrower"),
        ("v", ("v",), "lock", "lock: paints over background only, on or off")),
    "Strokes": (
        ("Enter", ("enter",), "finish", "closes the polygon, ends the line, keeps a copied label"),
        ("Backspace", ("backspace",), "drop corner", "takes the last corner back"),
        ("Esc", ("escape",), "abandon", "drops what is under way"),
        ("z", ("z", "ctrl+z", "cmd+z"), "undo", "undo; a polygon's corners come back first"),
        ("y", ("y", "ctrl+y", "ctrl+Z", "ctrl+shift+z", "cmd+Z", "cmd+shift+z"), "redo", "redo"),
        ("d", ("d",), "copy label", "copies the previous image's label: drag it, then Enter")),
    "View": (
        ("o", ("o",), "look", "label at 50, 75, 100 %, outline, hidden, 25 %"),
        ("Shift", ("shift",), "hide", "held down: hides the label"),
        ("e", ("e",), "exposure", "shows dark pictures brighter (the file stays as it is)"),
        ("f", ("f",), "fit", "shows the whole picture")),
    "Classes": (
        ("0 ... 9", tuple("0123456789"), "class", "paints that class; 0, the background, erases"),
        (", / .", (",", "."), "next class", "previous or next class"),
        ("/", ("/",), "class by name", "class by its number or the beginning of its name"),
        ("s", ("s",), "swap", "swaps the class and the eraser"),
        ("t", ("t",), "take class", "takes the class under the pointer"),
        ("i", ("i",), "ignored", "paints pixels that training ignores (hatched)"),
        ("a", ("a",), "add class", "adds a class"),
        ("F2", ("f2",), "rename class", "renames the class; another's name merges the two")),
    "Images": (
        ("right, space", ("right", " ", "space"), "next", "next image"),
        ("left", ("left",), "previous", "previous image"),
        ("Home / End", ("home", "end"), "first or last", "first or last image"),
        ("g", ("g",), "go to number", "image by its number"),
        ("n", ("n",), "unlabeled", "next image without a label"),
        ("x", ("x",), "background", "no object here: all background; goes on")),
    "Model": (
        ("p", ("p",), "prelabel", "lets the trained model label what is not painted yet"),
        ("Ctrl+p", ("ctrl+p", "cmd+p"), "prelabel all", "the same for all images without a label"),
        ("r", ("r",), "review", "this label is right: next one that only the model has seen"),
        ("u", ("u",), "least sure", "image without a label of which the model is least sure")),
    "Window": (
        ("F4", ("f4",), "contact sheet", "saves pictures of all labels, 20 on each"),
        ("h", ("h",), "help", "shows or hides this table"),
        ("q", ("q", "ctrl+w", "cmd+w"), "close", "closes the window; everything is saved")),
}
KEYS = tuple(key for group in GROUPS.values() for key in group)
TOOLS = {"polygon": "c", "lasso": "l", "brush": "b", "line": "w", "fill": "k"}
HINTS = {"polygon": "Click the corners; close on the first one or with Enter.",
         "lasso": "Hold the left button down and draw around the object.",
         "brush": "Hold the left button down and paint.",
         "line": "Click the corners of the line; end it with Enter.",
         "fill": "Click a region, or into an outline, to fill it with the class."}
SNAP_HINT = "Draw around the object, a little too wide: the lasso snaps to it."


def format_help():
    """Returns the keys as the window shows them: two columns of (heading or key, text)."""
    columns, count = ([], []), sum(len(group) + 2 for group in GROUPS.values())
    for title, group in GROUPS.items():
        column = columns[0 if len(columns[0]) + len(group) / 2 < count / 2 else 1]
        column += [(title, None), *((shown, text) for shown, _, _, text in group), ("", None)]
    return columns
