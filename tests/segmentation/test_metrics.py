"""Tests of segmentation/metrics.py: confusion matrices and IoU computed by hand."""

import json
import re

import numpy as np

from segmentation import metrics


def test_confusion_matrix_counts_truth_by_row_and_leaves_out_what_is_no_class():
    labels = np.array([[0, 0, 1], [1, 2, 255]], np.uint8)
    predictions = np.array([[0, 1, 1], [0, 2, 2]], np.uint8)
    assert metrics.confusion_matrix(labels, predictions, 3).tolist() == [
        [1, 1, 0], [1, 1, 0], [0, 0, 1]]
    labels[1, 1] = 3
    assert metrics.confusion_matrix(labels, predictions, 3).tolist() == [
        [1, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_iou_by_hand():
    confusion = np.array([[6, 2, 0, 0], [1, 3, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    iou = metrics.iou_of_counts(metrics.count_classes(confusion))
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


def test_many_classes_are_shown_as_the_most_frequent_and_the_worst():
    names = [f"class {index}" for index in range(150)]
    confusion = np.diag(np.arange(150, 0, -1))
    confusion[140:, 0] = np.arange(1, 11)  # the last ten are missed ever more
    confusion[5] = confusion[:, 5] = 0
    table = metrics.format_iou_table(names, {"Keras": metrics.summarize(confusion)})
    shown = [line.split("  ")[0] for line in table.splitlines()[1:-3]]
    assert shown == [f"class {index}" for index in (*range(5), *range(6, 11), *range(140, 150))]
    assert "and 130 more classes" in table


def test_an_epoch_is_not_chosen_for_classes_that_validation_lacks():
    all_background = metrics.summarize(np.array([[100, 0], [0, 0]]))
    assert all_background["mean_iou"] == 1 and metrics.selection_score(all_background) is None
    held = metrics.summarize(np.array([[6, 2, 1], [1, 3, 0], [0, 0, 0]]))
    assert np.isclose(metrics.selection_score(held), (6 / 10 + 3 / 6) / 2)
    assert held["mean_iou"] < metrics.selection_score(held)


def test_the_own_size_has_a_column_of_its_own():
    found = metrics.summarize(np.array([[3, 1], [0, 4]]))
    found["own_size"] = {"mean_iou": 0.5, "mean_iou_without_background": 0.25, "iou": [0.75, 0.25]}
    table = metrics.format_iou_table(["background", "bird"], {"Keras": found})
    cells = [re.split(r" {2,}", line) for line in table.splitlines()]
    assert cells[0] == ["IoU", "Keras", "own size", "precision", "recall"]
    assert cells[1] == ["background", "75.00 %", "75.00 %", "100.00 %", "75.00 %"]
    assert cells[4] == ["mean IoU", "77.50 %", "50.00 %"]
