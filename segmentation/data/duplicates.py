"""Finds validation images that are, or nearly are, training images: then the score is too good."""

import numpy as np

from segmentation.evenly import choose_evenly

THUMBNAIL_SIDE = 16  # pixels
# Difference (root mean square) of two thumbnails of mean 0 and deviation 1, below which two images
# show the same scene. In davis_birds 92 % of the frames have one that near in their own clip, and
# the nearest of another clip is at 0.89; camvid's validation images keep 0.38 from training ones.
NEAR_DISTANCE = 0.3
MAX_IMAGES = 3000  # of each side that are compared; of larger sets these, evenly spaced


def make_thumbnails(images, chosen):
    """Returns gray thumbnails with mean 0 and deviation 1, float32 (n, THUMBNAIL_SIDE ** 2).

    Args: images uint8 (.., height, width, 3), both sides at least THUMBNAIL_SIDE; chosen, which of
        them, n positions: one is in memory at a time.
    """
    thumbnails = np.empty((len(chosen), THUMBNAIL_SIDE**2), np.float32)
    for thumbnail, position in zip(thumbnails, chosen):
        image = images[int(position)]
        step = max(1, min(image.shape[:2]) // (THUMBNAIL_SIDE * 8))  # large pictures take seconds
        gray = image[::step, ::step].mean(axis=2, dtype=np.float32)
        rows, columns = (np.linspace(0, side, THUMBNAIL_SIDE, False, dtype=int)
                         for side in gray.shape)
        sums = np.add.reduceat(np.add.reduceat(gray, rows, axis=0), columns, axis=1)
        means = sums / np.outer(*(np.diff([*starts, side])
                                  for starts, side in zip((rows, columns), gray.shape)))
        thumbnail[:] = means.ravel()
    thumbnails -= thumbnails.mean(axis=1, keepdims=True)
    return thumbnails / np.maximum(thumbnails.std(axis=1, keepdims=True), 1)


def nearest_distances(thumbnails, others):
    """Returns for each thumbnail how far the nearest of the others is, root mean square, and which.

    Returns: float32 (n,), int64 (n,).
    """
    squares = (np.square(thumbnails).sum(axis=1)[:, None] + np.square(others).sum(axis=1)
               - 2 * thumbnails @ others.T) / thumbnails.shape[1]
    nearest = squares.argmin(axis=1)
    return np.sqrt(np.maximum(squares[np.arange(len(nearest)), nearest], 0)), nearest


def warn_of_duplicates(images, names, validation_images, validation_names, has_groups):
    """Returns warnings of validation images that training images equal, or nearly equal.

    Args: images uint8 (n, height, width, 3), names a list of n; has_groups, whether the split is
        the person's own, so that SPLIT_BY would change nothing.
    """
    chosen, validation_chosen = (choose_evenly(len(some), MAX_IMAGES)
                                 for some in (images, validation_images))
    thumbnails = make_thumbnails(images, chosen)
    distances, nearest = nearest_distances(
        make_thumbnails(validation_images, validation_chosen), thumbnails)
    near = np.flatnonzero(distances < NEAR_DISTANCE)
    if not len(near):
        return []
    pairs = [(validation_names[validation_chosen[index]], names[chosen[nearest[index]]])
             for index in near]
    same = [pair for index, pair in zip(near, pairs) if np.array_equal(
        validation_images[validation_chosen[index]], images[chosen[nearest[index]]])]
    remedy = ("choose other validation images" if has_groups else
              "set SPLIT_BY, so that images of one clip or place stay together")
    warnings = []
    if same:
        warnings.append(f"WARNING: {len(same)} of {len(validation_chosen)} validation images are "
                        f"training images, too ({_show(same)}): the score is too good; {remedy}.")
    alike = [pair for pair in pairs if pair not in same]
    if alike:
        warnings.append(f"WARNING: {len(alike)} of {len(validation_chosen)} validation images are "
                        f"nearly the same as a training image ({_show(alike)}), as frames of one "
                        f"clip are: the score is too good; {remedy}.")
    return warnings


def _show(pairs):
    return ", ".join(f"{validation} and {training}" for validation, training in pairs[:3]) + (
        ", ..." if len(pairs) > 3 else "")
