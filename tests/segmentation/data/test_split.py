"""Tests of split.py: whole, repeatable, groups together, each class on both sides; lists."""

import numpy as np
import pytest

from device.errors import InputError
from segmentation.data.split import find_groups, split_by_list, split_by_seed


def holds_of(*classes_of_each, count=3):
    """Which classes each image holds, bool (n, count)."""
    holds = np.zeros((len(classes_of_each), count), bool)
    for row, classes in zip(holds, classes_of_each):
        row[list(classes)] = True
    return holds


def test_split_is_whole_disjoint_and_repeats_by_seed():
    holds = np.ones((50, 2), bool)
    training, validation = split_by_seed(range(50), holds, 0.2, 7)
    assert sorted(training + validation) == list(range(50)) and len(validation) == 10
    assert (training, validation) == split_by_seed(range(50), holds, 0.2, 7)
    assert validation != split_by_seed(range(50), holds, 0.2, 8)[1]
    assert [len(part) for part in split_by_seed(range(2), holds[:2], 0.01, 0)] == [1, 1]


@pytest.mark.parametrize("seed", range(20))
def test_a_class_of_few_images_comes_to_both_sides(seed):
    """A rare class in 4 of 30 images: drawn at random, 6 of these 20 seeds had none to measure."""
    random = np.random.default_rng(100 + seed)
    holds = holds_of(*[(0,)] * 30)
    holds[random.permutation(30)[:4], 2] = True
    holds[random.permutation(30)[:2], 1] = True
    training, validation = split_by_seed(range(30), holds, 0.2, seed)
    assert len(validation) == 6
    assert holds[training].any(axis=0).all() and holds[validation].any(axis=0).all()


def test_a_class_of_one_image_is_trained_on():
    for seed in range(10):
        holds = holds_of((0,), (0,), (0, 1), (0,), (0,))
        training, _ = split_by_seed(range(5), holds, 0.4, seed)
        assert 2 in training


def test_shares_of_classes_are_alike_on_both_sides():
    random = np.random.default_rng(0)
    holds = random.random((1000, 4)) < [1, 0.5, 0.2, 0.05]
    training, validation = split_by_seed(range(1000), holds, 0.2, 3)
    assert len(validation) == 200
    difference = holds[training].mean(axis=0) - holds[validation].mean(axis=0)
    assert np.abs(difference).max() < 0.015


def test_groups_stay_together():
    groups = [f"clip{index // 10}" for index in range(100)]
    for seed in range(10):
        training, validation = split_by_seed(groups, np.ones((100, 2), bool), 0.2, seed)
        assert len(validation) == 20
        assert not {groups[i] for i in training} & {groups[i] for i in validation}
    with pytest.raises(InputError, match="of one group"):
        split_by_seed(["a"] * 5, np.ones((5, 2), bool), 0.2, 1)


def test_sub_folders_of_one_class_each_are_torn_apart_and_that_is_said(capsys):
    groups = ["cats"] * 10 + ["dogs"] * 10
    holds = holds_of(*[(0, 1)] * 10, *[(0, 2)] * 10)
    training, validation = split_by_seed(groups, holds, 0.2, 1)
    assert len(validation) == 4
    assert holds[training].any(axis=0).all() and holds[validation].any(axis=0).all()
    assert "sub-folders hold different classes" in capsys.readouterr().out
    _, validation = split_by_seed(groups, holds, 0.2, 1, may_tear=False)
    assert len(validation) == 10


def test_groups_are_sub_folders_or_what_split_by_finds():
    names = ["a/1.png", "a/2.png", "b/1.png"]
    assert find_groups(names) == ["a", "a", "b"]
    assert find_groups(["x_1.png", "x_2.png", "y_1.png"]) == ["x_1.png", "x_2.png", "y_1.png"]
    assert find_groups(["x_1.png", "x_2.png", "y_1.png"], r"(.*)_\d+") == ["x", "x", "y"]
    assert find_groups(["x_1.png", "y_1.png"], "^[xy]") == ["x", "y"]
    assert find_groups(["a/1.png", "a/2.png"]) == ["a/1.png", "a/2.png"]  # one folder is no group
    with pytest.raises(InputError, match=r"SPLIT_BY '\\\\d' does not match .* 1 image.*y\.png"):
        find_groups(["x1.png", "y.png"], r"\d")


@pytest.mark.parametrize("text", [
    "b\n", "b.jpg\n", "\ufeffb.jpg\r\n", "# val\n\nb\n", "images/b.jpg labels/b.png\n",
    "/home/x/images/b.jpg\n", "D:\\images\\b.png\n"])
def test_a_list_names_the_images_to_measure_on(tmp_path, text):
    (tmp_path / "val.txt").write_text(text, encoding="utf-8")
    assert split_by_list(["a.jpg", "b.jpg", "c.jpg"], tmp_path / "val.txt") == ([0, 2], [1])


def test_a_list_names_images_of_sub_folders(tmp_path):
    names = ["x/a.jpg", "x/b c.jpg", "y/a.jpg"]
    (tmp_path / "val.txt").write_text("x/b c\ny/a.jpg")
    assert split_by_list(names, tmp_path / "val.txt") == ([0], [1, 2])
    (tmp_path / "val.txt").write_text("a\n")
    with pytest.raises(InputError, match=r"1 line.* name no image, or several: a;"):
        split_by_list(names, tmp_path / "val.txt")


@pytest.mark.parametrize("text, sentence", [
    ("a\nd\n", r"1 line\(s\) of VALIDATION_LIST .* name no image, or several: d;"),
    ("a\nb\nc\n", "lists 3 of 3 images"), ("", "lists 0 of 3 images"), (None, "can't be read")])
def test_a_wrong_list_is_refused(tmp_path, text, sentence):
    if text is not None:
        (tmp_path / "val.txt").write_text(text)
    with pytest.raises(InputError, match=sentence):
        split_by_list(["a.jpg", "b.jpg", "c.jpg"], tmp_path / "val.txt")
