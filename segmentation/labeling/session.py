"""The two folders of a labeling session, and the way from image to image."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from device.drawing import class_colors, save_mask
from device.errors import InputError, list_names
from device.files import LABEL_SUFFIX, find_images, find_write_error, stem_of, write_whole
from device.images import read_image, read_label
from device.model_info import MAX_CLASSES
from segmentation.data.classes import CLASS_NAMES_FILE, default_class_names, read_class_names
from segmentation.data.reading import read_label_values
from segmentation.labeling.label import Drawing, Packed, has_label, pack, unpack

COMPRESS_LEVEL = 1  # of saved labels: 24 megapixels take 40 ms; the smallest file takes 260 ms
SMALLEST_LEVEL = 1_000_000  # pixels; images are kept halved and halved again down to this size
DEFAULT_CLASS_NAMES = ("background", "object")


@dataclass
class Picture:
    """An image and its label, in memory. levels: RGB pictures of full, half, quarter, ... size."""

    image_path: Path
    label_path: Path
    levels: list
    drawing: Drawing


@dataclass
class Session:
    """The two folders, what of them is labeled, and the images at hand."""

    image_paths: list
    label_dir: Path
    label_files: dict  # stem -> path, of the labels that were there at the start (.png or .PNG)
    ignore_label: int | None
    output_dir: Path
    load_model: Callable  # get_model.load_model, imported when it is first needed
    class_names: list = field(default_factory=list)
    index: int = 0
    picture: Picture | None = None
    labeled: set = field(default_factory=set)  # image paths
    skipped: dict = field(default_factory=dict)  # image path -> sentence
    unsaved: bool = False
    loader: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    preloading: dict = field(default_factory=dict)  # image path -> future of its Picture
    parked_drawings: dict = field(default_factory=dict)  # image path -> Drawing with a packed label
    predictor: tuple = (None, None)  # when its model was written, and the function
    uncertainties: dict = field(default_factory=dict)  # image path -> how unsure the model is


def open_session(image_dir, label_dir, class_names=None, ignore_label=255, output_dir="output",
                 load_model=None):
    """Checks both folders, makes the label folder and its classes.txt, and lists the images.

    Args: class_names, list of names, or None: classes.txt, else the labels' values, else
        DEFAULT_CLASS_NAMES. ignore_label, an int or None. output_dir, where a model may lie.
    Returns: Session at the first image without a label; open_current opens it.
    Raises: InputError for an empty folder, two images of one stem, a label folder that can't be
        written, class names that are not those of classes.txt.
    """
    image_paths = list_pictures(image_dir, label_dir)
    check_writable(label_dir)
    label_files = {stem_of(path): path for path in find_images(label_dir)
                   if path.suffix.lower() == LABEL_SUFFIX}
    session = Session(image_paths, Path(label_dir), label_files, ignore_label, Path(output_dir),
                      load_model)
    session.labeled = {path for path in image_paths if stem_of(path) in label_files}
    session.class_names = agree_class_names(session, class_names)
    unlabeled = [path for path in image_paths if path not in session.labeled]
    session.index = image_paths.index(unlabeled[0]) if unlabeled else 0
    return session


def list_pictures(image_dir, label_dir):
    """Returns the image paths to be labeled; in a common folder the PNGs are the labels.

    Raises: InputError where there is none, or where two images would share one label.
    """
    together = Path(image_dir).resolve() == Path(label_dir).resolve()
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


def label_path_of(session, image_path):
    """Returns where the image's label is or will be."""
    # Not with_suffix: "a.b.jpg" must become "a.b.png".
    default = session.label_dir / (image_path.stem + LABEL_SUFFIX)
    return session.label_files.get(stem_of(image_path), default)


