"""Which values or colors of masks are classes, and which lie on soft edges between them."""

from typing import NamedTuple

import numpy as np

from segmentation.formats.mask_files import Counts, count_values, pack, unpack
from segmentation.formats.reading import ContentError

MERGED_GRAY = 16  # values this near belong to one level of a soft or lossy mask
MERGED_COLOR = 32  # likewise colors, Euclidean
ON_LINE = 6.0  # a color this near the line between two others may be a mixture of them
SOFT_SPAN = 32  # the levels on both sides of a mixture are at least so far apart
FEWEST_MIXED = 3  # so many mixtures make soft edges; fewer may be thin classes
# A class fills areas: of its pixels at least this share lie amid their like, and so many of them.
# CamVid's labels, resized or blurred: classes 17 to 98 %, but for poles of one pixel; mixtures
# at most 6 %.
PURE_SHARE = 0.1
FEWEST_PURE = 3
BETWEEN_SHARE = 0.5  # of a mixture's pixels have lower and higher neighbors
MOST_BETWEEN = 16  # values that seem mixtures though edges are hard; or 3 times as many as others
LEAST_COMMON = 0.005  # share that a value has of all pixels that are not background
MOST_ENDS = 64  # colors between which mixtures are looked for
MOST_LEVELS = 1000
LEAST_PURE = 0.1  # share of a mask's pixels that lie amid their like, at least
MASK_SHARE = 0.65  # share that nearly has the value of a class, at least
SAME_NEIGHBORS = 3  # of eight; a pixel of a color that may be a mixture is pure with so many
NO_CLASS = 255
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
                    len(values)).astype(np.int64) for field in ("pixels", "pure", "between")))


def find_levels(counts, is_color, is_lossy):
    """Finds the values that are classes.

    Masks with hard edges have them all. In soft ones (resized, or JPEG) a class is what fills
    areas, pixels amid their like; nearly equal values are one class.
    Args: counts, of all masks; is_color, whether values are packed colors.
    Returns: Levels, or None where the pictures are no masks.
    """
    points = unpack(counts.values).astype(float) if is_color else counts.values[:, None] * 1.0
    strong = (counts.pure >= FEWEST_PURE) & (counts.pure >= PURE_SHARE * counts.pixels)
    if not is_lossy:
        between = ~strong & (counts.between >= BETWEEN_SHARE * counts.pixels)
        mixed = (between & _find_mixed(points, strong, counts.pure)).sum()
        are_mixed = mixed >= FEWEST_MIXED and mixed > strong.sum()
        if not are_mixed and between.sum() <= max(MOST_BETWEEN, 3 * strong.sum()):
            return Levels(counts.values, False)
    total = counts.pixels.sum()
    if counts.pure.sum() < LEAST_PURE * total:
        return None
    levels = _choose_levels(counts, points, is_color)
    radius = MERGED_COLOR if is_color else MERGED_GRAY
    is_near = np.min([np.linalg.norm(points - points[level], axis=1) for level in levels],
                     axis=0) <= radius
    if counts.pixels[is_near].sum() < MASK_SHARE * total:
        return None
    return Levels(np.sort(counts.values[levels]), True)


def _choose_levels(counts, points, is_color):
    """Returns the places of those values round which nearly equal ones fill areas."""
    radius = MERGED_COLOR if is_color else MERGED_GRAY
    chosen = []
    order = np.lexsort((counts.values, -counts.pure))
    for index in order[counts.pure[order] > 0]:
        if not chosen or np.linalg.norm(points[chosen] - points[index], axis=1).min() > radius:
            chosen.append(index)
        if len(chosen) == MOST_LEVELS:
            break
    distances = np.stack([np.linalg.norm(points - points[index], axis=1) for index in chosen])
    nearest = np.where(distances.min(axis=0) <= radius, distances.argmin(axis=0), len(chosen))
    pixels, pure = (np.bincount(nearest, weights, len(chosen) + 1)[:-1]
                    for weights in (counts.pixels, counts.pure))
    fills = (pure >= FEWEST_PURE) & (pure >= PURE_SHARE * pixels)
    levels = [index for index, kept in zip(chosen, fills) if kept] or chosen[:1]
    if len(levels) == 1:  # lines too thin to have an inside, such as vessels, on one background
        distances = np.linalg.norm(points - points[levels[0]], axis=1)
        common = counts.pixels >= LEAST_COMMON * counts.pixels[distances > radius].sum()
        farthest = int(np.argmax(np.where(common, distances, -1)))
        levels += [farthest] * bool(distances[farthest] >= SOFT_SPAN)
    return levels


