"""Tests of intensity.py: pixels of more than 8 bits are read whole and scaled by one range."""

import struct

import numpy as np
import pytest
from PIL import Image
from small_sets import png_bytes

from device.errors import InputError
from device.images import read_image
from device.intensity import holds_wide_pixels, scale_to_8_bits

RANGE = (100, 610)  # two steps a gray level
VALUES = np.array([[100, 102, 354, 610], [0, 99, 700, 4095]], np.uint16)
EXPECTED = [[0, 1, 127, 255], [0, 0, 255, 255]]


def tiff_bytes(array, byte_order="<", sample_format=1, photometric=1):
    """An uncompressed TIFF written by hand: Pillow writes no 16-bit colors and few depths."""
    height, width, bands = np.atleast_3d(array).shape
    data = array.astype(array.dtype.newbyteorder(byte_order)).tobytes()
    bits = 8 * array.dtype.itemsize
    entries = [(256, 3, [width]), (257, 3, [height]), (258, 3, [bits] * bands), (259, 3, [1]),
               (262, 3, [photometric]), (273, 4, [8]), (277, 3, [bands]), (278, 3, [height]),
               (279, 4, [len(data)]), (339, 3, [sample_format] * bands)]
    start = 8 + len(data) + len(data) % 2
    directory, extra = struct.pack(byte_order + "H", len(entries)), b""
    extra_start = start + 2 + 12 * len(entries) + 4
    for tag, kind, values in entries:
        packed = struct.pack(byte_order + {3: "H", 4: "I"}[kind] * len(values), *values)
        if len(packed) > 4:
            packed, extra = struct.pack(byte_order + "I", extra_start + len(extra)), extra + packed
        directory += struct.pack(byte_order + "HHI", tag, kind, len(values))
        directory += packed.ljust(4, b"\0")
    head = (b"II" if byte_order == "<" else b"MM") + struct.pack(byte_order + "HI", 42, start)
    return head + data + b"\0" * (len(data) % 2) + directory + b"\0" * 4 + extra


def color_png(values):
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return png_bytes(16, 2, values.shape[1::-1], rows)


COLORS = np.stack([VALUES, VALUES[::-1], VALUES[:, ::-1]], -1)
FILES = {
    "16-bit gray PNG": ("a.png", png_bytes(16, 0, (4, 2), b"".join(
        b"\0" + row.astype(">u2").tobytes() for row in VALUES)), VALUES),
    "16-bit gray TIFF": ("a.tif", tiff_bytes(VALUES), VALUES),
    "16-bit gray TIFF, big-endian": ("a.tif", tiff_bytes(VALUES, ">"), VALUES),
    "int16 TIFF": ("a.tif", tiff_bytes(VALUES.astype(np.int16), sample_format=2), VALUES),
    "int16 TIFF below 0": ("a.tif", tiff_bytes(-VALUES.astype(np.int16), sample_format=2),
                           np.zeros_like(VALUES)),
    "uint32 TIFF": ("a.tif", tiff_bytes(VALUES.astype(np.uint32)), VALUES),
    "uint32 TIFF near its end": ("a.tif", tiff_bytes(2**32 - 1 - VALUES.astype(np.uint32)),
                                 np.full_like(VALUES, 4095)),
    "float TIFF": ("a.tif", tiff_bytes(VALUES.astype(np.float32), sample_format=3), VALUES),
    "16-bit RGB PNG": ("a.png", color_png(COLORS), COLORS),
    "16-bit RGB TIFF": ("a.tif", tiff_bytes(COLORS, photometric=2), COLORS),
    "16-bit RGB TIFF, big-endian": ("a.tif", tiff_bytes(COLORS, ">", photometric=2), COLORS),
}


@pytest.mark.parametrize("case", FILES)
def test_every_depth_is_scaled_by_the_range(tmp_path, case):
    name, content, values = FILES[case]
    (tmp_path / name).write_bytes(content)
    image = read_image(tmp_path / name, intensity_range=RANGE)
    expected = scale_to_8_bits(values, RANGE)
    assert image.dtype == np.uint8 and holds_wide_pixels(tmp_path / name)
    assert (image == (expected if values.ndim == 3 else expected[..., None])).all()


def test_scaling_by_hand():
    assert scale_to_8_bits(VALUES, RANGE).tolist() == EXPECTED
    assert scale_to_8_bits(np.array([0, 257, 65535])).tolist() == [0, 1, 255]
    odd = np.array([np.nan, np.inf, -np.inf, 355.0])
    assert scale_to_8_bits(odd, (100, 610)).tolist() == [0, 255, 0, 128]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".webp"])
def test_8_bits_stay_as_they_are_to_the_last_bit(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)).save(path)
    assert not holds_wide_pixels(path)
    assert (read_image(path, intensity_range=RANGE) == read_image(path)).all()


def test_a_turned_picture_of_16_bits_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    Image.fromarray(VALUES).save(tmp_path / "a.png", exif=exif)
    image = read_image(tmp_path / "a.png", intensity_range=RANGE)
    assert image[..., 0].tolist() == np.rot90(EXPECTED, -1).tolist()


@pytest.mark.parametrize("bands", [4, 5])
def test_a_tiff_of_many_bands_says_so(tmp_path, bands):
    (tmp_path / "a.tif").write_bytes(tiff_bytes(np.zeros((4, 6, bands), np.uint16)))
    with pytest.raises(InputError, match=rf"a\.tif hold more bands than .*\({bands} bands\); save "
                                         r"the three that show your classes best as an RGB"):
        read_image(tmp_path / "a.tif")
