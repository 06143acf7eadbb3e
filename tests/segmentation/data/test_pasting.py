"""Tests of pasting.py: image and label in pair, what is pasted, and when it pays."""

import numpy as np

from segmentation.data import pasting


def colored(labels):
    """Images whose color tells the label at every pixel."""
    return np.repeat(np.asarray(labels, np.uint8)[..., None] * 40 + 10, 3, axis=-1)


def donors(value=2):
    labels = np.zeros((3, 32, 40), np.uint8)
    labels[:, 5:15, 10:22] = value
    return colored(labels), labels


def test_image_and_label_stay_in_pair():
    images, labels = donors()
    sizes = set()
    for seed in range(40):
        label = np.zeros((32, 40), np.uint8)
        image = colored(label)
        pasting.paste_objects(image, label, images, labels, 3, np.random.default_rng(seed))
        assert (image == colored(label)).all() and set(np.unique(label)) <= {0, 2}
        sizes.add(int((label > 0).sum()))
    # Nothing in a quarter of the images, else one or two of 120 pixels, scaled by 0.6 to 1.5.
    assert 0 in sizes and len(sizes) > 10 and max(sizes) <= 2 * 18 * 15
    assert min(sizes - {0}) >= 6 * 7


def test_the_same_generator_pastes_the_same():
    images, labels = donors()
    results = []
    for _ in range(2):
        label = np.zeros((32, 40), np.uint8)
        pasting.paste_objects(colored(label), label, images, labels, 3, np.random.default_rng(3))
        results.append(label)
    assert (results[0] == results[1]).all() and results[0].any()


def test_background_ignored_pixels_and_specks_are_not_pasted():
    for labels in (donors(0)[1], donors(255)[1], donors(1)[1] * (np.arange(40) < 12)):
        for seed in range(5):
            label = np.ones((32, 40), np.uint8)
            image = colored(label)
            pasting.paste_objects(image, label, colored(labels), labels.astype(np.uint8), 3,
                                  np.random.default_rng(seed))
            assert (label == 1).all() and (image == 50).all()


def test_objects_larger_than_the_image_are_cut_to_its_size():
    labels = np.ones((1, 32, 40), np.uint8)
    for seed in range(10):
        label = np.zeros((32, 40), np.uint8)
        image = colored(label)
        pasting.paste_objects(image, label, colored(labels), labels, 3,
                              np.random.default_rng(seed))
        assert (image == colored(label)).all()


def test_objects_are_mirrored_only_where_that_is_allowed():
    labels = np.zeros((1, 64, 64), np.uint8)
    labels[0, 8:40, 8:24], labels[0, 8:40, 24:40] = 1, 2  # a left and a right half
    mirrored = {True: 0, False: 0}
    for mirrors in mirrored:
        for seed in range(30):
            label = np.zeros((64, 64), np.uint8)
            pasting.paste_objects(colored(label), label, colored(labels), labels, 3,
                                  np.random.default_rng(seed), mirrors)
            rows = label[label.any(1)]
            mirrored[mirrors] += any(2 in row and row[row > 0][0] == 2 for row in rows)
    assert mirrored[True] > 5 and mirrored[False] == 0


def test_it_pays_where_the_background_is_large():
    assert pasting.is_background_large(np.array([91, 5, 4]))
    assert not pasting.is_background_large(np.array([90, 4, 6]))
