"""Tests of segmentation/labeling/review.py: labels that only the model has seen."""

import json

import numpy as np
import pytest

from device.errors import InputError
from labeling.hand import SQUARE, click, give_model, label_files, open_again, press_key, saved


def give_right_half(window):
    """Gives a model that finds class 2 in the right half of every image."""
    logits = np.zeros((32, 32, 4), np.float32)
    logits[:, :16, 0] = logits[:, 16:, 2] = 1
    give_model(window, lambda path: logits)


def test_all_images_are_filled_and_reviewed_one_by_one(window):
    give_right_half(window)
    press_key(window, "ctrl+p")
    assert label_files(window) == ["image_1.png", "image_2.png"]
    assert "labeled 2 images" in window.message
    text = json.loads((window.session.label_dir / "review.json").read_text())
    assert text == {"to_review": ["image_1.jpg", "image_2.jpg"]}
    window = open_again(window)
    assert len(window.session.unreviewed) == 2
    press_key(window, "r")
    assert window.session.index == 1 and (saved(window)[:, 65:] == 2).all()
    press_key(window, "r")
    assert window.session.index == 2 and len(window.session.unreviewed) == 1
    click(window, *SQUARE)
    press_key(window, "enter")  # corrected: seen
    assert not window.session.unreviewed
    assert not (window.session.label_dir / "review.json").exists()
    press_key(window, "r")
    assert "Nothing is left" in window.message


def test_what_is_painted_by_hand_is_kept(window):
    give_right_half(window)
    press_key(window, "1")
    click(window, (79.5, 19.5), (100.5, 19.5), (100.5, 50.5), (79.5, 50.5))
    press_key(window, "enter", "p")
    assert (saved(window)[20:51, 80:101] == 1).all() and saved(window)[80, 90] == 2


def test_what_only_the_model_filled_is_replaced_by_a_better_model(window):
    give_right_half(window)
    press_key(window, "p")
    logits = np.zeros((32, 32, 4), np.float32)
    logits[..., 3] = 1
    window.session.picture.logits = None
    give_model(window, lambda path: logits)
    press_key(window, "p")
    assert (saved(window) == 3).all()


def test_a_damaged_file_is_named(window):
    (window.session.label_dir / "review.json").write_text("[")
    with pytest.raises(InputError, match=r"review\.json is damaged"):
        open_again(window)
