"""Tests of what main.py says to folders and constants that can't be used, before it trains.

TABLE has a row a case: what is done to four good pairs, and exactly what main.py says to it.
"""

import errno
import io
import os
import shutil
import subprocess
import sys
import unicodedata
import warnings
from collections import namedtuple
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_sets import png_bytes, write_pair

import import_data
import main
from device import images
from device.errors import InputError
from device.images import read_image, read_label
from segmentation import output_dir
from segmentation.settings import read_settings

IMAGES, LABELS = Path("images"), Path("labels")  # in the test's own folder
LABEL = np.tile(np.uint8([0, 1]), (8, 4))
NOBODY = 65534  # the user without any rights
TRUNCATED = 30  # bytes cut off a file's end
FUZZ_CASES = 2000


@pytest.fixture
def pairs(tmp_path, monkeypatch):
    """Four good pairs a, b, c, d in images/ and labels/ of the working folder; nothing trains."""
    monkeypatch.chdir(tmp_path)
    for folder in (IMAGES, LABELS):
        folder.mkdir()
    for stem in "abcd":
        write_pair((IMAGES, LABELS), stem, LABEL)
    for name, value in {"IMAGE_DIR": "images", "LABEL_DIR": "labels", "IMAGE_SIZE": (32, 32),
                        "OUTPUT_DIR": "output"}.items():
        monkeypatch.setattr(main, name, value)
    monkeypatch.setattr(main, "get_model", lambda *_: pytest.fail("it went on to the model"))


def load_data():
    """Reads the pairs as main() does before it trains."""
    return import_data.load_data(*read_settings(vars(main)))


# ---- what is done to the pairs ---------------------------------------------------------------


def save_image(name, mode="RGB", color=0, size=(8, 8), **options):
    Image.new(mode, size, color).save(IMAGES / name, **options)


def save_label(name, array, **options):
    Image.fromarray(np.asarray(array)).save(LABELS / name, **options)


def save_labels(value):
    for stem in "abcd":
        save_label(f"{stem}.png", np.full((8, 8), value, np.uint8))


def cut(path, count=TRUNCATED):
    path.write_bytes(path.read_bytes()[:-count])


def save_frames(path, mode="RGB"):
    first, second = Image.new(mode, (8, 8), "black"), Image.new(mode, (8, 8), "white")
    first.save(path, save_all=True, append_images=[second])


def save_tiled_jpeg(path):
    Image.new("RGB", (64, 64), (50, 90, 10)).save(path, "JPEG")


def remove(*paths):
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def empty(folder):
    for path in folder.iterdir():
        path.unlink()


def missing_folders():
    remove(IMAGES, LABELS)


def file_for_folder():
    remove(LABELS)
    LABELS.write_text("x")


def many_without_label():
    for index in range(7):
        save_image(f"new{index}.png")


def missing_on_both_sides():
    remove(LABELS / "b.png", IMAGES / "c.png")


def gif_images():
    remove(IMAGES / "a.png", IMAGES / "b.png")
    save_frames(IMAGES / "a.gif")
    save_frames(IMAGES / "b.gif")


def only_gif_images():
    for stem in "abcd":
        remove(IMAGES / f"{stem}.png")
        save_frames(IMAGES / f"{stem}.gif")


def jpeg_labels():
    remove(LABELS / "a.png")
    Image.fromarray(LABEL).save(LABELS / "a.jpg")


def truncated():
    cut(IMAGES / "a.png")
    remove(IMAGES / "b.png")
    save_tiled_jpeg(IMAGES / "b.jpg")
    cut(IMAGES / "b.jpg", 400)
    cut(LABELS / "c.png")


def no_pictures():
    (IMAGES / "a.png").write_bytes(b"")
    (IMAGES / "b.png").write_text("This is a text.")
    (LABELS / "c.png").write_bytes(b"")
    (IMAGES / "d.png").unlink()
    (IMAGES / "d.png").mkdir()


def bomb():
    (IMAGES / "a.png").write_bytes(png_bytes(8, 2, (60000, 60000), b"\0"))
    (LABELS / "b.png").write_bytes(png_bytes(1, 0, (60000, 60000), b"\0"))


