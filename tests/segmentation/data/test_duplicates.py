"""Tests of duplicates.py: validation images that are training images, or nearly so."""

import numpy as np

from device.images import read_image
from segmentation.data.duplicates import (
    NEAR_DISTANCE,
    make_thumbnails,
    nearest_distances,
    warn_of_duplicates,
)


def scenes(count, seed):
    """Smooth random pictures, uint8 (count, 48, 64, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 6, 8, 3), np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


def test_thumbnails_are_means_of_blocks():
    image = np.zeros((1, 32, 32, 3), np.uint8)
    image[0, :2, :2] = 255, 0, 0
    thumbnail, = make_thumbnails(image, [0])
    assert thumbnail.shape == (256,) and np.isclose(thumbnail.mean(), 0, atol=1e-6)
    assert thumbnail.argmax() == 0 and np.isclose(thumbnail.std(), 1)
    assert np.allclose(thumbnail[1:], thumbnail[1])


def test_other_scenes_are_no_duplicates():
    assert warn_of_duplicates(scenes(30, 0), range(30), scenes(10, 1), range(10), False) == []


def test_the_same_and_nearly_the_same_images_are_told():
    training, validation = scenes(30, 0), scenes(4, 1)
    noise = np.random.default_rng(2).integers(-10, 10, training[0].shape)
    validation[1] = training[7]
    validation[2] = np.clip(np.roll(training[9], 1, axis=1) * 0.9 + noise, 0, 255)
    names, validation_names = [f"t{i}" for i in range(30)], [f"v{i}" for i in range(4)]
    assert warn_of_duplicates(training, names, validation, validation_names, False) == [
        "WARNING: 1 of 4 validation images are training images, too (v1 and t7): the score is too "
        "good; set SPLIT_BY, so that images of one clip or place stay together.",
        "WARNING: 1 of 4 validation images are nearly the same as a training image (v2 and t9), as "
        "frames of one clip are: the score is too good; set SPLIT_BY, so that images of one clip "
        "or place stay together."]
    warning, _ = warn_of_duplicates(training, names, validation, validation_names, True)
    assert warning.endswith("choose other validation images.")


def test_the_threshold_tells_clips_apart(shared):
    """What NEAR_DISTANCE was measured on."""
    paths = sorted((shared / "data/davis_birds").glob("*/images/*.jpg"))
    clips = np.array([path.stem.rpartition("_")[0] for path in paths])
    images = np.stack([read_image(path, (128, 160)) for path in paths])
    thumbnails = make_thumbnails(images, range(len(images)))
    near = []
    for clip in set(clips):
        own, others = thumbnails[clips == clip], thumbnails[clips != clip]
        assert nearest_distances(own, others)[0].min() > 2 * NEAR_DISTANCE
        near += [nearest_distances(own[[place]], np.delete(own, place, axis=0))[0][0]
                 for place in range(len(own))]
    assert np.mean(np.array(near) < NEAR_DISTANCE) > 0.9
