"""Tests of segmentation/labeling/snap.py: regions that snap to the object within them."""

import numpy as np
import pytest
from PIL import Image

from device.images import read_label
from segmentation.labeling.snap import class_odds, snap_region


def as_region(mask):
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return rows[0], columns[0], np.ascontiguousarray(
        mask[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1])


def as_mask(region, shape):
    top, left, mask = region
    whole = np.zeros(shape, bool)
    whole[top:top + mask.shape[0], left:left + mask.shape[1]] = mask
    return whole


def widen(mask, pixels):
    """Returns the mask with a round rim of pixels."""
    down, right = np.mgrid[-pixels:pixels + 1, -pixels:pixels + 1]
    wide, padded = np.zeros_like(mask), np.pad(mask, pixels)
    for y, x in np.argwhere(down**2 + right**2 <= pixels**2).tolist():
        wide |= padded[y:y + mask.shape[0], x:x + mask.shape[1]]
    return wide


def iou_of(one, other):
    return (one & other).sum() / (one | other).sum()


def test_a_disk_of_another_color_is_found():
    rng = np.random.default_rng(0)
    down, right = np.mgrid[:120, :160]
    disk = (down - 60) ** 2 + (right - 80) ** 2 < 30**2
    pixels = np.where(disk[..., None], (200, 60, 40), (40, 90, 160))
    pixels = pixels + rng.integers(0, 30, pixels.shape)
    image = Image.fromarray(pixels.astype(np.uint8)).convert("RGBX")
    snapped = as_mask(snap_region(image, as_region(widen(disk, 6))), disk.shape)
    assert iou_of(snapped, disk) > 0.98


def test_what_is_alike_everywhere_stays_as_it_was_drawn():
    image = Image.new("RGBX", (80, 60), (90, 90, 90))
    mask = np.zeros((60, 80), bool)
    mask[20:40, 30:60] = True
    snapped = as_mask(snap_region(image, as_region(mask)), mask.shape)
    assert snapped.any() and not (snapped & ~mask).any()


def test_large_regions_are_judged_small_but_cut_finely():
    down, right = np.mgrid[:1500, :2000]
    disk = (down - 700) ** 2 + (right - 900) ** 2 < 500**2
    pixels = np.where(disk[..., None], (220, 80, 40), (40, 60, 90)).astype(np.uint8)
    pixels += np.random.default_rng(1).integers(0, 20, pixels.shape, np.uint8)
    drawn = (down - 700) ** 2 + (right - 900) ** 2 < 525**2
    region = snap_region(Image.fromarray(pixels).convert("RGBX"), as_region(drawn))
    assert iou_of(as_mask(region, disk.shape), disk) > 0.98


def test_lassos_drawn_too_wide_snap_to_the_birds(shared):
    """The bars are those of the first experiments; measured: 0.90, 0.82, 0.79, 0.84."""
    bars = {"blackswan": 0.80, "flamingo": 0.70, "mallard-fly": 0.63, "mallard-water": 0.70}
    folder, found = shared / "data/davis_birds/val", {}
    for path in sorted((folder / "labels").glob("*.png")):
        truth = read_label(path) > 0
        if truth.any():
            image = Image.open(folder / "images" / f"{path.stem}.jpg")
            snapped = as_mask(snap_region(image, as_region(widen(truth, 5))), truth.shape)
            found.setdefault(path.stem.rpartition("_")[0], []).append(iou_of(snapped, truth))
    for clip, bar in bars.items():
        assert np.mean(found[clip]) > bar, clip


def test_the_model_s_opinion_is_added():
    image = Image.new("RGBX", (80, 60), (90, 90, 90))  # colors say nothing
    mask = np.zeros((60, 80), bool)
    mask[10:50, 10:70] = True
    logits = np.zeros((15, 20, 3), np.float32)
    logits[..., 1], logits[:, 10:, 1] = 4, -12
    snapped = as_mask(snap_region(image, as_region(mask), class_odds(logits, 1)), mask.shape)
    assert snapped[30, 20] and not snapped[30, 60]


def test_class_odds_are_the_log_of_p_over_1_minus_p():
    logits = np.log(np.array([[[0.5, 0.3, 0.2]]], np.float32))
    assert class_odds(logits, 1)[0, 0] == pytest.approx(np.log(0.3 / 0.7), abs=1e-5)


def test_a_model_that_sees_nothing_of_the_object_is_not_heard():
    down, right = np.mgrid[:120, :160]
    disk = (down - 60) ** 2 + (right - 80) ** 2 < 30**2
    pixels = np.where(disk[..., None], (200, 60, 40), (40, 90, 160)).astype(np.uint8)
    pixels += np.random.default_rng(0).integers(0, 30, pixels.shape, np.uint8)
    image = Image.fromarray(pixels).convert("RGBX")
    alone = as_mask(snap_region(image, as_region(widen(disk, 6))), disk.shape)
    odds = np.full((30, 40), -8, np.float32)
    odds[14:16, 18:20] = 8
    heard = as_mask(snap_region(image, as_region(widen(disk, 6)), odds), disk.shape)
    assert iou_of(alone, disk) > 0.98 and np.array_equal(heard, alone)
