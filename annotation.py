"""What annotate_segmentation.py paints on: pictures, labels, strokes, undo, pre-labels. No window.

Plain NumPy and Pillow; only load_predictor needs TensorFlow. Points are (x, y) in pixels of the
upright image, (0, 0) is the centre of the first pixel. A region is (top, left, mask), mask bool.
"""

import math
import tempfile
import zlib
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from import_data import (
    CLASS_NAMES_FILE,
    MAX_CLASSES,
    find_class_names,
    read_class_names,
    read_image,
    read_label,
)
from measuring import class_colours, overlay, read_model_info, save_mask, write_whole
from pairing import LABEL_SUFFIX, InputError, find_images, list_names, stem_of

MAX_UNDO_STEPS = 100  # an image
COMPRESS_LEVEL = 1  # of saved labels: 24 megapixels take 40 ms; the smallest file takes 260 ms
SMALLEST_LEVEL = 1_000_000  # pixels; images are kept halved and halved again down to this size
SHARP_PIXEL = 8  # screen pixels; an image pixel shown larger than this is drawn as a square
STRIPE = 6  # screen pixels, of the hatching
DEFAULT_CLASS_NAMES = ("background", "object")
UPSAMPLE_MEMORY = 64_000_000  # bytes; how much of a full-size prediction is computed at a time


class Packed(NamedTuple):
    """A compressed piece of a label: a stroke on 24 megapixels takes kilobytes to be undone."""

    shape: tuple
    content: bytes


class Step(NamedTuple):
    """What undo or redo puts back: the content of one rectangle of the label."""

    top: int
    left: int
    packed: Packed


@dataclass
class Drawing:
    """A label under work: uint8 (height, width), or Packed while its image is not at hand."""

    label: np.ndarray | Packed
    existed: bool  # whether a label file was there before the first stroke
    values: tuple  # the values that it held when it was opened
    undo_steps: deque = field(default_factory=lambda: deque(maxlen=MAX_UNDO_STEPS))
    redo_steps: list = field(default_factory=list)
    depth: int = 0  # strokes taken minus strokes undone


@dataclass
class Picture:
    """An image and its label, in memory. levels: RGB pictures of full, half, quarter, ... size."""

    image_path: Path
    label_path: Path
    levels: list
    drawing: Drawing


@dataclass
class Session:
    """The two folders, what of them is labelled, and the images at hand."""

    image_paths: list
    label_dir: Path
    label_files: dict  # stem -> path, of the labels that were there at the start (.png or .PNG)
    ignore_label: int | None
    output_dir: Path
    class_names: list = field(default_factory=list)
    index: int = 0
    picture: Picture | None = None
    labelled: set = field(default_factory=set)  # image paths
    skipped: dict = field(default_factory=dict)  # image path -> sentence
    unsaved: bool = False
    loader: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    coming: dict = field(default_factory=dict)  # image path -> future of its Picture
    resting: dict = field(default_factory=dict)  # image path -> Drawing with a packed label
    predictor: tuple = (None, None)  # when its model was written, and the function
    doubts: dict = field(default_factory=dict)  # image path -> how unsure the model is


# ---- folders ---------------------------------------------------------------------------------


def open_session(image_dir, label_dir, class_names=None, ignore_label=255, output_dir="output"):
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
    session = Session(image_paths, Path(label_dir), label_files, ignore_label, Path(output_dir))
    session.labelled = {path for path in image_paths if stem_of(path) in label_files}
    session.class_names = agree_class_names(session, class_names)
    unlabelled = [path for path in image_paths if path not in session.labelled]
    session.index = image_paths.index(unlabelled[0]) if unlabelled else 0
    return session


