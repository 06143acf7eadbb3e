"""Tests of bias_table.py: margins by hand, and what a bias really does."""

import numpy as np

from segmentation import bias_table
from segmentation.metrics import confusion_matrix, count_classes, summarize


def test_counts_are_those_of_biased_logits():
    random = np.random.default_rng(0)
    logits = random.normal(scale=2, size=(20, 30, 4))
    label = random.integers(0, 4, (20, 30)).astype(np.uint8)
    label[0] = 255
    counts = bias_table.count_by_bias(logits, label)
    for index in range(4):
        for place, bias in enumerate(bias_table.BIASES):
            mask = (logits + bias * np.eye(4)[index]).argmax(-1)
            right, _, predicted = count_classes(confusion_matrix(label, mask, 4))[:, index]
            assert counts[index, place].tolist() == [right, predicted]
    assert (np.diff(counts[..., 1], axis=1) >= 0).all()


def test_table_by_hand():
    logits = np.array([[[0.0, 3.0], [0.0, -1.5], [0.0, -3.0], [0.0, -9.0]]])
    label = np.array([[1, 1, 0, 0]], np.uint8)
    counts = bias_table.count_by_bias(logits, label)
    metrics = summarize(confusion_matrix(label, logits.argmax(-1), 2))
    lines = bias_table.format_bias_table(["sky", "bird"], counts, metrics).splitlines()
    assert lines[1].split() == ["-4", "-2", "-1", "+0", "+1", "+2", "+4"]
    assert lines[3].replace(" / ", "/").split() == [
        "bird", "0.0/0.0", "100.0/50.0", "100.0/50.0", "100.0/50.0", "100.0/50.0", "100.0/100.0",
        "66.7/100.0"]
