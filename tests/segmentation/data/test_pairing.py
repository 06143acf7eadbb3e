"""Tests of pairing.py: every image with the label of its name, and what is said otherwise."""

import numpy as np
import pytest
from PIL import Image
from small_sets import write_pair

from device.errors import InputError
from segmentation.data.pairing import pair_files


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