def agree_class_names(session, class_names):
    """Returns the names to paint with; writes classes.txt where it lacks some.

    Classes that were added while working stand in classes.txt behind those of class_names.
    Raises: InputError where the two lists contradict each other, or for names given twice.
    """
    written = read_class_names(session.label_dir)
    given = [str(name).strip() for name in class_names or ()]
    shared = min(len(written or ()), len(given))
    if shared and written[:shared] != given[:shared]:
        raise InputError(f"{session.label_dir / CLASS_NAMES_FILE} says {list_names(written)}, but "
                         f"CLASS_NAMES is {list_names(given)}: the labels there mean the former; "
                         f"correct one of the two.")
    label_paths = [label_path_of(session, path) for path in sorted(session.labeled)]
    names = max(written or [], given, key=len)
    if not names and label_paths:
        found = np.flatnonzero(read_label_values(label_paths).any(axis=0))
        largest = int(found[found != session.ignore_label].max(initial=0))
        names = default_class_names(range(largest + 1))
    if not written and not given and len(names) < 2:
        names = list(DEFAULT_CLASS_NAMES)
    if len(set(names)) < len(names) or len(names) < 2 or len(names) > MAX_CLASSES:
        raise InputError(f"The classes are {list_names(names)}: give 2 to {MAX_CLASSES} different "
                         f"names, the background first.")
    if names != written:
        write_class_names(session.label_dir, names)
    return names


def write_class_names(label_dir, class_names):
    """Writes classes.txt: one name a line."""
    text = "\n".join(class_names) + "\n"
    write_whole(Path(label_dir) / CLASS_NAMES_FILE, lambda file: file.write(text.encode("utf-8")))


def add_class(session, name):
    """Adds a class behind the others, in classes.txt too; returns its index.

    Raises: InputError for a name that is empty or taken, or where no index is left.
    """
    name, index = " ".join(name.split()), len(session.class_names)
    if not name or name in session.class_names:
        raise InputError(f"There is a class {name} already." if name else "No name, no new class.")
    if index == session.ignore_label or index >= MAX_CLASSES:
        raise InputError(f"No more classes: the next index, {index}, is not free.")
    try:
        write_class_names(session.label_dir, [*session.class_names, name])
    except OSError as error:
        raise InputError(f"classes.txt can't be written ({error.strerror}).") from error
    session.class_names.append(name)
    return index


def open_picture(image_path, label_path, drawing=None):
    """Reads an image, halves it down to screen size, and opens its label or an empty one.

    Args: drawing, the Drawing of an earlier visit, or None.
    Raises: InputError where either can't be read, or where their sizes differ.
    """
    levels = [Image.fromarray(read_image(image_path))]
    while levels[-1].width * levels[-1].height > SMALLEST_LEVEL:
        levels.append(levels[-1].reduce(2))
    size = levels[0].height, levels[0].width
    if drawing is None:
        drawing = open_drawing(label_path, size)
    elif isinstance(drawing.label, Packed):
        drawing.label = unpack(drawing.label)
    if drawing.label.shape != size:
        height, width = drawing.label.shape
        raise InputError(f"{image_path.name} is {size[1]}x{size[0]} but its label is "
                         f"{width}x{height} (width x height): resize or remove the label")
    return Picture(image_path, label_path, levels, drawing)


def open_drawing(label_path, size):
    """Opens a label file, or an all-zero label of size (height, width) where there is none."""
    if not label_path.exists():
        return Drawing(np.zeros(size, np.uint8), False, ())
    label = read_label(label_path)
    values = np.flatnonzero(Image.fromarray(label).histogram())
    return Drawing(label, True, tuple(int(value) for value in values))


def unknown_values(session):
    """Returns the values in the current label that are neither a class nor the ignore label."""
    return [value for value in session.picture.drawing.values
            if value >= len(session.class_names) and value != session.ignore_label]


