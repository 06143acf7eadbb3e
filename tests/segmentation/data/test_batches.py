"""Tests of batches.py: drawn by seed, image and label in pair, dealt out."""

import numpy as np
import pytest
from small_sets import blobs, coded_pairs

from segmentation.data import batches
from segmentation.data.augmentation import Augmentation


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