def other_sizes():
    save_image("a.png", size=(9, 8))
    save_label("c.png", np.zeros((8, 4), np.uint8))


def color_labels():
    for stem, mode in zip("abc", ("RGB", "RGBA", "LA")):
        Image.new(mode, (8, 8)).save(LABELS / f"{stem}.png")


def label_beyond_8_bits():
    save_label("b.png", np.full((8, 8), 4660, np.uint16))


def jpeg_named_png():
    Image.fromarray(LABEL).save(LABELS / "a.png", "JPEG")


def value_beyond():
    (LABELS / "classes.txt").write_text("background\nbird\n")
    save_label("b.png", LABEL * 7)
    save_label("c.png", LABEL + 3)


def odd_images():
    for stem in "ab":
        remove(IMAGES / f"{stem}.png")
    save_image("a.tif", "F", 0.5)
    save_image("b.tif", "LAB")


def animations():
    save_frames(IMAGES / "a.png")
    save_frames(LABELS / "b.png", "L")
    remove(IMAGES / "c.png")
    save_frames(IMAGES / "c.webp")
    (IMAGES / "d.png").unlink()
    save_frames(IMAGES / "d.tif")


def broken_links():
    remove(IMAGES / "a.png", LABELS / "b.png")
    (IMAGES / "a.png").symlink_to("gone.png")
    (LABELS / "b.png").symlink_to("b.png")


def one_pair():
    for stem in "bcd":
        remove(IMAGES / f"{stem}.png", LABELS / f"{stem}.png")


def same_name_in_both_normal_forms():
    for form in ("NFC", "NFD"):
        save_image(unicodedata.normalize(form, "ä.png"))
    save_label("ä.png", LABEL)


def faults_of_all_kinds():
    """Pairing, reading, size, values, in training and in validation folders."""
    remove(LABELS / "a.png")
    (IMAGES / "a.png").write_bytes(b"")  # without a label, and empty besides
    save_image("b.png", size=(5, 5))
    save_label("c.png", LABEL + 8)
    for folder in (Path("images2"), Path("labels2")):
        folder.mkdir()
    write_pair((Path("images2"), Path("labels2")), "v", LABEL + 5)
    write_pair((Path("images2"), Path("labels2")), "w", LABEL)
    cut(Path("images2/w.png"))
    Image.new("RGB", (8, 8)).save("images2/x.png")


SUFFIXES = ".png, .jpg, .jpeg, .bmp, .tif, .tiff, .webp"
NO_PICTURE = "no PNG, JPEG, BMP, TIFF, WEBP file, or cut at its start"
Row = namedtuple("Row", "name spoil says constants", defaults=({},))

