"""Reads folders of images and label PNGs: checked, paired, decoded, and weighed.

Every image needs a label PNG of the same name (a.jpg and a.png) and the other way round. A label
holds one class index a pixel; the ignore label marks pixels that are left out everywhere.
main.py, tflite_convert.py, tflite_test.py and predict.py all read through this file, so a picture
looks the same to all of them. Plain NumPy and Pillow, no TensorFlow.
"""

import os
import struct
import sys
import time
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from pairing import InputError, list_names, pair_files, report

IMAGE_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")  # Pillow's names; it opens no others for us
MAX_PIXELS = 178_956_970  # an image may have: Pillow's own limit, half a gigabyte decoded
CLASS_NAMES_FILE = "classes.txt"  # one name a line, in the label folder
MAX_CLASSES = 255  # class indices are stored in 8 bits, one value stays free to be ignored
MAX_WEIGHT_RATIO = 100.0  # heaviest to lightest class weight; raw ratios of 400 did not converge
READER_THREADS = os.cpu_count() or 1
PROGRESS_SECONDS = 2.0  # work longer than this shows how far it is

# What can be wrong with a file, and the remedy.
FAULTS = {
    "unreadable": ("can't be read as an image", "repair, replace or remove"),
    "large": (f"can't be read because of more than {MAX_PIXELS:,} pixels", "save with fewer"),
    "several": ("must not hold several pictures (an animation, or pages)",
                "save the labelled one alone"),
    "mode": ("can't be turned into RGB", "save with 8 bits a channel, RGB or grey"),
    "format": ("must be a PNG inside, not by name alone", "draw again and save as PNG: other "
               "formats change the values"),
    "channels": ("must have one channel of class indices", "save as grey or palette PNG"),
    "values": ("must hold class indices of 0..255", "number the classes 0, 1, 2, ..."),
    "size": ("must have the size of the label (width x height)",
             "draw the label on this very picture"),
}


class FileError(InputError):
    """One file can't be used. kind is a key of FAULTS; detail, what is particular to this file."""

    def __init__(self, kind, path, detail=""):
        self.kind, self.path, self.detail = kind, path, detail
        what, remedy = FAULTS[kind]
        super().__init__(f"{path.name} {what}{f' ({detail})' if detail else ''}; {remedy}")


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
    """Opens an image file and turns every way in which Pillow can fail into one FileError."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        try:
            # Of all that Pillow can open, some run other programs (EPS) or are no pictures.
            self.file = Image.open(self.path, formats=IMAGE_FORMATS)
        except Exception as error:
            raise self._fault(error) from error
        return self.file

    def __exit__(self, kind, error, trace):
        self.file.close()
        if isinstance(error, Exception) and not isinstance(error, InputError):
            raise self._fault(error) from error

    def _fault(self, error):
        if isinstance(error, Image.DecompressionBombError):
            return FileError("large", self.path)
        return FileError("unreadable", self.path, _reason(self.path, error))


def _reason(path, error):
    """Returns in plain words why Pillow could not read a file."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    if isinstance(error, FileNotFoundError) and path.is_symlink():
        return "a link that leads nowhere"
    if isinstance(error, OSError) and error.strerror:  # the operating system's, not Pillow's
        return error.strerror
    if isinstance(error, UnidentifiedImageError):
        return ("an empty file" if path.stat().st_size == 0
                else f"no {', '.join(IMAGE_FORMATS)} file, or cut at its start")
    if isinstance(error, (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError,
                          struct.error, zlib.error)):  # what Pillow's readers raise on bad bytes
        return "damaged or cut off"
    return f"{type(error).__name__}: {error}"


def _check_opened(path, file):
    """Raises FileError for files that open, but hold too many pixels or several pictures."""
    if file.width * file.height > MAX_PIXELS:
        raise FileError("large", path)
    # MPO is a camera's JPEG with a preview or a second view behind the picture itself.
    if file.format != "MPO" and getattr(file, "n_frames", 1) > 1:
        raise FileError("several", path, f"{file.n_frames}")


