"""Tests of run.py: the best epoch, Ctrl-C, resuming, patience, an epoch's line."""

import csv
import json
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

import main
from device.errors import InputError
from get_model import get_model
from segmentation.data.mixing import Mixing
from segmentation.settings import read_settings
from segmentation.train import loop, run
from segmentation.train.checkpoint import save_checkpoint


def read_history(folder):
    """Returns history.csv as a list of dicts, without the columns of seconds."""
    rows = list(csv.DictReader((folder / "history.csv").open()))
    return [{key: value for key, value in row.items() if "seconds" not in key} for row in rows]


def give_scores(monkeypatch, scores):
    """Lets the epochs' measurement give these values of mean IoU."""
    scores = iter(scores)
    monkeypatch.setattr(run, "measure", lambda predictions, data: {
        "mean_iou": (score := next(scores)), "mean_iou_without_background": 0.1,
        "iou": [score, score, None], "pixels": [5, 5, 0], "predicted_pixels": [5, 5, 0]})


@pytest.mark.slow
def test_best_epoch_is_the_one_saved(small_run, monkeypatch):
    give_scores(monkeypatch, [0.2, 0.6, 0.4])
    monkeypatch.setattr(main, "EPOCHS", 3)
    saved, save_model = [], run.save_model
    monkeypatch.setattr(run, "save_model", lambda model, path: (
        saved.append(path.name), save_model(model, path)))
    main.main()
    info = json.loads((small_run / "model.json").read_text())
    assert saved == ["model.keras"] * 2 and info["validation_metrics"]["epoch"] == 2


@pytest.mark.slow
def test_interrupting_keeps_the_best_epoch_and_writes_the_pictures(small_run, monkeypatch, capsys):
    def interrupt(path, history):
        if len(history) == 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(main, "EPOCHS", 5)
    monkeypatch.setattr(run, "write_table", interrupt)
    main.main()
    printed = capsys.readouterr().out
    assert "Interrupted after 2 of 5 epochs" in printed and "RESUME = True" in printed
    assert json.loads((small_run / "model.json").read_text())["validation_metrics"]["epoch"] <= 2
    assert (small_run / "predictions.png").exists()


@pytest.mark.slow
def test_a_killed_run_that_is_resumed_ends_as_one_that_was_not(small_run, monkeypatch, tmp_path):
    monkeypatch.setattr(main, "EPOCHS", 6)
    main.main()
    whole = read_history(small_run)
    metrics = json.loads((small_run / "model.json").read_text())["validation_metrics"]

    def save_and_die(folder, content, *arrays):
        save_checkpoint(folder, content, *arrays)
        if content["epochs"] == 3:
            raise SystemError("killed")

    monkeypatch.setattr(main, "OUTPUT_DIR", str(tmp_path / "killed"))
    monkeypatch.setattr(run, "save_checkpoint", save_and_die)
    with pytest.raises(SystemError):
        main.main()
    assert len(read_history(tmp_path / "killed")) == 3
    monkeypatch.setattr(run, "save_checkpoint", save_checkpoint)
    monkeypatch.setattr(main, "RESUME", True)
    main.main()
    assert read_history(tmp_path / "killed") == whole
    info = json.loads((tmp_path / "killed" / "model.json").read_text())
    assert info["validation_metrics"] == metrics
    assert not (tmp_path / "killed" / "previous").exists()  # it is the same run
    monkeypatch.setattr(main, "IMAGE_SIZE", (64, 32))
    with pytest.raises(InputError, match=r"IMAGE_SIZE was \[32, 32\] and is \[64, 32\]\. .*RESUME"):
        main.main()
    monkeypatch.setattr(main, "IMAGE_SIZE", (32, 32))
    monkeypatch.setattr(main, "CLASS_IDS", [0, 2, 1])
    with pytest.raises(InputError, match=r"CLASS_IDS was None and is \[0, 2, 1\]"):
        main.main()


@pytest.mark.slow
def test_patience_ends_a_run_that_gets_no_better(small_run, monkeypatch):
    monkeypatch.setattr(main, "EPOCHS", 9)
    monkeypatch.setattr(main, "PATIENCE", 2)
    give_scores(monkeypatch, [0.5] * 9)
    main.main()
    assert len(read_history(small_run)) == 3


def test_an_epoch_is_better_on_the_classes_that_validation_holds():
    def metrics(*iou, pixels=(9, 9, 0)):
        return {"iou": list(iou), "pixels": pixels}

    assert run.is_better(metrics(0.5, 0.5, None), None)
    assert run.is_better(metrics(0.5, 0.6, 0.0), metrics(0.5, 0.5, None))
    assert not run.is_better(metrics(0.5, 0.5, None), metrics(0.5, 0.5, 0.0))
    only_background = (9, 0, 0)
    assert run.is_better(metrics(0.9, 0.0, None, pixels=only_background),
                         metrics(1.0, None, None, pixels=only_background))


def test_augmentation_is_what_the_constants_say():
    settings, _ = read_settings({**vars(main), "FLIP": "both", "ROTATE": 90, "COLOR": 0.1})
    assert run.choose_augmentation(settings) == ("both", 90, 0.1)
    settings, _ = read_settings({**vars(main), "FLIP": None, "ROTATE": 0, "COLOR": 0})
    assert run.choose_augmentation(settings) is None


