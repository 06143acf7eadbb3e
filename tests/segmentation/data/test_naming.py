"""Tests of naming.py: a common prefix or suffix is found, and nothing is paired by chance."""

import pytest

from segmentation.data.naming import find_naming, guess_difference, split_one_folder


def plain(*stems):
    return [("", stem) for stem in stems]


def pairs_of(images, labels):
    """Returns label -> image as the naming pairs them; None for a label left alone."""
    naming = find_naming(images, labels)
    assert not naming.error
    keys = {naming.image_key(stem): stem for stem in images}
    return {stem: keys.get(naming.label_key(stem)) for stem in labels}


@pytest.mark.parametrize("images, labels, sentence", [
    (["a", "b"], ["a", "b"], ""),
    (["a", "b"], ["a_mask", "b_mask"], "Labels are named *_mask, their images *."),
    (["x1", "x2"], ["x1mask", "x2mask"], "Labels are named *mask, their images *."),
    (["a", "b"], ["gt-a", "gt-b"], "Labels are named gt-*, their images *."),
    (["im_01", "im_02"], ["seg_01", "seg_02"], "Labels are named seg_*, their images im_*."),
    (["a_left", "b_left"], ["a_gt", "b_gt"], "Labels are named *_gt, their images *_left."),
    (["0016E5_1", "0016E5_2"], ["0016E5_1_L", "0016E5_2_L"],
     "Labels are named *_L, their images *."),
    (["a", "a_b"], ["a_mask", "a_b_mask"], "Labels are named *_mask, their images *."),
])
def test_names_with_a_common_part_pair(images, labels, sentence):
    assert find_naming(plain(*images), plain(*labels)).sentence == sentence
    assert list(pairs_of(plain(*images), plain(*labels)).values()) == plain(*images)


@pytest.mark.parametrize("images, labels", [
    (["train1", "train2"], ["train10", "train20"]), (["a1", "a2"], ["a13", "a23"]),
    (["a", "b", "c"], ["x", "y", "z"]), (["a", "b", "c"], ["a_mask", "y", "z"])])
def test_nothing_pairs_by_chance(images, labels):
    assert set(pairs_of(plain(*images), plain(*labels)).values()) == {None}


def test_of_several_files_an_image_has_the_label_is_taken():
    """Cityscapes: two suffixes, three label files an image, sub-folders."""
    images = [("zurich", f"zurich_{n}_leftImg8bit") for n in (1, 2)]
    labels = [("zurich", f"zurich_{n}_gtFine_{kind}") for n in (1, 2)
              for kind in ("color", "instanceIds", "labelIds")]
    assert pairs_of(images, labels) == {
        **dict.fromkeys(labels), labels[2]: images[0], labels[5]: images[1]}
    assert find_naming(images, labels).sentence == (
        "Labels are named *_gtFine_labelIds, their images *_leftImg8bit; left alone are "
        "*_gtFine_color, *_gtFine_instanceIds.")


def test_masks_of_one_class_each_are_named_as_such():
    labels = plain("a_swan", "a_duck", "b_swan", "b_duck")
    assert find_naming(plain("a", "b"), labels).error == (
        "An image has several labels, named *_duck, *_swan: where they are masks of one class "
        "each, convert them with import_labels.py; else keep one kind in the folder.")
    labels = [("swan", "a"), ("duck", "a"), ("swan", "b")]
    assert find_naming(plain("a", "b"), labels).error.startswith(
        "An image has labels in several sub-folders (duck/a and swan/a): where they are masks of")


def test_sub_folders_pair_by_path_or_by_unique_name():
    images = [("x", "1"), ("y", "1")]
    assert pairs_of(images, [("x", "1"), ("y", "1")]) == dict(zip(images, images))
    assert list(pairs_of(images, [("x", "1_mask"), ("y", "1_mask")]).values()) == images
    images = [("x", "1"), ("y", "2")]
    assert list(pairs_of(images, plain("1", "2")).values()) == images
    assert list(pairs_of(images, plain("1_gt", "2_gt")).values()) == images
    assert set(pairs_of([("x", "1"), ("y", "1")], plain("1", "2")).values()) == {None}


def test_one_folder_is_told_apart_by_an_affix():
    assert split_one_folder(plain("a", "a_mask", "b", "b_mask")) == set(plain("a_mask", "b_mask"))
    assert split_one_folder(plain("gt_a", "a", "gt_b", "b")) == set(plain("gt_a", "gt_b"))
    assert split_one_folder(plain("a", "b", "c", "d")) == set()


@pytest.mark.parametrize("images, labels, reason", [
    (["P00", "P01"], ["p00", "p01"], "in upper and lower case"),
    (["p0", "p1"], ["p00", "p01"], "in the zeros before numbers"),
    (["P0"], ["p00"], "in case and in the zeros before numbers"),
    (["a b"], ["a_b"], "in spaces, hyphens and underscores"), (["a"], ["b"], "")])
def test_names_that_nearly_match(images, labels, reason):
    assert guess_difference(images, labels) == reason