def _find_mixed(points, strong, weights):
    """Returns which points are weak and lie between two strong ones: bool (n,).

    Args: points (n, channels); strong bool (n,); weights (n,), the heaviest are compared.
    """
    mixed = np.zeros(len(points), bool)
    ends = np.flatnonzero(strong)
    ends = points[ends[np.argsort(-weights[ends], kind="stable")][:MOST_ENDS]]
    if len(ends) < 2:
        return mixed
    if points.shape[1] == 1:
        low, high = ends.min(), ends.max()
        return ~strong & (points[:, 0] > low) & (points[:, 0] < high) & (high - low >= SOFT_SPAN)
    start, line = ends[:, None], ends[None] - ends[:, None]
    length = np.maximum(np.linalg.norm(line, axis=-1), 1e-9)
    for index in np.flatnonzero(~strong)[:MOST_LEVELS]:
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
    place, exact = _look_up(packed, values)
    if not is_soft:
        if not exact.all():
            raise ContentError(f"it holds the value {packed[~exact][0]}, which is no class")
        return place
    points = unpack(values).astype(np.float32) if is_color else np.float32(values)[:, None]
    colors = array if is_color else array[..., None]
    doubtful = _find_mixtures(points)
    place = np.where(exact, place, _find_near(colors, points, exact, packed)).astype(np.uint8)
    pure = (place != NO_CLASS) & (~np.append(doubtful, False)[np.minimum(place, len(points))]
                                  | (_count_same(place) >= SAME_NEIGHBORS))
    rows, columns = np.nonzero(~pure)
    found = place.copy()
    for start in range(0, len(rows), BLOCK):
        block = rows[start:start + BLOCK], columns[start:start + BLOCK]
        distances = np.stack([np.linalg.norm(colors[block] - point, axis=-1) for point in points])
        found[block] = (_nearest_around(distances, place, pure, *block) if doubtful.any()
                        else distances.argmin(axis=0))
    return found


def _look_up(packed, values):
    """Returns the position of each number in values, uint8, and whether it is there at all."""
    if packed.max() < 65536:  # a table is many times as fast for large masks
        table = np.full(65536, NO_CLASS, np.uint8)
        table[values[values < 65536]] = np.arange(np.count_nonzero(values < 65536))
        place = table[packed]
        return place, place != NO_CLASS
    place = np.clip(np.searchsorted(values, packed), 0, len(values) - 1).astype(np.uint8)
    return place, values[place] == packed


def _find_mixtures(points):
    """Returns which points lie between two others: bool (n,)."""
    weights = np.ones(len(points))
    return np.array([_find_mixed(points, np.arange(len(points)) != index, weights)[index]
                     for index in range(len(points))], bool)


def _find_near(colors, points, exact, packed):
    """Returns the class of pixels nearly of its value (JPEG's noise), NO_CLASS elsewhere."""
    near = np.full(packed.shape, NO_CLASS, np.uint8)
    kinds, _ = count_values(packed[~exact])
    if not len(kinds):
        return near
    is_color = colors.shape[-1] == 3
    kind_points = unpack(kinds).astype(np.float32) if is_color else np.float32(kinds)[:, None]
    distances = np.stack([np.linalg.norm(kind_points - point, axis=-1) for point in points])
    radius = (MERGED_COLOR if is_color else MERGED_GRAY) / 4
    nearest = np.where(distances.min(axis=0) <= radius, distances.argmin(axis=0), NO_CLASS)
    near[~exact] = nearest[np.searchsorted(kinds, packed[~exact])]
    return near


def _count_same(place):
    """Returns how many of the eight neighbors have the same class: uint8 (height, width)."""
    padded = np.pad(place, 1, constant_values=NO_CLASS)
    height, width = place.shape
    same = np.zeros(place.shape, np.uint8)
    for down, right in NEIGHBORS[:8]:
        same += padded[1 + down:1 + down + height, 1 + right:1 + right + width] == place
    return same


def _nearest_around(distances, place, pure, rows, columns):
    """Returns the class of each of n pixels: the nearest of those that lie pure around it.

    Args: distances (classes, n) of each pixel to each class; place, pure (height, width).
    """
    padded = np.pad(np.where(pure, place, NO_CLASS).astype(np.uint8), 2, constant_values=NO_CLASS)
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