def load_image(path, image_size=None):
    """Decodes an image file as read_image does, but does not resize it yet.

    Args: path, image_size (height, width) to which it will be resized, or None: a JPEG much larger
        than that is decoded less finely.
    Returns: upright RGB PIL image, and the size (width, height) that the picture has in the file.
    Raises: InputError where the file can't be read as an image.
    """
    path = Path(path)
    with _Opened(path) as file:
        _check_opened(path, file)
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
        raise FileError("mode", path, "floating point numbers")
    if image.mode in ("LAB", "HSV"):
        raise FileError("mode", path, f"colour mode {image.mode}")
    if image.mode.startswith("I"):  # Pillow's own conversion would clip 16-bit grey at 255
        grey = np.clip(np.asarray(image, np.int64) // 257, 0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode == "P":  # through RGBA, because the palette's transparency may be a table
        image = image.convert("RGBA")
    return image.convert("RGB")


def _decode_label(path, image_size):
    """Returns the label (of image_size), which values its file holds, bool (256,), and its size."""
    with _Opened(path) as file:
        _check_opened(path, file)
        if file.format != "PNG":
            raise FileError("format", path, file.format)
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
        raise FileError("channels", path, f"colour mode {label.mode}")
    if label.mode in ("P", "L") and stretched == 1:
        return label
    values = np.asarray(label, np.int64) // stretched
    if values.max() > 255 or values.min() < 0:
        raise FileError("values", path, f"largest value {values.max()}")
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
    findings, faults = [], []
    pairs = pair_files(image_dir, label_dir, names, findings=findings)
    images, labels, values = read_pairs(
        pairs, image_size, faults, memory_limit_gb, None if findings else cache_dir,
        "training" if training else "validation")
    findings += list_faults(faults)
    class_names = name_classes(values, label_dir, class_names, ignore_label, findings)
    check_label_values(pairs, values, class_names, ignore_label, len(pairs) * training, findings)
    report(findings)
    return images, labels, weigh_classes(labels, class_names, weight_power, max_weight_ratio,
                                         training)


def read_pairs(pairs, image_size, faults=None, memory_limit_gb=None, cache_dir=None,
               purpose="pairs"):
    """Decodes all pairs, several at a time.

    Args: pairs, sequence of Pair, where None is passed over; faults, a list to which each FileError
        is added, or None: they are raised. memory_limit_gb, above which the decoded arrays are kept
        in a folder of cache_dir, named by purpose, and without cache_dir nowhere: only faults and
        values are found out; None keeps them in memory.
    Returns: images uint8 (n, height, width, 3), labels uint8 (n, height, width), and which values
        each label file holds at its own size, bool (n, 256); zeros for what can't be read. Above
        the limit cache.StoredArray or, where there are faults or no cache_dir, images and labels
        of zeros that take no memory.
    Raises: InputError that names every file that can't be read or differs in size from its pair, or
        says why a cache can't be written.
    """
    if memory_limit_gb is not None:
        import cache  # here, because it needs this file, and nobody needs it on a Coral

        if cache.decoded_bytes(len(pairs), image_size) > memory_limit_gb * cache.BYTES_PER_GB:
            found = []
            read = cache.read_through if cache_dir is not None else cache.read_and_forget
            arrays = read(pairs, image_size, cache_dir, purpose, _read_into, found)
            _hand_on(found, faults)
            return arrays
    height, width = image_size
    images = np.zeros((len(pairs), height, width, 3), np.uint8)
    labels = np.zeros((len(pairs), height, width), np.uint8)
    values = np.zeros((len(pairs), 256), bool)
    _hand_on(_read_into(pairs, image_size, images, labels, values), faults)
    return images, labels, values


def _hand_on(found, faults):
    if faults is None:
        report(list_faults(found))
    else:
        faults += found


def _read_into(pairs, image_size, images, labels, values):
    """Decodes all pairs into the three arrays of read_pairs; returns a list of FileError."""
    def read(index):
        """Decodes one pair into its place; returns a list of FileError."""
        image_path, label_path = pairs[index]
        found, size, label_size = [], None, None
        try:
            if image_path is not None:
                images[index], size = _decode_image(image_path, image_size)
        except FileError as error:
            found.append(error)
        try:
            if label_path is not None:
                labels[index], values[index], label_size = _decode_label(label_path, image_size)
        except FileError as error:
            found.append(error)
        if size and label_size and size != label_size:
            found.append(FileError("size", image_path, f"{size[0]}x{size[1]}, label "
                                   f"{label_size[0]}x{label_size[1]}"))
        return found

    return [fault for some in _in_parallel(read, len(pairs), "Reading pairs") for fault in some]


def list_faults(faults):
    """Returns a sentence for each kind of fault and folder: count, first five files, remedy.

    Args: faults, list of FileError.
    """
    sentences, faults = [], sorted(faults, key=lambda fault: fault.path.name)
    for kind, (what, remedy) in FAULTS.items():
        folders = dict.fromkeys(fault.path.parent for fault in faults if fault.kind == kind)
        for folder in folders:
            names = [fault.path.name + (f" ({fault.detail})" if fault.detail else "")
                     for fault in faults if fault.kind == kind and fault.path.parent == folder]
            sentences.append(f"{len(names)} file(s) in {folder} {what}: {list_names(names)}; "
                             f"{remedy}.")
    return sentences


def _in_parallel(function, count, title):
    """Returns [function(0), ..., function(count - 1)], computed by several threads.

    Pillow decodes outside of Python's lock, so threads are enough. Each takes the next index
    itself: a future a file would cost as much as decoding a small one.
    """
    results, waiting = [None] * count, deque(range(count))
    progress = Progress(title, count)

    def work():
        """Takes the next index until none is left."""
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
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no UTF-8 text: write one class name a line.") from error
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}): repair or remove "
                         f"it.") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise InputError(f"{path} is empty: write one class name a line, or remove it.")
    return names


