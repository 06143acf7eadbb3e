"""Reads one image or one label file of any color mode and rotation; says what is wrong with it."""

import struct
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from device.errors import InputError
from device.intensity import (
    MAX_BANDS,
    count_tiff_bands,
    is_wide,
    read_wide_pixels,
    scale_to_8_bits,
)

IMAGE_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")  # Pillow's names; it opens no others for us
PIXEL_SCALE = 127.5  # the network's input is pixel / 127.5 - 1, in [-1, 1]
SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that exchange height and width
PADDING_GRAY = 128  # around a smaller picture: 0 to the network, like its own padding
PADDING_LABEL = 255  # around its label: never a class, since there are at most 255
MAX_PIXELS = 178_956_970  # of one image: Pillow's own limit, half a gigabyte decoded
UPRIGHT_METHODS = {  # EXIF orientation: what turns the stored picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}
# What can be wrong with a file, and the remedy.
FILE_ERRORS = {
    "unreadable": ("can't be read as an image", "repair, replace or remove"),
    "large": (f"can't be read because of more than {MAX_PIXELS:,} pixels", "save with fewer"),
    "several": ("must not hold several pictures (an animation, or pages)",
                "save the labeled one alone"),
    "mode": ("can't be turned into RGB", "save with 8 bits a channel, RGB or gray"),
    "bands": ("hold more bands than red, green and blue", "save the three that show your classes "
              "best as an RGB picture"),
    "format": ("must be a PNG inside, not by name alone", "other formats change the values: "
               "convert the labels with import_labels.py"),
    "channels": ("must have one channel of class indices", "convert the labels with "
                 "import_labels.py, which reads colors"),
    "values": ("must hold class indices of 0..255", "number the classes 0, 1, 2, ..."),
    "size": ("must have the size of the label (width x height)",
             "draw the label on this very picture"),
    "turned": ("are turned upright by EXIF, but their labels fit the stored picture (width x "
               "height)", "set LABELS_TURNED = True in main.py"),
    "colors": ("hold numbers that mean other colors in other files", "the colors were turned into "
               "numbers file by file: convert the colored masks with import_labels.py"),
}


class FileError(InputError):
    """One file can't be used: kind is a key of FILE_ERRORS, detail says more about this file."""

    def __init__(self, kind, path, detail=""):
        self.kind, self.path, self.detail = kind, path, detail
        what, remedy = FILE_ERRORS[kind]
        super().__init__(f"{path.name} {what}{f' ({detail})' if detail else ''}; {remedy}")


class DecodedImage(NamedTuple):
    """Pixels as a PIL image or uint8 (height, width, 3), the upright size (width, height) in the
    file, and the EXIF orientation that was undone, 1 to 8."""

    pixels: Any
    size: tuple
    orientation: int


class DecodedLabel(NamedTuple):
    """Class indices uint8 (height, width), pixels of each value in the file int64 (256,), the
    size (width, height) in the file, and the palette's colors uint8 (n, 3) or None."""

    indices: Any
    counts: Any
    size: tuple
    colors: Any


def read_image(path, image_size=None, intensity_range=None):
    """Reads an image of any mode as upright RGB, stretched to image_size.

    EXIF rotation is applied, an alpha channel dropped.
    Args: path, image_size (height, width) or None for the file's own, intensity_range (low, high):
        what becomes 0..255 of pixels with more than 8 bits; None: all that 16 bits can hold.
    Returns: uint8 array (height, width, 3), 0..255.
    Raises: InputError where the file can't be read as an image.
    """
    return decode_image(Path(path), image_size, intensity_range).pixels


def read_label(path):
    """Reads a label PNG as class indices: palette files give the index, not the color.

    Returns: uint8 array (height, width) of class indices, at the file's own size.
    Raises: InputError for several channels, values above 255, or a file that can't be read.
    """
    return decode_label(Path(path), None).indices


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
        bands = count_tiff_bands(path) if isinstance(error, UnidentifiedImageError) else 0
        if bands >= MAX_BANDS:
            raise FileError("bands", path, f"{bands} bands") from error
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


def load_image(path, image_size=None, intensity_range=None):
    """Decodes an image file as read_image does, but does not resize it yet.

    Args: path, image_size (height, width) to which it will be resized, or None. A JPEG much larger
        than image_size is decoded at a half, a quarter or an eighth of its size, which is faster.
    Returns: upright RGB PIL image, and the size (width, height) that the picture has in the file.
    Raises: InputError where the file can't be read as an image.
    """
    return _decode(Path(path), image_size, intensity_range)[:2]


def _decode(path, image_size, intensity_range):
    """Returns the DecodedImage of load_image, whose pixels are a PIL image."""
    with open_image(path) as file:
        size = file.size
        if image_size is not None:
            # The resize would average away that detail anyway; at least twice image_size is kept.
            # Both sides ask for the longer one, because EXIF may exchange height and width.
            file.draft(None, (2 * max(image_size), 2 * max(image_size)))
        if file.mode == "F" and intensity_range is None:
            raise FileError("mode", path, "floating point numbers")
        # Without a range Pillow's own 8 bits of a color do.
        is_scaled = is_wide(file) and (intensity_range is not None or file.mode.startswith("I"))
        image = file
        if is_scaled:
            wide = read_wide_pixels(file, path)
            image = Image.fromarray(scale_to_8_bits(wide, intensity_range)).convert("RGB")
        orientation = read_orientation(file)
        upright = turn_upright(_to_rgb(path, image), orientation)
        if orientation in SIDEWAYS:
            size = size[::-1]
        # A closed file has no pixels.
        return DecodedImage(upright.copy() if upright is file else upright, size, orientation)


def read_orientation(file):
    """Returns how an open PIL file has to be turned, 1 to 8 (EXIF 2.3, Orientation)."""
    file.load()  # Pillow turns a TIFF itself while it loads it
    orientation = file.getexif().get(ExifTags.Base.Orientation, 1)
    return orientation if orientation in UPRIGHT_METHODS else 1


def turn_upright(image, orientation):
    """Returns a PIL image turned as the EXIF orientation 1 to 8 says."""
    return image if orientation == 1 else image.transpose(UPRIGHT_METHODS[orientation])


def resize_image(image, image_size):
    """Stretches an RGB PIL image to (height, width), uint8 array (height, width, 3)."""
    height, width = image_size
    return np.array(image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0))


