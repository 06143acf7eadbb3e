"""Tests of from_model.py: what is taken from an earlier model, and what starts fresh."""

import keras
import numpy as np
import pytest

from device.errors import InputError
from device.files import write_json
from get_model import get_model
from segmentation.train.from_model import read_from_model, take_weights

FILTERS = ((16, 8), (12, 8), (8, 4), (8, 4))
NAMES = ["ground", "bird", "tree"]


def make_model(size=(32, 32), num_classes=3, filters=FILTERS, seed=0):
    keras.utils.set_random_seed(seed)
    return get_model(size, num_classes, None, filters)


def logits(model):
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.float32)
    return model(images, training=False).numpy()


@pytest.mark.slow
def test_another_size_takes_all_weights_and_freezes_the_encoder():
    source, model = make_model(), make_model((64, 64), seed=1)
    count = len(model.variables)
    assert take_weights(model, source, NAMES, NAMES) == f"{count} of {count} arrays of weights"
    assert not model.get_layer("encoder").trainable_variables
    whole = make_model((64, 64), seed=2)
    whole.set_weights(source.get_weights())
    assert np.array_equal(logits(model), logits(whole))


@pytest.mark.slow
def test_classes_are_taken_by_name_and_a_new_one_starts_fresh():
    source, names = make_model((64, 64)), ["ground", "cat", "tree", "bird"]
    model = make_model((64, 64), 4, seed=1)
    fresh = model.get_layer("decoder").get_layer("logits").get_weights()[0].copy()
    sentence = take_weights(model, source, names, NAMES)
    assert sentence.endswith("arrays of weights; new classes: cat")
    assert np.allclose(logits(model)[..., [0, 3, 2]], logits(source), atol=1e-5)
    taken = model.get_layer("decoder").get_layer("logits").get_weights()[0]
    assert (taken[:, :, 1] == fresh[:, :, 1]).all()


@pytest.mark.slow
def test_what_does_not_fit_starts_fresh_and_is_named():
    source, model = make_model(), make_model(filters=((16, 8), (12, 8), (8, 4), (6, 4)), seed=1)
    sentence = take_weights(model, source, NAMES, NAMES)
    assert "fresh are " in sentence and "convolve_3/kernel" in sentence
    name = "reduce_bottom"
    assert (model.get_layer("decoder").get_layer(name).get_weights()[0]
            == source.get_layer("decoder").get_layer(name).get_weights()[0]).all()


def test_a_model_that_cannot_be_the_start_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match=r"no .*model\.json"):
        read_from_model(tmp_path, 1.0)
    info = {"class_names": NAMES, "image_size": [32, 32], "decoder_filters": [8, 8, 8, 8],
            "encoder_alpha": 0.5}
    write_json(tmp_path / "model.json", info)
    assert read_from_model(tmp_path, 0.5) == info
    with pytest.raises(InputError, match=r"has ENCODER_ALPHA = 0\.5, but it is 1\.0 here"):
        read_from_model(tmp_path, 1.0)