def find_class_names(label_paths, label_dir, class_names=None, ignore_label=255):
    """Returns the class names: those given, those of classes.txt, or names for the label values.

    Args: label_paths are read only where no list of names is given.
    Raises: InputError where a label can't be read.
    """
    class_names = class_names or read_class_names(label_dir)
    if class_names:
        return list(class_names)

    def largest(index):
        """Returns the largest class index in a label."""
        label = read_label(label_paths[index])
        return int(label[label != ignore_label].max(initial=0))

    return default_class_names(max(_in_parallel(largest, len(label_paths), "Reading labels")) + 1)


def name_classes(values, label_dir, class_names=None, ignore_label=255, findings=None):
    """Returns the class names as find_class_names does, but counts them from values already read.

    Args: values bool (n, 256), which values each label file holds; label_dir may be None, which
        holds no classes.txt; findings, see report.
    Raises: InputError where there are not 2 to 255 different names.
    """
    try:
        if not class_names and values.any() and label_dir is not None:
            class_names = read_class_names(label_dir)
    except InputError as error:
        report([str(error)], findings)
    if not class_names:
        classes = set(_held(values)) - {ignore_label}
        return default_class_names(min(max(classes, default=0) + 1, MAX_CLASSES))
    report(check_class_names(class_names), findings)
    return list(class_names)


def check_class_names(class_names):
    """Returns a list of the sentence that says what is wrong with the names, or an empty one."""
    doubles = sorted({name for name in class_names if class_names.count(name) > 1})
    if doubles:
        return [f"The class names hold {list_names(doubles)} more than once: give each class a "
                f"name of its own."]
    if not 2 <= len(class_names) <= MAX_CLASSES:
        return [f"{len(class_names)} class name(s) are given ({list_names(class_names)}): it takes "
                f"2 to {MAX_CLASSES}, the background first."]
    return []


def default_class_names(num_classes):
    """Returns background, class 1, class 2, ... for labels whose classes have no names."""
    return ["background"] + [f"class {index}" for index in range(1, num_classes)]


