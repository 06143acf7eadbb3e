"""Snaps a region drawn too wide to the object within it, by color. Plain NumPy and Pillow.

Colors inside are compared with those of a ring around, as histograms, for a few rounds (the idea of
GrabCut, Rother et al. 2004, without its graph cut). The numbers below were chosen on the training
frames of DAVIS 2016's birds, drawn 1 to 8 pixels too wide (benchmarks/labeling_minutes.py).
"""

import numpy as np
from PIL import Image, ImageFilter

ROUNDS = 4
BINS = 24  # of each color channel
RING = 12  # pixels around the region whose colors are its surroundings
MAX_SIDE = 400  # pixels; larger regions are judged at this size, and the border interpolated
MAX_ODDS = 3.0  # of a pixel's color, so that its neighbors are heard too
SLACK = 4  # pixels within the border that are probably surroundings; deeper ones are the object
SLACK_ODDS = 0.3  # log-odds for each pixel of depth
MODEL_SHARE = 0.5  # of the trained model's log-odds, added to those of the colors
# IoU of what the colors and the model take for the object, from which on the model is heard: one of
# 20 labels that does not know a bird in flight brought its IoU from 0.78 down to 0.33.
AGREEMENT = 0.3


def snap_region(image, region, model_odds=None, reach=0):
    """Takes from a region what looks like its surroundings.

    Args: image, Pillow picture of the label's size; region (top, left, mask), drawn around an
        object, some pixels too wide; model_odds, float32 (h, w) of any size over the whole image:
        a trained model's log-odds of the class that is painted, or None; reach, pixels (of a
        region of MAX_SIDE, more in larger ones) by which it is widened first.
    Returns: region within the given, widened one, or the given one where nothing would be left.
    """
    top, left, mask = region
    if not mask.any():
        return region
    height, width = mask.shape
    scale = max(1.0, max(height, width) / MAX_SIDE)
    margin = round((RING + 2) * scale)
    box = (max(0, left - margin), max(0, top - margin),
           min(image.width, left + width + margin), min(image.height, top + height + margin))
    size = round((box[2] - box[0]) / scale), round((box[3] - box[1]) / scale)
    colors = np.asarray(image.resize(size, Image.Resampling.BOX, box))[..., :3]
    canvas = Image.new("L", (box[2] - box[0], box[3] - box[1]))
    canvas.paste(Image.fromarray(mask.view(np.uint8) * 255), (left - box[0], top - box[1]))
    inside = np.asarray(canvas.resize(size, Image.Resampling.BOX)) > 127
    if not inside.any():
        return region
    if reach:
        inside = widen(inside, reach)
    odds = find_object(colors, inside)
    if model_odds is not None:
        extra = _crop_odds(model_odds, image.size, box, size)
        if _share_in_common(odds > 0, inside & (extra > 0)) >= AGREEMENT:
            odds = find_object(colors, inside, extra)
    fine = np.asarray(Image.fromarray(odds).resize(canvas.size, Image.Resampling.BILINEAR)) > 0
    if reach:
        return (box[1], box[0], fine) if fine.any() else region
    down, right = top - box[1], left - box[0]
    snapped = mask & fine[down:down + height, right:right + width]
    return (top, left, snapped) if snapped.any() else region


def find_object(colors, inside, extra=0.0):
    """Returns log-odds that a pixel belongs to the object, float32 (height, width).

    Args: colors uint8 (height, width, 3); inside, bool, where the object is; extra, log-odds to be
        added, a number or float32 (height, width).
    """
    bins = (colors.astype(np.int32) * BINS // 256) @ np.array([BINS * BINS, BINS, 1])
    ring = widen(inside, RING) & ~inside
    depth = _measure_depth(inside, SLACK + 1)
    prior = SLACK_ODDS * (depth - SLACK) + extra
    chosen = depth > min(2, depth.max() - 1)
    for _ in range(ROUNDS):
        odds = _log_histogram(bins[chosen]) - _log_histogram(bins[ring | (inside & ~chosen)])
        odds = _blur(np.clip(odds[bins], -MAX_ODDS, MAX_ODDS) + prior)
        nearer = inside & (odds > 0)
        if nearer.sum() < 0.05 * inside.sum():
            break
        chosen = nearer
    chosen = inside & (_count_neighbors(chosen) > 4)  # without single pixels
    # Beyond the region nothing is the object, so that interpolation ends at its border.
    return np.where(inside, np.where(chosen, np.abs(odds), -np.abs(odds)), 0).astype(np.float32)


def _share_in_common(mask, other):
    """Returns the IoU of two masks."""
    return (mask & other).sum() / max(1, (mask | other).sum())


def widen(mask, pixels):
    """Returns a mask with a rim of pixels around it."""
    picture = Image.fromarray(mask.view(np.uint8) * 255)
    return np.asarray(picture.filter(ImageFilter.MaxFilter(2 * pixels + 1))) > 0


def _count_neighbors(mask):
    """Returns how many of the 3x3 pixels around each are True."""
    padded = np.pad(mask, 1).astype(np.uint8)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]


def class_odds(logits, index):
    """Returns the log-odds of one class against the others, float32 (height, width)."""
    others = np.delete(logits, index, axis=-1)
    highest = others.max(axis=-1, keepdims=True)
    rest = np.log(np.exp(others - highest).sum(axis=-1)) + highest[..., 0]
    return (logits[..., index] - rest).astype(np.float32)


def _crop_odds(model_odds, image_size, box, size):
    width, height = image_size
    rows, columns = model_odds.shape
    part = (box[0] * columns / width, box[1] * rows / height,
            box[2] * columns / width, box[3] * rows / height)
    picture = Image.fromarray(MODEL_SHARE * model_odds)
    return np.clip(np.asarray(picture.resize(size, Image.Resampling.BILINEAR, part)),
                   -MAX_ODDS, MAX_ODDS)


def _measure_depth(mask, most):
    """Returns how many pixels deep each lies within a mask, up to most, float32."""
    depth, rest = np.zeros(mask.shape, np.float32), mask
    for _ in range(most):
        depth += rest
        padded = np.pad(rest, 1)
        rest = (rest & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2]
                & padded[1:-1, 2:])
    return depth


def _log_histogram(bins):
    """Returns the logarithm of each color's share, smoothed over neighboring colors."""
    counts = np.bincount(bins, minlength=BINS**3).astype(np.float32).reshape(BINS, BINS, BINS)
    for axis in range(3):
        counts = _blur_axis(counts, axis, 0.25)
    counts = counts.ravel() + 0.01 * max(1.0, counts.sum()) / BINS**3
    return np.log(counts / counts.sum())


def _blur(values):
    return _blur_axis(_blur_axis(values, 0, 0.106), 1, 0.106)  # a Gaussian of half a pixel


def _blur_axis(values, axis, share):
    """Mixes each value with share of both its neighbors along an axis."""
    values = np.moveaxis(values, axis, 0)
    padded = np.concatenate([values[:1], values, values[-1:]])
    mixed = (1 - 2 * share) * values + share * (padded[:-2] + padded[2:])
    return np.moveaxis(mixed, 0, axis)