TABLE = [
    # Folders and pairs
    Row("missing folders", missing_folders, [
        "The folder images does not exist: create it or correct the constant.",
        "The folder labels does not exist: create it or correct the constant."]),
    Row("empty image folder", lambda: empty(IMAGES), [
        f"No images in images: put {SUFFIXES} files there."]),
    Row("empty label folder", lambda: empty(LABELS), [
        "No labels in labels: put a PNG of class indices there for each image."]),
    Row("file in place of a folder", file_for_folder, [
        "labels is a file, but a folder is needed here: correct the constant."]),
    Row("missing labels", many_without_label, [
        "7 image(s) in images have no label of the same name in labels: new0.png, new1.png, "
        "new2.png, new3.png, new4.png and 2 more; label or remove them, or set SKIP_UNLABELED = "
        "True in main.py."]),
    Row("missing image", lambda: remove(IMAGES / "c.png"), [
        "1 label(s) in labels have no image of the same name in images: c.png; add or remove "
        "them."]),
    Row("missing on both sides", missing_on_both_sides, [
        "1 image(s) in images have no label of the same name in labels: b.png; label or remove "
        "them, or set SKIP_UNLABELED = True in main.py.",
        "1 label(s) in labels have no image of the same name in images: c.png; add or remove "
        "them."]),
    Row("two images of one stem", lambda: save_image("a.jpg"), [
        "1 name(s) in images belong to more than one file: a.jpg / a.png; keep one of each."]),
    Row("one name in two normal forms", same_name_in_both_normal_forms, [
        f"1 name(s) in images belong to more than one file: {unicodedata.normalize('NFD', 'ä')}"
        ".png / ä.png; keep one of each."]),
    Row("GIF images", gif_images, [
        "2 label(s) in labels have no image of the same name in images (2 of a kind that is not "
        "read: a.gif, b.gif): a.png, b.png; add or remove them."]),
    Row("only GIF images", only_gif_images, [
        "No images in images (4 of a kind that is not read: a.gif, b.gif, c.gif, d.gif): put "
        f"{SUFFIXES} files there."]),
    Row("a single pair", one_pair, [
        "1 pair(s) can't be split into training and validation: add pairs, or set "
        "VALIDATION_IMAGE_DIR and VALIDATION_LABEL_DIR."]),
    # Files
    Row("truncated files", truncated, [
        "2 file(s) in images can't be read as an image: a.png (damaged or cut off), b.jpg "
        "(damaged or cut off); repair, replace or remove.",
        "1 file(s) in labels can't be read as an image: c.png (damaged or cut off); repair, "
        "replace or remove."]),
    Row("no pictures", no_pictures, [
        f"3 file(s) in images can't be read as an image: a.png (an empty file), b.png "
        f"({NO_PICTURE}), d.png (Is a directory); repair, replace or remove.",
        "1 file(s) in labels can't be read as an image: c.png (an empty file); repair, replace or "
        "remove."]),
    Row("decompression bomb", bomb, [
        "1 file(s) in images can't be read because of more than 178,956,970 pixels: a.png; save "
        "with fewer.",
        "1 file(s) in labels can't be read because of more than 178,956,970 pixels: b.png; save "
        "with fewer."]),
    Row("image and label of different size", other_sizes, [
        "2 file(s) in images must have the size of the label (width x height): a.png (9x8, label "
        "8x8), c.png (8x8, label 4x8); draw the label on this very picture."]),
    Row("animations and pages", animations, [
        "3 file(s) in images must not hold several pictures (an animation, or pages): a.png (2), "
        "c.webp (2), d.tif (2); save the labeled one alone.",
        "1 file(s) in labels must not hold several pictures (an animation, or pages): b.png (2); "
        "save the labeled one alone."]),
    Row("float and LAB TIFF", odd_images, [
        "1 file(s) in images can't be turned into RGB: b.tif (color mode LAB); save with 8 bits a "
        "channel, RGB or gray."]),
    Row("broken links", broken_links, [
        "1 file(s) in images can't be read as an image: a.png (a link that leads nowhere); "
        "repair, replace or remove.",
        "1 file(s) in labels can't be read as an image: b.png (Too many levels of symbolic "
        "links); repair, replace or remove."]),
    # Labels
    Row("color labels", color_labels, [
        "3 file(s) in labels must have one channel of class indices: a.png (color mode RGB), "
        "b.png (color mode RGBA), c.png (color mode LA); convert the labels with "
        "import_labels.py, which reads colors."]),
    Row("16-bit label beyond 255", label_beyond_8_bits, [
        "1 file(s) in labels must hold class indices of 0..255: b.png (largest value 4660); "
        "number the classes 0, 1, 2, ...."]),
    Row("JPEG label", jpeg_labels, [
        "1 label(s) in labels are not PNG, and only PNG keeps class indices exact: a.jpg; convert "
        "them with import_labels.py."]),
    Row("JPEG label named .png", jpeg_named_png, [
        "1 file(s) in labels must be a PNG inside, not by name alone: a.png (JPEG); other formats "
        "change the values: convert the labels with import_labels.py."]),
    Row("values beyond the classes", value_beyond, [
        "2 label(s) hold values beyond the 2 classes (0..1): 3, 4, 7 in b.png, c.png; correct the "
        "labels, the class names or IGNORE_LABEL."]),
    Row("masks of 0 and 255", lambda: [save_label(f"{s}.png", LABEL * 255) for s in "abcd"], [
        "The labels hold only 0 and 255 (4 file(s): a.png, b.png, c.png, d.png), so the object "
        "seems to be 255, which is no class index: set CLASS_IDS = [0, 255] in main.py, or convert "
        "the labels with import_labels.py."]),
    Row("all background", lambda: save_labels(0), [
        "The labels hold class 0 alone: there is nothing to tell apart; draw the objects with 1, "
        "2, ... on background 0."]),
    Row("all background, names given", lambda: save_labels(0), [
        "The labels hold class 0 alone: there is nothing to tell apart; draw the objects with 1, "
        "2, ... on background 0."], {"CLASS_NAMES": ["background", "bird"]}),
    Row("all ignored", lambda: save_labels(255), [
        "All label pixels have the ignore label 255: nothing to learn from; draw the labels or "
        "correct IGNORE_LABEL."]),
    Row("all ignored, another value", lambda: save_labels(9), [
        "All label pixels have the ignore label 9: nothing to learn from; draw the labels or "
        "correct IGNORE_LABEL."], {"IGNORE_LABEL": 9}),
    Row("classes.txt of one name", lambda: (LABELS / "classes.txt").write_text("bird\n"), [
        "1 class name(s) are given (bird): it takes 2 to 255, the background first.",
        "4 label(s) hold values beyond the 1 classes (0..0): 1 in a.png, b.png, c.png, d.png; "
        "correct the labels, the class names or IGNORE_LABEL."]),
    Row("classes.txt of 300 names",
        lambda: (LABELS / "classes.txt").write_text("\n".join(map(str, range(300)))), [
            "300 class name(s) are given (0, 1, 2, 3, 4 and 295 more): it takes 2 to 255, the "
            "background first."]),
    Row("classes.txt with a name twice",
        lambda: (LABELS / "classes.txt").write_text("sky\nbird\nbird\n"), [
            "The class names hold bird more than once: give each class a name of its own."]),
    Row("classes.txt is no text", lambda: (LABELS / "classes.txt").write_bytes(b"\xff\xfe\x00"), [
        "labels/classes.txt is no UTF-8 text: write one class name a line."]),
    # Constants
    Row("a size that is no multiple of 32", lambda: None, [
        "IMAGE_SIZE (100, 160) (height, width) must be divisible by 32 and at least 32: the "
        "nearest valid sizes are (96, 160) and (128, 160)."], {"IMAGE_SIZE": (100, 160)}),
    Row("constants of the wrong type", lambda: None, [
        "IMAGE_DIR is 5, but it must be the path of a folder, in quotation marks.",
        "VALIDATION_SPLIT is 20, but it must be a number between 0 and 1, such as 0.2.",
        "IMAGE_SIZE is '128x160', but it must be (height, width), two whole numbers of at most "
        "8192.",
        "BATCH_SIZE is 0, but it must be a whole number from 1 up.",
        "EPOCHS is '40', but it must be a whole number from 1 up.",
        "OUTPUT_DIR is None, but it must be the path of a folder, in quotation marks."],
        {"IMAGE_DIR": 5, "VALIDATION_SPLIT": 20, "IMAGE_SIZE": "128x160", "BATCH_SIZE": 0,
         "EPOCHS": "40", "OUTPUT_DIR": None}),
    Row("wrong constants and a wrong file", lambda: cut(IMAGES / "a.png"), [
        "CLASS_NAMES: 1 class name(s) are given (bird): it takes 2 to 255, the background first.",
        "DECODER_FILTERS is (8, 8), but it must be four whole numbers, such as (512, 256, 128, "
        "64), or four pairs of them, such as ((128, 96), (96, 64), (64, 48), (48, 32)).",
        "LOSS is 'focal', but it must be one of dice+cross-entropy, dice, cross-entropy.",
        "OUTPUT_DIR images/a.png/output can't be written (Not a directory): choose another folder "
        "or make room.",
        "1 file(s) in images can't be read as an image: a.png (damaged or cut off); repair, "
        "replace or remove."],
        {"CLASS_NAMES": ["bird"], "DECODER_FILTERS": (8, 8), "LOSS": "focal",
         "OUTPUT_DIR": "images/a.png/output"}),
    Row("one half of the validation folders", lambda: None, [
        "VALIDATION_LABEL_DIR is set, but VALIDATION_IMAGE_DIR is None: set both or neither."],
        {"VALIDATION_LABEL_DIR": "labels"}),
    # All at once
    Row("faults of all kinds", faults_of_all_kinds, [
        "SEED is -1, but it must be a whole number of 0..4294967295.",
        "1 image(s) in images have no label of the same name in labels: a.png; label or remove "
        "them, or set SKIP_UNLABELED = True in main.py.",
        "1 image(s) in images2 have no label of the same name in labels2: x.png; label or remove "
        "them, or set SKIP_UNLABELED = True in main.py.",
        "1 file(s) in images can't be read as an image: a.png (an empty file); repair, replace or "
        "remove.",
        "1 file(s) in images2 can't be read as an image: w.png (damaged or cut off); repair, "
        "replace or remove.",
        "1 file(s) in images must have the size of the label (width x height): b.png (5x5, label "
        "8x8); draw the label on this very picture.",
        "2 label(s) hold values beyond the 2 classes (0..1): 5, 6, 8, 9 in c.png, v.png; correct "
        "the labels, the class names or IGNORE_LABEL."],
        {"SEED": -1, "CLASS_NAMES": ["sky", "bird"], "VALIDATION_IMAGE_DIR": "images2",
         "VALIDATION_LABEL_DIR": "labels2"}),
]


