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
    pairs = pair_files(*folders, unlabeled="skip")
    assert [pair.image_path.name for pair in pairs] == ["a.png", "b.png"]
    assert "1 of 3 images" in capsys.readouterr().out
    pairs = pair_files(*folders, unlabeled="keep")
    assert [name for name, label in names_of(pairs) if label is None] == ["new.png"]
    assert names_of(pairs)[-1] == ("new.png", None) and len(pairs) == 3
    assert "1 of 3 images" in capsys.readouterr().out


def write_files(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(folder / name)


def names_of(pairs):
    return list(zip(pairs.image_names, pairs.label_names))


def test_labels_with_a_suffix_pair_and_that_is_printed(folders, capsys):
    write_files(folders[0], "a.jpg", "b.png")
    write_files(folders[1], "a_mask.png", "b_mask.png")
    pairs = pair_files(*folders)
    assert names_of(pairs) == [("a.jpg", "a_mask.png"), ("b.png", "b_mask.png")]
    assert pairs[0] == (folders[0] / "a.jpg", folders[1] / "a_mask.png")
    assert capsys.readouterr().out == "Labels are named *_mask, their images *.\n"
    assert names_of(pair_files(*folders, names=["b.png"])) == [("b.png", "b_mask.png")]


@pytest.mark.parametrize("names", [
    ("a.png", "a_mask.png", "b.png", "b_mask.png"), ("a.jpg", "a_mask.png", "b.png", "b_mask.png"),
    ("a.jpg", "a_mask.png", "b.jpg", "b_mask.png")])
def test_one_folder_of_images_and_labels(folders, names):
    write_files(folders[0], *names)
    assert names_of(pair_files(folders[0], folders[0])) == [names[:2], names[2:]]


def test_sub_folders_are_taken_where_the_folder_holds_no_image(folders, capsys):
    write_files(folders[0], "x/1.jpg", "y/1.jpg", ".hidden/2.jpg")
    write_files(folders[1], "x/1.png", "y/1.png")
    assert names_of(pair_files(*folders)) == [("x/1.jpg", "x/1.png"), ("y/1.jpg", "y/1.png")]
    assert names_of(pair_files(*folders, names=["y/1.jpg"])) == [("y/1.jpg", "y/1.png")]
    (folders[1] / "x/1.png").unlink()
    with pytest.raises(InputError, match=r"1 image\(s\) in .* have no label .*: x/1\.jpg;"):
        pair_files(*folders)
    write_files(folders[0], "0.jpg")
    write_files(folders[1], "0.png")
    assert names_of(pair_files(folders[0], folders[1])) == [("0.jpg", "0.png")]
    assert "2 images in sub-folders of" in capsys.readouterr().out


def test_labels_in_a_folder_inside_the_images_folder(tmp_path):
    write_files(tmp_path, "day1/a.jpg", "day2/b.jpg", "labels/a.png", "labels/b.png")
    assert names_of(pair_files(tmp_path, tmp_path / "labels")) == [
        ("day1/a.jpg", "a.png"), ("day2/b.jpg", "b.png")]


@pytest.mark.parametrize("names, says", [
    (["a.json", "b.json"], r"2 file\(s\) of another tool: a\.json, b\.json; convert them with "),
    (["instances.json"], r"1 file\(s\) of another tool: instances\.json"),
    (["a.xml"], r"of another tool: a\.xml"), (["a.txt", "classes.txt"], r"another tool: a\.txt;")])
def test_labels_of_other_tools_are_named(folders, names, says):
    write_files(folders[0], "a.jpg", "b.jpg")
    for name in names:
        (folders[1] / name).write_text("{}")
    with pytest.raises(InputError, match=says):
        pair_files(*folders)


def test_names_that_nearly_match_get_the_likely_reason(folders):
    write_files(folders[0], "P00.jpg", "P01.jpg")
    write_files(folders[1], "p00.png", "p01.png")
    with pytest.raises(InputError, match="The names differ only in upper and lower case: rename"):
        pair_files(*folders)
