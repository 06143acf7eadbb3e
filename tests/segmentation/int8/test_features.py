"""Tests of features.py: the int8 encoder's features, and that they are computed once."""

import numpy as np
import pytest
from int8_models import small_unet

from segmentation.int8 import features


@pytest.mark.slow
def test_features_follow_the_keras_encoder():
    model, images = small_unet()
    encoder = model.get_layer("encoder")
    found = features.make_feature_function(encoder, images)(images)
    expected = encoder(images / np.float32(127.5) - 1, training=False)
    assert [feature.shape for feature in found] == [tuple(e.shape) for e in expected]
    for feature, wanted in zip(found, expected):
        error = np.square(feature - wanted.numpy()).mean() / np.square(wanted.numpy()).mean()
        assert feature.dtype == np.float32 and error < 0.1


def test_features_are_computed_once_up_to_the_limit():
    computed = []

    def compute(images):
        """Notes what is computed: each image's mean, and its first pixel twice."""
        computed.append(len(images))
        return [images.mean((1, 2, 3), keepdims=True, dtype=np.float32),
                np.repeat(images[:, :1, :1, :1], 2, axis=3).astype(np.float32)]

    images = np.random.default_rng(1).integers(0, 256, (5, 4, 4, 3), np.uint8)
    cached = features.cache_features(compute, limit_bytes=3 * 12)  # an image's are 3 float32
    for _ in range(2):
        for expected, found in zip(compute(images), cached(images[:3])):
            assert np.array_equal(expected[:3], found)
    assert computed == [5, 3, 5]  # the second time nothing had to be computed
    mixed = cached(images[[4, 1, 3]])
    assert computed[-1] == 2  # only the two new ones, in their order
    assert all(np.array_equal(a, b) for a, b in zip(mixed, compute(images[[4, 1, 3]])))
    cached(images[3:])
    assert computed[-1] == 2  # beyond the limit they are computed again