def what_main_says():
    with pytest.raises(InputError) as error:
        main.main()
    return str(error.value).split("\n")


@pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])
def test_bad_input(row, pairs, monkeypatch):
    for name, value in row.constants.items():
        monkeypatch.setattr(main, name, value)
    row.spoil()
    assert what_main_says() == row.says


@contextmanager
def ordinary_user(folder):
    """Gives up root's right to read everything for a while; what lies in folder stays writable."""
    folder.chmod(0o777)
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.name == "nt", reason="permissions are those of POSIX")
def test_files_and_folders_that_may_not_be_read(pairs, tmp_path, monkeypatch):
    (IMAGES / "a.png").chmod(0)
    with ordinary_user(tmp_path):
        says = what_main_says()
    assert says == ["1 file(s) in images can't be read as an image: a.png (Permission denied); "
                    "repair, replace or remove."]
    LABELS.chmod(0)
    monkeypatch.setattr(main, "OUTPUT_DIR", "images/output")
    with ordinary_user(tmp_path):
        says = what_main_says()
    LABELS.chmod(0o755)
    assert says == ["OUTPUT_DIR images/output can't be written (Permission denied): choose another "
                    "folder or make room.",
                    "The folder labels can't be listed (Permission denied): change its permissions "
                    "or correct the constant."]


