"""Tests of settings.py: which constants are right, and what is said to those that are not."""

from pathlib import Path

import numpy as np
import pytest
from small_sets import read_constants

from segmentation.settings import RULES, read_settings

CONSTANTS = read_constants()


def find_errors(name, value):
    """Returns the sentences on main.py's constants, one of them changed."""
    return read_settings({**CONSTANTS, name: value})[1]


def test_the_constants_of_main_are_right():
    constants = read_constants()
    assert read_settings(constants)[1] == [] and set(constants) == set(RULES)


def test_settings_hold_each_constant_once_and_can_not_be_changed():
    settings, errors = read_settings(read_constants())
    assert errors == [] and settings.image_size == (128, 160) and settings.seed == 1
    with pytest.raises(AttributeError):
        settings.seed = 2


def test_wrong_constants_leave_settings_to_look_at_the_folders_with():
    settings, errors = read_settings({**read_constants(), "SEED": -1, "IMAGE_DIR": 5})
    assert settings.seed == 1 and settings.image_dir is None and settings.epochs == 20
    assert errors == ["IMAGE_DIR is 5, but it must be the path of a folder, in quotation marks.",
                      "SEED is -1, but it must be a whole number of 0..4294967295."]


@pytest.mark.parametrize("name, values", [
    ("IMAGE_DIR", ["images", Path("images")]), ("VALIDATION_IMAGE_DIR", [None, "images"]),
    ("VALIDATION_SPLIT", [0.01, 0.99]), ("IMAGE_SIZE", [(32, 32), [8192, 64]]),
    ("CLASS_NAMES", [None, ["a", "b"], ("a", "ä")]), ("IGNORE_LABEL", [None, 0, 255, [0, 255], []]),
    ("CLASS_IDS", [None, [0, 7], (0, 255), {0: 0, 7: 1, 8: 1}, {7: 1}]),
    ("OTHER_IDS", ["error", "ignore", "background"]), ("SPLIT_BY", [None, r"(.*)_\d+"]),
    ("CLASS_WEIGHTS", [None, {}, {"bird": 2, "ä": 0.5}]),
    ("ENCODER_WEIGHTS", [None, "imagenet", Path("x.h5")]), ("CLASS_WEIGHT_POWER", [0, 1, 0.5]),
    ("DECODER_FILTERS", [(512, 256, 128, 64), [[8, 8], [8, 8], [8, 4], [8, 4]]]),
    ("ENCODER_ALPHA", [0.35, 1, 1.0, 1.4]), ("LEARNING_RATE", [1, 1e-5]),
    ("SEED", [0, 2**32 - 1]), ("PATIENCE", [None, 5]),
])
def test_right_constants(name, values):
    assert [find_errors(name, value) for value in values] == [[]] * len(values)


@pytest.mark.parametrize("name, values", [
    ("IMAGE_DIR", [None, 3, "", " ", "a\0b", b"images", ["images"]]),
    ("VALIDATION_LABEL_DIR", [7, "labels"]),  # the other one is missing
    ("VALIDATION_SPLIT", [0, 1, -0.2, 1.5, "0.2", None, float("nan"), True]),
    ("SKIP_UNLABELED", [None, 1, "no"]), ("FLIP", [True, "up"]),
    ("ROTATE", [45, True, 90.0]), ("COLOR", [-1, 2, None]), ("PASTE_OBJECTS", [0.9]),
    ("MIX_CLASSES", [-0.1, 1.5, True, None]),
    ("ENCODER_ALPHA", [None, 0, 0.6, "1.0", True, float("nan"), np.float32(1)]),
    ("IMAGE_SIZE", [None, 128, (128,), (128, 160, 3), (128.0, 160), "ab", (0, 32), (-32, 32),
                    (33, 64), (32, 8224), (np.int64(32), 32), (True, 32)]),
    ("CLASS_NAMES", [[], "ab", ["a"], ["a", "a"], ["a", 1], ["a", ""], ["a", "b\n"],
                     [str(index) for index in range(256)], {"a": 1}]),
    ("IGNORE_LABEL", [-1, 256, 1.5, "255", False, [0, 256], (0, 1), [1, 1]]),
    ("CLASS_IDS", [[], [0], [0, 0], [0, 256], "01", {}, {0: 0}, {0: 0, 1: 2}, {0: 0, "1": 1}, 3]),
    ("OTHER_IDS", [None, "void"]), ("SPLIT_BY", ["(", "", 3]), ("LABELS_TURNED", [1]),
    ("CLASS_WEIGHTS", [["bird"], {"bird": -1}, {1: 2}, {"bird": "2"}]),
    ("ENCODER_WEIGHTS", [5, ""]),
    ("DECODER_FILTERS", [None, (), (8, 8), (8, 8, 8, 0), ((8, 8),) * 3, (8, (8, 8), 8, 8), "abcd",
                         ((8, 8, 8),) * 4, (8.0, 8, 8, 8)]),
    ("LOSS", [None, "focal", 1, np.zeros(3), ["dice"]]), ("CLASS_WEIGHT_POWER", [-1, "1", None]),
    ("BATCH_SIZE", [0, -8, 8.0, "8", None, True, np.int64(8)]), ("EPOCHS", [0, 1.5]),
    ("LEARNING_RATE", [0, -1, "1e-3", 10**400, float("inf"), float("nan")]),
    ("SEED", [-1, 2**32, None]),
    ("OUTPUT_DIR", [None, 1]), ("PATIENCE", [0]), ("FINE_TUNE_EPOCHS", [-1, None]),
])
def test_wrong_constants(name, values):
    for value in values:
        sentences = find_errors(name, value)
        assert len(sentences) == 1 and sentences[0].startswith(name), value
        assert sentences[0].endswith(".") and len(sentences[0]) < 300


@pytest.mark.parametrize("name", RULES)
def test_any_value_gets_a_sentence_or_passes(name):
    for value in (None, True, -1, 0, 1, 1.5, 10**400, float("nan"), 1j, "", "\0", "\udcff", b"x",
                  [], [[]], {}, set(), (1, 2), ["a", "b"], np.zeros((9, 9)), np.float32(1), object,
                  len, Path(), range(4)):
        sentences = find_errors(name, value)
        assert len(sentences) <= 1 and all("\n" not in sentence for sentence in sentences)


def test_paths_as_people_type_them(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    settings, errors = read_settings({**read_constants(), "IMAGE_DIR": "~/images",
                                      "CACHE_DIR": Path("~/cache")})
    assert errors == []
    assert settings.image_dir == "/home/me/images" and settings.cache_dir == "/home/me/cache"
    sentence, = find_errors("IMAGE_DIR", "D:\new\train")
    assert sentence == (
        "IMAGE_DIR is 'D:\\new\\train', in which Python reads a backslash and a letter as one "
        "sign: put an r in front of the quotation marks, r\"...\", or write / for each backslash.")
