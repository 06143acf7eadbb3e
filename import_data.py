"""Reads folders of images and label PNGs: checked, paired, decoded, weighed, and streamed.

Every image needs a label PNG of the same name (a.jpg and a.png) and the other way round. A label
holds one class index a pixel; the ignore label marks pixels that are left out everywhere.
main.py, tflite_convert.py, tflite_test.py and predict.py all read through this file, so a picture
looks the same to all of them. Plain NumPy and Pillow; only make_dataset needs TensorFlow.
"""

import os
import sys
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
LABEL_SUFFIX = ".png"
CLASS_NAMES_FILE = "classes.txt"  # one name a line, in the label folder
MAX_CLASSES = 255  # class indices are stored in 8 bits, one value stays free to be ignored
MAX_WEIGHT_RATIO = 100.0  # heaviest to lightest class weight; raw ratios of 400 did not converge
READER_THREADS = os.cpu_count() or 1
PROGRESS_SECONDS = 2.0  # work longer than this shows how far it is
FLIP_PROBABILITY = 0.5
COLOUR_RANGE = 0.2  # brightness, contrast and saturation vary by a factor of 1 -+ this


class InputError(ValueError):
    """What a person gave can't be used; the message is one sentence a finding, remedy included."""


class Pair(NamedTuple):
    """An image file and its label file, which have the same stem."""

    image_path: Path
    label_path: Path


class Pairs(Sequence):
    """The pairs of two folders: a sequence of Pair that keeps the file names alone.

    Two Path objects and a Pair take 800 bytes, which is 40 MB for 50,000 pairs.
    """

    def __init__(self, image_dir, label_dir, image_names, label_names):
        self.image_dir, self.label_dir = image_dir, label_dir
        self.image_names, self.label_names = image_names, label_names

    def __len__(self):
        return len(self.image_names)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Pairs(self.image_dir, self.label_dir, self.image_names[index],
                         self.label_names[index])
        return Pair(self.image_dir / self.image_names[index],
                    self.label_dir / self.label_names[index])

    def image_files(self):
        """Returns the paths of all images as strings, which are a quarter the size of a Path."""
        folder = os.path.join(self.image_dir, "")
        return [folder + name for name in self.image_names]

    def label_files(self):
        """Returns the paths of all labels as strings."""
        folder = os.path.join(self.label_dir, "")
        return [folder + name for name in self.label_names]


# ---- pairing ---------------------------------------------------------------------------------


def list_names(names):
    """Returns the first five of the names and, where there are more, how many are not shown."""
    names = [str(name) for name in names]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def pair_files(image_dir, label_dir, names=None, skip_unlabelled=False):
    """Pairs every image with the label PNG of the same stem.

    Both folders may be the same one: then its PNGs are the labels and all other images the images.
    Args: names, image file names to pair, others are left alone; None pairs all.
        skip_unlabelled, whether images without a label are passed over, and their number printed.
    Returns: Pairs, sorted by stem, or in the order of names. Hidden files are passed over.
    Raises: InputError for a missing or empty folder, a missing image or label (from both sides),
        two images of one stem, and labels that are no PNG.
    """
    image_dir, label_dir = _existing_folder(image_dir), _existing_folder(label_dir)
    together = image_dir.resolve() == label_dir.resolve()
    images = _names_by_stem(image_dir, lambda suffix: suffix != LABEL_SUFFIX or not together)
    labels = _names_by_stem(label_dir, lambda suffix: suffix == LABEL_SUFFIX or not together)
    if not images and not labels:
        raise InputError(f"No images in {image_dir}: put {', '.join(IMAGE_SUFFIXES)} files there.")
    if names is not None:
        images, labels = _select(images, labels, names, image_dir)
    if skip_unlabelled:
        images = _skip_unlabelled(images, labels, image_dir)

    findings = _double_stems(images, image_dir) + _double_stems(labels, label_dir)
    lossy = [name for doubles in labels.values() for name in doubles if not _is_label(name)]
    if lossy:
        findings.append(f"{len(lossy)} label(s) in {label_dir} are not PNG, and only PNG keeps "
                        f"class indices exact: {list_names(lossy)}; save them as PNG.")
    without_label = [doubles[0] for stem, doubles in images.items() if stem not in labels]
    without_image = [doubles[0] for stem, doubles in labels.items() if stem not in images]
    if without_label:
        findings.append(f"{len(without_label)} image(s) in {image_dir} have no label of the same "
                        f"name in {label_dir}: {list_names(without_label)}; label or remove them, "
                        f"or set SKIP_UNLABELLED = True in main.py.")
    if without_image:
        findings.append(f"{len(without_image)} label(s) in {label_dir} have no image of the same "
                        f"name in {image_dir}: {list_names(without_image)}; add or remove them.")
    if findings:
        raise InputError("\n".join(findings))
    return Pairs(image_dir, label_dir, [doubles[0] for doubles in images.values()],
                 [labels[stem][0] for stem in images])


