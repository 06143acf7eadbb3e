"""Tests of device/images.py: every mode, depth and rotation of an image or label file."""

import numpy as np
import pytest
from PIL import Image
from small_sets import png_bytes

from device.errors import InputError
from device.images import read_image, read_label, resize_label

# ---- reading images --------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif", ".webp"])
def test_reads_every_format(tmp_path, suffix):
    Image.new("RGB", (8, 6), (200, 100, 50)).save(tmp_path / f"a{suffix}")
    image = read_image(tmp_path / f"a{suffix}")
    assert image.shape == (6, 8, 3) and image.dtype == np.uint8
    assert np.abs(image.astype(int) - (200, 100, 50)).max() <= 3


@pytest.mark.parametrize("mode, color, expected", [
    ("L", 80, (80, 80, 80)), ("LA", (80, 10), (80, 80, 80)), ("1", 1, (255, 255, 255)),
    ("RGBA", (10, 20, 30, 0), (10, 20, 30)), ("P", 0, (9, 8, 7)),
    ("I;16", 257 * 77, (77, 77, 77)),
])
def test_reads_every_mode_as_rgb(tmp_path, mode, color, expected):
    picture = Image.new(mode, (4, 4), color)
    if mode == "P":
        picture.putpalette([9, 8, 7] * 256)
        picture.info["transparency"] = bytes([0, 255])
    picture.save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png") == np.array(expected)).all()


def test_reads_cmyk_jpeg(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    red, green, blue = read_image(tmp_path / "a.jpg")[8, 8]
    assert red > 200 and green < 60 and blue < 60


def test_reads_odd_real_images_as_rgb(shared):
    folder = shared / "data/odd/images_16bit_alpha_grey"
    for path in sorted(folder.iterdir()):
        image, plain = read_image(path), np.asarray(Image.open(path).convert("RGB"))
        assert image.ndim == 3 and (image == plain).all(), path.name


def test_exif_rotation_is_applied(shared):
    folder = shared / "data/odd/exif_rotated"
    path = folder / "images/IMG_3438.jpg"
    raw = np.asarray(Image.open(path).convert("RGB"))
    assert (read_image(path) == raw[::-1, ::-1]).all()


def test_sideways_exif_exchanges_height_and_width(tmp_path):
    picture = Image.new("RGB", (40, 20), (0, 0, 255))
    picture.paste((255, 0, 0), (0, 0, 10, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    picture.save(tmp_path / "a.jpg", exif=exif, quality=95)
    image = read_image(tmp_path / "a.jpg", (64, 32))
    assert image.shape == (64, 32, 3)
    assert image[5, 16, 0] > 200 and image[60, 16, 2] > 200


def test_large_jpeg_is_read_like_a_full_decode(tmp_path):
    rows, columns = np.mgrid[:600, :800]
    picture = np.stack([rows / 600, columns / 800, (rows + columns) / 1400], -1) * 255
    Image.fromarray(picture.astype(np.uint8)).save(tmp_path / "a.jpg", quality=95)
    full = Image.open(tmp_path / "a.jpg").resize((64, 48), Image.Resampling.BILINEAR)
    difference = np.abs(read_image(tmp_path / "a.jpg", (48, 64)).astype(int) - np.asarray(full))
    assert difference.max() <= 4


# ---- reading labels --------------------------------------------------------------------------


def test_palette_labels_give_the_index_not_the_color(shared):
    folder = shared / "data/odd/voc_palette_255/SegmentationClass"
    values = {path.name: sorted(np.unique(read_label(path))) for path in sorted(folder.iterdir())}
    assert values == {"2011_000003.png": [0, 5, 15, 255], "2011_000006.png": [0, 9, 15, 18, 255],
                      "2011_000025.png": [0, 6, 7]}


@pytest.mark.parametrize("bits, rows, expected", [
    (1, b"\0\x50", [0, 1, 0, 1]), (2, b"\0\x1b", [0, 1, 2, 3]),
    (4, b"\0\x01\x23", [0, 1, 2, 3]), (8, b"\0\0\1\2\3", [0, 1, 2, 3]),
    (16, b"\0\0\0\0\1\0\2\0\3", [0, 1, 2, 3]),
])
def test_gray_labels_of_any_depth_give_their_values(tmp_path, bits, rows, expected):
    (tmp_path / "a.png").write_bytes(png_bytes(bits, 0, (4, 1), rows))
    assert read_label(tmp_path / "a.png").tolist() == [expected]


def test_16_bit_label_beyond_255_names_its_largest_value(tmp_path):
    Image.fromarray(np.array([[1, 300]], np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png must hold class.*largest value 300"):
        read_label(tmp_path / "a.png")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_labels_of_several_channels_are_refused(tmp_path, mode):
    Image.new(mode, (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=f"one channel.*color mode {mode}"):
        read_label(tmp_path / "a.png")


def test_resizing_a_label_makes_no_new_value():
    label = np.random.default_rng(0).choice(np.array([0, 3, 255], np.uint8), (37, 53))
    for size in ((16, 16), (64, 96), (37, 53)):
        resized = resize_label(label, size)
        assert resized.shape == size and resized.dtype == np.uint8
        assert set(np.unique(resized)) <= {0, 3, 255}
