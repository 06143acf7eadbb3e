"""Tests of memory_needed.py: the network's values, measured trainings, and what is refused."""

import numpy as np
import pytest

import main
from device.errors import InputError
from segmentation.settings import read_settings
from segmentation.train import memory_needed
from segmentation.train.memory_needed import (
    MAX_ERROR,
    decoder_values,
    describe_lack,
    encoder_values,
    estimate_memory,
    tell_memory,
)

TUTORIAL = (512, 256, 128, 64)
SMALL = {"class_names": ["a", "b", "c"], "validation_images": np.zeros((4, 1, 1, 3), np.uint8),
         "images": np.zeros((16, 1, 1, 3), np.uint8)}


def make_settings(**constants):
    """Returns main.py's settings with these constants."""
    settings, errors = read_settings({**vars(main), **constants})
    assert not errors
    return settings


def test_values_of_the_network_are_those_of_keras():
    """By the shapes of MobileNetV2's layers in Keras 3, summed up for a pixel of the image."""
    assert encoder_values(1.0) == (38.5625, 131.84375)
    assert encoder_values(0.35) == (17.359375, 55.8046875)
    assert encoder_values(1.4) == (56.125, 189.046875)
    default = ((128, 96), (96, 64), (64, 48), (48, 32))
    assert decoder_values(default, 38) == 224 / 256 + 160 / 64 + 112 / 16 + 80 / 4
    assert decoder_values(TUTORIAL, 38) == 38 + 2 * (512 / 256 + 256 / 64 + 128 / 16 + 64 / 4)


@pytest.mark.parametrize("megabytes, num_classes, constants", [
    (1179, 3, {}), (1715, 3, {"BATCH_SIZE": 4, "ENCODER_WEIGHTS": None}),
    (3149, 60, {"BATCH_SIZE": 8}), (2653, 3, {"BATCH_SIZE": 16}),
    (1593, 3, {"BATCH_SIZE": 4, "DECODER_FILTERS": TUTORIAL}),
    (1821, 3, {"ENCODER_ALPHA": 0.35, "ENCODER_WEIGHTS": None}),
    (1664, 3, {"IMAGE_SIZE": (192, 256), "FINE_TUNE_EPOCHS": 1}),
    (2440, 3, {"IMAGE_SIZE": (512, 512), "BATCH_SIZE": 4}),
    (4573, 3, {"IMAGE_SIZE": (1024, 1024), "BATCH_SIZE": 2})])
def test_the_estimate_is_near_what_was_measured(megabytes, num_classes, constants):
    """The peak of main.py on Linux, two cores, with 16 training and 4 validation pictures."""
    size = (256, 320) if constants else (128, 160)
    settings = make_settings(**{"IMAGE_SIZE": size, **constants})
    data = {**SMALL, "class_names": [str(number) for number in range(num_classes)]}
    assert abs(estimate_memory(settings, data) / 1e6 / megabytes - 1) < 0.1


def test_images_without_a_label_count_as_a_second_batch():
    """Measured with 10 training, 2 validation and 8 unlabeled pictures: 2,217 MB."""
    settings = make_settings(IMAGE_SIZE=(256, 320), UNLABELED=True)
    data = {"class_names": SMALL["class_names"], "images": SMALL["images"][:10],
            "validation_images": SMALL["validation_images"][:2],
            "unlabeled_images": SMALL["images"][:8]}
    assert abs(estimate_memory(settings, data) / 2217e6 - 1) < 0.05


def test_what_is_kept_counts_once_and_no_more_than_the_limit():
    settings = make_settings(MEMORY_LIMIT_GB=0.01, COLOR=0)
    base = estimate_memory(settings, SMALL | {"validation_images": np.zeros((0, 1), np.uint8),
                                              "images": np.zeros((0, 1), np.uint8)})
    assert estimate_memory(settings, SMALL) - base == pytest.approx(10_000_000 + 20 * 3)
    on_disk = SMALL | {"images": range(16)}  # such as StoredArray, which has no nbytes
    assert estimate_memory(settings, on_disk) - base == pytest.approx(10_000_000 + 4 * 3)


def test_what_can_not_fit_is_refused_with_a_remedy_that_does():
    settings = make_settings(IMAGE_SIZE=(1024, 1024), BATCH_SIZE=64)
    sentence, = describe_lack(settings, available=16 * 10**9)
    assert sentence == (
        "The training needs about 86.2 GB of memory, and there are 16.0 GB: set BATCH_SIZE = 11 or "
        "IMAGE_SIZE = (416, 416).")
    for changed in ({"BATCH_SIZE": 11}, {"IMAGE_SIZE": (416, 416), "BATCH_SIZE": 64}):
        fitting = make_settings(**{"IMAGE_SIZE": (1024, 1024), **changed})
        assert estimate_memory(fitting) <= 16e9
    needed = estimate_memory(settings)
    assert describe_lack(settings, available=round(needed * (1 - MAX_ERROR)) + 1) == []
    assert describe_lack(settings, available=round(needed * (1 - MAX_ERROR)) - 10)


def test_a_limit_or_no_fine_tuning_may_be_the_remedy():
    settings = make_settings(FINE_TUNE_EPOCHS=1, IMAGE_SIZE=(1024, 1024))
    sentence, = describe_lack(settings, available=int(11.7e9))
    assert sentence.endswith("15.8 GB of memory, and there are 11.7 GB: set BATCH_SIZE = 5 or "
                             "IMAGE_SIZE = (864, 864) or FINE_TUNE_EPOCHS = 0.")
    large = SMALL | {"images": np.broadcast_to(np.uint8(0), (2 * 10**9,))}
    sentence, = describe_lack(make_settings(), large, int(1.5e9))
    assert sentence.endswith("3.1 GB of memory, and there are 1.5 GB: set MEMORY_LIMIT_GB = 0.")


def test_the_line_before_the_training(monkeypatch, capsys):
    monkeypatch.setattr(memory_needed, "find_available_memory", lambda: 8 * 10**9)
    tell_memory(make_settings(), SMALL, False)
    assert capsys.readouterr().out == (
        "The training needs about 1.1 GB of memory (there are 8.0 GB).\n")
    tell_memory(make_settings(ENCODER_WEIGHTS="imagenet"), SMALL, True)  # not downloaded
    assert capsys.readouterr().out.startswith("The training needs about 1.3 GB of memory")
    with pytest.raises(InputError, match=r"and there are 8\.0 GB: set BATCH_SIZE ="):
        tell_memory(make_settings(BATCH_SIZE=4096), SMALL, False)
    monkeypatch.setattr(memory_needed, "find_available_memory", lambda: None)
    tell_memory(make_settings(BATCH_SIZE=4096), SMALL, False)
    assert capsys.readouterr().out.endswith(" GB of memory.\n")
