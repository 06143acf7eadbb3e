"""Tests of tflite_test.py: the comparison by hand, the limits, the pictures."""

import json

import numpy as np
import pytest
from PIL import Image
from small_sets import write_pair

import tflite_test
from device.errors import InputError

INFO = {"class_names": ["background", "bird"], "class_colors": [[0, 0, 0], [255, 255, 0]],
        "ignore_label": 255, "validation_images": ["a.png", "b.png", "c.png"]}


@pytest.fixture
def predictions():
    """Labels with a bird, a Keras prediction that is right, and an int8 one that misses some."""
    labels = np.zeros((3, 10, 10), np.uint8)
    labels[:, :2] = 1
    labels[2, 9] = 255
    int8 = np.where(labels == 255, 0, labels).astype(np.uint8)
    keras = int8.copy()
    int8[1, 0] = 0  # 10 of the 60 bird pixels
    return labels, keras, int8


def test_report_by_hand(predictions):
    report = tflite_test.compare(INFO, *predictions)
    assert report["keras"]["iou"] == [1.0, 1.0]
    assert np.allclose(report["int8"]["iou"], [230 / 240, 50 / 60])
    assert np.isclose(report["agreement"], 290 / 300)
    assert np.isclose(report["mean_iou_drop"], 1 - (230 / 240 + 50 / 60) / 2)
    assert np.allclose(report["iou_drop"], [10 / 240, 10 / 60])
    assert report["worst_images"][0] == {"image": "b.png", "agreement": 0.9}
    low, high = report["mean_iou_change_interval"]  # of two pictures alike and one that is worse
    assert low < -report["mean_iou_drop"] < high == 0
    assert report["keras_confusion"] == [[230, 0], [0, 60]] and (
        report["int8_confusion"] == [[230, 0], [10, 50]])
    json.dumps(report, allow_nan=False)


def test_another_folder_takes_the_place_of_the_validation_images(folders, monkeypatch):
    info = INFO | {"validation_image_dir": "a", "validation_label_dir": "b"}
    assert tflite_test.choose_test_set(info) == info
    monkeypatch.setattr(tflite_test, "TEST_IMAGE_DIR", str(folders[0]))
    with pytest.raises(InputError, match="set both or neither"):
        tflite_test.choose_test_set(info)
    monkeypatch.setattr(tflite_test, "TEST_LABEL_DIR", str(folders[1]))
    with pytest.raises(InputError, match="No images in"):
        tflite_test.choose_test_set(info)
    write_pair(folders, "z", [[0, 1]])
    assert tflite_test.choose_test_set(info) == info | {
        "validation_image_dir": str(folders[0]), "validation_label_dir": str(folders[1]),
        "validation_images": ["z.png"]}
    for folder, name in zip(folders, ("z.png", "z_mask.png")):  # as people have them
        (folder / "day").mkdir()
        (folder / "z.png").rename(folder / "day" / name)
    assert tflite_test.choose_test_set(info)["validation_images"] == ["day/z.png"]


def test_labels_that_are_ignored_everywhere_are_refused(folders):
    info = INFO | {"image_size": [32, 32], "validation_image_dir": str(folders[0]),
                   "validation_label_dir": str(folders[1]), "validation_images": ["z.png"]}
    write_pair(folders, "z", [[0, 255]])
    assert tflite_test.load_test_images(info)[1].shape == (1, 32, 32)
    write_pair(folders, "z", [[255, 255]])
    with pytest.raises(InputError, match="are ignored: there is nothing to measure on"):
        tflite_test.load_test_images(info)


def test_limits_give_a_reason_each(predictions, monkeypatch):
    report = tflite_test.compare(INFO, *predictions)
    failures = tflite_test.find_failures(report)
    assert len(failures) == 2
    assert "96.67%" in failures[0] and "MIN_AGREEMENT = 97.00%" in failures[0]
    assert "10.42 points" in failures[1] and "MAX_MEAN_IOU_DROP = 1.00" in failures[1]
    monkeypatch.setattr(tflite_test, "MIN_AGREEMENT", 0.96)
    monkeypatch.setattr(tflite_test, "MAX_MEAN_IOU_DROP", 0.11)
    assert tflite_test.find_failures(report) == []


def test_classes_that_lose_are_named_but_no_failure(predictions, monkeypatch):
    report = tflite_test.compare(INFO, *predictions)
    note, = tflite_test.find_warnings(report)
    assert "MAX_CLASS_IOU_DROP = 1.00" in note
    assert "2 class(es): bird 16.67, background 4.17" in note
    monkeypatch.setattr(tflite_test, "MAX_CLASS_IOU_DROP", 0.1)
    assert "1 class(es): bird 16.67;" in tflite_test.find_warnings(report)[0]
    assert tflite_test.find_warnings(report | {"iou_drop": [None, 0.1]}) == []


def test_a_loss_has_a_minus_sign(predictions, capsys):
    report = tflite_test.compare(INFO, *predictions)
    tflite_test.print_report(report | {"milliseconds_per_image": {"keras": 2, "int8": 1},
                                       "bytes": {"keras": 4, "int8": 1}})
    assert "percentage points: bird -16.67, background -4.17\n" in capsys.readouterr().out


class Interpreter:
    """Stands in for an int8 model of a size and a number of classes."""

    def __init__(self, size, num_classes):
        self.size, self.num_classes = size, num_classes

    def get_input_details(self):
        return [{"shape": (1, *self.size, 3), "dtype": np.int8, "quantization": (2 / 255, -1)}]

    def get_output_details(self):
        return [{"shape": (1, *self.size, self.num_classes), "dtype": np.int8}]


def test_an_int8_model_of_another_training_is_refused():
    info = INFO | {"image_size": [32, 64]}
    tflite_test.check_same_shape(Interpreter((32, 64), 2), info)
    for size, num_classes in (((64, 32), 2), ((32, 64), 3)):
        with pytest.raises(InputError, match=r"model\.json says \(32, 64\) and 2: run tflite_conv"):
            tflite_test.check_same_shape(Interpreter(size, num_classes), info)


def test_picture_marks_where_the_two_differ(predictions, tmp_path):
    labels, keras, int8 = predictions
    images = np.full((3, 10, 10, 3), 90, np.uint8)
    report = tflite_test.compare(INFO, labels, keras, int8)
    tflite_test.draw_report(tmp_path / "report.png", INFO, report, images, labels, keras, int8)
    with Image.open(tmp_path / "report.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    red = (pixels == tflite_test.DIFFERENCE_COLOR).all(-1).sum()
    assert abs(red - 192 * 192 * 10 / 100) < 192 * 2  # a tenth of one picture of 192x192
