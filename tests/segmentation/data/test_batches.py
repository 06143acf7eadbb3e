"""Tests of batches.py, augmentation.py: drawn by seed, image and label in pair, dealt out."""

import numpy as np
import pytest

from segmentation.data import augmentation, batches
from segmentation.data.augmentation import Augmentation


def coded_pairs(count, size=(16, 24)):
    """Images whose color tells the label at every pixel, so that a pair can be checked."""
    labels = np.random.default_rng(1).integers(0, 2, (count, *size), dtype=np.uint8)
    return np.repeat(labels[..., None] * 150 + 50, 3, axis=3).astype(np.uint8), labels


def blobs(count, size=(32, 40)):
    """Images of a large bright rectangle, class 1, on dark ground."""
    labels = np.zeros((count, *size), np.uint8)
    labels[:, 8:26, 10:30] = 1
    return np.repeat(labels[..., None] * 150 + 50, 3, axis=3).astype(np.uint8), labels


def test_dataset_streams_every_image_once_in_batches():
    images, labels = coded_pairs(10)
    found = list(batches.make_dataset(images, labels, 4))
    assert [len(image) for image, _ in found] == [4, 4, 2]
    assert found[0][0].dtype == "float32" and found[0][1].dtype == "uint8"
    assert (np.concatenate([image for image, _ in found]) == images).all()
    assert (np.concatenate([label for _, label in found]) == labels).all()


def test_shuffling_differs_by_epoch_and_repeats_by_seed():
    images = np.arange(32, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)

    def stream(seed, epochs=range(2)):
        dataset = batches.make_dataset(images, images[..., 0], 8, Augmentation(), shuffle=True,
                                         seed=seed, epochs=epochs)
        return [(image.numpy(), label.numpy()) for image, label in dataset]

    both, again, second, other = stream(3), stream(3), stream(3, range(1, 2)), stream(4)
    orders = [np.concatenate([label[:, 0, 0] for _, label in epoch])
              for epoch in (both[:4], both[4:])]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(32))
    assert (orders[0] != orders[1]).any()
    # An epoch does not depend on those before: so an interrupted run can be resumed.
    for one, same in zip(both + both[4:], again + second, strict=True):
        assert (one[0] == same[0]).all() and (one[1] == same[1]).all()
    assert any((a[1] != b[1]).any() for a, b in zip(both, other))


def test_a_small_set_is_gone_through_several_times_an_epoch():
    order = batches.epoch_order(5, 4, shuffle=True, repeats=3)
    assert [len(indices) for indices, _ in order] == [4, 4, 4, 3]
    assert np.bincount(np.concatenate([indices for indices, _ in order])).tolist() == [3] * 5


def test_pasted_objects_stay_in_pair_and_do_not_depend_on_the_devices():
    images, labels = blobs(8)
    labels[:4] = 0
    images[:4] = 50

    def stream(replicas):
        batch, = batches.make_dataset(images, labels, 8, shuffle=True, seed=2, pasted_classes=2,
                                      replicas=replicas)
        return [array.numpy() for array in batch]

    image, label = stream((0, 1, 1))
    assert (image[..., 0] == 50 + 150.0 * label).all()
    assert label.any((1, 2)).sum() > 4  # some of the empty images have got objects
    for device in range(2):
        share = stream((device, device + 1, 2))
        assert (share[0] == image[device::2]).all() and (share[1] == label[device::2]).all()
    assert (labels[:4] == 0).all() and (images[:4] == 50).all()  # the set itself is unchanged


@pytest.mark.parametrize("flip", [None, "left-right"])
def test_pasted_objects_are_mirrored_only_where_flip_is_set(flip):
    images, labels = coded_pairs(8, (32, 40))
    labels[:] = 0
    labels[0, 8:26, 10:20], labels[0, 8:26, 20:30] = 1, 2  # a left and a right half
    seen = set()
    for _, label in batches.make_dataset(images, labels, 8, Augmentation(flip, color=0), True,
                                         epochs=range(8), pasted_classes=3):
        for one in label.numpy():
            seen |= {row[row > 0][0] for row in one if row.any()}
    assert seen == ({1} if flip is None else {1, 2})


@pytest.mark.parametrize("total", [2, 3])
def test_devices_share_each_batch_without_overlap(total):
    images, labels = coded_pairs(10)
    images[:, 0, 0, 0] = np.arange(10)
    shares = [list(batches.make_dataset(images, labels, 4, shuffle=True, seed=5, augmentation=None,
                                          replicas=(device, device + 1, total)))
              for device in range(total)]
    whole = list(batches.make_dataset(images, labels, 4, shuffle=True, seed=5))
    for number, (image, _) in enumerate(whole):
        dealt = np.concatenate([share[number][0][:, 0, 0, 0] for share in shares])
        assert sorted(dealt) == sorted(image[:, 0, 0, 0].numpy())


def test_features_take_the_place_of_the_images():
    images, labels = coded_pairs(6)

    def features(batch):
        assert batch.dtype == np.uint8
        return [batch[:, ::2, ::2].astype(np.float32), batch.mean((1, 2, 3), dtype=np.float32)]

    (first, second), label = next(iter(batches.make_dataset(images, labels, 4,
                                                              features=features)))
    assert first.shape == (4, 8, 12, 3) and (first.numpy() == images[:4, ::2, ::2]).all()
    assert np.allclose(second, images[:4].mean((1, 2, 3))) and (label.numpy() == labels[:4]).all()


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
    assert np.allclose(images[..., 0], labels.numpy() * 10.0)
    seen = [next(index for index, view in enumerate(eight) if (view == one).all())
            for one in labels.numpy()]
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


def test_a_larger_or_smaller_view_keeps_the_pair_together(monkeypatch):
    monkeypatch.setattr(augmentation, "SCALE_RANGE", (0.5, 2.0))
    images, labels = blobs(4)
    random, sides, ignored = np.random.default_rng(0), [], 0
    for _ in range(200):
        draws = random.random((4, batches.RANDOM_NUMBERS), np.float32)
        image, label = augmentation.augment_batch(images.astype(np.float32), labels, draws,
                                               Augmentation(color=0), random_crops=True)
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


def test_crops_take_the_images_place_and_are_dealt_out_to_devices():
    images = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 9, 9, 3), np.uint8)
    labels = images[..., 0]

    def read_crops(indices, numbers):
        """Stands in for tiling.make_crop_reader: the index, and the first random number."""
        crops = np.array(indices)[:, None, None] * np.ones((1, 4, 5), np.uint8)
        shown = np.stack([crops, np.round(255 * numbers[:, :1, None]) + 0 * crops, 0 * crops], -1)
        return shown.astype(np.uint8), crops.astype(np.uint8)

    def batches_of(replicas):
        """Returns image and label of all batches."""
        return [(image.numpy(), label.numpy()) for image, label in batches.make_dataset(
            images, labels, 4, shuffle=True, repeats=2, read_crops=read_crops,
            replicas=replicas)]

    alone = batches_of((0, 1, 1))
    assert [len(image) for image, _ in alone] == [4, 4, 4] and alone[0][0].shape == (4, 4, 5, 3)
    assert all((image[..., 0] == label).all() for image, label in alone)
    shown = sorted(int(label[0, 0]) for _, batch in alone for label in batch)
    assert shown == sorted([*range(6)] * 2)
    dealt = [batches_of((device, device + 1, 2)) for device in (0, 1)]
    for number, (image, _) in enumerate(alone):
        for device in (0, 1):
            assert (dealt[device][number][0] == image[device::2]).all()