def test_a_full_disk_is_said_at_the_start(pairs, monkeypatch):
    usage = namedtuple("Usage", "free")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda folder: usage(3_900_000))
        assert what_main_says() == ["OUTPUT_DIR output has 3 MB free, but 200 MB are needed: "
                                    "choose another folder or make room."]

    monkeypatch.setattr(output_dir, "find_write_error", lambda folder: os.strerror(errno.ENOSPC))
    assert what_main_says() == ["OUTPUT_DIR output can't be written (No space left on device): "
                                "choose another folder or make room."]


# ---- main.py as a person runs it -------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("has_folders, says", [
    (False, "Error: The folder sample_data/images does not exist: create it or correct the "
            "constant.\nThe folder sample_data/labels does not exist: create it or correct the "
            "constant.\n"),
    (True, "Error: 1 file(s) in sample_data/images can't be read as an image: a.png (damaged or "
           "cut off); repair, replace or remove.\n"),
])
def test_exit_code_is_1(pairs, has_folders, says):
    if has_folders:
        Path("sample_data").mkdir()
        for folder in (IMAGES, LABELS):
            folder.rename(Path("sample_data") / folder)
        cut(Path("sample_data/images/a.png"))
    run = subprocess.run([sys.executable, main.__file__], capture_output=True, text=True,
                         check=False)
    assert run.returncode == 1 and run.stderr[run.stderr.find("Error: "):] == says
    assert "Traceback" not in run.stderr


# ---- what looks odd, but is fine -------------------------------------------------------------


