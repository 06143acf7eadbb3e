"""Reads one image or one label file of any color mode and rotation; says what is wrong with it."""

import struct
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from device.errors import InputError

IMAGE_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")  # Pillow's names; it opens no others for us
PIXEL_SCALE = 127.5  # the network's input is pixel / 127.5 - 1, in [-1, 1]
SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that exchange height and width
PADDING_GRAY = 128  # around a smaller picture: 0 to the network, like its own padding
PADDING_LABEL = 255  # around its label: never a class, since there are at most 255
MAX_PIXELS = 178_956_970  # of one image: Pillow's own limit, half a gigabyte decoded
# What can be wrong with a file, and the remedy.
FILE_ERRORS = {
    "unreadable": ("can't be read as an image", "repair, replace or remove"),
    "large": (f"can't be read because of more than {MAX_PIXELS:,} pixels", "save with fewer"),
    "several": ("must not hold several pictures (an animation, or pages)",
                "save the labeled one alone"),
    "mode": ("can't be turned into RGB", "save with 8 bits a channel, RGB or gray"),
    "format": ("must be a PNG inside, not by name alone", "draw again and save as PNG: other "
               "formats change the values"),
    "channels": ("must have one channel of class indices", "save as gray or palette PNG"),
    "values": ("must hold class indices of 0..255", "number the classes 0, 1, 2, ..."),
    "size": ("must have the size of the label (width x height)",
             "draw the label on this very picture"),
}


class FileError(InputError):
    """One file can't be used: kind is a key of FILE_ERRORS, detail says more about this file."""

    def __init__(self, kind, path, detail=""):
        self.kind, self.path, self.detail = kind, path, detail
        what, remedy = FILE_ERRORS[kind]
        super().__init__(f"{path.name} {what}{f' ({detail})' if detail else ''}; {remedy}")


def read_image(path, image_size=None):
    """Reads an image of any mode as upright RGB, stretched to image_size.

    EXIF rotation is applied, an alpha channel dropped, 16-bit gray scaled to 8 bits.
    Args: path, image_size (height, width) or None for the file's own.
    Returns: uint8 array (height, width, 3), 0..255.
    Raises: InputError where the file can't be read as an image.
    """
    return decode_image(Path(path), image_size)[0]


def read_label(path):
    """Reads a label PNG as class indices: palette files give the index, not the color.

    Returns: uint8 array (height, width) of class indices, at the file's own size.
    Raises: InputError for several channels, values above 255, or a file that can't be read.
    """
    return decode_label(Path(path), None)[0]


def scale_pixels(images):
    """Scales pixels 0..255 to the network's input in [-1, 1], float32 of the same shape.

    As keras.applications.mobilenet_v2.preprocess_input does, on which its weights were trained.
    """
    return np.float32(images) / PIXEL_SCALE - 1


def resize_label(label, image_size):
    """Resizes a label to (height, width) by nearest neighbor, so that no new value appears.

    Args: label uint8 array (height, width). Returns: uint8 array of image_size.
    """
    return np.array(_resize_nearest(Image.fromarray(label), image_size))


@contextmanager
def open_image(path, formats=IMAGE_FORMATS):
    """Opens an image file; every way in which Pillow can fail becomes one FileError.

    Args: path; formats, Pillow's names of the formats that are tried.
    """
    path = Path(path)
    try:
        # Of all that Pillow can open, some formats run other programs (EPS) or are no pictures.
        with Image.open(path, formats=formats) as file:
            _check_opened(path, file)
            yield file
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise FileError("large", path) from error
    except Exception as error:  # Pillow's readers raise nearly every kind on bad bytes
        raise FileError("unreadable", path, _describe_failure(path, error)) from error


def _describe_failure(path, error):
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


def read_size(path):
    """Returns the (height, width) of an upright image without decoding it.

    Raises: InputError where the file can't be read as an image.
    """
    with open_image(path) as file:
        turned = file.getexif().get(ExifTags.Base.Orientation, 1) in SIDEWAYS
        return file.size if turned else file.size[::-1]


def load_image(path, image_size=None):
    """Decodes an image file as read_image does, but does not resize it yet.

    Args: path, image_size (height, width) to which it will be resized, or None. A JPEG much larger
        than image_size is decoded at a half, a quarter or an eighth of its size, which is faster.
    Returns: upright RGB PIL image, and the size (width, height) that the picture has in the file.
    Raises: InputError where the file can't be read as an image.
    """
    path = Path(path)
    with open_image(path) as file:
        size = file.size
        if image_size is not None:
            # The resize would average away that detail anyway; at least twice image_size is kept.
            # Both sides ask for the longer one, because EXIF may exchange height and width.
            file.draft(None, (2 * max(image_size), 2 * max(image_size)))
        image = _upright(file)
        if image is not file and image.size != file.size:
            size = size[::-1]
        image = _to_rgb(path, image)
        return image.copy() if image is file else image, size  # a closed file has no pixels


def resize_image(image, image_size):
    """Stretches an RGB PIL image to (height, width), uint8 array (height, width, 3)."""
    height, width = image_size
    return np.array(image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0))


def decode_image(path, image_size):
    """Returns what read_image does, and the size (width, height) of the picture in the file."""
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
        raise FileError("mode", path, f"color mode {image.mode}")
    if image.mode.startswith("I"):  # Pillow's own conversion would clip 16-bit gray at 255
        gray = np.clip(np.asarray(image, np.int64) // 257, 0, 255).astype(np.uint8)
        return Image.fromarray(gray).convert("RGB")
    if image.mode == "P":  # through RGBA, because the palette's transparency may be a table
        image = image.convert("RGBA")
    return image.convert("RGB")


def decode_label(path, image_size):
    """Reads a label as read_label does, resized to image_size where that is not None.

    Returns: uint8 (height, width), which values the file holds, bool (256,), and the size
        (width, height) of the label in the file.
    """
    with open_image(path) as file:
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
    stretched = gray_stretch(file)
    label = _upright(file)
    if label.mode not in ("P", "L", "1") and not label.mode.startswith("I"):
        raise FileError("channels", path, f"color mode {label.mode}")
    if label.mode in ("P", "L") and stretched == 1:
        return label
    values = np.asarray(label, np.int64) // stretched
    if values.max() > 255 or values.min() < 0:
        raise FileError("values", path, f"largest value {values.max()}")
    return Image.fromarray(values.astype(np.uint8))


def gray_stretch(file):
    """Returns the factor by which Pillow multiplies the values of gray PNGs of 2 or 4 bits."""
    if file.format != "PNG" or file.mode != "L":
        return 1
    position = file.fp.tell()
    file.fp.seek(24)  # bit depth and color type stand there (PNG specification, IHDR)
    bits, color_type = file.fp.read(2)
    file.fp.seek(position)
    return 255 // (2**bits - 1) if color_type == 0 else 1