def list_pictures(image_dir, label_dir):
    """Returns the image paths to be labelled; in a common folder the PNGs are the labels.

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
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"Labels can't be written to {folder} ({error.strerror}): change its "
                         f"permissions, or choose another folder.") from error


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
    label_paths = [label_path_of(session, path) for path in sorted(session.labelled)]
    names = max(written or [], given, key=len)
    if not names and label_paths:
        names = find_class_names(label_paths, session.label_dir, None, session.ignore_label)
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


# ---- one picture -----------------------------------------------------------------------------


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


def has_label(drawing):
    """Whether a label is to be kept for this image: it existed, or something was painted."""
    return drawing.existed or drawing.depth > 0


def save_current(session):
    """Writes the current label beside its place and renames it; removes it where all is undone.

    Raises: InputError where it can't be written; session.unsaved stays true until it can.
    """
    picture, drawing = session.picture, session.picture.drawing
    session.unsaved = True
    try:
        if has_label(drawing):
            save_mask(picture.label_path, drawing.label, class_colours(len(session.class_names)),
                      COMPRESS_LEVEL)
            session.labelled.add(picture.image_path)
        else:
            picture.label_path.unlink(missing_ok=True)
            session.labelled.discard(picture.image_path)
    except OSError as error:
        raise InputError(f"{picture.label_path} can't be written ({error.strerror}): make room or "
                         f"change permissions, then paint on; it is tried again.") from error
    session.unsaved = False


# ---- painting and undo -----------------------------------------------------------------------


def polygon_region(points, size):
    """Rasterises a polygon: its inside and its border, by Pillow's even-odd rule.

    Args: points, at least one (x, y); size (height, width) of the label.
    Returns: region, cut off at the label's edges.
    """
    corners = np.rint(np.asarray(points, np.float64)).astype(int)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return _draw_region((top, left, bottom, right), size, lambda draw, origin: draw.polygon(
        [tuple(corner) for corner in (corners - origin).tolist()], fill=1))


def stroke_region(points, diameter, size):
    """Rasterises a brush stroke: a disk of the diameter, in image pixels, along the points.

    Returns: region, cut off at the label's edges.
    """
    path, diameter = np.rint(np.asarray(points, np.float64)).astype(int), max(1, round(diameter))
    (left, top), (right, bottom) = path.min(axis=0) - diameter, path.max(axis=0) + diameter

    def draw_stroke(draw, origin):
        """Draws the path in a picture whose corner lies at the origin."""
        corners = [tuple(corner) for corner in (path - origin).tolist()]
        draw.point(corners, fill=1)  # Pillow draws no ellipse of a single pixel
        if len(corners) > 1:
            draw.line(corners, fill=1, width=diameter)
        before = diameter // 2  # the disk has diameter pixels across, this many left of the centre
        for x, y in corners:
            draw.ellipse((x - before, y - before, x - before + diameter - 1,
                          y - before + diameter - 1), fill=1)

    return _draw_region((top, left, bottom, right), size, draw_stroke)


def _draw_region(box, size, draw_shape):
    """Draws into the part of a box (top, left, bottom, right; inclusive) that is on the label."""
    top, left = max(0, int(box[0])), max(0, int(box[1]))
    height, width = min(size[0], int(box[2]) + 1) - top, min(size[1], int(box[3]) + 1) - left
    if height <= 0 or width <= 0:
        return 0, 0, np.zeros((0, 0), bool)
    canvas = Image.new("L", (width, height))
    draw_shape(ImageDraw.Draw(canvas), np.array((left, top)))
    return top, left, np.asarray(canvas).view(bool)


def paint(drawing, region, value):
    """Sets the region to a class index as one step that can be undone.

    Returns: whether any pixel changed; where none did, no step is taken.
    """
    top, left, mask = region
    part = drawing.label[top:top + mask.shape[0], left:left + mask.shape[1]]
    changed = mask & (part != value)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    if not len(rows):
        return False
    inside = np.s_[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    _remember(drawing, top + rows[0], left + columns[0], part[inside])
    part[inside][changed[inside]] = value
    return True


def replace_label(drawing, label):
    """Puts a whole label in place of the present one as one step that can be undone."""
    _remember(drawing, 0, 0, drawing.label)
    drawing.label[...] = label


def declare_background(drawing):
    """Makes an empty label count as done, as one step that can be undone.

    Raises: InputError where something is painted: it would be lost.
    """
    if drawing.label.any():
        raise InputError("Something is painted here: undo or erase it first.")
    if not has_label(drawing):
        _remember(drawing, 0, 0, drawing.label[:0])


def _remember(drawing, top, left, content):
    drawing.undo_steps.append(Step(int(top), int(left), pack(content)))
    drawing.redo_steps.clear()
    drawing.depth += 1


def undo(drawing):
    """Takes the last step back; returns whether there was one."""
    return _exchange(drawing, drawing.undo_steps, drawing.redo_steps, -1)


def redo(drawing):
    """Takes the step again that was undone last; returns whether there was one."""
    return _exchange(drawing, drawing.redo_steps, drawing.undo_steps, 1)


def _exchange(drawing, source, target, change):
    if not source:
        return False
    step = source.pop()
    height, width = step.packed.shape
    part = drawing.label[step.top:step.top + height, step.left:step.left + width]
    target.append(Step(step.top, step.left, pack(part)))
    part[...] = unpack(step.packed)
    drawing.depth += change
    return True


def pack(content):
    """Compresses a uint8 array; labels shrink about a hundredfold in 2 ms a megapixel."""
    return Packed(content.shape, zlib.compress(np.ascontiguousarray(content), 1))


def unpack(packed):
    """Returns the array that pack was given."""
    return np.frombuffer(bytearray(zlib.decompress(packed.content)), np.uint8).reshape(packed.shape)


# ---- from image to image ---------------------------------------------------------------------


def open_current(session, direction=1):
    """Opens the image at session.index and loads its neighbours ahead, in a thread.

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
    if image_path not in session.coming:
        session.coming[image_path] = session.loader.submit(
            open_picture, image_path, label_path_of(session, image_path),
            session.resting.get(image_path))
    return session.coming[image_path]


