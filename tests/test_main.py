"""Tests of main.py: losses by hand, and the story of a run: repeatable, its files, its errors."""

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from small_sets import write_pair

import main
from device.errors import InputError
from get_model import load_model
from import_data import load_data
from main import cross_entropy_loss, dice_loss
from segmentation import evaluate
from segmentation.settings import read_settings
from segmentation.train import loop

SURE = 50.0  # a logit that makes the softmax exactly 1 in float32


def sure_logits(predictions, num_classes):
    return SURE * tf.one_hot(predictions, num_classes)


# ---- losses ----------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [(1, 1, 1), (1, 50, 0.02), (0, 0, 3), (0, 0, 0)])
def test_perfect_prediction_costs_nothing_with_any_weights(weights):
    labels = np.array([[[0, 1, 1], [2, 255, 0]]])
    assert float(dice_loss(labels, sure_logits([[[0, 1, 1], [2, 1, 0]]], 3), weights)) == 0
    assert float(cross_entropy_loss(labels, sure_logits([[[0, 1, 1], [2, 1, 0]]], 3),
                                    weights)) < 1e-6


def test_dice_loss_by_hand():
    labels = np.array([[[0, 0, 0, 1]]])
    logits = np.zeros((1, 1, 4, 2), np.float32)  # every class has probability 1/2 everywhere
    # dice of class 0: 2 * 1.5 / (2 + 3) = 0.6; of class 1: 2 * 0.5 / (2 + 1) = 1/3
    expected = (1 * 0.4 + 3 * (2 / 3)) / 4
    assert np.isclose(float(dice_loss(labels, logits, [1.0, 3.0])), expected)


def test_cross_entropy_by_hand():
    labels = np.array([[[0, 0, 1, 255]]])
    logits = np.zeros((1, 1, 4, 2), np.float32)
    assert np.isclose(float(cross_entropy_loss(labels, logits, [1.0, 3.0])), np.log(2))


def test_dice_loss_stays_within_0_and_1():
    random = np.random.default_rng(0)
    for _ in range(50):
        labels = random.choice([0, 1, 2, 255], (2, 6, 5))
        logits = random.normal(size=(2, 6, 5, 3)) * random.choice([0.1, 5, 500])
        weights = random.uniform(0, 100, 3) * random.integers(0, 2, 3)
        assert 0 <= float(dice_loss(labels, logits.astype(np.float32), weights)) <= 1


def test_a_missed_bird_costs_far_more_than_a_dreamt_one():
    bird = np.zeros((1, 20, 20), np.int32)
    bird[0, :4, :5] = 1  # 5 % of the pixels
    nothing = np.zeros_like(bird)
    weights = [20 / 19, 20.0]
    missed = float(dice_loss(bird, sure_logits(nothing, 2), weights))
    dreamt = float(dice_loss(nothing, sure_logits(bird, 2), weights))
    assert missed > 0.9 and missed > 20 * dreamt
    more = bird.copy()
    more[0, 4:8, :5] = 1  # the bird is there, and as many pixels again are taken for it
    assert missed > 2 * float(dice_loss(bird, sure_logits(more, 2), weights))


@pytest.mark.parametrize("loss", [dice_loss, cross_entropy_loss])
def test_gradients_are_finite_when_classes_are_absent(loss):
    for labels in (np.zeros((1, 4, 4), np.uint8), np.full((1, 4, 4), 255, np.uint8)):
        logits = tf.Variable(np.random.default_rng(0).normal(size=(1, 4, 4, 3)) * 100)
        with tf.GradientTape() as tape:
            value = loss(labels, logits, [1.0, 2.0, 0.0])
        assert np.isfinite(float(value))
        assert np.isfinite(tape.gradient(value, logits).numpy()).all()


@pytest.mark.parametrize("loss", [dice_loss, cross_entropy_loss])
def test_ignored_pixels_change_nothing(loss):
    labels = np.array([[[0, 1, 11, 1]]])
    logits = np.random.default_rng(0).normal(size=(1, 1, 4, 2)).astype(np.float32)
    other = logits.copy()
    other[0, 0, 2] = (9, -9)
    value = float(loss(labels, logits, [1.0, 2.0], ignore_label=11))
    assert value == float(loss(labels, other, [1.0, 2.0], ignore_label=11))
    assert np.isclose(value, float(loss(labels[..., [0, 1, 3]], logits[:, :, [0, 1, 3]],
                                        [1.0, 2.0], ignore_label=11)))


def test_sums_are_in_float32_for_half_precision_logits():
    labels = np.ones((1, 300, 300), np.uint8)  # a sum of 90,000 is beyond float16
    logits = tf.zeros((1, 300, 300, 2), tf.float16)
    value = dice_loss(labels, logits, [1.0, 1.0])
    assert value.dtype == tf.float32 and np.isclose(float(value), 1 - 2 * 0.5 / 1.5)


def test_loss_constant_names_its_parts():
    labels, logits, weights = np.array([[[0, 1]]]), tf.zeros((1, 1, 2, 2)), [1.0, 1.0]
    both = main.make_loss("dice+cross-entropy", weights, 255)(labels, logits)
    assert np.isclose(float(both), float(dice_loss(labels, logits, weights)) + np.log(2))


def test_an_unknown_loss_is_said_at_the_start(small_run, monkeypatch):
    monkeypatch.setattr(main, "LOSS", "focal")
    with pytest.raises(InputError, match=r"LOSS is .focal.*dice"):
        main.main()


# ---- a run -----------------------------------------------------------------------------------


