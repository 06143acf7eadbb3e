"""Draws the labels: opens a window, shows one image after the other, and paints label PNGs.

    python annotate_segmentation.py

Asks for the folder of the images and the folder of the labels, unless the constants below name
them. Writes a palette PNG of class indices for every image that is painted, after every stroke, and
classes.txt beside them; main.py reads both. Press h in the window for the keys. Where main.py's
OUTPUT_DIR holds a trained model, p lets it label the image and u finds the one it is least sure of.
"""

from pathlib import Path

import matplotlib.pyplot as plt

from device.errors import InputError, run_script
from device.model_info import find_output_dir
from segmentation.labeling.dialogs import ask_class_names, ask_folder, check_display
from segmentation.labeling.session import format_skipped, open_session
from segmentation.labeling.window import open_window

# Data
IMAGE_DIR = None  # folder of the images; None: asked for at the start
LABEL_DIR = None  # folder where the labels are saved; None: asked for at the start
CLASS_NAMES = None  # list of names, background first; None: classes.txt in LABEL_DIR, or asked for
IGNORE_LABEL = 255  # value of pixels that training leaves out; None: there is none


def load_model(folder, info):
    """Returns the trained model; the import is here because TensorFlow takes seconds to start."""
    from get_model import load_model

    return load_model(folder, info)


def main():
    """Asks for what the constants leave open, and hands the window over."""
    check_display()
    image_dir = IMAGE_DIR or ask_folder("Folder of the images", "IMAGE_DIR")
    label_dir = LABEL_DIR or ask_folder("Folder in which the labels are saved", "LABEL_DIR")
    asked = IMAGE_DIR is None or LABEL_DIR is None
    class_names = CLASS_NAMES or (ask_class_names(label_dir) if asked else None)
    output_dir = find_output_dir(Path(__file__).parent)
    session = open_session(image_dir, label_dir, class_names, IGNORE_LABEL, output_dir, load_model)
    print(f"{len(session.image_paths)} images, {len(session.labeled)} labeled; classes: "
          f"{', '.join(session.class_names)}. Press h in the window for the keys.")
    open_window(session)
    plt.show()
    print(f"{len(session.labeled)} of {len(session.image_paths)} images are labeled in "
          f"{session.label_dir}.")
    if session.skipped:
        print(f"{len(session.skipped)} image(s) were skipped:\n{format_skipped(session)}")
    if session.unsaved:
        raise InputError(f"The last label could not be written to {session.label_dir}.")


if __name__ == "__main__":
    run_script(main)
