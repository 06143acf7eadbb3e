"""Tests of mixing.py: what is taken of which image, in the label and in feature maps."""

import numpy as np
import pytest
import tensorflow as tf

from segmentation.data import mixing
from segmentation.data.mixing import Mixing, mix_classes

LABELS = np.uint8([[[0, 1], [0, 0]], [[2, 0], [0, 255]]])
LARGE = np.float32([[[1, 2], [3, 4]], [[5, 6], [7, 8]]])[..., None]
SMALL = np.float32([[[10]], [[20]]])[..., None]
OBJECTS = Mixing(1, 3, True)


@pytest.fixture(autouse=True)
def no_border(monkeypatch):
    """The images here are too small for one."""
    monkeypatch.setattr(mixing, "BORDER", 0)


def mix(how, inputs=(LARGE, SMALL), label=LABELS, donors=None, seed=(1, 2)):
    """Calls mix_classes on arrays; returns arrays, by default images that give to each other."""
    donor_inputs, donor_label = donors or (inputs, label)
    inputs, donor_inputs = ([tf.constant(value) for value in values]
                            for values in (inputs, donor_inputs))
    mixed, label = mix_classes(inputs, tf.constant(label), donor_inputs,
                               tf.constant(donor_label), seed, how)
    return [value.numpy() for value in mixed], label.numpy()


def test_objects_of_the_next_image_keep_their_place_and_small_maps_are_mixed_by_their_share():
    (large, small), label = mix(OBJECTS)
    assert label.tolist() == [[[2, 1], [0, 0]], [[2, 1], [0, 255]]]
    assert large[..., 0].tolist() == [[[5, 2], [3, 4]], [[5, 2], [7, 8]]]
    assert small.ravel().tolist() == [12.5, 17.5]  # a quarter of the pixels
    assert (label.dtype, large.dtype, small.dtype) == (np.uint8, np.float32, np.float32)


def test_pixels_along_the_edges_of_what_was_put_in_count_nowhere(monkeypatch):
    monkeypatch.setattr(mixing, "BORDER", 1)
    own, donor = np.full((1, 1, 8), 2, np.uint8), np.uint8([[[1, 1, 1, 0, 0, 0, 0, 1]]])
    inputs = [np.zeros((1, 1, 8, 1), np.float32)]
    (mixed,), label = mix(OBJECTS, inputs, own, ([np.ones((1, 1, 8, 1), np.float32)], donor))
    assert mixed.ravel().tolist() == [1, 1, 1, 0, 0, 0, 0, 1]
    assert label.ravel().tolist() == [1, 1, 255, 255, 2, 2, 255, 255]


def test_images_of_another_batch_are_donors_in_turn():
    donors = [np.full((2, 2, 2, 1), 9, np.float32)], np.uint8([[[0, 0], [0, 0]], [[0, 0], [1, 1]]])
    (mixed,), label = mix(OBJECTS, [np.zeros((3, 2, 2, 1), np.float32)],
                          np.zeros((3, 2, 2), np.uint8), donors)
    assert label.tolist() == [[[0, 0], [1, 1]], [[0, 0], [0, 0]], [[0, 0], [1, 1]]]
    assert mixed[..., 0].tolist() == (9.0 * label).tolist()


def test_an_image_alone_and_a_share_of_nothing_change_nothing():
    for how, count in ((OBJECTS, 1), (Mixing(1, 3), 1), (Mixing(0, 3), 2)):
        (large, small), label = mix(how, (LARGE[:count], SMALL[:count]), LABELS[:count])
        assert (label == LABELS[:count]).all()
        assert (large == LARGE[:count]).all() and (small == SMALL[:count]).all()


def test_the_share_and_a_coin_for_each_class_decide_and_the_seed_decides_them():
    own, donor = np.full((500, 1, 3), 3, np.uint8), np.uint8([[[0, 1, 255]]])
    donors = [np.ones((1, 1, 3, 1), np.float32)], donor
    inputs = [np.zeros((500, 1, 3, 1), np.float32)]
    (mixed,), label = mix(Mixing(0.5, 4), inputs, own, donors)
    taken = label != 3
    np.testing.assert_array_equal(mixed[..., 0], taken)
    np.testing.assert_array_equal(label[taken], np.broadcast_to(donor, label.shape)[taken])
    first, second, ignored = taken[:, 0].T
    assert not ignored.any()
    for event in (first & second, first & ~second, ~first & second):
        assert event.mean() == pytest.approx(0.125, abs=0.05)
    assert (mix(Mixing(0.5, 4), inputs, own, donors)[1] == label).all()
    assert (mix(Mixing(0.5, 4), inputs, own, donors, seed=(1, 3))[1] != label).any()


def test_a_devices_share_without_images_stays_empty():
    (large, small), label = mix(OBJECTS, (LARGE[:0], SMALL[:0]), LABELS[:0])
    assert (large.shape, small.shape, label.shape) == ((0, 2, 2, 1), (0, 1, 1, 1), (0, 2, 2))
