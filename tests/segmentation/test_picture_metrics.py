"""Tests of picture_metrics.py: intervals, false-positive pictures, the tables, by hand."""

import csv
import json

import numpy as np
import pytest

from segmentation.picture_metrics import (
    PictureMetrics,
    write_class_metrics,
    write_picture_metrics,
)


@pytest.fixture
def pictures():
    """Three pictures of 4x5 with two classes, one of them without class 1 in its label."""
    measured = PictureMetrics(2)
    label = np.zeros((4, 5), np.uint8)
    label[:2, :2] = 1
    assert measured.add(label, label) == 1
    missed = label.copy()
    missed[0, 0] = 0
    assert np.isclose(measured.add(label, missed), (16 / 17 + 3 / 4) / 2)
    empty, false = np.zeros_like(label), np.zeros_like(label)
    empty[3] = 255
    false[0, :3] = false[2, 4] = 1
    false[3] = 1  # in the ignored row: counts nowhere
    measured.add(empty, false)
    return measured


def test_metrics_by_hand(pictures):
    metrics = pictures.summarize()
    assert metrics["pixels"] == [16 + 16 + 15, 8] and metrics["images"] == 3
    assert metrics["predicted_pixels"] == [16 + 17 + 11, 4 + 3 + 4]
    assert np.isclose(metrics["iou"][1], 7 / (8 + 11 - 7))
    assert np.allclose(metrics["precision"], [43 / 44, 7 / 11])
    assert np.allclose(metrics["recall"], [43 / 47, 7 / 8])
    assert metrics["false_positive_pictures"] == [0, 1]
    assert metrics["largest_false_region"] == [0, 3]
    json.dumps(metrics, allow_nan=False)


def test_the_interval_holds_the_mean_and_repeats_itself(pictures):
    metrics = pictures.summarize()
    low, high = metrics["mean_iou_interval"]
    assert low < metrics["mean_iou"] < high
    assert pictures.summarize()["mean_iou_interval"] == [low, high]
    alike = PictureMetrics(2)
    for _ in range(5):
        alike.add(np.array([[0, 1, 1]]), np.array([[0, 0, 1]]))
    assert alike.summarize()["mean_iou_interval"] == [0.5, 0.5]


def test_the_interval_is_as_wide_as_it_should_be():
    """Pictures right with probability 1/2: the mean's deviation is 0.5 / sqrt(n)."""
    measured = PictureMetrics(1)
    for index in range(100):
        measured.add(np.array([[0]]), np.array([[0]]))
        measured.counts[-1][0] = index % 2  # IoU of this picture 0 or 1
        measured.counts[-1][2] = index % 2
    low, high = measured.summarize()["mean_iou_interval"]
    assert 0.38 < low < 0.43 and 0.57 < high < 0.62  # 0.5 -+ 1.96 * 0.05


def test_tables(pictures, tmp_path):
    write_picture_metrics(tmp_path / "metrics.csv", ["a.png", "b.png", "c.png"],
                          ["background", "bird"], pictures)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert [row["image"] for row in rows] == ["a.png", "b.png", "c.png"]
    assert rows[0]["iou bird"] == "1.0" and rows[1]["iou bird"] == "0.75"
    assert rows[2]["pixels"] == "15" and rows[2]["pixels bird"] == "0"
    assert rows[2]["false region bird"] == "3" and rows[0]["false region bird"] == ""
    write_class_metrics(tmp_path / "class_metrics.csv", ["background", "bird"],
                        pictures.summarize())
    rows = list(csv.DictReader((tmp_path / "class_metrics.csv").open()))
    assert rows[1]["class"] == "bird" and rows[1]["largest_false_region"] == "3"
