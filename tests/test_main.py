"""Tests of main.py: losses by hand, the split, repeatable training, its files."""

import csv
import json
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import write_pair, write_square_pairs
from PIL import Image

import import_data
import main
from device.errors import InputError
from main import cross_entropy_loss, dice_loss
from segmentation import evaluate, results
from segmentation.train import checkpoint, run

SURE = 50.0  # a logit that makes the softmax exactly 1 in float32


def sure_logits(predictions, num_classes):
    return SURE * tf.one_hot(predictions, num_classes)


@pytest.fixture
def small_run(monkeypatch, folders, tmp_path):
    """Constants for a run of two epochs on 16 small pairs."""
    write_square_pairs(folders, 16)
    for name, value in {
            "IMAGE_DIR": str(folders[0]), "LABEL_DIR": str(folders[1]), "IMAGE_SIZE": (32, 32),
            "ENCODER_WEIGHTS": None, "DECODER_FILTERS": ((8, 8), (8, 8), (8, 4), (8, 4)),
            "BATCH_SIZE": 4, "EPOCHS": 2, "MIN_STEPS_PER_EPOCH": 1,
            "OUTPUT_DIR": str(tmp_path / "output")}.items():
        monkeypatch.setattr(main, name, value)
    return tmp_path / "output"


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
    with pytest.raises(InputError, match=r"LOSS is .focal.*dice"):
        main.make_loss("focal", weights, 255)


# ---- data ------------------------------------------------------------------------------------


def test_split_is_whole_disjoint_and_repeats_by_seed():
    names = [f"{index}.png" for index in range(50)]
    training, validation = import_data.split_names(names, 0.2, 7)
    assert sorted(training + validation) == sorted(names) and len(validation) == 10
    assert (training, validation) == import_data.split_names(names, 0.2, 7)
    assert validation != import_data.split_names(names, 0.2, 8)[1]
    assert [len(part) for part in import_data.split_names(["a", "b"], 0.01, 0)] == [1, 1]
    with pytest.raises(InputError, match="can't be split"):
        import_data.split_names(["a"], 0.2, 0)


def test_validation_folders_are_used_whole(small_run, folders, tmp_path, monkeypatch):
    other = tmp_path / "val_images", tmp_path / "val_labels"
    for folder in other:
        folder.mkdir()
    write_pair(other, "v", np.eye(8) * 3)  # a class that no training label holds
    monkeypatch.setattr(main, "VALIDATION_IMAGE_DIR", str(other[0]))
    monkeypatch.setattr(main, "VALIDATION_LABEL_DIR", str(other[1]))
    data = import_data.load_data()
    assert len(data["images"]) == 16 and data["validation_names"] == ["v.png"]
    assert len(data["class_names"]) == 4 and data["class_weights"][3] == 0


# ---- training --------------------------------------------------------------------------------


def test_a_run_leaves_all_its_files_and_repeats_itself(small_run, capsys):
    main.main()
    printed = capsys.readouterr().out
    assert "class 2" in printed and "epoch 2/2  loss" in printed and "predictions.png" in printed
    assert {path.name for path in small_run.iterdir()} == {
        "model.keras", "model.json", "history.csv", "curves.png", "predictions.png",
        "checkpoint.npz"}
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

    saved = keras.models.load_model(small_run / "model.keras", compile=False)
    data = import_data.load_data()
    predictions = evaluate.make_predictor(saved)(data["validation_images"])
    assert evaluate.measure(predictions, data)["mean_iou"] == info["validation_metrics"]["mean_iou"]

    main.main()
    again = list(csv.DictReader((small_run / "history.csv").open()))
    for row in history + again:
        del row["seconds"], row["evaluation_seconds"]
    assert history == again


def test_best_epoch_is_the_one_saved(small_run, monkeypatch):
    scores = iter([0.2, 0.6, 0.4, 0.6])
    monkeypatch.setattr(main, "EPOCHS", 3)
    monkeypatch.setattr(evaluate, "measure", lambda predictions, data: {
        "mean_iou": next(scores), "mean_iou_without_background": 0.1, "iou": [0.1, 0.2, None]})
    saved = []
    monkeypatch.setattr(results, "save_model", lambda model, path: (
        saved.append(path.name), model.save(path, include_optimizer=False)))
    main.main()
    info = json.loads((small_run / "model.json").read_text())
    assert saved == ["model.keras"] * 2 and info["validation_metrics"]["epoch"] == 2


def test_interrupting_keeps_the_best_epoch_and_writes_the_pictures(small_run, monkeypatch, capsys):
    def interrupt(path, history):
        if len(history) == 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(main, "EPOCHS", 5)
    monkeypatch.setattr(results, "write_history", interrupt)
    main.main()
    printed = capsys.readouterr().out
    assert "Interrupted after 2 of 5 epochs" in printed and "RESUME = True" in printed
    assert json.loads((small_run / "model.json").read_text())["validation_metrics"]["epoch"] <= 2
    assert (small_run / "predictions.png").exists()


