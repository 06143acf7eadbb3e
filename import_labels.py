"""Turns labels made with other tools into label PNGs that main.py reads.

    python import_labels.py

Finds out by itself what SOURCE holds: labelme, COCO, CVAT, YOLO, Label Studio, Supervisely, VIA,
VOC, Cityscapes, or label pictures of any kind (docs/labels.md lists them). Writes a palette PNG of
class indices for each picture, and classes.txt, into LABEL_DIR, and preview.png into main.py's
OUTPUT_DIR: look at it. The originals are never changed.
"""

from pathlib import Path

from device.errors import run_script
from device.model_info import find_output_dir
from segmentation.formats.importing import import_labels
from segmentation.formats.options import read_options

# Data
SOURCE = "my_labels"  # folder (with its sub-folders) or single file of the other tool's labels
IMAGE_DIR = None  # folder of the pictures; None: they lie in SOURCE too
LABEL_DIR = "my_data/labels"  # folder where the label PNGs go
SUFFIX = None  # what masks' names have behind the picture's, such as "_mask"; None: found by itself
LABELS_TURNED = False  # True: labels lie as cameras stored the pictures, before EXIF turns them
OVERWRITE = False  # True replaces labels that are in LABEL_DIR already

# Classes
CLASS_NAMES = None  # order of the classes, background first; None: as found
MERGE = {}  # name -> name: joins or renames classes; to "background" or "ignore" drops them
EMPTY = "skip"  # pictures without annotation get no label; "background": one that is all background
CROWD = "class"  # COCO's iscrowd: "class" like others (tools set it on ordinary masks), or "ignore"


def main():
    """Imports the labels, and says what was found."""
    preview_path = find_output_dir(Path(__file__).parent) / "preview.png"
    import_labels(read_options(globals()), preview_path)


if __name__ == "__main__":
    run_script(main)
