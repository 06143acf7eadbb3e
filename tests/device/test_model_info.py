"""Tests of device/model_info.py: model.json, field by field."""

import json

import numpy as np
import pytest

from device import files, model_info
from device.drawing import class_colors
from device.errors import InputError

INFO = {
    "class_names": ["background", "bird"], "class_colors": [[0, 0, 0], [255, 0, 0]],
    "image_size": [96, 160], "ignore_label": 255, "encoder_frozen": True,
    "decoder_filters": [[128, 96], [96, 64], [64, 48], [48, 32]],
    "image_dir": "/a/images", "label_dir": "labels", "validation_image_dir": "../b",
    "validation_label_dir": "c", "training_images": ["a b.png", "12:30 \u00fc.jpg"],
    "validation_images": ["..png"], "validation_metrics": {}, "something_new": [None]}


@pytest.mark.parametrize("change", [
    {"ignore_label": [0, 255], "class_ids": [[0], [7, 8]], "other_ids": "ignore"},
    {"intensity_range": [100.5, 600], "labels_turned": True}, {"intensity_range": None},
    {"training_images": ["city/x.png", "a/b/c.png"]},
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
    ("ignore_label", [256], "256"), ("class_ids", [[0], []], r"\[\]"), ("class_ids", [0, 1], "0"),
    ("class_ids", [[0], [300]], "300"), ("other_ids", "void", "void"),
    ("labels_turned", 1, "1"), ("intensity_range", [600, 100], "600"),
    ("intensity_range", [0, float("inf")], "Infinity"), ("intensity_range", "0-1", "0-1"),
    ("training_images", ["a/../../b.png"], r"a/\.\./\.\./b"), ("training_images", ["a//b"], "a//b"),
    ("training_images", ["a/"], "a/"), ("encoder_frozen", 1, "1"),
    ("decoder_filters", [1, 2, 3], r"\[1, 2, 3\]"),
    ("decoder_filters", [[1, 2], [1, 2], [1, 2], [1, 2, 3]], r"\[1, 2, 3\]"),
    ("decoder_filters", [0, 1, 1, 1], "0"), ("image_dir", "", '""'), ("label_dir", None, "null"),
    ("validation_image_dir", "a\0b", "u0000"), ("validation_label_dir", ["a"], r'\["a"\]'),
    ("training_images", [], r"\[\]"), ("training_images", "a.png", '"a.png"'),
    ("training_images", ["a.png", 3], "3"), ("training_images", ["../a.png"], r'"\.\./a\.png"'),
    ("validation_images", ["/etc/passwd"], "/etc/passwd"), ("validation_images", [".."], '".."'),
    ("validation_images", ["a\\b.png"], r"a\\\\b"), ("validation_images", ["a\0.png"], "u0000"),
    ("tflite_sha256", {"a.tflite": "00"}, "00"), ("tflite_sha256", ["a"], "a"),
    ("tflite_sha256", {"../a.tflite": "0" * 64}, "characters"),
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


def test_classes_are_numbered_without_model_info(tmp_path, capsys):
    names, colors, values, picture_size, intensity_range = model_info.read_classes(tmp_path, 3)
    assert values.tolist() == [0, 1, 2] and picture_size is intensity_range is None
    assert names == ["class 0", "class 1", "class 2"]
    assert np.array_equal(colors, class_colors(3)) and picture_size is None
    assert "the classes are numbered" in capsys.readouterr().out


def test_model_info_of_another_model(tmp_path):
    files.write_json(tmp_path / "model.json", INFO)
    with pytest.raises(InputError, match="names 2 classes, but the model gives 4"):
        model_info.read_classes(tmp_path, 4)


def test_classes_hold_the_values_of_the_labels_they_were_trained_on(tmp_path):
    files.write_json(tmp_path / "model.json", INFO | {
        "class_ids": [[0], [7, 8]], "intensity_range": [100, 600]})
    classes = model_info.read_classes(tmp_path, 2)
    assert classes.label_values.tolist() == [0, 7] and classes.intensity_range == [100, 600]
    files.write_json(tmp_path / "model.json", INFO | {"class_ids": [[0], [7], [8]]})
    with pytest.raises(InputError, match="holds 2 classes and class_ids 3 classes"):
        model_info.read_classes(tmp_path, 2)
