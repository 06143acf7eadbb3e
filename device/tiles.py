"""Runs a model on a picture that is larger than its input, tile by tile. Plain NumPy.

Tiles overlap, and their logits are averaged with weights that fall toward a tile's edge, where the
network sees the least of what surrounds a pixel (as in nnU-Net, Isensee et al. 2021, there with a
Gaussian). A picture of one tile gives the model's own logits, bit for bit.
"""

import numpy as np

MIN_OVERLAP = 0.25  # of a tile's side, that neighbors share at least
EDGE_WEIGHT = 0.05  # of a tile's outermost pixel; the center has 1


def tile_starts(length, tile_length):
    """Returns where tiles start along one axis, evenly spaced, so that they cover it.

    Args: lengths in pixels. Returns: list of int; [0] where one tile is enough.
    """
    if length <= tile_length:
        return [0]
    count = 1 + int(np.ceil((length - tile_length) / (tile_length * (1 - MIN_OVERLAP))))
    return np.round(np.linspace(0, length - tile_length, count)).astype(int).tolist()


def tile_grid(size, tile_size):
    """Returns (top, left) of all tiles of a picture, row by row; both sizes are (height, width)."""
    return [(top, left) for top in tile_starts(size[0], tile_size[0])
            for left in tile_starts(size[1], tile_size[1])]


def tile_weights(tile_size):
    """Returns the weights of a tile's logits, float32 (height, width), EDGE_WEIGHT to 1."""
    rows, columns = (np.linspace(-1, 1, side + 2)[1:-1] for side in tile_size)
    weights = np.multiply.outer(1 - np.abs(rows), 1 - np.abs(columns))
    return np.maximum(weights / weights.max(), EDGE_WEIGHT).astype(np.float32)


def cut_tile(array, top, left, tile_size, fill):
    """Returns the part of an array (height, width, ...) that a tile covers.

    Where the array ends before the tile, it is padded with the value fill.
    """
    height, width = tile_size
    part = array[top:top + height, left:left + width]
    if part.shape[:2] == (height, width):
        return part
    tile = np.full((height, width, *array.shape[2:]), fill, array.dtype)
    tile[:part.shape[0], :part.shape[1]] = part
    return tile


def blend_rows(run_tiles, image, tile_size, fill):
    """Yields the blended logits of a picture from top to bottom, some rows at a time.

    So a device needs memory for one row of tiles, and not for the logits of the whole picture.
    Args: run_tiles, a function uint8 (n, *tile_size, 3) -> logits (n, *tile_size, classes), called
        with a row of tiles; image uint8 (height, width, 3); fill, the pixel value around a picture
        smaller than a tile.
    Yields: float32 (rows, width, classes); the rows add up to the picture's height.
    """
    height, width = image.shape[:2]
    tops, lefts = tile_starts(height, tile_size[0]), tile_starts(width, tile_size[1])
    if len(tops) == len(lefts) == 1:
        yield run_tiles(cut_tile(image, 0, 0, tile_size, fill)[None])[0][:height, :width]
        return
    weights, sums = tile_weights(tile_size), None
    done = 0  # rows of the picture that have been yielded; sums begin there
    for top, next_top in zip(tops, [*tops[1:], height]):
        tiles = np.stack([cut_tile(image, top, left, tile_size, fill) for left in lefts])
        for left, logits in zip(lefts, run_tiles(tiles)):
            if sums is None:
                sums = np.zeros((tile_size[0], width, logits.shape[2] + 1), np.float32)
            right = min(width, left + tile_size[1])
            place = sums[:, left:right]
            place[..., :-1] += (weights[..., None] * logits)[:, :right - left]
            place[..., -1] += weights[:, :right - left]
        count = min(next_top, height) - done
        finished = sums[:count]
        yield finished[..., :-1] / finished[..., -1:]
        rest = np.zeros_like(sums)
        rest[:len(sums) - count] = sums[count:]
        sums, done = rest, done + count


def blend_tiles(run_tiles, image, tile_size, fill):
    """Returns the blended logits of a whole picture, (height, width, classes); see blend_rows."""
    rows = list(blend_rows(run_tiles, image, tile_size, fill))
    return rows[0] if len(rows) == 1 else np.concatenate(rows)


def segment_tiles(run_tiles, image, tile_size, fill):
    """Returns the most likely class of each pixel, uint8 (height, width); see blend_rows."""
    return np.concatenate([rows.argmax(-1).astype(np.uint8)
                           for rows in blend_rows(run_tiles, image, tile_size, fill)])
