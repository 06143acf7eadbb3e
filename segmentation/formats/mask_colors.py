"""Which values or colors of masks are classes, and which lie on soft edges between them."""

from typing import NamedTuple

import numpy as np

from segmentation.formats.mask_files import Counts, count_values, pack, unpack
from segmentation.formats.reading import ContentError

MERGED_GRAY = 16  # values this near belong to one level of a soft or lossy mask
MERGED_COLOR = 32  # likewise colors, Euclidean
ON_LINE = 6.0  # a color this near the line between two others may be a mixture of them
FEWEST_MIXED = 3  # so many mixtures make soft edges; fewer may be thin classes
SOFT_SPAN = 32  # the levels on both sides of a mixture are at least so far apart
LEAST_SHARE = 2e-5  # of all pixels, that a level of soft masks has
MASK_SHARE = 0.5  # of a mask's pixels at least lie amid their like
SAME_NEIGHBORS = 3  # of eight; a pixel of a color that may be a mixture is pure with so many
BLOCK = 100_000  # pixels that are compared with all classes at once
NEIGHBORS = [(down, right) for radius in (1, 2) for down in range(-radius, radius + 1)
             for right in range(-radius, radius + 1) if max(abs(down), abs(right)) == radius]


class Levels(NamedTuple):
    """The values that are classes, sorted int64; is_soft: whether there are others between them."""

    values: np.ndarray
    is_soft: bool


def add_counts(counts):
    """Returns the Counts of several masks together."""
    values, inverse = np.unique(np.concatenate([one.values for one in counts]),
                                return_inverse=True)
    return Counts(values, *(
        np.bincount(inverse, np.concatenate([getattr(one, field) for one in counts]),
                    len(values)).astype(np.int64) for field in ("pixels", "pure")))


def find_levels(counts, is_color, is_lossy):
    """Finds the values that are classes.

    Masks with hard edges have them all. In soft ones (resized, or JPEG) a class is what fills
    areas, pixels amid their like; nearly equal values are one class.
    Args: counts, of all masks; is_color, whether values are packed colors.
    Returns: Levels, or None where the pictures are no masks.
    """
    points = unpack(counts.values).astype(float) if is_color else counts.values[:, None] * 1.0
    pure = counts.pure > 0
    mixed = _find_mixed(points, pure)
    is_hard = len(points) <= 256 or pure.mean() > 0.5
    if is_hard and not is_lossy and mixed.sum() < FEWEST_MIXED:
        return Levels(counts.values, False)
    total = counts.pixels.sum()
    if counts.pure.sum() < MASK_SHARE * total:
        return None
    radius = MERGED_COLOR if is_color else MERGED_GRAY
    chosen = []
    weights = np.where(pure, counts.pure, np.where(mixed, 0, counts.pixels))
    for index in np.lexsort((counts.values, -weights)):
        if weights[index] < max(1, LEAST_SHARE * total) or (not pure[index] and is_lossy):
            continue
        if all(np.linalg.norm(points[index] - points[other]) > radius for other in chosen):
            chosen.append(index)
    return Levels(np.sort(counts.values[chosen]), True)


def _find_mixed(points, pure):
    """Returns which points are never pure and lie between two that are: bool (n,)."""
    mixed = np.zeros(len(points), bool)
    ends, others = points[pure], np.flatnonzero(~pure)
    if not 2 <= len(ends) <= 64:
        return mixed
    start, line = ends[:, None], ends[None] - ends[:, None]
    length = np.maximum(np.linalg.norm(line, axis=-1), 1e-9)
    for index in others:
        offset = points[index] - start
        along = (offset * line).sum(axis=-1) / length
        aside = np.sqrt(np.maximum((offset**2).sum(axis=-1) - along**2, 0))
        mixed[index] = ((aside < ON_LINE) & (along > 0) & (along < length)
                        & (length >= SOFT_SPAN)).any()
    return mixed