def save_current(session):
    """Writes the current label beside its place and renames it; removes it where all is undone.

    Raises: InputError where it can't be written; session.unsaved stays true until it can.
    """
    picture, drawing = session.picture, session.picture.drawing
    session.unsaved = True
    try:
        if has_label(drawing):
            save_mask(picture.label_path, drawing.label, class_colors(len(session.class_names)),
                      compress_level=COMPRESS_LEVEL)
            session.labeled.add(picture.image_path)
        else:
            picture.label_path.unlink(missing_ok=True)
            session.labeled.discard(picture.image_path)
    except OSError as error:
        raise InputError(f"{picture.label_path} can't be written ({error.strerror}): make room or "
                         f"change permissions, then paint on; it is tried again.") from error
    session.unsaved = False


def open_current(session, direction=1):
    """Opens the image at session.index and loads its neighbors ahead, in a thread.

    An image that can't be used is taken off the list, noted in session.skipped, and the next one in
    the direction (1 or -1) is opened instead.
    Returns: sentences about the images that were skipped on the way.
    Raises: InputError where no image is left.
    """
    sentences = []
    while True:
        image_path = session.image_paths[session.index]
        try:
            session.picture = _expect(session, image_path).result()
            break
        except InputError as error:
            sentences.append(_skip(session, image_path, str(error)))
            session.index = (session.index - (direction < 0)) % len(session.image_paths)
    _look_ahead(session)
    return sentences


def _expect(session, image_path):
    """Returns the future of an image's Picture, asked for now or before."""
    if image_path not in session.preloading:
        session.preloading[image_path] = session.loader.submit(
            open_picture, image_path, label_path_of(session, image_path),
            session.parked_drawings.get(image_path))
    return session.preloading[image_path]


def _skip(session, image_path, sentence):
    session.skipped[image_path] = sentence
    session.image_paths.remove(image_path)
    session.labeled.discard(image_path)
    session.preloading.pop(image_path, None)
    if not session.image_paths:
        raise InputError(f"None of the images can be labeled:\n{format_skipped(session)}")
    return f"Skipped: {sentence}."


def format_skipped(session):
    """Returns the skipped images and why, one a line, the first five."""
    sentences = list(session.skipped.values())
    more = f"\n  and {len(sentences) - 5} more" if len(sentences) > 5 else ""
    return "\n".join(f"  {sentence}" for sentence in sentences[:5]) + more


def _look_ahead(session):
    """Loads the next image, the next without a label and the previous; lets go of all others."""
    count, here = len(session.image_paths), session.index
    following = next_unlabeled(session)
    indices = here, here + 1, here if following is None else following, here - 1
    wanted = [session.image_paths[index % count] for index in indices]
    for image_path in set(session.preloading) - set(wanted):
        future = session.preloading.pop(image_path)
        if not future.cancel() and future.done() and not future.exception():
            drawing = future.result().drawing
            if drawing.undo_steps or drawing.redo_steps:
                drawing.label = pack(drawing.label)
                session.parked_drawings[image_path] = drawing
    for image_path in wanted:
        _expect(session, image_path)


def next_unlabeled(session):
    """Returns the index of the next image without a label, from the start again after the last.

    None where there is none but, possibly, the current one.
    """
    count = len(session.image_paths)
    for step in range(1, count):
        index = (session.index + step) % count
        if session.image_paths[index] not in session.labeled:
            return index
    return None


def go_to(session, index, direction=1):
    """Saves what is not saved yet and opens the image at an index; returns open_current's result.

    Raises: InputError where the label can't be written; then the image stays.
    """
    if session.unsaved:
        save_current(session)
    session.index = index
    return open_current(session, direction)


def close_session(session):
    """Saves what is not saved yet and lets go of the images that are being loaded."""
    session.loader.shutdown(wait=False, cancel_futures=True)
    if session.unsaved:
        save_current(session)


def describe_position(session):
    """Returns the window's title: which image of how many, and how many are labeled."""
    name = session.image_paths[session.index].name
    return (f"{name} - {session.index + 1} of {len(session.image_paths)} - "
            f"{len(session.labeled)} labeled")