def _select(images, labels, names, image_dir):
    """Returns the images of these file names, in their order, and the labels of the same stems."""
    by_name = {name: stem for stem, doubles in images.items() for name in doubles}
    missing = [name for name in names if name not in by_name]
    if missing:
        raise InputError(f"{len(missing)} image(s) that the model was made with are gone from "
                         f"{image_dir}: {list_names(missing)}; put them back or train again.")
    stems = [by_name[name] for name in names]
    return ({stem: images[stem] for stem in stems},
            {stem: labels[stem] for stem in stems if stem in labels})


def _skip_unlabelled(images, labels, image_dir):
    labelled = {stem: doubles for stem, doubles in images.items() if stem in labels}
    if len(labelled) < len(images):
        print(f"{len(images) - len(labelled)} of {len(images)} images in {image_dir} have no label "
              f"yet and are passed over (SKIP_UNLABELLED).")
    return labelled


def find_images(folder):
    """Returns the sorted paths of all image files in a folder, hidden files passed over.

    Raises: InputError where the folder is missing.
    """
    folder = _existing_folder(folder)
    return [folder / name for name in sorted(os.listdir(folder)) if _is_image(name)]


def _existing_folder(folder):
    folder = Path(folder)
    if not folder.exists():
        raise InputError(f"The folder {folder} does not exist: create it or correct the constant.")
    if not folder.is_dir():
        raise InputError(f"{folder} is a file, but a folder is needed here: correct the constant.")
    return folder


def _is_image(name):
    return _split(name)[1] in IMAGE_SUFFIXES and not name.startswith(".")


def _is_label(name):
    return _split(name)[1] == LABEL_SUFFIX


def _split(name):
    """Returns stem and lower-case suffix of a file name; several times as fast as Path does."""
    stem, dot, suffix = name.rpartition(".")
    return (stem, dot + suffix.lower()) if dot else (name, "")


def _names_by_stem(folder, accepts_suffix):
    """Returns stem -> tuple of the file names that have it; strings, for there may be many."""
    files = {}
    for name in sorted(os.listdir(folder)):
        stem, suffix = _split(name)
        if suffix in IMAGE_SUFFIXES and name[0] != "." and accepts_suffix(suffix):
            files[stem] = (*files.get(stem, ()), name)
    return dict(sorted(files.items()))


def _double_stems(files, folder):
    doubles = [" / ".join(names) for names in files.values() if len(names) > 1]
    sentence = (f"{len(doubles)} name(s) in {folder} belong to more than one file: "
                f"{list_names(doubles)}; keep one of each.")
    return [sentence] if doubles else []


# ---- reading one file ------------------------------------------------------------------------


def read_image(path, image_size=None):
    """Reads an image of any mode as upright RGB, stretched to image_size.

    EXIF rotation is applied, an alpha channel dropped, 16-bit grey scaled to 8 bits.
    Args: path, image_size (height, width) or None for the file's own.
    Returns: uint8 array (height, width, 3), 0..255.
    Raises: InputError where the file can't be read as an image.
    """
    return _decode_image(Path(path), image_size)[0]


def read_label(path):
    """Reads a label PNG as class indices: palette files give the index, not the colour.

    Returns: uint8 array (height, width) of class indices, at the file's own size.
    Raises: InputError for several channels, values above 255, or a file that can't be read.
    """
    return _decode_label(Path(path), None)[0]


def resize_label(label, image_size):
    """Resizes a label to (height, width) by nearest neighbour, so that no new value appears.

    Args: label uint8 array (height, width). Returns: uint8 array of image_size.
    """
    return np.array(_resize_nearest(Image.fromarray(label), image_size))


