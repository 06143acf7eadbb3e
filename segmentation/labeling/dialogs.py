"""What is asked before the window opens: the folders and the class names."""

import json
import os

import matplotlib.pyplot as plt
from matplotlib.backend_bases import FigureManagerBase

from device.errors import InputError, list_names
from device.files import find_images, write_json
from device.model_info import MAX_CLASSES
from segmentation.data.classes import CLASS_NAMES_FILE, read_class_names
from segmentation.labeling.class_list import DEFAULT_CLASS_NAMES, name_found_classes

FOLDERS_FILE = "labeling_folders.json"  # in OUTPUT_DIR: the folders of the last session


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


# ---- folders ---------------------------------------------------------------------------------


def ask_folder(title, constant, check, proposed=None):
    """Asks for a folder, in a dialog where there can be one, else in the terminal.

    Args: check(folder) raises InputError where it can't be used; that is said at once, and asked
        again. proposed, a folder that is there or can be made, or None.
    Raises: InputError where no answer is given.
    """
    root = open_dialogs()
    try:
        while True:
            folder = _ask_path(root, title, proposed)
            if not folder:
                raise InputError(f"{title}: none was chosen; choose one, or set {constant}.")
            try:
                check(folder)
                return folder
            except InputError as error:
                _tell(root, str(error))
    finally:
        if root is not None:
            root.destroy()


def _ask_path(root, title, proposed):
    if root is None:
        default = f" [{proposed}]" if proposed else ""
        return _ask_in_terminal(f"{title}{default}") or proposed
    from tkinter import filedialog
    print(f"{title}: choose it in the window that has opened.")  # macOS shows no title there
    start = next((folder for folder in (proposed, os.path.dirname(proposed or ""))
                  if folder and os.path.isdir(folder)), None)
    return filedialog.askdirectory(parent=root, title=title, initialdir=start, mustexist=False)


def _tell(root, sentence):
    if root is None:
        print(sentence)
    else:
        from tkinter import messagebox
        messagebox.showerror("This can't be used", sentence, parent=root)


def read_last_folders(output_dir):
    """Returns the folders (images, labels) of the last session, or (None, None)."""
    try:
        last = json.loads((output_dir / FOLDERS_FILE).read_text(encoding="utf-8"))
        return str(last["images"]), str(last["labels"])
    except (OSError, ValueError, TypeError, KeyError):  # it is a proposal only
        return None, None


def remember_folders(output_dir, image_dir, label_dir):
    """Notes the folders for the next start; where that can't be written, there is no proposal."""
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        write_json(output_dir / FOLDERS_FILE, {"images": str(image_dir), "labels": str(label_dir)})
    except OSError as error:
        print(f"The folders are not remembered for the next start ({error.strerror}).")


# ---- classes ---------------------------------------------------------------------------------


def ask_class_names(label_dir, ignore_label=255):
    """Asks for the class names where classes.txt does not say them.

    The background is added by itself. Labels that are there already need a name for each class:
    they are proposed, and fewer are not taken.
    Returns: list of names, background first, or None for an empty answer.
    """
    if read_class_names(label_dir):
        return None
    held = _names_of_labels(label_dir, ignore_label)
    proposed = held or list(DEFAULT_CLASS_NAMES)
    title = (f"Class names, separated by commas; {DEFAULT_CLASS_NAMES[0]} (class 0) is added by "
             f"itself ({CLASS_NAMES_FILE} does not exist yet)")
    if held:
        title = f"The labels hold {len(held) - 1} class(es) besides the background. {title}"
    root = open_dialogs()
    try:
        while True:
            names = complete_names(_ask_text(root, title, ", ".join(proposed[1:])))
            fault = _find_fault(names, len(held))
            if fault is None:
                return names
            _tell(root, fault)
    finally:
        if root is not None:
            root.destroy()


def _find_fault(names, held_count):
    """Returns what is wrong with an answer, or None; held_count classes are in the labels."""
    if names is None:
        return None
    if len(names) < held_count:
        return (f"The labels hold the classes 0 to {held_count - 1}: give {held_count - 1} names, "
                f"not {len(names) - 1}.")
    if len(set(names)) < len(names) or not 2 <= len(names) <= MAX_CLASSES:
        return (f"The classes would be {list_names(names)}: give 1 to {MAX_CLASSES - 1} different "
                f"names besides {names[0]}.")
    return None


def complete_names(answer):
    """Returns the names of an answer like "duck, swan", background first, or None for no names."""
    names = [name.strip() for name in (answer or "").split(",") if name.strip()]
    if not names:
        return None
    background = DEFAULT_CLASS_NAMES[0]
    return names if names[0].lower() == background else [background, *names]


def _names_of_labels(label_dir, ignore_label):
    """Returns a name for each class that the labels in a folder hold, [] where there is none."""
    try:
        paths = [path for path in find_images(label_dir) if path.suffix.lower() == ".png"]
        names = name_found_classes(paths, ignore_label)
    except InputError:  # said where the label is opened
        return []
    return names if len(names) > 1 else []


def _ask_text(root, title, proposed):
    if root is None:
        return _ask_in_terminal(f"{title} [{proposed}]") or proposed
    from tkinter import simpledialog
    return simpledialog.askstring("Classes", title, parent=root, initialvalue=proposed)


def _ask_in_terminal(title):
    try:
        return input(f"{title}: ").strip()
    except EOFError:
        return ""
