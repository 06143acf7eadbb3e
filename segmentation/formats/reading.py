"""Reads text, JSON and XML files of other tools, and turns every damage into one sentence."""

import binascii
import io
import json
import math
import struct
import zlib
from contextlib import contextmanager
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from device.errors import InputError
from device.images import MAX_PIXELS

DAMAGE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError,
          EOFError, SyntaxError, OSError, MemoryError, struct.error, zlib.error, binascii.Error,
          Image.DecompressionBombError)
BOM_ENCODINGS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
FARTHEST = 1e6  # pixels from the picture's corner; more is damage, and would take Pillow minutes


class FormatError(InputError):
    """A label file of another tool can't be read; the message names the file and what is wrong."""


class ContentError(ValueError):
    """What a label file holds can't be right; the message says what, without the file's name."""


@contextmanager
def damage_as_sentence(path):
    """Turns whatever a reader raises on unexpected content into one FormatError that names path."""
    try:
        yield
    except FormatError:
        raise
    except InputError as error:
        raise FormatError(str(error)) from error
    except DAMAGE as error:
        raise FormatError(f"{path} can't be read: {explain(error)}; repair or remove "
                          f"it.") from error


def explain(error):
    """Returns in a few words what is wrong with a file."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, KeyError):
        return f"{error} is missing"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    if isinstance(error, ContentError):
        return str(error)
    return f"it is damaged, or not of the form it seems to have ({type(error).__name__})"


def read_text(path):
    """Returns a text file of UTF-8 or, with a byte order mark, UTF-16, line ends as they are.

    Raises: FormatError where it can't be read or is no such text.
    """
    with damage_as_sentence(path):
        content = path.read_bytes()
        encoding = next((name for mark, name in BOM_ENCODINGS if content.startswith(mark)),
                        "utf-8")
        try:
            return content.decode(encoding)
        except UnicodeDecodeError as error:
            raise FormatError(f"{path} is no UTF-8 text: save it as UTF-8.") from error


def read_json(path):
    """Returns the content of a JSON file in UTF-8, UTF-16 or UTF-32.

    Raises: FormatError where it can't be read or is no JSON.
    """
    with damage_as_sentence(path):
        content = path.read_bytes()
        try:
            return json.loads(content)  # finds the encoding by itself
        except UnicodeDecodeError as error:
            raise FormatError(f"{path} is no UTF-8 text: save it as UTF-8.") from error
        except json.JSONDecodeError as error:
            reason = f"line {error.lineno}: {error.msg}" if content.strip() else "an empty file"
            raise FormatError(f"{path} is no whole JSON file ({reason}): export it "
                              f"again.") from error


class _NoDoctype(ElementTree.TreeBuilder):
    """Builds a tree of elements, but refuses documents that define entities.

    A few lines of nested entities can grow to gigabytes ("billion laughs"); no tool writes them.
    """

    def doctype(self, name, pubid, system):
        """Is called where <!DOCTYPE begins."""
        raise ContentError("it has a <!DOCTYPE>, which no labeling tool writes")


def read_xml(path):
    """Returns the root element of an XML file; entities are refused.

    Raises: FormatError where it can't be read or is no XML.
    """
    with damage_as_sentence(path):
        content = path.read_bytes()
        try:
            return ElementTree.fromstring(content, ElementTree.XMLParser(target=_NoDoctype()))
        except ElementTree.ParseError as error:
            raise FormatError(f"{path} is no whole XML file ({error}): export it "
                              f"again.") from error


def read_number(value):
    """Returns a finite float of a number or of its text."""
    number = float(value)
    if not math.isfinite(number) or abs(number) > FARTHEST:
        raise ContentError(f"a coordinate is {number}")
    return number


def read_points(pairs):
    """Returns [(x, y), ...] of a list of pairs of numbers."""
    return [(read_number(x), read_number(y)) for x, y, *_ in pairs]


def read_flat_points(numbers):
    """Returns [(x, y), ...] of a list x, y, x, y, ..."""
    if len(numbers) % 2:
        raise ContentError("an outline has an odd count of coordinates")
    return read_points(zip(numbers[::2], numbers[1::2]))


def read_size(height, width):
    """Returns (height, width) as ints, or None where one of them is missing or 0.

    Raises: ContentError for negative sizes and for more pixels than device.images reads.
    """
    if not height or not width:
        return None
    height, width = int(float(height)), int(float(width))
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise ContentError(f"a picture's size is {width} x {height}")
    return height, width


def clean_name(value):
    """Returns a class name as one printable line, '' where there is none."""
    text = "" if value is None else str(value)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def open_embedded(content):
    """Opens a picture that a label file holds inside, bytes of a PNG or JPEG file."""
    image = Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "BMP", "WEBP"))
    if image.width * image.height > MAX_PIXELS:
        raise ContentError(f"it holds a picture of {image.width} x {image.height} pixels")
    return image


def read_embedded_mask(content):
    """Returns the mask bool (height, width) of a PNG's bytes: what is not clear, or not black."""
    image = open_embedded(content)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        return np.array(image.convert("RGBA"))[..., 3] > 0
    return np.array(image.convert("L")) > 0