def history_without_seconds(folder):
    rows = list(csv.DictReader((folder / "history.csv").open()))
    return [{key: value for key, value in row.items() if "seconds" not in key} for row in rows]


def test_a_killed_run_that_is_resumed_ends_as_one_that_was_not(small_run, monkeypatch, tmp_path):
    monkeypatch.setattr(main, "EPOCHS", 6)
    main.main()
    whole = history_without_seconds(small_run)
    metrics = json.loads((small_run / "model.json").read_text())["validation_metrics"]

    def save_and_die(folder, content, *arrays):
        checkpoint.save_checkpoint(folder, content, *arrays)
        if content["epochs"] == 3:
            raise SystemError("killed")

    monkeypatch.setattr(main, "OUTPUT_DIR", str(tmp_path / "killed"))
    monkeypatch.setattr(checkpoint, "save_checkpoint", save_and_die)
    with pytest.raises(SystemError):
        main.main()
    assert len(history_without_seconds(tmp_path / "killed")) == 3
    monkeypatch.setattr(checkpoint, "save_checkpoint", checkpoint.save_checkpoint)
    monkeypatch.setattr(main, "RESUME", True)
    main.main()
    assert history_without_seconds(tmp_path / "killed") == whole
    info = json.loads((tmp_path / "killed" / "model.json").read_text())
    assert info["validation_metrics"] == metrics
    monkeypatch.setattr(main, "IMAGE_SIZE", (64, 32))
    with pytest.raises(InputError, match=r"IMAGE_SIZE was \[32, 32\] and is \[64, 32\]\. .*RESUME"):
        main.main()


def test_patience_ends_a_run_that_gets_no_better(small_run, monkeypatch):
    monkeypatch.setattr(main, "EPOCHS", 9)
    monkeypatch.setattr(main, "PATIENCE", 2)
    monkeypatch.setattr(evaluate, "measure", lambda predictions, data: {
        "mean_iou": 0.5, "mean_iou_without_background": 0.1, "iou": [0.1, 0.2, None]})
    main.main()
    assert len(history_without_seconds(small_run)) == 3


def test_few_images_are_gone_through_several_times(monkeypatch):
    monkeypatch.setattr(main, "MIN_STEPS_PER_EPOCH", 20)
    assert [run.count_repeats(count) for count in (1, 20, 168, 20_000)] == [160, 8, 1, 1]


def test_an_epochs_line_names_the_worst_class():
    row = {"epoch": 3, "loss": 0.5, "mean_iou": 0.625, "seconds": 2.0, "evaluation_seconds": 0.5}
    line = run.format_epoch(row, {"iou": [0.9, None, 0.35]}, ["sky", "cat", "bird"], True)
    assert line.split() == (f"epoch 3/{main.EPOCHS} loss 0.5000 mean IoU 62.50 % worst: bird "
                            f"35.00 % 2.5 s best").split()


def test_output_dir_that_cannot_be_written_is_said_first(small_run, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("x")
    monkeypatch.setattr(main, "OUTPUT_DIR", str(tmp_path / "file" / "output"))
    with pytest.raises(InputError, match=r"OUTPUT_DIR .* can't be written"):
        main.main()


def test_one_class_everywhere_is_warned_of(capsys):
    predictions = np.zeros((2, 100, 100), np.uint8)
    evaluate.warn_of_one_class(predictions, ["background", "bird"])
    assert "100.00% of the predicted pixels are background" in capsys.readouterr().out
    predictions[0, :10] = 1
    evaluate.warn_of_one_class(predictions, ["background", "bird"])
    assert capsys.readouterr().out == ""


def test_validation_labels_without_any_class_are_an_error(small_run, folders, tmp_path,
                                                          monkeypatch):
    other = tmp_path / "val_images", tmp_path / "val_labels"
    for folder in other:
        folder.mkdir()
    write_pair(other, "v", np.full((8, 8), 255))
    monkeypatch.setattr(main, "VALIDATION_IMAGE_DIR", str(other[0]))
    monkeypatch.setattr(main, "VALIDATION_LABEL_DIR", str(other[1]))
    with pytest.raises(InputError, match="nothing to measure on"):
        import_data.load_data()


def test_wrong_size_is_said_before_the_training(small_run, monkeypatch):
    monkeypatch.setattr(main, "IMAGE_SIZE", (100, 100))
    monkeypatch.setattr(run, "train", lambda *_: pytest.fail("it trained"))
    with pytest.raises(InputError, match=r"\(96, 96\) and \(128, 128\)"):
        main.main()