def assign(array, values, is_color, is_soft):
    """Returns for each pixel the position of its class in values: uint8 (height, width).

    Pixels between classes take the nearest of the values that lie pure in the 3x3, then the 5x5,
    pixels around them. A pixel of a class's very color is pure, but where that color may itself be
    a mixture of two others (gray between black and white), some neighbors must share it.
    Args: array, numbers or colors; values, sorted and packed, at most 255.
    Raises: ContentError for a pixel of another value in a mask that is not soft.
    """
    packed = pack(array)
    place = np.clip(np.searchsorted(values, packed), 0, len(values) - 1).astype(np.uint8)
    exact = values[place] == packed
    if not is_soft:
        if not exact.all():
            raise ContentError(f"it holds the value {packed[~exact][0]}, which is no class")
        return place
    points = unpack(values).astype(np.float32) if is_color else np.float32(values)[:, None]
    colors = array if is_color else array[..., None]
    doubtful = _find_mixtures(points)
    pure = exact & (~doubtful[place] | (_count_same(packed) >= SAME_NEIGHBORS))
    near = _merge_near(colors, points, exact, packed)
    place = np.where(near >= 0, near, place).astype(np.uint8)
    pure |= (near >= 0) & ~doubtful[place]
    rows, columns = np.nonzero(~pure)
    found = place.copy()
    for start in range(0, len(rows), BLOCK):
        block = rows[start:start + BLOCK], columns[start:start + BLOCK]
        distances = np.stack([np.linalg.norm(colors[block] - point, axis=-1) for point in points])
        found[block] = (_nearest_around(distances, place, pure, *block) if doubtful.any()
                        else distances.argmin(axis=0))
    return found


def _find_mixtures(points):
    """Returns which points lie between two others: bool (n,)."""
    return np.array([_find_mixed(points, np.arange(len(points)) != index)[index]
                     for index in range(len(points))], bool)


def _merge_near(colors, points, exact, packed):
    """Returns the class of pixels within NOISE of it (lossy files), -1 elsewhere."""
    near = np.full(packed.shape, -1, np.int16)
    kinds, _ = count_values(packed[~exact])
    if not len(kinds):
        return near
    kind_points = unpack(kinds).astype(np.float32) if colors.shape[-1] == 3 \
        else np.float32(kinds)[:, None]
    radius = (MERGED_COLOR if colors.shape[-1] == 3 else MERGED_GRAY) / 4
    distances = np.stack([np.linalg.norm(kind_points - point, axis=-1) for point in points])
    nearest = np.where(distances.min(axis=0) <= radius, distances.argmin(axis=0), -1)
    rows, columns = np.nonzero(~exact)
    near[rows, columns] = nearest[np.searchsorted(kinds, packed[rows, columns])]
    return near


def _count_same(packed):
    """Returns how many of the eight neighbors have the same value: uint8 (height, width)."""
    padded = np.pad(packed, 1, constant_values=-1)
    height, width = packed.shape
    same = np.zeros(packed.shape, np.uint8)
    for down, right in NEIGHBORS[:8]:
        same += padded[1 + down:1 + down + height, 1 + right:1 + right + width] == packed
    return same


def _nearest_around(distances, place, pure, rows, columns):
    """Returns the class of each of n pixels: the nearest of those that lie pure around it.

    Args: distances (classes, n) of each pixel to each class; place, pure (height, width).
    """
    padded = np.pad(np.where(pure, place, 255).astype(np.uint8), 2, constant_values=255)
    around = np.stack([padded[rows + 2 + down, columns + 2 + right]
                       for down, right in NEIGHBORS])
    best = distances.argmin(axis=0)
    for held in (around, around[:8]):  # the 3x3, done last, has the last word
        among = np.full(distances.shape, np.inf, np.float32)
        for index in range(len(distances)):
            is_there = (held == index).any(axis=0)
            among[index, is_there] = distances[index, is_there]
        best = np.where(np.isfinite(among).any(axis=0), among.argmin(axis=0), best)
    return best.astype(np.uint8)
