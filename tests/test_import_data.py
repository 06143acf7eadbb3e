"""Tests of import_data.py: pairing, reading, class weights (no TensorFlow), streaming."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from conftest import write_pair
from PIL import Image

from device import images, progress
from device.errors import InputError
from device.images import read_image, read_label
from import_data import import_images
from segmentation import parallel
from segmentation.data import classes
from segmentation.data.pairing import pair_files


def png_bytes(bits, color_type, size, rows):
    """A PNG written by hand: Pillow itself writes no gray PNG of 2 or 4 bits."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(
            ">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", *size, bits, color_type, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))


# ---- pairing ---------------------------------------------------------------------------------


def test_pairs_by_exact_stem(folders):
    for stem in ("train1", "train10", "train.2"):
        write_pair(folders, stem, np.eye(4))
    pairs = pair_files(*folders)
    assert [(p.image_path.stem, p.label_path.stem) for p in pairs] == [
        ("train.2", "train.2"), ("train1", "train1"), ("train10", "train10")]


def test_lists_what_is_missing_from_both_sides(folders):
    for index in range(7):
        write_pair(folders, f"a{index}", np.eye(4))
        (folders[1] / f"a{index}.png").unlink()
    write_pair(folders, "orphan", np.eye(4))
    (folders[0] / "orphan.png").unlink()
    with pytest.raises(ValueError) as error:
        pair_files(*folders)
    message = str(error.value)
    assert "7 image(s)" in message
    assert "a0.png, a1.png, a2.png, a3.png, a4.png and 2 more" in message
    assert "1 label(s)" in message and "orphan.png" in message


def test_two_images_of_one_stem_are_an_error(folders):
    write_pair(folders, "a", np.eye(4))
    Image.new("RGB", (4, 4)).save(folders[0] / "a.jpg")
    with pytest.raises(InputError, match=r"a\.jpg / a\.png|a\.png / a\.jpg"):
        pair_files(*folders)


def test_labels_must_be_png(folders):
    write_pair(folders, "a", np.eye(4))
    (folders[1] / "a.png").rename(folders[1] / "a.jpg")
    with pytest.raises(InputError, match=r"not PNG.*a\.jpg"):
        pair_files(*folders)


def test_hidden_and_other_files_are_passed_over(folders):
    write_pair(folders, "a", np.eye(4))
    for name in (".DS_Store", "._a.png", "Thumbs.db", "notes.txt"):
        (folders[0] / name).write_bytes(b"x")
    (folders[1] / "classes.txt").write_text("background\nbird\n")
    assert len(pair_files(*folders)) == 1


@pytest.mark.parametrize("make, sentence", [
    (lambda path: None, "does not exist"),
    (lambda path: path.write_text("x"), "is a file"),
    (lambda path: path.mkdir(), "No images"),
])
def test_folders_that_cannot_be_read(tmp_path, make, sentence):
    make(tmp_path / "images")
    with pytest.raises(InputError, match=sentence):
        pair_files(tmp_path / "images", tmp_path / "images")


def test_images_and_labels_in_one_folder(shared):
    pairs = pair_files(shared / "data/odd/labelme_palette", shared / "data/odd/labelme_palette")
    assert [pair.image_path.suffix for pair in pairs] == [".jpg"] * 3


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
    images, labels, _ = import_images(folder / "images", folder / "labels", (240, 320),
                                      training=False)
    # Upright, the bright sheet of class 1 lies under its label; upside down it does not.
    assert images.shape == (6, 240, 320, 3)
    upright = [images[i][labels[i] > 0].mean() for i in range(3)]
    turned = [images[i][::-1, ::-1][labels[i] > 0].mean() for i in range(3)]
    assert np.abs(np.array(upright) - turned).min() > 1


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
        resized = images.resize_label(label, size)
        assert resized.shape == size and resized.dtype == np.uint8
        assert set(np.unique(resized)) <= {0, 3, 255}


# ---- reading all -----------------------------------------------------------------------------


def test_import_images_returns_what_it_promises(folders):
    write_pair(folders, "b", np.full((10, 20), 1))
    write_pair(folders, "a", np.zeros((10, 20)), ".bmp")
    images, labels, class_weights = import_images(*folders, (32, 64), training=False)
    assert images.shape == (2, 32, 64, 3) and images.dtype == np.uint8
    assert labels.shape == (2, 32, 64) and labels.dtype == np.uint8
    assert labels[0].max() == 0 and labels[1].min() == 1
    assert (images[1, ..., 0] == 60).all() and (images[0] == 0).all()
    assert class_weights.dtype == np.float32 and class_weights.tolist() == [1, 1]


def test_all_findings_come_together(folders):
    for stem in "abcdef":
        write_pair(folders, stem, np.eye(8))
    (folders[0] / "a.png").write_bytes(b"")
    (folders[1] / "b.png").write_text("no picture")
    whole = (folders[0] / "c.png").read_bytes()
    (folders[0] / "c.png").write_bytes(whole[:len(whole) - 30])
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(folders[1] / "d.png")
    with pytest.raises(InputError) as error:
        import_images(*folders, (32, 32))
    message = str(error.value)
    assert "images can't be read as an image: a.png (an empty file), c.png (damaged" in message
    assert "labels can't be read as an image: b.png (no PNG," in message
    assert "size of the label (width x height): d.png (8x8, label 9x8)" in message


