"""Tests of unlabeled.py: sure pixels, what a run learns, resuming."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import main
from get_model import get_decoder
from segmentation.data.augmentation import Augmentation
from segmentation.data.mixing import Mixing
from segmentation.int8.features import cache_features
from segmentation.train import loop, unlabeled

SHAPES = [(None, side, side, 6) for side in (16, 8, 4, 2, 1)]


def test_only_pixels_of_which_the_teacher_is_sure_have_a_label(monkeypatch):
    shares = [[0.95, 0.03, 0.02], [0.6, 0.3, 0.1],  # class 0: 0.775 on average
              [0.02, 0.97, 0.01], [0.05, 0.91, 0.04],  # class 1: 0.94, so 0.9 does
              [0.3, 0.2, 0.5], [0.35, 0.25, 0.4]]  # class 2: 0.45
    monkeypatch.setattr(unlabeled, "call_decoder",
                        lambda *_, training: tf.math.log(np.float32([[shares]])))
    assert unlabeled.predict_sure(None, None).numpy().tolist() == [[[0, 255, 1, 1, 2, 255]]]


def test_half_of_a_batch_has_a_label():
    assert [unlabeled.count_labeled(size) for size in (8, 5, 1)] == [4, 2, 1]


def make_data():
    """Ten images with labels, and ten without: bright pixels are class 1."""
    images = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)
    labels = np.uint8(images[..., 0] > 127)
    return {"images": images[:10], "labels": labels[:10], "unlabeled_images": images[10:],
            "training_names": [str(number) for number in range(10)]}


def features(images):
    """Five small feature maps of an image."""
    scaled = tf.constant(images, tf.float32)[..., :2] / 255
    return [tf.concat([tf.image.resize(scaled, shape[1:3])] * 3, -1).numpy() for shape in SHAPES]


def train(data, start=0, state=None, weights=None):
    """Trains six epochs with loop.fit; returns the states after each, and the decoder's weights."""
    keras.utils.set_random_seed(3)
    decoder, states = get_decoder(SHAPES, 2, ((4, 4),) * 4), []
    if weights:
        decoder.set_weights(weights)
    phase = loop.Phase(decoder, features, 1e-2, 0, 6, cached_features=cache_features(features, 1e9),
                       mixing=Mixing(0.5, 2), unlabeled_images=data.get("unlabeled_images", ()))

    def finish(epoch, loss, seconds, variables):
        """Keeps the state after an epoch."""
        states.append(([variable.numpy() for variable in variables], decoder.get_weights()))
        return False

    loop.fit(phase, tf.distribute.get_strategy(), main.make_loss("cross-entropy", [1.0, 1.0], 255),
             data, 5, {"augmentation": Augmentation(color=0), "seed": 1, "repeats": 1}, finish,
             start, state)
    return states


@pytest.mark.slow
def test_images_without_a_label_teach_after_a_fifth_and_a_resumed_run_ends_alike():
    data = make_data()
    whole = train(data)
    without = train({key: data[key] for key in data if key != "unlabeled_images"})
    for epoch, same in ((0, True), (5, False)):  # 2 steps each: 12 * 0.2 is in the second epoch
        assert same == all(np.allclose(one, other) for one, other in zip(
            whole[epoch][1], without[epoch][1]))

    state, weights = whole[2]
    resumed = train(data, 3, state, weights)
    for one, other in zip(whole[5][1], resumed[-1][1]):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
