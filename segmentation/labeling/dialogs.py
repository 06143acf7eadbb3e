"""What is asked before the window opens: the folders and the class names."""

import matplotlib.pyplot as plt
from matplotlib.backend_bases import FigureManagerBase

from device.errors import InputError
from segmentation.data.classes import CLASS_NAMES_FILE, read_class_names


def check_display():
    """Raises InputError, saying how to get one, where matplotlib can't open a window."""
    try:
        figure = plt.figure()
    except Exception as error:  # each toolkit has its own kind
        raise InputError(_no_window(str(error).partition("\n")[0])) from error
    has_window = type(figure.canvas.manager) is not FigureManagerBase
    plt.close(figure)
    if not has_window:
        raise InputError(_no_window(f"matplotlib uses {plt.get_backend()}, which draws files only"))


def _no_window(reason):
    return (f"No window can be opened ({reason}): install a toolkit for matplotlib (Debian, "
            f"Ubuntu: apt install python3-tk; anywhere: pip install PySide6) and start this on a "
            f"screen (over SSH: ssh -X); where MPLBACKEND is set, set it to TkAgg or QtAgg.")


def open_dialogs():
    """Returns a hidden Tk window for dialogs, or None where this Python or screen has no Tk."""
    try:
        import tkinter
        root = tkinter.Tk()
    except Exception:  # ImportError, or TclError, which can't be named without the import
        return None
    root.withdraw()
    return root


def ask_folder(title, constant):
    """Asks for a folder, in a dialog where there can be one, else in the terminal.

    Raises: InputError where no answer is given.
    """
    root = open_dialogs()
    if root is not None:
        from tkinter import filedialog
        folder = filedialog.askdirectory(parent=root, title=title, mustexist=False)
        root.destroy()
    else:
        folder = _ask_in_terminal(title)
    if not folder:
        raise InputError(f"{title}: none was chosen; choose one, or set {constant}.")
    return folder


def ask_class_names(label_dir):
    """Asks for the class names where classes.txt does not say them; an empty answer is None."""
    if read_class_names(label_dir):
        return None
    title = f"Class names, separated by commas, the background first (no {CLASS_NAMES_FILE} yet)"
    root = open_dialogs()
    if root is not None:
        from tkinter import simpledialog
        answer = simpledialog.askstring("Classes", title, parent=root,
                                        initialvalue="background, object")
        root.destroy()
    else:
        answer = _ask_in_terminal(title)
    return [name.strip() for name in (answer or "").split(",") if name.strip()] or None


def _ask_in_terminal(title):
    try:
        return input(f"{title}: ").strip()
    except EOFError:
        return ""