def test_decompression_bomb_is_refused(folders):
    write_pair(folders, "a", np.eye(8))
    (folders[0] / "a.png").write_bytes(png_bytes(8, 2, (60000, 60000), b"\0"))
    with pytest.raises(InputError, match=r"more than 178,956,970 pixels: a\.png"):
        import_images(*folders, (32, 32))


def test_masks_of_0_and_255_get_their_own_sentence(shared):
    folder = shared / "data/odd/masks_0_255"
    with pytest.raises(InputError, match=r"only 0 and 255.*blackswan_00000\.png.*object as 1"):
        import_images(folder, folder, (32, 32))


def test_values_beyond_the_classes_are_named(folders):
    write_pair(folders, "good", np.eye(4))
    write_pair(folders, "bad", np.full((4, 4), 7))
    with pytest.raises(InputError, match=r"1 label\(s\).*beyond the 2 classes.*7 in bad\.png"):
        import_images(*folders, (32, 32), ["background", "bird"])


def test_labels_of_one_class_or_none(folders):
    write_pair(folders, "a", np.zeros((4, 4)))
    with pytest.raises(InputError, match="class 0 alone"):
        import_images(*folders, (32, 32))
    write_pair(folders, "a", np.full((4, 4), 9))
    with pytest.raises(InputError, match="ignore label 9"):
        import_images(*folders, (32, 32), ignore_label=9)


def test_ignore_label_may_be_any_value_or_none(folders):
    write_pair(folders, "a", [[0, 1, 1, 2]])
    weights = import_images(*folders, (1, 4), ignore_label=2, training=False)[2]
    assert np.allclose(weights, [4 / 3, 2 / 3])
    assert len(import_images(*folders, (1, 4), ignore_label=None, training=False)[2]) == 3


def test_class_names_from_the_label_folder(folders, capsys):
    write_pair(folders, "a", [[0, 1]])
    (folders[1] / "classes.txt").write_text("background\n\nbird\nplane\n", encoding="utf-8")
    weights = import_images(*folders, (1, 2))[2]
    assert len(weights) == 3 and weights[2] == 0
    table = capsys.readouterr().out
    assert "bird" in table and "50.000%" in table
    assert "plane" in table and "never occurs" in table


def test_names_choose_pairs_in_their_order(folders):
    for value, stem in enumerate("abc"):
        write_pair(folders, stem, np.full((4, 4), value))
    labels = import_images(*folders, (4, 4), list("xyz"), names=["c.png", "a.png"],
                           training=False)[1]
    assert labels[:, 0, 0].tolist() == [2, 0]
    with pytest.raises(InputError, match=r"gone.*d\.png"):
        import_images(*folders, (4, 4), list("xyz"), names=["d.png"])


def test_names_leave_other_files_alone_and_unlabeled_ones_can_be_skipped(folders, capsys):
    for stem in ("a", "b"):
        write_pair(folders, stem, [[0, 1]])
    Image.new("RGB", (4, 4)).save(folders[0] / "new.png")
    with pytest.raises(InputError, match=r"new\.png; label or remove them, or set SKIP_UNLABELED"):
        pair_files(*folders)
    assert len(pair_files(*folders, names=["b.png"])) == 1
    pairs = pair_files(*folders, skip_unlabeled=True)
    assert [pair.image_path.name for pair in pairs] == ["a.png", "b.png"]
    assert "1 of 3 images" in capsys.readouterr().out


def test_further_images_may_hold_background_and_ignored_pixels_only(folders):
    write_pair(folders, "a", [[0, 255]])
    weights = import_images(*folders, (1, 2), ["background", "bird"], training=False)[2]
    assert weights.tolist() == [1, 0]


def test_class_names_are_counted_from_all_labels(folders):
    write_pair(folders, "a", [[0, 4, 255]])
    names = classes.find_class_names([folders[1] / "a.png"], folders[1])
    assert names == ["background", "class 1", "class 2", "class 3", "class 4"]


# ---- class weights ---------------------------------------------------------------------------


def test_counts_leave_out_other_values():
    labels = np.array([[[0, 0, 1]], [[2, 255, 1]]], np.uint8)
    assert classes.count_pixels(labels, 3).tolist() == [2, 2, 1]


def test_weights_are_inverse_to_frequency_with_mean_one():
    weights = classes.compute_class_weights([90, 9, 1])
    assert np.allclose(weights / weights[0], [1, 10, 90]) and np.isclose(weights.mean(), 1)
    damped = classes.compute_class_weights([100, 25, 4], power=0.5)
    assert np.allclose(damped / damped[0], [1, 2, 5])


def test_weights_are_capped_and_absent_classes_weigh_nothing():
    weights = classes.compute_class_weights([10**6, 0, 10], max_ratio=50)
    assert weights[1] == 0 and np.isclose(weights[2] / weights[0], 50)
    assert np.isclose((weights[0] + weights[2]) / 2, 1)
    assert classes.compute_class_weights([0, 0]).tolist() == [0, 0]


# ---- long work -------------------------------------------------------------------------------


def test_reading_needs_no_tensorflow():
    code = "import sys, import_data, measuring, predict; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_progress_is_shown_for_long_work(monkeypatch, capsys):
    monkeypatch.setattr(progress, "PROGRESS_SECONDS", -1)
    assert parallel.in_parallel(lambda index: index**2, 5, "Working") == [0, 1, 4, 9, 16]
    assert "Working: 5 of 5" in capsys.readouterr().err


def test_an_error_in_a_thread_reaches_the_caller():
    def fail(index):
        raise io.UnsupportedOperation(str(index))

    with pytest.raises(io.UnsupportedOperation):
        parallel.in_parallel(fail, 5, "Working")