def _skip(session, image_path, sentence):
    session.skipped[image_path] = sentence
    session.image_paths.remove(image_path)
    session.labelled.discard(image_path)
    session.coming.pop(image_path, None)
    if not session.image_paths:
        raise InputError(f"None of the images can be labelled:\n{format_skipped(session)}")
    return f"Skipped: {sentence}."


def format_skipped(session):
    """Returns the skipped images and why, one a line, the first five."""
    sentences = list(session.skipped.values())
    more = f"\n  and {len(sentences) - 5} more" if len(sentences) > 5 else ""
    return "\n".join(f"  {sentence}" for sentence in sentences[:5]) + more


def _look_ahead(session):
    """Loads the next image, the next without a label and the previous; lets go of all others."""
    count, here = len(session.image_paths), session.index
    following = next_unlabelled(session)
    indices = here, here + 1, here if following is None else following, here - 1
    wanted = [session.image_paths[index % count] for index in indices]
    for image_path in set(session.coming) - set(wanted):
        future = session.coming.pop(image_path)
        if not future.cancel() and future.done() and not future.exception():
            drawing = future.result().drawing
            if drawing.undo_steps or drawing.redo_steps:
                drawing.label = pack(drawing.label)
                session.resting[image_path] = drawing
    for image_path in wanted:
        _expect(session, image_path)


def next_unlabelled(session):
    """Returns the index of the next image without a label, from the start again after the last.

    None where there is none but, possibly, the current one.
    """
    count = len(session.image_paths)
    for step in range(1, count):
        index = (session.index + step) % count
        if session.image_paths[index] not in session.labelled:
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
    """Returns the window's title: which image of how many, and how many are labelled."""
    name = session.image_paths[session.index].name
    return (f"{name} - {session.index + 1} of {len(session.image_paths)} - "
            f"{len(session.labelled)} labelled")


# ---- the view --------------------------------------------------------------------------------


def crop_axis(start, stop, count, length):
    """Says which pixel of an axis each of count screen pixels between start and stop shows.

    Args: start and stop in image coordinates, length of the image's axis in pixels.
    Returns: (slice of the screen pixels on the image, their image pixels, the edges of the former
        in pixels from the image's edge).
    """
    step = (stop - start) / count
    pixels = np.floor(start + step * (np.arange(count) + 0.5) + 0.5).astype(int)
    shown = np.flatnonzero((pixels >= 0) & (pixels < length))
    if not len(shown):
        return slice(0, 0), pixels[:0], (0.0, 0.0)
    first, last = int(shown[0]), int(shown[-1]) + 1
    edges = [min(max(start + step * screen + 0.5, 0.0), float(length)) for screen in (first, last)]
    return slice(first, last), pixels[first:last], tuple(edges)


def crop_image(levels, columns, rows):
    """Resamples the image for the screen, from the halved level that is just large enough.

    Args: columns and rows as crop_axis returns them. Returns: uint8 (height, width, 3).
    """
    width, height = len(columns[1]), len(rows[1])
    scale = (columns[2][1] - columns[2][0]) / width
    level = min(max(0, int(math.log2(max(scale, 1)))), len(levels) - 1)
    source = levels[level]
    box = [min(edge / 2**level, limit) for edge, limit in zip(
        (columns[2][0], rows[2][0], columns[2][1], rows[2][1]),
        (source.width, source.height) * 2)]
    near = scale * SHARP_PIXEL < 1
    method = Image.Resampling.NEAREST if near else Image.Resampling.BILINEAR
    return np.asarray(source.resize((width, height), method, box))


def blend_label(image, mask, num_classes, ignore_label, opacity):
    """Lays the label over the image; ignored pixels are hatched like /, unknown values like \\.

    Args: image uint8 (height, width, 3), mask uint8 (height, width). Returns: uint8 like image.
    """
    special = mask >= num_classes
    if ignore_label is not None:
        special |= mask == ignore_label
    if special.any():
        down, right = np.ogrid[:mask.shape[0], :mask.shape[1]]
        ignored = mask == ignore_label
        stripes = np.where(ignored, down + right, down - right) // STRIPE % 2 == 0
        mask = np.where(special, np.where(stripes, 255, 0), mask).astype(np.uint8)
    return overlay(image, mask, class_colours(num_classes), opacity)