def check_label_values(pairs, values, class_names, ignore_label, num_training, findings=None):
    """Checks that the label files hold class indices only, and enough of them to learn from.

    Args: values bool (n, 256), which values each label file holds; num_training, how many of the
        pairs, the first ones, are trained on, the others being for validation, or 0: any images;
        findings, see report.
    Raises: InputError for values beyond the classes and, of the labels that are trained on, masks
        of 0 and 255 or less than two classes; for validation labels that are ignored everywhere.
    """
    found = _held(values[:num_training])
    classes = set(found) - {ignore_label}
    beyond = sorted(set(_held(values)) - {ignore_label} - set(range(len(class_names))))
    held_out = set(_held(values[num_training:]))
    if 255 in found and set(found) <= {0, 255} and (classes or ignore_label != 255):
        holders = _holders(pairs, values, [255])
        report([f"The labels hold only 0 and 255 ({len(holders)} file(s): {list_names(holders)}), "
                f"so the object seems to be 255, which is no class index: save the object as 1 "
                f"(255 is for pixels to be ignored)."], findings)
    elif beyond:
        holders = _holders(pairs, values, beyond)
        report([f"{len(holders)} label(s) hold values beyond the {len(class_names)} classes "
                f"(0..{len(class_names) - 1}): {list_names(beyond)} in {list_names(holders)}; "
                f"correct the labels, the class names or IGNORE_LABEL."], findings)
    elif found and not classes:
        report([f"All label pixels have the ignore label {ignore_label}: nothing to learn from; "
                f"draw the labels or correct IGNORE_LABEL."], findings)
    elif len(classes) == 1:
        report([f"The labels hold class {classes.pop()} alone: there is nothing to tell apart; "
                f"draw the objects with 1, 2, ... on background 0."], findings)
    elif classes and held_out and held_out <= {ignore_label}:
        report([f"All pixels of the validation labels have the ignore label {ignore_label}: there "
                f"is nothing to measure on; choose other images."], findings)


def compare_classes(values, validation_pairs, validation_values, class_names, ignore_label):
    """Returns warnings of classes that only the validation labels hold, or only the training ones.

    Args: values, validation_values bool (n, 256), which values each label file holds.
    """
    training = set(_held(values)) - {ignore_label}
    validation = set(_held(validation_values)) - {ignore_label}
    unlearned, unmeasured = sorted(validation - training), sorted(training - validation)
    warnings = []
    if unlearned:
        holders = _holders(validation_pairs, validation_values, unlearned)
        warnings.append(
            f"WARNING: {len(holders)} validation label(s) hold what no training label holds, "
            f"{list_names(class_names[index] for index in unlearned)}: {list_names(holders)}; it "
            f"can't be learned and counts as IoU 0: label training images that show it, or choose "
            f"another SEED.")
    if unmeasured:
        warnings.append(
            f"WARNING: no validation label holds "
            f"{list_names(class_names[index] for index in unmeasured)}: it is learned, but not "
            f"measured; label validation images that show it, or choose another SEED.")
    return warnings


def _held(values):
    return [int(value) for value in np.flatnonzero(values.any(axis=0))]


def _holders(pairs, values, wanted):
    return sorted(pair.label_path.name for pair, row in zip(pairs, values) if row[wanted].any())


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


def weigh_classes(labels, class_names, power=1.0, max_ratio=MAX_WEIGHT_RATIO, shown=True):
    """Counts the labels' pixels, weighs the classes, and prints the table unless shown is False.

    Args: labels uint8 (n, height, width). Returns: as compute_class_weights.
    """
    pixel_counts = count_pixels(labels, len(class_names))
    class_weights = compute_class_weights(pixel_counts, power, max_ratio)
    if shown:
        print(format_class_table(class_names, pixel_counts, class_weights))
    return class_weights


def format_class_table(class_names, pixel_counts, class_weights):
    """Returns the printed table of classes: name, pixels, share of all pixels, weight."""
    width = max(5, *(len(name) for name in class_names))
    total = max(1, int(np.sum(pixel_counts)))
    lines = [f"{'class':<{width}}  {'pixels':>12}  {'share':>8}  {'weight':>8}"]
    for name, count, weight in zip(class_names, pixel_counts, class_weights):
        note = "" if count else "  never occurs: weight 0, it can't be learned"
        lines.append(f"{name:<{width}}  {count:>12,}  {count / total:>8.3%}  {weight:>8.3f}{note}")
    return "\n".join(lines)