def test_labels_of_every_depth_are_read_exactly(pairs):
    save_label("a.png", LABEL.astype(np.uint16) * 200)
    save_label("b.png", LABEL > 0)  # 1 bit
    palette = Image.fromarray(LABEL * 3)
    palette.putpalette([7, 7, 7] * 4)
    palette.save(LABELS / "c.png", transparency=bytes([0, 9, 9, 0]))
    with Image.open(LABELS / "c.png") as written:
        assert written.mode == "P" and "transparency" in written.info
    for stem, factor in zip("abc", (200, 1, 3)):
        assert (read_label(LABELS / f"{stem}.png") == LABEL * factor).all()


def test_cmyk_jpeg_has_its_colors(pairs):
    remove(IMAGES / "a.png")
    save_image("a.jpg", "CMYK", (0, 255, 255, 0), quality=95)
    load_data()
    assert np.abs(read_image(IMAGES / "a.jpg").astype(int) - (255, 0, 0)).max() < 40


def test_exif_rotation_with_an_upright_label(pairs):
    picture = Image.new("RGB", (32, 64), (0, 0, 255))  # upright
    picture.paste((255, 0, 0), (0, 0, 32, 16))
    exif = Image.Exif()
    exif[0x0112] = 6
    remove(IMAGES / "a.png")
    picture.transpose(Image.Transpose.ROTATE_90).save(IMAGES / "a.jpg", exif=exif, quality=95)
    label = np.zeros((64, 32), np.uint8)
    label[:16] = 1
    save_label("a.png", label)
    data = load_data()
    names = data["training_names"] + data["validation_names"]
    index = names.index("a.jpg")
    image = np.concatenate([data["images"], data["validation_images"]])[index]
    label = np.concatenate([data["labels"], data["validation_labels"]])[index]
    assert ((image[..., 0] > 128) == (label == 1)).all()


def test_the_first_picture_of_a_camera_s_mpo_is_read(pairs):
    remove(IMAGES / "a.png")
    first, second = Image.new("RGB", (8, 8), (250, 0, 0)), Image.new("RGB", (8, 8))
    first.save(IMAGES / "a.jpg", "MPO", save_all=True, append_images=[second])
    with Image.open(IMAGES / "a.jpg") as written:
        assert written.format == "MPO" and written.n_frames == 2
    load_data()
    assert read_image(IMAGES / "a.jpg")[4, 4, 0] > 240


def test_hidden_files_are_skipped(pairs):
    for folder in (IMAGES, LABELS):
        for name in (".DS_Store", "Thumbs.db", "._a.png", ".hidden.jpg", "desktop.ini"):
            (folder / name).write_bytes(b"x")
    assert len(load_data()["training_names"]) == 3


def test_links_are_followed(pairs):
    IMAGES.rename("elsewhere")
    IMAGES.mkdir()
    for stem in "abcd":
        (IMAGES / f"{stem}.png").symlink_to(Path("../elsewhere") / f"{stem}.png")
    LABELS.rename("labels elsewhere")
    LABELS.symlink_to("labels elsewhere")
    assert len(load_data()["training_names"]) == 3


@pytest.mark.parametrize("stem", ["a b  c", "näive Ångström 한글", "x" * 240, "a.b.c", "-",
                                  "%s {0} \\", "\udcff"])
def test_names_of_all_kinds_pair(pairs, stem):
    write_pair((IMAGES, LABELS), stem, LABEL)
    assert len(load_data()["training_names"]) == 4


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_unicode_normal_forms_pair(pairs, forms):
    image, label = (unicodedata.normalize(form, "Möwe é 한글.png") for form in forms)
    (IMAGES / "a.png").rename(IMAGES / image)
    (LABELS / "a.png").rename(LABELS / label)
    data = load_data()
    assert len(data["training_names"]) == 3
    # model.json may name the other form, where a folder was copied to or from a Mac.
    other = unicodedata.normalize(forms[1], image)
    assert len(import_data.import_images(
        {"image_size": (8, 8), "class_names": data["class_names"], "ignore_label": 255}, IMAGES,
        LABELS, [other])[0]) == 1


