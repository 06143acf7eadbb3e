"""The two folders of a labeling session: what of them is labeled, and where one is."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from device.files import LABEL_SUFFIX, stem_of
from segmentation.labeling.label import Drawing


@dataclass
class Picture:
    """An image and its label, in memory. levels: RGBX pictures of full, half, quarter, ... size."""

    image_path: Path
    label_path: Path
    levels: list
    drawing: Drawing
    logits: object = None  # of the trained model, once they were asked for


@dataclass
class Session:
    """The two folders, what of them is labeled, and the images at hand."""

    image_paths: list
    label_dir: Path
    label_files: dict  # stem -> path, of the labels that were there at the start (.png or .PNG)
    ignore_label: int | None
    output_dir: Path
    load_model: Callable  # get_model.load_model, imported when it is first needed
    intensity_range: list | None = None  # of images with more than 8 bits, see images.read_image
    class_names: list = field(default_factory=list)
    index: int = 0
    picture: Picture | None = None
    labeled: set = field(default_factory=set)  # image paths
    unreviewed: set = field(default_factory=set)  # image paths that only the model has labeled
    skipped: dict = field(default_factory=dict)  # image path -> sentence
    unsaved: bool = False  # whether the label could not be written when that was tried last
    writer: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    writing: tuple | None = None  # future and copy of the label on its way to the disk, see saving
    loader: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    preloading: dict = field(default_factory=dict)  # image path -> future of its Picture
    parked_drawings: dict = field(default_factory=dict)  # image path -> Drawing with a packed label
    predictor: tuple = (None, None)  # when its model was written, and the function
    uncertainties: dict = field(default_factory=dict)  # image path -> how unsure the model is


def label_path_of(session, image_path):
    """Returns where the image's label is or will be."""
    # Not with_suffix: "a.b.jpg" must become "a.b.png".
    default = session.label_dir / (image_path.stem + LABEL_SUFFIX)
    return session.label_files.get(stem_of(image_path), default)


def unknown_values(session):
    """Returns the values in the current label that are neither a class nor the ignore label."""
    return [value for value in session.picture.drawing.values
            if value >= len(session.class_names) and value != session.ignore_label]


def next_unlabeled(session):
    """Returns the index of the next image without a label, from the start again after the last.

    None where there is none but, possibly, the current one.
    """
    return _next_of(session, lambda path: path not in session.labeled)


def next_unreviewed(session):
    """Returns the index of the next image whose label only the model has seen, or None."""
    return _next_of(session, lambda path: path in session.unreviewed)


def _next_of(session, is_wanted):
    count = len(session.image_paths)
    indices = ((session.index + step) % count for step in range(1, count))
    return next((index for index in indices if is_wanted(session.image_paths[index])), None)


def describe_position(session):
    """Returns the window's title: which image of how many, and how many are labeled."""
    name = session.image_paths[session.index].name
    return (f"{name} - {session.index + 1} of {len(session.image_paths)} - "
            f"{len(session.labeled)} labeled")


def format_skipped(session):
    """Returns the skipped images and why, one a line, the first five."""
    sentences = list(session.skipped.values())
    more = f"\n  and {len(sentences) - 5} more" if len(sentences) > 5 else ""
    return "\n".join(f"  {sentence}" for sentence in sentences[:5]) + more