def validation_folders(tmp_path, monkeypatch):
    """Two empty folders, which main.py is told to validate on."""
    folders = tmp_path / "val_images", tmp_path / "val_labels"
    for folder, name in zip(folders, ("VALIDATION_IMAGE_DIR", "VALIDATION_LABEL_DIR")):
        folder.mkdir()
        monkeypatch.setattr(main, name, str(folder))
    return folders


def test_validation_folders_are_used_whole(small_run, tmp_path, monkeypatch):
    write_pair(validation_folders(tmp_path, monkeypatch), "v", np.eye(8) * 3)  # a class by itself
    data = load_data(*read_settings(vars(main)))
    assert len(data["images"]) == 16 and data["validation_names"] == ["v.png"]
    assert len(data["class_names"]) == 4 and data["class_weights"][3] == 0


def test_validation_labels_without_any_class_are_an_error(small_run, tmp_path, monkeypatch):
    write_pair(validation_folders(tmp_path, monkeypatch), "v", np.full((8, 8), 255))
    with pytest.raises(InputError, match="nothing to measure on"):
        main.main()


@pytest.mark.slow
def test_a_run_leaves_all_its_files_and_repeats_itself(small_run, capsys):
    main.main()
    printed = capsys.readouterr().out
    assert "class 2" in printed and "epoch 2/2  loss" in printed and "predictions.png" in printed
    files = {"model.keras", "model.json", "history.csv", "metrics.csv", "class_metrics.csv",
             "curves.png", "predictions.png", "predictions_worst.png", "confusion.png",
             "checkpoint.npz"}
    assert {path.name for path in small_run.iterdir()} == files
    info = json.loads((small_run / "model.json").read_text())
    assert info["image_size"] == [32, 32] and len(info["class_colors"]) == 3
    assert len(info["training_images"]) == 13 and len(info["validation_images"]) == 3
    assert not set(info["training_images"]) & set(info["validation_images"])
    history = list(csv.DictReader((small_run / "history.csv").open()))
    assert [row["epoch"] for row in history] == ["1", "2"]
    best = max(history, key=lambda row: float(row["mean_iou"]))
    assert float(best["mean_iou"]) == info["validation_metrics"]["mean_iou"]
    for name in ("curves.png", "predictions.png"):
        with Image.open(small_run / name) as picture:
            assert np.asarray(picture.convert("L")).std() > 10

    data = load_data(*read_settings(vars(main)))
    predictions = evaluate.make_predictor(load_model(small_run, info))(data["validation_images"])
    metrics = info["validation_metrics"]
    assert evaluate.measure(predictions, data)["mean_iou"] == metrics["mean_iou"]
    assert metrics["mean_iou_interval"][0] <= metrics["mean_iou"] and metrics["images"] == 3

    main.main()
    assert "are kept in" in capsys.readouterr().out
    folder, = (small_run / "previous").iterdir()
    assert files == {path.name for path in folder.iterdir()}
    again = list(csv.DictReader((small_run / "history.csv").open()))
    for row in history + again:
        del row["seconds"], row["evaluation_seconds"]
    assert history == again


def test_output_dir_that_cannot_be_written_is_said_first(small_run, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("x")
    monkeypatch.setattr(main, "OUTPUT_DIR", str(tmp_path / "file" / "output"))
    with pytest.raises(InputError, match=r"OUTPUT_DIR .* can't be written"):
        main.main()


def test_wrong_size_is_said_before_the_training(small_run, monkeypatch):
    monkeypatch.setattr(main, "IMAGE_SIZE", (100, 100))
    monkeypatch.setattr(main, "train", lambda *_: pytest.fail("it trained"))
    with pytest.raises(InputError, match=r"\(96, 96\) and \(128, 128\)"):
        main.main()


# ---- a run that ends in its first epoch ------------------------------------------------------


@pytest.fixture
def earlier_run(small_run):
    """OUTPUT_DIR with files of an earlier run; gives what is in each."""
    small_run.mkdir()
    for name in ("model.keras", "model.json", "history.csv", "curves.png", "checkpoint.npz"):
        (small_run / name).write_text(f"the earlier {name}")
    return read_all(small_run)


def read_all(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_an_error_in_the_first_epoch_changes_nothing(small_run, earlier_run, monkeypatch):
    monkeypatch.setattr(loop, "run_step", lambda *_: float("nan"))
    with pytest.raises(InputError, match="The loss is nan in epoch 1"):
        main.main()
    assert read_all(small_run) == earlier_run


@pytest.mark.slow
def test_ctrl_c_in_the_first_epoch_changes_nothing(small_run, earlier_run):
    constants = {name: getattr(main, name) for name in (
        "IMAGE_DIR", "LABEL_DIR", "IMAGE_SIZE", "ENCODER_WEIGHTS", "DECODER_FILTERS", "BATCH_SIZE",
        "OUTPUT_DIR")}
    process = subprocess.Popen(
        [sys.executable, "-c", f"import main; vars(main).update({constants!r}); "
         "main.MIN_STEPS_PER_EPOCH = 100_000; main.run_script(main.main)"],
        cwd=Path(main.__file__).parent, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr.readline().startswith("Epoch 1: ")  # nothing of TensorFlow's before it
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert printed.startswith("Training on the ") and "Ctrl-C: ending after this batch" in printed
    assert "No epoch was complete: OUTPUT_DIR is as it was" in printed
    assert errors.splitlines()[-1].startswith("Interrupted") and "Traceback" not in errors
    assert read_all(small_run) == earlier_run