def test_a_single_pair_trains_where_others_validate(pairs, monkeypatch):
    shutil.copytree(IMAGES, "images2")
    shutil.copytree(LABELS, "labels2")
    monkeypatch.setattr(main, "VALIDATION_IMAGE_DIR", "images2")
    monkeypatch.setattr(main, "VALIDATION_LABEL_DIR", "labels2")
    one_pair()
    data = load_data()
    assert len(data["images"]) == 1 and len(data["validation_images"]) == 4


def test_fewer_images_than_a_batch_are_noted(pairs, capsys):
    load_data()
    assert ("Note: there are fewer training images (3) than BATCH_SIZE (8): each batch holds all "
            "of them.\n") in capsys.readouterr().out


def test_a_class_of_the_validation_images_alone_is_warned_of(pairs, monkeypatch, capsys):
    for folder in (IMAGES, LABELS):
        shutil.copytree(folder, f"{folder}2")
    monkeypatch.setattr(main, "VALIDATION_IMAGE_DIR", "images2")
    monkeypatch.setattr(main, "VALIDATION_LABEL_DIR", "labels2")
    Image.fromarray(LABEL * 3).save("labels2/b.png")
    save_label("c.png", LABEL * 2)
    assert load_data()["class_weights"][3] == 0
    assert (
        "WARNING: 1 validation label(s) hold what no training label holds, class 3: b.png; it "
        "can't be learned and counts as IoU 0: label training images that show it, or choose "
        "another SEED.\n"
        "WARNING: no validation label holds class 2: it is learned, but not measured; label "
        "validation images that show it, or choose another SEED.\n") in capsys.readouterr().out


# ---- fuzzing ---------------------------------------------------------------------------------


def spoil_bytes(content, random):
    """Flips a few bytes, cuts the end or the start off, or puts in, doubles or drops a piece."""
    array = bytearray(content)
    place, length = random.integers(0, len(array)), int(random.integers(1, 40))
    kind = random.integers(0, 6)
    if kind < 2:
        for index in random.integers(0, len(array) if kind else min(60, len(array)), length):
            array[index] = random.integers(0, 256)
    elif kind == 2:
        del array[place:]
    elif kind == 3:
        del array[place:place + length]
    elif kind == 4:
        array[place:place] = random.bytes(length)
    else:
        array[place:place] = array[place:place + length]
    return bytes(array)


def whole_files():
    """Small files as people have them: (suffix, bytes)."""
    random = np.random.default_rng(0)
    picture = Image.fromarray(random.integers(0, 256, (24, 20, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    files = []
    for suffix, image, options in [
            (".png", picture, {}), (".png", picture.convert("P"), {"transparency": 3}),
            (".png", picture.convert("L"), {}), (".png", picture.convert("1"), {}),
            (".png", Image.fromarray(np.uint16(picture.convert("L"))), {}),
            (".jpg", picture, {"exif": exif}), (".jpg", picture, {"progressive": True}),
            (".jpg", picture.convert("L"), {}), (".jpg", picture.convert("CMYK"), {}),
            (".bmp", picture, {}), (".tif", picture, {"compression": "tiff_lzw"}),
            (".webp", picture, {})]:
        file = io.BytesIO()
        image.save(file, {".jpg": "JPEG", ".tif": "TIFF"}.get(suffix, suffix[1:]), **options)
        files.append((suffix, file.getvalue()))
    return files


def test_spoilt_files_are_read_or_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 10**6)  # a flipped size takes no memory here
    random, files = np.random.default_rng(7), whole_files()
    refused, reasons = 0, set()
    for number in range(FUZZ_CASES):
        suffix, content = files[number % len(files)]
        path = tmp_path / f"spoilt{suffix}"
        path.write_bytes(spoil_bytes(content, random))
        for read in (read_image, read_label):
            size = [(32, 32)] if number % 2 and read is read_image else []
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # Pillow's, of EXIF that makes no sense
                    array = read(path, *size)
            except InputError as error:
                refused += 1
                reasons.add(str(error).partition("(")[2])
            else:
                assert array.dtype == np.uint8 and 0 < array.size <= 3 * 10**6
    assert 0.5 * FUZZ_CASES < refused < 2 * FUZZ_CASES  # neither all nor hardly any
    assert not [reason for reason in reasons if "Error" in reason], "an error not foreseen"
