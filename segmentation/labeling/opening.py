"""Opens a labeling session on two folders, after checking them."""

from collections import Counter
from pathlib import Path

from device.errors import InputError, list_names
from device.files import LABEL_SUFFIX, find_images, find_write_error, stem_of
from segmentation.data.intensity_range import measure_intensity_range
from segmentation.labeling.class_list import agree_class_names, finish_rewriting
from segmentation.labeling.review import read_unreviewed
from segmentation.labeling.session import Session


def open_session(image_dir, label_dir, class_names=None, ignore_label=255, output_dir="output",
                 load_model=None):
    """Checks both folders, makes the label folder and its classes.txt, and lists the images.

    Args: class_names, list of names, or None: classes.txt, else the labels' values, else
        class_list.DEFAULT_CLASS_NAMES. ignore_label, an int or None. output_dir, where a model may
        lie.
    Returns: Session at the first image without a label; open_current opens it.
    Raises: InputError for an empty folder, two images of one stem, a label folder that can't be
        written, class names that are not those of classes.txt.
    """
    image_paths = list_pictures(image_dir, label_dir)
    check_writable(label_dir)
    finish_rewriting(label_dir)
    label_files = {stem_of(path): path for path in find_images(label_dir)
                   if path.suffix.lower() == LABEL_SUFFIX}
    session = Session(image_paths, Path(label_dir), label_files, ignore_label, Path(output_dir),
                      load_model)
    session.intensity_range = measure_intensity_range(image_paths)
    session.labeled = {path for path in image_paths if stem_of(path) in label_files}
    session.unreviewed = read_unreviewed(session)
    session.class_names = agree_class_names(session, class_names)
    unlabeled = [path for path in image_paths if path not in session.labeled]
    session.index = image_paths.index(unlabeled[0]) if unlabeled else 0
    return session


def list_pictures(image_dir, label_dir):
    """Returns the image paths to be labeled; in a common folder the PNGs are the labels.

    Args: label_dir may be None, where it is not known yet.
    Raises: InputError where there is none, or where two images would share one label.
    """
    if not Path(image_dir).is_dir():
        raise InputError(f"There is no folder {image_dir}: give the one with your photographs.")
    together = label_dir is not None and Path(image_dir).resolve() == Path(label_dir).resolve()
    image_paths = [path for path in find_images(image_dir)
                   if not together or path.suffix.lower() != LABEL_SUFFIX]
    if not image_paths:
        but = " but PNGs, which are labels where both folders are the same" if together else ""
        raise InputError(f"No images in {image_dir}{but}: put photographs there, or choose another "
                         f"folder.")
    stems = Counter(stem_of(path) for path in image_paths)
    doubles = [path.name for path in image_paths if stems[stem_of(path)] > 1]
    if doubles:
        raise InputError(f"{len(doubles)} images in {image_dir} share a name and would share a "
                         f"label: {list_names(doubles)}; keep one of each or rename them.")
    return image_paths


def check_writable(folder):
    """Makes the folder where it is missing; raises InputError where no file can be written."""
    error = find_write_error(folder)
    if error:
        raise InputError(f"Labels can't be written to {folder} ({error}): change its permissions, "
                         f"or choose another folder.")
