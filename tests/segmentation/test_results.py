"""Tests of results.py: the pictures, for few and for many classes and large images."""

import warnings

import numpy as np
import pytest
from PIL import Image

from segmentation import results


def read_picture(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


@pytest.mark.parametrize("count", [2, 12, 150])
def test_curves_leave_room_for_the_axes(tmp_path, count):
    names = [f"a class with quite a long name {index}" for index in range(count)]
    history = [{"epoch": epoch, "loss": 1 / epoch, "mean_iou": epoch / 10}
               | {f"iou {name}": epoch / 10 if index else None for index, name in enumerate(names)}
               for epoch in range(1, 6)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # "axes sizes collapsed to zero"
        results.draw_curves(tmp_path / "curves.png", history, names, np.arange(count))
    picture = read_picture(tmp_path / "curves.png")
    red = (picture == (255, 0, 0)).all(-1)  # mean IoU
    assert np.ptp(np.flatnonzero(red.any(axis=0))) > 300


@pytest.mark.parametrize("count", [2, 150])
def test_confusion_matrix_is_drawn(tmp_path, count):
    confusion = np.diag(np.full(count, 100)) + np.eye(count, k=1, dtype=int) * 3
    confusion[1] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results.draw_confusion(tmp_path / "confusion.png", confusion, ["bird"] * count)
    picture = read_picture(tmp_path / "confusion.png")
    assert max(picture.shape) < 2500
    assert (picture.sum(axis=-1) < 250).sum() > 500  # the dark blue of 97 %


def test_names_of_any_letters_are_drawn_without_a_warning(tmp_path):
    names = ["sky", "\u9ce5", "\u00e9l\u00e9phant", "$a_b$ {", "x" * 60]
    assert results.drawable_names(names)[:2] == ["sky", "class 1"]
    history = [{"epoch": 1, "loss": 1, "mean_iou": 0.5} | {f"iou {name}": 0.5 for name in names}]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # "Glyph missing from font"
        results.draw_curves(tmp_path / "curves.png", history, names, np.ones(5))
        results.draw_confusion(tmp_path / "confusion.png", np.eye(5, dtype=int), names)


def test_large_images_are_shrunk_before_they_are_kept():
    image, label = np.zeros((3000, 4000, 3), np.uint8), np.zeros((3000, 4000), np.uint8)
    small, small_label = results.shrink(image, label)
    assert small.shape == (300, 400, 3) and small_label.shape == (300, 400)
    assert results.shrink(image[:128, :160])[0].shape == (128, 160, 3)


def test_predictions_of_different_sizes_are_drawn(tmp_path):
    shown = [(np.full((*size, 3), 90, np.uint8), np.ones(size, np.uint8), np.zeros(size, np.uint8))
             for size in ((20, 30), (40, 30))]
    results.draw_predictions(tmp_path / "a.png", shown, ["background", "bird"], ["a", "b"])
    assert read_picture(tmp_path / "a.png").std() > 10
