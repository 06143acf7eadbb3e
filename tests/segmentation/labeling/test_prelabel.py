"""Tests of segmentation/labeling/prelabel.py, with matplotlib's events on the Agg canvas."""

import json
import os

import numpy as np
import pytest

from device.drawing import class_colors
from device.errors import InputError
from device.images import read_image
from device.tflite import most_likely_classes
from labeling.hand import NAMES, SIZE, click, give_model, label_files, make_images, press_key, saved
from segmentation.labeling import assistance, prelabel
from segmentation.labeling.opening import open_session
from segmentation.labeling.window import open_window


def test_prediction_is_put_in_and_undone(window):
    logits = np.zeros((32, 32, 4), np.float32)
    logits[:, :16, 0] = logits[:, 16:, 2] = 1
    give_model(window, lambda path: logits)
    press_key(window, "p")
    assert "Labeled by the model" in window.message
    assert (saved(window)[:, 65:] == 2).all() and not saved(window)[:, :63].any()
    press_key(window, "b")
    click(window, (20, 20))
    press_key(window, "z", "z")
    assert not label_files(window)
    press_key(window, "y")
    assert (saved(window)[:, 65:] == 2).all()


def test_uncertainty():
    sure, unsure = np.zeros((2, 8, 8, 3), np.float32)
    sure[..., 1] = 50
    unsure[..., :2] = 50
    assert prelabel.measure_uncertainty(sure) == pytest.approx(0, abs=1e-6)
    assert prelabel.measure_uncertainty(unsure) == pytest.approx(1, abs=1e-6)
    even = np.log(np.array([[[0.5, 0.3, 0.2]]], np.float32))
    assert prelabel.measure_uncertainty(even) == pytest.approx(0.8, abs=1e-6)


def test_least_sure_image_is_found_and_measured_once(tmp_path):
    paths = make_images(tmp_path / "images", 6)
    paths[4].write_bytes(b"no image")
    window = open_window(open_session(tmp_path / "images", tmp_path / "labels", NAMES))
    asked = []

    def predict(path):
        asked.append(path)
        if path == paths[4]:
            raise InputError("can't be read")
        logits = np.zeros((4, 4, 4), np.float32)
        logits[..., 0] = {0: 9, 1: 3, 2: 0.5, 3: 1, 5: 4}[paths.index(path)]
        return logits

    give_model(window, predict)
    press_key(window, "u")
    assert window.session.picture.image_path == paths[2] and len(asked) == 5
    press_key(window, "x")  # paths[2] is labeled now; on paths[3]
    press_key(window, "left", "u")
    assert window.session.picture.image_path == paths[3] and asked.count(paths[3]) == 1


def test_the_search_can_be_ended(tmp_path, monkeypatch):
    make_images(tmp_path / "images", 8)
    window = open_window(open_session(tmp_path / "images", tmp_path / "labels", NAMES))
    give_model(window, lambda path: np.zeros((4, 4, 4), np.float32))
    monkeypatch.setattr(assistance, "PROGRESS_SECONDS", -1)
    monkeypatch.setattr(window.figure.canvas, "flush_events",
                        lambda: press_key(window, "right", "escape"))
    press_key(window, "u")
    assert len(window.session.uncertainties) == 1 and window.session.index == 1


def test_without_a_model_a_sentence_says_so(window):
    press_key(window, "p")
    assert "run main.py first" in window.message and not window.busy
    press_key(window, "u")
    assert "run main.py first" in window.message and not window.busy


def test_a_model_of_other_classes_is_refused(window):
    window.session.output_dir.mkdir()
    info = {"class_names": ["background", "fish"], "class_colors": [[0, 0, 0], [1, 1, 1]],
            "image_size": [32, 32], "decoder_filters": [8, 8, 8, 8]}
    (window.session.output_dir / "model.json").write_text(json.dumps(info))
    press_key(window, "p")
    assert "knows background, fish, but you label background, bird, water, sky" in window.message
    assert not label_files(window)


@pytest.mark.slow
def test_pre_labeling_with_a_real_model(window):
    """The model that main.py would save: built and loaded by get_model.py."""
    keras = pytest.importorskip("keras")
    from get_model import get_model, load_model
    from segmentation.results import save_model

    session = window.session
    session.output_dir.mkdir()
    session.load_model = load_model
    keras.utils.set_random_seed(1)
    model = get_model((32, 32), 4, None, (8, 8, 8, 8))
    save_model(model, session.output_dir / "model.keras")
    info = {"class_names": NAMES, "class_colors": class_colors(4).tolist(),
            "image_size": [32, 32], "ignore_label": 255, "decoder_filters": [8, 8, 8, 8]}
    (session.output_dir / "model.json").write_text(json.dumps(info))
    press_key(window, "p")
    assert "Labeled by the model" in window.message
    image = read_image(session.image_paths[0], (32, 32))
    logits = np.asarray(model(image[None].astype(np.float32), training=False))[0]
    expected = most_likely_classes(logits, SIZE, (0, 0, 32, 32))
    assert (saved(window) == expected).mean() > 0.97
    press_key(window, "u")
    assert window.session.index in (1, 2) and len(session.uncertainties) == 2
    os.utime(session.output_dir / "model.keras", (1, 1))  # trained anew
    press_key(window, "p")
    assert session.uncertainties == {} and session.predictor[0] == 10**9