def test_few_images_are_gone_through_several_times():
    settings, _ = read_settings({**vars(main), "MIN_STEPS_PER_EPOCH": 20, "BATCH_SIZE": 8})
    repeats = [run.count_repeats({"images": np.empty(count)}, settings, 8)
               for count in (1, 20, 168, 20_000)]
    assert repeats == [160, 8, 1, 1]
    assert run.count_repeats({"images": np.empty(168), "crops_per_picture": 4}, settings, 8) == 4
    # As many batches as 360 images with a label have:
    assert run.count_repeats({"images": np.empty(20)}, settings, 4, 347) == 18


def test_with_unlabeled_images_half_of_a_batch_has_a_label():
    settings, _ = read_settings({**vars(main), "MIN_STEPS_PER_EPOCH": 20, "BATCH_SIZE": 8})
    data = {"images": np.empty(20)}
    assert [run.plan_batches(data, settings, count) for count in (0, 347)] == [(8, 8), (4, 18)]


@pytest.mark.parametrize("data, unlabeled_count, expected", [
    ({"images": np.empty(80)}, 0, run.FEW_IMAGES_CROPS), ({"images": np.empty(120)}, 0, None),
    ({"images": np.empty(120)}, 120, run.FEW_IMAGES_CROPS),
    ({"images": np.empty(20), "read_crops": len}, 0, None)])
def test_images_that_an_epoch_shows_several_times_are_cropped(data, unlabeled_count, expected):
    settings, _ = read_settings({**vars(main), "MIN_STEPS_PER_EPOCH": 20, "BATCH_SIZE": 8})
    assert run.choose_crops(data, settings, unlabeled_count) == expected
    settings, _ = read_settings({**vars(main), "FLIP": None, "COLOR": 0})
    assert run.choose_crops(data, settings, unlabeled_count) is None


@pytest.mark.parametrize("wanted, counts, expected", [
    (True, [91, 5, 4], 3), (True, [50, 25, 25], 0), (False, [91, 5, 4], 0)])
def test_objects_are_pasted_where_the_background_is_large(wanted, counts, expected):
    settings, _ = read_settings({**vars(main), "PASTE_OBJECTS": wanted})
    data = {"pixel_counts": np.array(counts), "class_names": ["sky", "cat", "bird"]}
    assert run.count_pasted_classes(data, settings) == expected


@pytest.mark.parametrize("share, counts, expected", [
    (0.25, [91, 5, 4], Mixing(0.25, 3, True)), (1, [50, 25, 25], Mixing(1, 3, False)),
    (0, [91, 5, 4], None)])
def test_only_objects_are_mixed_where_the_background_is_large(share, counts, expected):
    settings, _ = read_settings({**vars(main), "MIX_CLASSES": share})
    data = {"pixel_counts": np.array(counts), "class_names": ["sky", "cat", "bird"]}
    assert run.choose_mixing(data, settings) == expected


@pytest.mark.parametrize("counts, expected", [([91, 5, 4], run.VARIATION), ([90, 5, 5], None)])
def test_channels_vary_where_the_background_is_large(counts, expected):
    data = {"pixel_counts": np.array(counts)}
    assert run.choose_variation(data) == expected
    assert run.choose_variation({**data, "unlabeled_images": np.empty(347)}) is None


def test_where_the_encoder_is_trained_no_classes_are_mixed_and_only_labeled_images_count():
    settings, _ = read_settings({**vars(main), "MIX_CLASSES": 0.25})
    model = SimpleNamespace(get_layer=lambda name: SimpleNamespace(trainable=True))
    data = {"pixel_counts": np.array([9, 1]), "class_names": ["sky", "cat"],
            "unlabeled_images": np.empty(347)}
    phase, = run.plan_phases(model, data, settings, 0)
    assert phase.mixing is None and phase.variation is None
    assert len(phase.unlabeled_images) == 0


def test_fine_tuning_trains_the_encoder_at_a_tenth_of_the_decoders_rate():
    settings, _ = read_settings({**vars(main), "EPOCHS": 2, "FINE_TUNE_EPOCHS": 1,
                                 "FINE_TUNE_FROM": "block_16_expand"})
    model = get_model((32, 32), 2, None, settings.decoder_filters, 0.35)
    encoder = model.get_layer("encoder")
    encoder.trainable = False
    phase, = run.plan_phases(model, {}, settings, 2)
    assert (phase.learning_rate, phase.encoder_rate) == (pytest.approx(5e-3), 5e-4)
    optimizer = loop.make_optimizer(phase, 1, tf.distribute.get_strategy())
    assert optimizer.pretrained_paths == {
        f"block_16_{part}/kernel" for part in ("expand", "depthwise", "project")}
    assert optimizer.pretrained_share * phase.learning_rate == pytest.approx(5e-4)


def test_an_epochs_line_names_the_worst_class():
    settings, _ = read_settings({**vars(main), "EPOCHS": 20, "FINE_TUNE_EPOCHS": 0})
    row = {"epoch": 3, "loss": 0.5, "mean_iou": 0.625, "seconds": 2.0, "evaluation_seconds": 0.5}
    metrics = {"iou": [0.9, None, 0.35]}
    line = run.format_epoch(row, metrics, ["sky", "cat", "bird"], True, settings)
    assert line == ("epoch  3/20  loss 0.5000  mean IoU 62.50 %  worst: bird 35.00 %  2.5 s  best")
