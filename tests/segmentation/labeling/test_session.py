"""Tests of segmentation/labeling/session.py, with matplotlib's events on the Agg canvas."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from small_sets import write_pair

from device.drawing import class_colors, save_mask
from device.errors import InputError
from device.images import read_label
from import_data import import_images
from labeling.hand import (
    NAMES,
    SIZE,
    SQUARE,
    click,
    label_files,
    label_of,
    make_images,
    open_again,
    press_key,
    saved,
    square_label,
)
from segmentation.labeling import strokes
from segmentation.labeling.class_list import add_class
from segmentation.labeling.loading import open_picture
from segmentation.labeling.opening import open_session
from segmentation.labeling.session import label_path_of, unknown_values
from segmentation.labeling.window import open_window

ROOT = Path(__file__).resolve().parents[3]
INFO = {"image_size": SIZE, "class_names": NAMES, "ignore_label": 255}  # of model.json


def test_what_is_written_is_what_import_images_reads(window):
    for value in (1, 2, 3):
        window.value = value
        click(window, *SQUARE)
        press_key(window, "enter", "right")
    images, labels, _ = import_images(
        INFO, window.session.image_paths[0].parent, window.session.label_dir)
    assert images.shape == (3, *SIZE, 3)
    for label, value in zip(labels, (1, 2, 3)):
        assert np.array_equal(label, square_label(value))
    with Image.open(window.session.label_dir / "image_0.png") as file:
        assert file.mode == "P" and file.size == SIZE[::-1]
        assert tuple(file.convert("RGB").getpixel((30, 30))) == tuple(class_colors(4)[1])


def test_the_label_has_the_size_of_the_upright_image(tmp_path):
    (tmp_path / "images").mkdir()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (128, 96)).save(tmp_path / "images" / "photo.a.jpg", exif=exif)
    window = open_window(open_session(tmp_path / "images", tmp_path / "labels", NAMES))
    click(window, (10, 100), (80, 100), (80, 120))
    press_key(window, "enter")
    with Image.open(tmp_path / "labels" / "photo.a.png") as file:
        assert file.size == (96, 128)
    import_images(INFO, tmp_path / "images", tmp_path / "labels")


@pytest.mark.parametrize("mode", ["L", "P"])
def test_labels_from_elsewhere_keep_their_values(folders, mode):
    label = square_label(37)
    label[60:70, 60:70], label[80:90] = 255, 3
    folders[1].mkdir()
    file = Image.fromarray(label)
    if mode == "P":
        file.putpalette(np.random.default_rng(1).integers(0, 256, 768, np.uint8).tobytes())
    assert file.mode == mode
    file.save(folders[1] / "image_0.png")
    before = (folders[1] / "image_0.png").read_bytes()
    window = open_window(open_session(*folders, NAMES))
    assert window.session.index == 1
    press_key(window, "left")
    assert np.array_equal(label_of(window), label)
    assert unknown_values(window.session) == [37]
    assert any("unknown: 37" in text.get_text() for text in window.panel.texts)
    press_key(window, "right", "left")
    assert (folders[1] / "image_0.png").read_bytes() == before  # looked at, not touched
    press_key(window, "b")
    click(window, (110, 10))
    after = saved(window)
    changed = after != label
    assert (after[changed] == 1).all() and changed[10, 110] and not changed[20:].any()
    press_key(window, "z")
    assert np.array_equal(saved(window), label)


def test_images_and_labels_in_one_folder(tmp_path):
    make_images(tmp_path, 2)
    Image.fromarray(square_label()).save(tmp_path / "image_0.png")
    window = open_window(open_session(tmp_path, tmp_path, NAMES))
    assert len(window.session.image_paths) == 2 and window.session.index == 1
    click(window, *SQUARE)
    press_key(window, "enter")
    assert len(import_images(INFO, tmp_path, tmp_path)[0]) == 2


def test_an_upper_case_label_is_opened_and_kept_in_place(folders):
    folders[1].mkdir()
    Image.fromarray(square_label()).save(folders[1] / "image_0.PNG", "PNG")
    window = open_window(open_session(*folders, NAMES))
    press_key(window, "left", "b", "0")
    click(window, (40, 35))
    assert [path.name for path in folders[1].glob("*.[pP]*")] == ["image_0.PNG"]
    assert saved(window)[35, 40] == 0


def test_nothing_is_saved_half(window, monkeypatch):
    click(window, *SQUARE)
    press_key(window, "enter")
    monkeypatch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(OSError(28, "full")))
    press_key(window, "b")
    click(window, (100, 80))
    assert "can't be written (full)" in window.message and window.session.unsaved
    assert np.array_equal(saved(window), square_label())
    press_key(window, "right")
    assert window.session.index == 0 and "can't be written" in window.message
    monkeypatch.undo()
    press_key(window, "right")
    assert window.session.index == 1 and saved(window, 0)[80, 100] == 1
    assert not window.session.unsaved


def test_closing_saves_what_could_not_be_saved_before(window, monkeypatch):
    monkeypatch.setattr(strokes, "keep",
                        lambda window: setattr(window.session, "unsaved", True))
    click(window, *SQUARE)
    press_key(window, "enter")
    assert not label_files(window)
    open_again(window)
    assert label_files(window) == ["image_0.png"]


def test_a_kill_loses_no_finished_stroke(folders):
    """A process is killed in the middle of its fourth stroke; the first three are on the disk."""
    program = textwrap.dedent(f"""
        import os, signal, sys
        sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests/segmentation")!r}]
        import matplotlib
        matplotlib.use("Agg")
        from labeling import hand as test
        from segmentation.labeling.opening import open_session
        from segmentation.labeling.window import open_window
        session = open_session({str(folders[0])!r}, {str(folders[1])!r}, test.NAMES)
        window = open_window(session)
        test.press_key(window, "b")
        for value, y in ((1, 20), (2, 45), (3, 70)):
            window.value = value
            test.drag(window, [(20, y), (100, y)])
        test.mouse(window, "button_press_event", (64, 90))
        test.mouse(window, "motion_notify_event", (90, 90))
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    result = subprocess.run([sys.executable, "-c", program], timeout=120)
    assert result.returncode == -signal.SIGKILL
    label = read_label(folders[1] / "image_0.png")
    assert [label[y, 60] for y in (20, 45, 70, 90)] == [1, 2, 3, 0]


