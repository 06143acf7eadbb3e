"""Pixels of more than 8 bits a channel: read whole, then scaled to 8 bits by the set's one range.

Brightness means something in such pictures (thermal, fluorescence, 12-bit cameras), so they are not
stretched one by one: main.py measures one range, model.json holds it, and every script uses it.
"""

import numpy as np
from PIL import Image, TiffImagePlugin

FULL_RANGE = (0, 65535)  # where no range has been measured
MAX_BANDS = 4  # of a picture that can be turned into RGB; the fourth, alpha, is dropped


def holds_wide_pixels(path):
    """Returns whether a file is a PNG or TIFF of more than 8 bits a channel; False if unreadable.

    Of other files a few bytes are read only, because each image of a large set is looked at.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(26)
        if head.startswith(b"\x89PNG"):
            return head[24:25] == b"\x10"  # the bit depth (PNG specification, IHDR)
        if not head.startswith((b"II", b"MM")):
            return False
        with Image.open(path, formats=("TIFF",)) as file:
            return is_wide(file)
    except Exception:  # Pillow's readers raise nearly every kind; decoding says what is wrong
        return False


def is_wide(file):
    """Returns whether an open, not yet loaded PIL file holds more than 8 bits a channel."""
    return file.mode == "F" or file.mode.startswith("I") or ";16" in _raw_mode(file)


def read_wide_pixels(file, path):
    """Reads an open PIL file of more than 8 bits a channel.

    Returns: int64 or float32 (height, width) or (height, width, 3); upright where it is a TIFF,
        which Pillow turns itself.
    """
    raw_mode = _raw_mode(file)
    if file.mode == "F":
        return np.array(file)
    if not file.mode.startswith("I"):
        # Pillow keeps the high byte of such colors only. Read in the other byte order, the same
        # file gives the low bytes.
        is_little = raw_mode.endswith("L") or (raw_mode.endswith("N") and np.little_endian)
        with Image.open(path, formats=(file.format,)) as other:
            swapped = raw_mode.partition(";")[0] + (";16B" if is_little else ";16L")
            other.tile = [_with_raw_mode(tile, swapped) for tile in other.tile]
            low = np.array(other)[..., :3].astype(np.int64)
        return np.array(file)[..., :3].astype(np.int64) * 256 + low
    values = np.array(file)
    if values.dtype == np.int32 and raw_mode.startswith("I;32") and not raw_mode.endswith("S"):
        values = values.view(np.uint32)
    return values.astype(np.int64)


def scale_to_8_bits(values, intensity_range=None):
    """Scales pixels linearly so that a range becomes 0..255; what lies beyond is clipped.

    Args: values, array of any number type; intensity_range (low, high), or None for FULL_RANGE.
    Returns: uint8 array of the same shape; pixels that are not finite become 0.
    """
    low, high = intensity_range or FULL_RANGE
    values = np.nan_to_num(np.float64(values), nan=low, posinf=high, neginf=low)
    return np.clip(np.round((values - low) * (255 / (high - low))), 0, 255).astype(np.uint8)


def count_tiff_bands(path):
    """Returns how many bands a TIFF has, or 0 where the file is none or is damaged."""
    try:
        with open(path, "rb") as file:
            directory = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
            file.seek(directory.next)
            directory.load(file)
            return int(directory.get(TiffImagePlugin.SAMPLESPERPIXEL, 1))
    except Exception:  # Pillow's readers raise nearly every kind on bad bytes
        return 0


def _raw_mode(file):
    """Returns how the pixels lie in the file, such as "RGB;16B", or "" where that is not known."""
    args = file.tile[0][3] if file.tile else ""
    return str(args if isinstance(args, str) else args[0] if args else "")


def _with_raw_mode(tile, raw_mode):
    args = raw_mode if isinstance(tile[3], str) else (raw_mode, *tile[3][1:])
    # Pillow 11 made a NamedTuple of what was a tuple before.
    return tile._replace(args=args) if hasattr(tile, "_replace") else (*tile[:3], args)
