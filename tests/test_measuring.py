"""Tests of measuring.py: hand-computed confusion matrices and IoU, pictures, files."""

import json

import numpy as np
import pytest
from PIL import Image

import measuring
from import_data import InputError

COLOURS = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0)], np.uint8)


def test_confusion_matrix_counts_truth_by_row_and_leaves_out_the_ignore_label():
    labels = np.array([[0, 0, 1], [1, 2, 255]], np.uint8)
    predictions = np.array([[0, 1, 1], [0, 2, 2]], np.uint8)
    assert measuring.confusion_matrix(labels, predictions, 3).tolist() == [
        [1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert measuring.confusion_matrix(labels, predictions, 3, ignore_label=0).tolist() == [
        [0, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert measuring.confusion_matrix(labels, predictions, 3, ignore_label=None).sum() == 5


def test_iou_by_hand():
    confusion = np.array([[6, 2, 0, 0], [1, 3, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    iou = measuring.iou_per_class(confusion)
    assert np.allclose(iou[:2], [6 / 9, 3 / 6])
    assert np.isnan(iou[2:]).all()
    assert np.isclose(measuring.mean_iou(iou), (6 / 9 + 3 / 6) / 2)


def test_a_class_that_is_predicted_but_not_true_counts_as_zero():
    summary = measuring.summarise(np.array([[3, 1, 0], [0, 0, 0], [0, 0, 0]]))
    assert summary["iou"] == [0.75, 0.0, None]
    assert summary["mean_iou"] == 0.375 and summary["mean_iou_without_background"] == 0.0
    json.dumps(summary, allow_nan=False)


def test_all_background_is_not_praised():
    labels = np.zeros((100, 100), np.uint8)
    labels[:5, :5] = 1
    summary = measuring.summarise(measuring.confusion_matrix(labels, np.zeros_like(labels), 2))
    assert summary["mean_iou_without_background"] == 0 and summary["mean_iou"] < 0.5


def test_iou_table_shows_models_side_by_side():
    table = measuring.format_iou_table(["background", "bird"], {
        "Keras": {"iou": [0.5, None], "mean_iou": 0.5, "mean_iou_without_background": None},
        "int8": {"iou": [0.25, 0.125], "mean_iou": 0.1875, "mean_iou_without_background": 0.125}})
    lines = table.splitlines()
    assert lines[1].split() == ["background", "50.00", "%", "25.00", "%"]
    assert lines[2].split() == ["bird", "absent", "12.50", "%"]
    assert lines[-1].split() == ["mean", "IoU", "50.00", "%", "18.75", "%"]


def test_colours_differ():
    colours = measuring.class_colours(60)
    assert colours.shape == (60, 3) and tuple(colours[0]) == (0, 0, 0)
    assert len(np.unique(colours, axis=0)) == 60


def test_overlay_leaves_background_clear_and_ignored_pixels_white():
    image = np.full((1, 3, 3), 100, np.uint8)
    mask = np.array([[0, 1, 255]], np.uint8)
    assert measuring.overlay(image, mask, COLOURS, 0.5).tolist() == [
        [[100, 100, 100], [177, 50, 50], [177, 177, 177]]]


def test_saved_mask_holds_indices_and_shows_colours(tmp_path):
    mask = np.array([[0, 1], [2, 255]], np.uint8)
    measuring.save_mask(tmp_path / "mask.png", mask, COLOURS)
    with Image.open(tmp_path / "mask.png") as picture:
        assert picture.mode == "P"
        assert np.asarray(picture).tolist() == mask.tolist()
        assert np.asarray(picture.convert("RGB"))[0, 1].tolist() == [255, 0, 0]


def test_grid_holds_all_rows_and_a_legend(tmp_path):
    red = np.full((20, 30, 3), (255, 0, 0), np.uint8)
    measuring.save_grid(tmp_path / "grid.png", [[red, red], [red, red]], ("a", "b"),
                        ["background", "bird", "plane"] * 10, measuring.class_colours(30),
                        ["first", "second"])
    with Image.open(tmp_path / "grid.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert (pixels == (255, 0, 0)).all(-1).sum() == 4 * 192 * 288
    assert pixels.shape[1] >= 2 * 288


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    measuring.write_json(path, {"a": 1})

    def fail(file):
        file.write(b"half")
        raise OSError("no space left on device")

    with pytest.raises(OSError):
        measuring.write_whole(path, fail)
    assert json.loads(path.read_text()) == {"a": 1}


@pytest.mark.parametrize("text, sentence", [
    (None, "run main.py first"), ("no json", "train again"), ("{}", "train again"),
    ('{"class_names": ["a", "b"], "class_colours": [], "image_size": [32, 32]}', "train again"),
])
def test_model_info_that_is_missing_or_damaged(tmp_path, text, sentence):
    if text is not None:
        (tmp_path / "model.json").write_text(text)
    with pytest.raises(InputError, match=sentence):
        measuring.read_model_info(tmp_path)
