"""Tests of augmentation.py: image and label stay in pair, and only what is asked for varies."""

import numpy as np
import pytest
from small_sets import blobs, coded_pairs

from segmentation.data import augmentation, batches
from segmentation.data.augmentation import Augmentation


def test_augmentation_changes_image_and_label_in_pair():
    images, labels = coded_pairs(4)
    random, flipped, changed = np.random.default_rng(0), 0, 0
    for _ in range(200):
        draws = random.random((4, batches.RANDOM_NUMBERS), np.float32)
        image, label = augmentation.augment_batch(images.astype(np.float32), labels, draws,
                                               Augmentation())
        image, label = image.numpy(), label.numpy()
        assert image.min() >= 0 and image.max() <= 255
        for index in range(4):
            # Whatever was drawn, the brighter pixels are still those of class 1.
            bright, dark = image[index][label[index] == 1], image[index][label[index] == 0]
            assert bright.min() > dark.max()
            flipped += (label[index] != labels[index]).any()
            changed += np.abs(image[index].mean() - images[index].mean()) > 1
    assert 300 < flipped < 500 and changed > 600


@pytest.mark.parametrize("flip, rotate, views", [
    (None, 0, [0]), ("left-right", 0, [0, 4]), ("both", 0, [0, 2, 4, 6]), (None, 90, [0, 1, 2, 3]),
    ("left-right", 90, range(8)), ("both", 90, range(8))])
def test_flips_and_turns_are_those_that_are_asked_for(flip, rotate, views):
    """A square has eight views: turned by 0 to 3 quarters, then mirrored (4 to 7)."""
    label = np.arange(16, dtype=np.uint8).reshape(4, 4)
    image = np.repeat(label[..., None], 3, axis=-1).astype(np.float32) * 10
    eight = [np.rot90(label, -turns) for turns in range(4)]
    eight += [view[:, ::-1] for view in eight]
    numbers = np.random.default_rng(0).random((400, batches.RANDOM_NUMBERS), np.float32)
    images, labels = augmentation.augment_batch(
        np.tile(image, (400, 1, 1, 1)), np.tile(label, (400, 1, 1)), numbers,
        Augmentation(flip, rotate, color=0))
    labels = np.asarray(labels)
    assert np.allclose(images[..., 0], labels * 10.0)
    seen = [next(index for index, view in enumerate(eight) if (view == one).all())
            for one in labels]
    assert set(seen) == set(views)
    assert np.bincount(seen)[list(views)].min() > 400 / len(views) * 0.6


@pytest.mark.parametrize("size", [(32, 64), (64, 32), (31, 64)])
def test_a_quarter_turn_keeps_the_objects_of_images_that_are_not_square(size):
    """Shows the middle square, at its own scale, and beside it padding that counts nowhere."""
    label = np.random.default_rng(0).integers(0, 2, (1, *size), dtype=np.uint8)
    image = np.repeat(label[..., None] * np.float32(200), 3, axis=-1)
    side = min(size)
    top, left = ((length - side) // 2 for length in size)
    quarters = [np.rot90(label[0, top:top + side, left:left + side], turns) for turns in (1, 3)]
    seen = set()
    for number in np.linspace(0, 1, 20, endpoint=False, dtype=np.float32) + 0.0001:
        numbers = np.full((1, batches.RANDOM_NUMBERS), number, np.float32)
        turned, turned_label = (array.numpy()[0] for array in augmentation.augment_batch(
            image, label, numbers, Augmentation(None, 90, 0)))
        padding = turned_label == augmentation.PADDING_LABEL
        assert (turned[padding] == augmentation.PADDING_GRAY).all()
        assert (turned[~padding][:, 0] == 200 * turned_label[~padding]).all()
        if padding.any():
            square = turned_label[~padding].reshape(side, side)
            seen.add(next(index for index, one in enumerate(quarters) if (one == square).all()))
    assert seen == {0, 1}


def test_a_larger_or_smaller_view_keeps_the_pair_together():
    images, labels = blobs(4)
    random, sides, ignored = np.random.default_rng(0), [], 0
    for _ in range(200):
        draws = random.random((4, batches.RANDOM_NUMBERS), np.float32)
        image, label = augmentation.augment_batch(images.astype(np.float32), labels, draws,
                                               Augmentation(color=0), crop_range=(0.5, 2.0))
        image, label = image.numpy()[..., 0], label.numpy()
        assert set(np.unique(label)) <= {0, 1, 255}
        assert (image[label == 255] == augmentation.PADDING_GRAY).all()
        inside = label != 255
        # 125 lies half way: bilinear edges are a pixel wide, nearest ones fall on their middle.
        assert ((image[inside] > 125) == (label[inside] == 1)).mean() > 0.97
        sides.append((label == 1).sum((1, 2)))
        ignored += (label == 255).any((1, 2)).sum()
    assert np.min(sides) < 0.4 * labels[0].sum() < 2 * labels[0].sum() < np.max(sides)
    assert 300 < ignored < 500
