"""Tests of measuring.py: hand-computed confusion matrices and IoU, pictures, files."""

import json

import numpy as np
import pytest
from PIL import Image

from device import drawing, files, model_info
from device.errors import InputError
from segmentation import metrics

COLORS = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0)], np.uint8)


def test_confusion_matrix_counts_truth_by_row_and_leaves_out_the_ignore_label():
    labels = np.array([[0, 0, 1], [1, 2, 255]], np.uint8)
    predictions = np.array([[0, 1, 1], [0, 2, 2]], np.uint8)
    assert metrics.confusion_matrix(labels, predictions, 3).tolist() == [
        [1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert metrics.confusion_matrix(labels, predictions, 3, ignore_label=0).tolist() == [
        [0, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert metrics.confusion_matrix(labels, predictions, 3, ignore_label=None).sum() == 5


def test_iou_by_hand():
    confusion = np.array([[6, 2, 0, 0], [1, 3, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    iou = metrics.iou_per_class(confusion)
    assert np.allclose(iou[:2], [6 / 9, 3 / 6])
    assert np.isnan(iou[2:]).all()
    assert np.isclose(metrics.mean_iou(iou), (6 / 9 + 3 / 6) / 2)


def test_a_class_that_is_predicted_but_not_true_counts_as_zero():
    summary = metrics.summarize(np.array([[3, 1, 0], [0, 0, 0], [0, 0, 0]]))
    assert summary["iou"] == [0.75, 0.0, None]
    assert summary["mean_iou"] == 0.375 and summary["mean_iou_without_background"] == 0.0
    json.dumps(summary, allow_nan=False)


def test_all_background_is_not_praised():
    labels = np.zeros((100, 100), np.uint8)
    labels[:5, :5] = 1
    summary = metrics.summarize(metrics.confusion_matrix(labels, np.zeros_like(labels), 2))
    assert summary["mean_iou_without_background"] == 0 and summary["mean_iou"] < 0.5


def test_iou_table_shows_models_side_by_side():
    table = metrics.format_iou_table(["background", "bird"], {
        "Keras": {"iou": [0.5, None], "mean_iou": 0.5, "mean_iou_without_background": None},
        "int8": {"iou": [0.25, 0.125], "mean_iou": 0.1875, "mean_iou_without_background": 0.125}})
    lines = table.splitlines()
    assert lines[1].split() == ["background", "50.00", "%", "25.00", "%"]
    assert lines[2].split() == ["bird", "absent", "12.50", "%"]
    assert lines[-1].split() == ["mean", "IoU", "50.00", "%", "18.75", "%"]


def test_colors_differ():
    colors = drawing.class_colors(60)
    assert colors.shape == (60, 3) and tuple(colors[0]) == (0, 0, 0)
    assert len(np.unique(colors, axis=0)) == 60


def test_overlay_leaves_background_clear_and_ignored_pixels_white():
    image = np.full((1, 3, 3), 100, np.uint8)
    mask = np.array([[0, 1, 255]], np.uint8)
    assert drawing.overlay(image, mask, COLORS, 0.5).tolist() == [
        [[100, 100, 100], [177, 50, 50], [177, 177, 177]]]


def test_saved_mask_holds_indices_and_shows_colors(tmp_path):
    mask = np.array([[0, 1], [2, 255]], np.uint8)
    drawing.save_mask(tmp_path / "mask.png", mask, COLORS)
    with Image.open(tmp_path / "mask.png") as picture:
        assert picture.mode == "P"
        assert np.asarray(picture).tolist() == mask.tolist()
        assert np.asarray(picture.convert("RGB"))[0, 1].tolist() == [255, 0, 0]


def test_grid_holds_all_rows_and_a_legend(tmp_path):
    red = np.full((20, 30, 3), (255, 0, 0), np.uint8)
    drawing.save_grid(tmp_path / "grid.png", [[red, red], [red, red]], ("a", "b"),
                        ["background", "bird", "plane"] * 10, drawing.class_colors(30),
                        ["first", "second"])
    with Image.open(tmp_path / "grid.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert (pixels == (255, 0, 0)).all(-1).sum() == 4 * 192 * 288
    assert pixels.shape[1] >= 2 * 288


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"a": 1})

    def fail(file):
        file.write(b"half")
        raise OSError("no space left on device")

    with pytest.raises(OSError):
        files.write_whole(path, fail)
    assert json.loads(path.read_text()) == {"a": 1}


INFO = {
    "class_names": ["background", "bird"], "class_colors": [[0, 0, 0], [255, 0, 0]],
    "image_size": [96, 160], "ignore_label": 255, "encoder_frozen": True,
    "decoder_filters": [[128, 96], [96, 64], [64, 48], [48, 32]],
    "image_dir": "/a/images", "label_dir": "labels", "validation_image_dir": "../b",
    "validation_label_dir": "c", "training_images": ["a b.png", "12:30 \u00fc.jpg"],
    "validation_images": ["..png"], "validation_metrics": {}, "something_new": [None]}


@pytest.mark.parametrize("change", [
    {}, {"ignore_label": None}, {"ignore_label": 0}, {"decoder_filters": [512, 256, 128, 64]},
    {"class_names": ["x"] * 255, "class_colors": [[1, 2, 3]] * 255}])
def test_model_info_that_is_sound(tmp_path, change):
    files.write_json(tmp_path / "model.json", INFO | change)
    assert model_info.read_model_info(tmp_path, needed=tuple(INFO)) == INFO | change


@pytest.mark.parametrize("text, sentence", [
    (None, "run main.py first"), ("no json", "can't be read as JSON"), ("", "can't be read"),
    ("[" * 100_000, "can't be read as JSON"), ("[1]", r"holds \[1\], but not the fields"),
    ("\xff", "can't be read as JSON"), ("{}", "lacks class_names, class_colors, image_size"),
    ("null", "holds null, but not the fields of a model"),
])
def test_model_info_that_is_missing_or_damaged(tmp_path, text, sentence):
    if text is not None:
        (tmp_path / "model.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=sentence):
        model_info.read_model_info(tmp_path)


@pytest.mark.parametrize("field, value, found", [
    ("class_names", "ab", '"ab"'), ("class_names", ["a"], r'\["a"\]'),
    ("class_names", None, "null"), ("class_names", ["a", 3], "3"),
    ("class_names", ["a", " "], '" "'),
    ("class_names", ["a", "\x1b[2J"], r'"\\u001b\[2J"'), ("class_names", ["a", "\ud800"], "ud800"),
    ("class_names", ["a"] * 256, r"\(\d+ characters\)"), ("class_names", {"a": 1, "b": 2}, "{"),
    ("class_colors", [[0, 0, 0], [0, 0, 256]], r"\[0, 0, 256\]"),
    ("class_colors", [[0, 0, 0], [0, 0]], r"\[0, 0\]"),
    ("class_colors", [[0, 0, 0], [0, 0, 1.5]], r"1\.5"), ("class_colors", 7, "7"),
    ("class_colors", [[0, 0, 0], [0, -1, True]], "-1, true"),
    ("image_size", [96], r"\[96\]"), ("image_size", [96, 100], "100"), ("image_size", [0, 32], "0"),
    ("image_size", [96.0, 32], r"96\.0"), ("image_size", [2**40, 32], str(2**40)),
    ("ignore_label", 256, "256"), ("ignore_label", "255", '"255"'), ("ignore_label", True, "true"),
    ("encoder_frozen", 1, "1"), ("decoder_filters", [1, 2, 3], r"\[1, 2, 3\]"),
    ("decoder_filters", [[1, 2], [1, 2], [1, 2], [1, 2, 3]], r"\[1, 2, 3\]"),
    ("decoder_filters", [0, 1, 1, 1], "0"), ("image_dir", "", '""'), ("label_dir", None, "null"),
    ("validation_image_dir", "a\0b", "u0000"), ("validation_label_dir", ["a"], r'\["a"\]'),
    ("training_images", [], r"\[\]"), ("training_images", "a.png", '"a.png"'),
    ("training_images", ["a.png", 3], "3"), ("training_images", ["../a.png"], r'"\.\./a\.png"'),
    ("validation_images", ["/etc/passwd"], "/etc/passwd"), ("validation_images", [".."], '".."'),
    ("validation_images", ["a\\b.png"], r"a\\\\b"), ("validation_images", ["a\0.png"], "u0000"),
    ("validation_images", [["a.png"]], r'\["a\.png"\]'), ("validation_images", ["."], '"."'),
])
def test_model_info_is_checked_field_by_field(tmp_path, field, value, found):
    (tmp_path / "model.json").write_text(json.dumps(INFO | {field: value}))
    with pytest.raises(InputError, match=f"model.json: {field} holds .*{found}.*, but needed is "
                                         ".*: train again"):
        model_info.read_model_info(tmp_path)


def test_model_info_needs_what_the_script_needs(tmp_path):
    some = {name: INFO[name] for name in ("class_names", "class_colors")}
    (tmp_path / "model.json").write_text(json.dumps(some))
    assert model_info.read_model_info(tmp_path, needed=tuple(some)) == some
    with pytest.raises(InputError, match="lacks image_size, image_dir: train again"):
        model_info.read_model_info(tmp_path, needed=("class_names", "image_size", "image_dir"))
    (tmp_path / "model.json").write_text(json.dumps(some | {"class_names": ["a", "b", "c"]}))
    with pytest.raises(InputError, match="3 classes and class_colors 2 colors"):
        model_info.read_model_info(tmp_path, needed=())