class _Opened:
    """Opens an image file and turns every way in which Pillow can fail into one InputError."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        try:
            self.file = Image.open(self.path)
        except Exception as error:
            raise self._sentence(error) from error
        return self.file

    def __exit__(self, kind, error, trace):
        self.file.close()
        if isinstance(error, Exception) and not isinstance(error, InputError):
            raise self._sentence(error) from error

    def _sentence(self, error):
        reason = str(error).replace(str(self.path), "the file").replace(f"{self.path!r}", "it")
        return InputError(f"{self.path.name} can't be read as an image ({reason})")


def load_image(path, image_size=None):
    """Decodes an image file as read_image does, but does not resize it yet.

    Args: path, image_size (height, width) to which it will be resized, or None: a JPEG much larger
        than that is decoded less finely.
    Returns: upright RGB PIL image, and the size (width, height) that the picture has in the file.
    Raises: InputError where the file can't be read as an image.
    """
    path = Path(path)
    with _Opened(path) as file:
        size = file.size
        if image_size is not None:
            # A JPEG decoder can leave out detail that the resize would average away anyway; twice
            # the wanted size is kept. The longer side counts: EXIF may exchange the two.
            file.draft(None, (2 * max(image_size), 2 * max(image_size)))
        image = _upright(file)
        if image is not file and image.size != file.size:
            size = size[::-1]
        image = _to_rgb(path, image)
        return image.copy() if image is file else image, size  # the file's own ends with it


def resize_image(image, image_size):
    """Stretches an RGB PIL image to (height, width), uint8 array (height, width, 3)."""
    height, width = image_size
    return np.array(image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0))


def _decode_image(path, image_size):
    image, size = load_image(path, image_size)
    return np.array(image) if image_size is None else resize_image(image, image_size), size


def _upright(file):
    orientation = file.getexif().get(ExifTags.Base.Orientation, 1)
    return file if orientation == 1 else ImageOps.exif_transpose(file)


def _to_rgb(path, image):
    if image.mode == "RGB":
        return image
    if image.mode == "F":
        raise InputError(f"{path.name} holds floating point numbers: save it with 8 bits a channel")
    if image.mode.startswith("I"):  # Pillow's own conversion would clip 16-bit grey at 255
        grey = np.clip(np.asarray(image, np.int64) // 257, 0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode == "P":  # through RGBA, because the palette's transparency may be a table
        image = image.convert("RGBA")
    return image.convert("RGB")


def _decode_label(path, image_size):
    """Returns the label (of image_size), which values its file holds, bool (256,), and its size."""
    with _Opened(path) as file:
        label = _class_indices(path, file)
        values = np.array(label.histogram()[:256]) > 0
        size = label.size
        if image_size is not None:
            label = _resize_nearest(label, image_size)
        return np.array(label), values, size


def _resize_nearest(label, image_size):
    height, width = image_size
    return label.resize((width, height), Image.Resampling.NEAREST)


def _class_indices(path, file):
    stretched = _grey_stretch(file)
    label = _upright(file)
    if label.mode not in ("P", "L", "1") and not label.mode.startswith("I"):
        raise InputError(f"{path.name} has the colour mode {label.mode}: a label needs one "
                         f"channel of class indices (grey or palette PNG)")
    if label.mode in ("P", "L") and stretched == 1:
        return label
    values = np.asarray(label, np.int64) // stretched
    if values.max() > 255 or values.min() < 0:
        raise InputError(f"{path.name} holds the value {values.max()}: class indices are 0..255")
    return Image.fromarray(values.astype(np.uint8))


def _grey_stretch(file):
    """The factor by which Pillow multiplies the values of grey PNGs with 2 or 4 bits a pixel."""
    if file.format != "PNG" or file.mode != "L":
        return 1
    position = file.fp.tell()
    file.fp.seek(24)  # bit depth and colour type stand there (PNG specification, IHDR)
    bits, colour_type = file.fp.read(2)
    file.fp.seek(position)
    return 255 // (2**bits - 1) if colour_type == 0 else 1


# ---- reading all files -----------------------------------------------------------------------


def import_images(image_dir, label_dir, image_size, class_names=None, ignore_label=255,
                  names=None, weight_power=1.0, max_weight_ratio=MAX_WEIGHT_RATIO, training=True,
                  memory_limit_gb=None, cache_dir=None):
    """Reads all pairs of two folders, checks them, and weighs the classes by inverse frequency.

    Args:
        image_dir, label_dir: folders of images and of label PNGs of the same stems.
        image_size: (height, width) to which images are stretched (labels by nearest neighbour).
        class_names: list of names, or None: classes.txt in label_dir, else the labels' values.
        ignore_label: label value that belongs to no class, or None.
        names: image file names to read, in this order; None reads all.
        weight_power, max_weight_ratio: see compute_class_weights.
        training: prints the table of classes, and refuses labels of class 0 alone. False for
            further images of a known set: validation, calibration.
        memory_limit_gb, cache_dir: see read_pairs.
    Returns:
        images uint8 (n, height, width, 3), labels uint8 (n, height, width),
        class_weights float32 (number of classes,), mean 1 over the classes that occur.
    Raises: InputError, all findings in one message: first five files and the count of each.
    """
    pairs = pair_files(image_dir, label_dir, names)
    class_names = class_names or read_class_names(label_dir)
    images, labels, values = read_pairs(pairs, image_size, memory_limit_gb, cache_dir,
                                        "training" if training else "validation")
    num_classes = check_label_values(pairs, values, class_names, ignore_label, training)
    class_names = class_names or default_class_names(num_classes)
    pixel_counts = count_pixels(labels, num_classes)
    class_weights = compute_class_weights(pixel_counts, weight_power, max_weight_ratio)
    if training:
        print(format_class_table(class_names, pixel_counts, class_weights))
    return images, labels, class_weights


def read_pairs(pairs, image_size, memory_limit_gb=None, cache_dir=None, purpose="pairs"):
    """Decodes all pairs, several at a time.

    Args: memory_limit_gb, above which the decoded arrays are kept in a folder of cache_dir, named
        by purpose; None keeps them in memory.
    Returns: images uint8 (n, height, width, 3), labels uint8 (n, height, width), and which values
        each label file holds at its own size, bool (n, 256). Above the limit cache.StoredArray.
    Raises: InputError that names every file that can't be read or differs in size from its pair.
    """
    if memory_limit_gb is not None:
        import cache  # here, because it needs this file, and nobody needs it on a Coral

        if cache.decoded_bytes(len(pairs), image_size) > memory_limit_gb * cache.BYTES_PER_GB:
            return cache.read_through(pairs, image_size, cache_dir, purpose, _read_into)
    height, width = image_size
    images = np.empty((len(pairs), height, width, 3), np.uint8)
    labels = np.empty((len(pairs), height, width), np.uint8)
    values = np.zeros((len(pairs), 256), bool)
    _read_into(pairs, image_size, images, labels, values)
    return images, labels, values


def _read_into(pairs, image_size, images, labels, values):
    """Decodes all pairs into the three arrays of read_pairs."""
    def read(index):
        findings = []
        try:
            images[index], size = _decode_image(pairs[index].image_path, image_size)
        except InputError as error:
            findings.append(str(error))
        try:
            labels[index], values[index], label_size = _decode_label(
                pairs[index].label_path, image_size)
        except InputError as error:
            return [*findings, str(error)]
        if not findings and label_size != size:
            findings.append(f"{pairs[index].image_path.name} is {size[0]}x{size[1]} but its label "
                            f"is {label_size[0]}x{label_size[1]} (width x height)")
        return findings

    findings = [text for texts in _in_parallel(read, len(pairs), "Reading pairs") for text in texts]
    if findings:
        shown = "\n".join(f"  {text}" for text in findings[:5])
        more = f"\n  and {len(findings) - 5} more" if len(findings) > 5 else ""
        raise InputError(f"{len(findings)} file(s) can't be used; repair or remove them:\n"
                         f"{shown}{more}")


def _in_parallel(function, count, title):
    """Returns [function(0), ..., function(count - 1)], computed by several threads.

    Pillow decodes outside of Python's lock, so threads are enough. Each takes the next index
    itself: a future a file would cost as much as decoding a small one.
    """
    results, waiting = [None] * count, deque(range(count))
    progress = Progress(title, count)

    def work():
        while waiting:
            try:
                index = waiting.popleft()
            except IndexError:  # another thread took the last one
                return
            results[index] = function(index)
            progress.show(count - len(waiting))

    with ThreadPoolExecutor(READER_THREADS) as executor:
        try:
            for future in [executor.submit(work) for _ in range(READER_THREADS)]:
                future.result()
        finally:
            waiting.clear()  # after an error or Ctrl-C the other threads stop at their next file
    return results


class Progress:
    """Prints how far long work is, at most every PROGRESS_SECONDS."""

    def __init__(self, title, count):
        self.title, self.count, self.shown = title, count, time.monotonic()

    def show(self, done):
        """Prints that so many are done, unless it printed a moment ago."""
        now = time.monotonic()
        if now - self.shown > PROGRESS_SECONDS:
            self.shown = now
            print(f"{self.title}: {done} of {self.count}", file=sys.stderr, flush=True)


# ---- classes ---------------------------------------------------------------------------------


def read_class_names(label_dir):
    """Returns the names in label_dir/classes.txt (one a line), or None where there is no such file.

    Raises: InputError where the file is empty or no text.
    """
    path = Path(label_dir) / CLASS_NAMES_FILE
    if not path.exists():
        return None
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no UTF-8 text: write one class name a line.") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise InputError(f"{path} is empty: write one class name a line, or remove it.")
    return names


def find_class_names(label_paths, label_dir, class_names=None, ignore_label=255, cache_dir=None):
    """Returns the class names: those given, those of classes.txt, or names for the label values.

    Args: label_paths are read only where no list of names is given; cache_dir, where the number of
        classes is kept until a label changes, or None.
    Raises: InputError where a label can't be read.
    """
    class_names = class_names or read_class_names(label_dir)
    if class_names:
        return list(class_names)

    def largest(index):
        label = read_label(label_paths[index])
        return int(label[label != ignore_label].max(initial=0))

    def count():
        return max(_in_parallel(largest, len(label_paths), "Reading labels")) + 1

    if cache_dir is None:
        return default_class_names(count())
    import cache  # here, because it needs this file, and nobody needs it on a Coral

    return default_class_names(cache.recall(
        cache_dir, f"classes_{ignore_label}", label_paths, count))


def default_class_names(num_classes):
    """Returns background, class 1, class 2, ... for labels whose classes have no names."""
    return ["background"] + [f"class {index}" for index in range(1, num_classes)]


def check_label_values(pairs, values, class_names=None, ignore_label=255, training=True):
    """Checks that the label files hold class indices only.

    Args: values bool (n, 256), which values each label file holds; training as for import_images.
    Returns: the number of classes: of the names, or else the largest value + 1.
    Raises: InputError for masks of 0 and 255, values beyond the classes, fewer than two classes.
    """
    found = {int(value) for value in np.flatnonzero(values.any(axis=0))}
    if training and 255 in found and found <= {0, 255}:
        holders = [pair.label_path.name for pair, row in zip(pairs, values) if row[255]]
        raise InputError(f"The labels hold only 0 and 255 ({len(holders)} file(s): "
                         f"{list_names(holders)}), so the object seems to be 255, which is no "
                         f"class index: save the object as 1 (255 is for pixels to be ignored).")
    classes = found - {ignore_label}
    if training and not classes:
        raise InputError(f"All label pixels have the ignore label {ignore_label}: nothing to learn "
                         f"from; draw the labels or correct IGNORE_LABEL.")
    num_classes = len(class_names) if class_names else max(classes, default=0) + 1
    if num_classes > MAX_CLASSES:
        raise InputError(f"{num_classes} classes are too many: at most {MAX_CLASSES} fit a label.")
    beyond = sorted(classes - set(range(num_classes)))
    if beyond:
        holders = [pair.label_path.name
                   for pair, row in zip(pairs, values) if row[beyond].any()]
        raise InputError(f"{len(holders)} label(s) hold values beyond the {num_classes} classes "
                         f"(0..{num_classes - 1}): {list_names(beyond)} in {list_names(holders)}; "
                         f"correct the labels, the class names or IGNORE_LABEL.")
    if training and num_classes < 2:
        raise InputError("The labels hold class 0 alone: there is nothing to tell apart; draw the "
                         "objects with 1, 2, ... or list the class names.")
    return num_classes


def count_pixels(labels, num_classes):
    """Counts the pixels of each class, int64 (num_classes,); other values are left out.

    Args: labels uint8 (n, height, width).
    """
    if getattr(labels, "value_counts", None) is not None:  # cache.StoredArray: counted already
        return labels.value_counts[:num_classes].copy()
    counts = np.zeros(256, np.int64)
    for label in labels:
        counts += np.bincount(label.ravel(), minlength=256)
    return counts[:num_classes]


def compute_class_weights(pixel_counts, power=1.0, max_ratio=MAX_WEIGHT_RATIO):
    """Weighs classes by the inverse of their pixel frequency: weight ~ (1 / frequency) ** power.

    Args:
        pixel_counts: int array (num_classes,).
        power: 1 is the plain inverse, 0.5 (its square root) damps it, 0 weighs all alike.
        max_ratio: no weight is more than this many times the lightest.
    Returns: float32 (num_classes,), mean 1 over the classes that occur, 0 for those that do not.
    """
    counts = np.asarray(pixel_counts, np.float64)
    occurs = counts > 0
    if not occurs.any():
        return np.zeros(len(counts), np.float32)
    weights = np.zeros(len(counts))
    weights[occurs] = (counts.sum() / counts[occurs]) ** power
    weights = np.minimum(weights, max_ratio * weights[occurs].min())
    return (weights / weights[occurs].mean()).astype(np.float32)


def format_class_table(class_names, pixel_counts, class_weights):
    """Returns the printed table of classes: name, pixels, share of all pixels, weight."""
    width = max(5, *(len(name) for name in class_names))
    total = max(1, int(np.sum(pixel_counts)))
    lines = [f"{'class':<{width}}  {'pixels':>12}  {'share':>8}  {'weight':>8}"]
    for name, count, weight in zip(class_names, pixel_counts, class_weights):
        note = "" if count else "  never occurs: weight 0, it can't be learned"
        lines.append(f"{name:<{width}}  {count:>12,}  {count / total:>8.3%}  {weight:>8.3f}{note}")
    return "\n".join(lines)


# ---- streaming -------------------------------------------------------------------------------


def make_dataset(images, labels, batch_size, augment=False, shuffle=False, seed=0):
    """Streams batches of (image, label), shuffled, augmented in pair, batched and prefetched.

    Args: images uint8 (n, height, width, 3), labels uint8 (n, height, width).
    Returns: tf.data.Dataset of image float32 (batch, height, width, 3) in 0..255 and label uint8
        (batch, height, width); the last batch may be smaller. Same seed, same batches.
    """
    import tensorflow as tf  # here, because everything else in this file runs without it

    count = len(images)

    def fetch(indices):
        return images[indices], labels[indices]

    def decode(indices, seed_pair):
        image, label = tf.numpy_function(fetch, [indices], (tf.uint8, tf.uint8), stateful=False)
        image = tf.cast(tf.ensure_shape(image, (None, *images.shape[1:])), tf.float32)
        label = tf.ensure_shape(label, (None, *labels.shape[1:]))
        return augment_batch(image, label, seed_pair) if augment else (image, label)

    indices = tf.data.Dataset.range(count)
    if shuffle:
        indices = indices.shuffle(count, seed=seed, reshuffle_each_iteration=True)
    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
    batches = tf.data.Dataset.zip(indices.batch(batch_size), seeds)
    return batches.map(decode, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def augment_batch(image, label, seed):
    """Flips image and label together, left to right, and varies the colour of the image alone.

    Args: image float32 (batch, height, width, 3) in 0..255, label uint8 (batch, height, width),
        seed int (2,): the same seed makes the same draw.
    Returns: image and label of the same shapes and dtypes.
    """
    import tensorflow as tf

    batch = tf.shape(image)[0]
    draws = tf.random.stateless_uniform((4, batch, 1, 1, 1), seed)
    flipped = draws[0] < FLIP_PROBABILITY
    image = tf.where(flipped, tf.reverse(image, [2]), image)
    label = tf.where(flipped[..., 0], tf.reverse(label, [2]), label)
    brightness, contrast, saturation = tf.unstack(1 + COLOUR_RANGE * (2 * draws[1:] - 1))
    grey = tf.reduce_mean(image, axis=3, keepdims=True)
    image = grey + (image - grey) * saturation
    mean = tf.reduce_mean(image, axis=(1, 2, 3), keepdims=True)
    image = (mean + (image - mean) * contrast) * brightness
    return tf.clip_by_value(image, 0.0, 255.0), label
