"""Turns labels made with other tools into label PNGs that main.py reads.

    python import_labels.py

Detects what SOURCE holds: labels of labelme, COCO, CVAT, YOLO, Label Studio, Supervisely, VIA, VOC
or Cityscapes, or masks of any kind (docs/labels.md lists them). Writes into LABEL_DIR a palette PNG
of class indices for each image, and classes.txt. Writes preview.png into main.py's OUTPUT_DIR: look
at it before you train. The originals are never changed.
"""

from pathlib import Path

from device.errors import run_script
from device.model_info import find_output_dir
from segmentation.formats.importing import import_labels
from segmentation.formats.options import read_options

# Data
SOURCE = "my_labels"  # folder (with its sub-folders) or single file of the other tool's labels
IMAGE_DIR = None  # folder of the images; None: they are in SOURCE too
LABEL_DIR = "my_data/labels"  # folder where the label PNGs go
SUFFIX = None  # what a mask's name adds to its image's, such as "_mask"; None: found automatically
LABELS_TURNED = False  # True: the labels fit the images as stored, before EXIF rotates them
OVERWRITE = False  # True replaces labels that are already in LABEL_DIR

# Classes
CLASS_NAMES = None  # order of the classes, background first; None: as found
MERGE = {}  # name -> name: joins or renames classes; to "background" or "ignore" drops them
EMPTY = "skip"  # images without annotation get no label; "background": they are all background
CROWD = "class"  # COCO's iscrowd: "class" like others (tools set it on ordinary masks), or "ignore"


def main():
    """Imports the labels, and says what was found."""
    preview_path = find_output_dir(Path(__file__).parent) / "preview.png"
    import_labels(read_options(globals()), preview_path)


if __name__ == "__main__":
    run_script(main)