# ---- pre-labelling ---------------------------------------------------------------------------


def load_predictor(output_dir, class_names):
    """Loads the trained model; the first call takes the seconds that TensorFlow needs to start.

    Args: class_names to label with; the model's must be these or the first of these.
    Returns: function, image path -> logits float32 (height, width, classes) at the model's size.
    Raises: InputError where there is no model, or where its classes are others.
    """
    info = read_model_info(output_dir)
    if list(class_names[:len(info["class_names"])]) != info["class_names"]:
        raise InputError(f"The model in {output_dir} knows {list_names(info['class_names'])}, but "
                         f"you label {list_names(class_names)}: train it on these labels first.")
    from tflite_convert import load_model  # here, because it takes seconds
    model = load_model(output_dir, info)

    def predict(image_path):
        """Returns the logits of an image file, float32 (height, width, classes)."""
        image = read_image(image_path, tuple(info["image_size"]))
        return model.predict_on_batch(image[None].astype(np.float32))[0]

    return predict


def get_predictor(session):
    """Returns the function of load_predictor; loads the model again where it was trained anew."""
    path = session.output_dir / "model.keras"
    written = path.stat().st_mtime_ns if path.exists() else None
    loaded, predict = session.predictor
    if predict is None or loaded != written:
        session.predictor = written, load_predictor(session.output_dir, session.class_names)
        session.doubts.clear()
    return session.predictor[1]


def prelabel(session):
    """Fills the current label with the model's prediction, as one step that can be undone.

    Raises: InputError as load_predictor does.
    """
    logits = get_predictor(session)(session.picture.image_path)
    drawing = session.picture.drawing
    replace_label(drawing, enlarge_classes(logits, drawing.label.shape))


def enlarge_classes(logits, size):
    """Enlarges logits bilinearly and takes the most likely class: borders are smooth, not blocks.

    Args: logits float32 (height, width, classes), size (height, width) of the result.
    Returns: uint8 of size. Memory: UPSAMPLE_MEMORY at a time, whatever the size.
    """
    height, width = size
    row_near, row_far, row_share = _neighbours(logits.shape[0], height)
    near, far, share = _neighbours(logits.shape[1], width)
    logits = np.ascontiguousarray(np.moveaxis(logits, 2, 0), np.float32)  # a plane a class
    classes = np.empty(size, np.uint8)
    stripe = max(1, UPSAMPLE_MEMORY // (16 * width))
    for top in range(0, height, stripe):
        rows = np.s_[top:top + stripe]
        best = None
        for index, plane in enumerate(logits):
            part = plane[row_near[rows]] * (1 - row_share[rows, None]) \
                + plane[row_far[rows]] * row_share[rows, None]
            part = part[:, near] * (1 - share) + part[:, far] * share
            if best is None:
                best, classes[rows] = part, 0
            else:
                classes[rows][part > best] = index
                np.maximum(best, part, out=best)
    return classes


def _neighbours(length, new_length):
    """For each new pixel of an axis: the two old ones around its centre, the share of the second.

    Half-pixel centres, as Pillow and TensorFlow resize.
    """
    places = np.clip((np.arange(new_length) + 0.5) * length / new_length - 0.5, 0, length - 1)
    near = places.astype(int)
    return near, np.minimum(near + 1, length - 1), (places - near).astype(np.float32)


def measure_doubt(logits):
    """How unsure a prediction is: 1 minus the margin between the two likeliest classes, averaged.

    Margin sampling (Scheffer et al. 2001) on softmax probabilities. Returns: float, 0 (sure)..1.
    """
    probability = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probability /= probability.sum(axis=-1, keepdims=True)
    second, first = np.moveaxis(np.partition(probability, -2, axis=-1)[..., -2:], -1, 0)
    return float(1 - np.mean(first - second))


def find_least_sure(session, report):
    """Returns the index of the image without a label that the model is least sure of, or None.

    Args: report(done, count), called after each image; where it returns False, the search ends and
        the least sure of those seen so far is taken. What was measured is kept for the next time.
    Raises: InputError as load_predictor does.
    """
    predict = get_predictor(session)
    here = session.image_paths[session.index]
    unlabelled = [path for path in session.image_paths
                  if path not in session.labelled and path != here]
    for done, image_path in enumerate(unlabelled, 1):
        if image_path not in session.doubts:
            try:
                session.doubts[image_path] = measure_doubt(predict(image_path))
            except InputError:  # it is skipped, and said, when it is opened
                session.doubts[image_path] = -1.0
        if report(done, len(unlabelled)) is False:
            break
    known = [path for path in unlabelled if path in session.doubts]
    if not known:
        return None
    return session.image_paths.index(max(known, key=session.doubts.get))