def decode_image(path, image_size, intensity_range=None):
    """Returns the DecodedImage of a file, its pixels as read_image gives them."""
    decoded = _decode(path, image_size, intensity_range)
    pixels = (np.array(decoded.pixels) if image_size is None
              else resize_image(decoded.pixels, image_size))
    return decoded._replace(pixels=pixels)


def _to_rgb(path, image):
    if image.mode == "RGB":
        return image
    if image.mode in ("LAB", "HSV"):
        raise FileError("mode", path, f"color mode {image.mode}")
    if image.mode == "P":  # through RGBA, because the palette's transparency may be a table
        image = image.convert("RGBA")
    return image.convert("RGB")


def decode_label(path, image_size, orientation=1):
    """Reads a label as read_label does, resized to image_size where that is not None.

    Args: orientation, EXIF's of the image, by which the label is turned; 1 where it is upright.
    Returns: DecodedLabel.
    """
    with open_image(path) as file:
        if file.format != "PNG":
            raise FileError("format", path, file.format)
        label = turn_upright(_class_indices(path, file), orientation)
        colors = np.reshape(file.getpalette("RGB"), (-1, 3)) if file.mode == "P" else None
        counts, size = np.array(label.histogram()[:256], np.int64), label.size
        if image_size is not None:
            label = _resize_nearest(label, image_size)
        return DecodedLabel(np.array(label), counts, size, colors)


def _resize_nearest(label, image_size):
    height, width = image_size
    return label.resize((width, height), Image.Resampling.NEAREST)


def _class_indices(path, file):
    stretched = gray_stretch(file)
    label = turn_upright(file, read_orientation(file))
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