def test_an_empty_folder(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(InputError, match=r"No images in .*images: put"):
        open_session(tmp_path / "images", tmp_path / "labels")
    with pytest.raises(InputError, match="There is no folder"):
        open_session(tmp_path / "nowhere", tmp_path / "labels")
    make_images(tmp_path / "images", 1, suffix=".png")
    with pytest.raises(InputError, match="PNGs, which are labels"):
        open_session(tmp_path / "images", tmp_path / "images")


def test_two_images_of_one_name(tmp_path):
    make_images(tmp_path / "images", 2)
    make_images(tmp_path / "images", 1, suffix=".bmp")
    with pytest.raises(InputError, match=r"image_0.bmp, image_0.jpg"):
        open_session(tmp_path / "images", tmp_path / "labels")


def test_a_label_in_the_other_unicode_normal_form_is_the_image_s(tmp_path):
    (tmp_path / "labels").mkdir()
    write_pair((tmp_path, tmp_path / "labels"), "M\u00f6we", np.eye(8))
    label = (tmp_path / "labels/M\u00f6we.png").rename(tmp_path / "labels/Mo\u0308we.png")
    session = open_session(tmp_path, tmp_path / "labels")
    assert session.labeled == set(session.image_paths)
    assert label_path_of(session, session.image_paths[0]) == label


def test_a_folder_that_cannot_be_written_is_said_at_the_start(folders, monkeypatch):
    (folders[0].parent / "file").write_text("")
    with pytest.raises(InputError, match="can't be written to"):
        open_session(folders[0], folders[0].parent / "file" / "labels")

    def refuse(**options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match=r"can't be written to .*labels \(Permission denied\)"):
        open_session(*folders)


def test_class_names_of_the_folder(folders):
    assert open_session(*folders).class_names == ["background", "object"]
    assert (folders[1] / "classes.txt").read_text() == "background\nobject\n"
    with pytest.raises(InputError, match=r"classes.txt says background, object, but CLASS_NAMES"):
        open_session(*folders, NAMES)
    (folders[1] / "classes.txt").write_text("a\nb\na\n")
    with pytest.raises(InputError, match="different names"):
        open_session(*folders)
    (folders[1] / "classes.txt").unlink()
    save_mask(folders[1] / "image_1.png", square_label(3), class_colors(4))
    assert open_session(*folders).class_names == ["background", "class 1", "class 2", "class 3"]


def test_no_class_takes_the_index_to_be_ignored(folders):
    session = open_session(*folders, NAMES, ignore_label=4)
    with pytest.raises(InputError, match="No more classes"):
        add_class(session, "more")


def test_images_of_16_bits_are_shown_by_the_sets_range(tmp_path):
    values = np.linspace(100, 600, 64 * 64).reshape(64, 64)
    for name, factor in (("a.png", 1.0), ("b.png", 0.5)):
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.fromarray((values * factor).astype(np.uint16)).save(tmp_path / "images" / name)
    session = open_session(tmp_path / "images", tmp_path / "labels", NAMES)
    shown = [np.asarray(open_picture(path, tmp_path / "none.png", None, session.intensity_range)
                        .levels[0])[..., 0] for path in session.image_paths]
    assert shown[0].max() > 250 and 110 < shown[1].max() < 130
