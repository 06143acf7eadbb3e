"""Draws the labels: opens a window, shows one image after the other, and paints label PNGs.

    python annotate_segmentation.py [IMAGES [LABELS]]

Asks for the two folders, unless the constants below or the command name them. Writes a palette PNG
of class indices for every image that is painted, after every stroke, and classes.txt beside them;
main.py reads both. Press h in the window for the keys. Where main.py's OUTPUT_DIR holds a trained
model, p lets it label the image and u goes to the image of which it is least sure.
"""

import sys
from pathlib import Path

from device.errors import InputError, run_script
from device.model_info import find_output_dir
from segmentation.labeling.dialogs import (
    ask_class_names,
    ask_folder,
    check_display,
    read_last_folders,
    remember_folders,
)
from segmentation.labeling.opening import check_writable, list_pictures, open_session
from segmentation.labeling.session import format_skipped
from segmentation.labeling.toolkit import show_until_closed
from segmentation.labeling.window import open_window

# Data
IMAGE_DIR = None  # folder of the images; None: the first word of the command, or asked for
LABEL_DIR = None  # folder where the labels are saved; None: the second word, or asked for
CLASS_NAMES = None  # list of names, background first; None: classes.txt in LABEL_DIR, or asked for
IGNORE_LABEL = 255  # value of pixels that training leaves out; None: there is none


def load_model(folder, info):
    """Returns the trained model; the import is here because TensorFlow takes seconds to start."""
    from get_model import load_model

    return load_model(folder, info)


def choose_folders(words, output_dir):
    """Returns the folders of images and labels: from the constants, the command, or a dialog.

    Raises: InputError where one of them can't be used, before anything else is asked.
    """
    if len(words) > 2:
        raise InputError("Give two folders at most: python annotate_segmentation.py IMAGES LABELS")
    last_images, last_labels = read_last_folders(output_dir)
    named = [*words, None, None]
    image_dir = IMAGE_DIR or named[0] or ask_folder(
        "Folder of the images", "IMAGE_DIR", lambda folder: list_pictures(folder, None),
        last_images)
    image_dir = Path(image_dir).expanduser()
    list_pictures(image_dir, None)
    beside = str(image_dir.resolve().parent / "labels")

    def check(label_dir):
        """Raises InputError where the labels of these images can't be there."""
        list_pictures(image_dir, label_dir)
        check_writable(label_dir)

    label_dir = LABEL_DIR or named[1] or ask_folder(
        "Folder of the labels (a new name makes a new folder)", "LABEL_DIR", check,
        last_labels if str(image_dir) == last_images else beside)
    label_dir = Path(label_dir).expanduser()
    check(label_dir)
    return image_dir, label_dir


def main():
    """Asks for what the constants leave open, and hands the window over."""
    check_display()
    output_dir = find_output_dir(Path(__file__).parent)
    image_dir, label_dir = choose_folders(sys.argv[1:], output_dir)
    asked = IMAGE_DIR is None or LABEL_DIR is None
    class_names = CLASS_NAMES or (ask_class_names(label_dir, IGNORE_LABEL) if asked else None)
    session = open_session(image_dir, label_dir, class_names, IGNORE_LABEL, output_dir, load_model)
    if asked:
        remember_folders(output_dir, image_dir.resolve(), label_dir.resolve())
    print(f"{len(session.image_paths)} images, {len(session.labeled)} labeled; classes: "
          f"{', '.join(session.class_names)}. Press h in the window for the keys.")
    show_until_closed(open_window(session).figure)
    print(f"{len(session.labeled)} of {len(session.image_paths)} images are labeled in "
          f"{session.label_dir}.")
    if session.skipped:
        print(f"{len(session.skipped)} image(s) were skipped:\n{format_skipped(session)}")
    if session.unsaved:
        raise InputError(f"The last label could not be written to {session.label_dir}.")


if __name__ == "__main__":
    run_script(main)
