"""Tests of channels.py: which channels are left out or scaled, in which images."""

import numpy as np
import pytest
import tensorflow as tf

from segmentation.data.channels import Variation, vary_channels


def vary(variation, seed=(1, 7)):
    """The factors of a batch of 200 images: of a larger and a smaller map of 50 channels."""
    features = [tf.ones((200, 2, 2, 50)), tf.ones((200, 1, 1, 50))]
    large, small = (feature.numpy() for feature in vary_channels(features, seed, variation))
    assert (large == large[:, :1, :1]).all()  # the same for all pixels of an image
    return large[:, 0, 0], small[:, 0, 0]


def test_whole_channels_are_left_out_and_the_others_make_up_for_them():
    large, small = vary(Variation(0.3))
    np.testing.assert_allclose(np.unique(large), [0, 1 / 0.7], rtol=1e-6)
    assert (large == 0).mean() == pytest.approx(0.3, abs=0.02)
    assert (large[0] != large[1]).any() and (large != small).any()


def test_channels_are_scaled_by_factors_whose_mean_is_1():
    large, _ = vary(Variation(0, spread=0.4))
    assert large.mean() == pytest.approx(1, abs=0.02)
    assert large.std() == pytest.approx(0.4, abs=0.02)


def test_a_share_of_the_images_is_changed_in_all_of_its_maps():
    large, small = ((factors != 1).any(1) for factors in vary(Variation(0.1, 0.4, share=0.25)))
    assert (large == small).all()
    assert large.mean() == pytest.approx(0.25, abs=0.1)


def test_the_seed_alone_decides():
    variation = Variation(0.1, 0.4, 0.5)
    (first, _), (again, _), (other, _) = (vary(variation, (1, number)) for number in (7, 7, 8))
    assert (first == again).all() and (first != other).any()
