"""Large pictures (PICTURE_SIZE): their size, crops for training, tiles for validation. NumPy."""

import numpy as np

from device.images import PADDING_GRAY, PADDING_LABEL, FileError, read_size
from device.tiles import cut_tile, tile_grid
from segmentation.data.crops import CROP_NUMBERS, choose_crop, find_rare_pixels
from segmentation.evenly import choose_evenly

MAX_TILES = 800  # of a set that are measured, or teach without a label; evenly spaced over all
MAX_CROP_STEPS = 200  # batches an epoch has at most because pictures hold several tiles


def find_size(pairs, picture_size):
    """Returns the (height, width) to which pictures are decoded, and each picture's own in it.

    Args: pairs of images and labels; picture_size, a (height, width) to which all are stretched, or
        "full": the largest height and width of all pictures, which keep their own size.
    Returns: (height, width), and int (n, 2). Files that can't be read have (1, 1).
    """
    if picture_size != "full":
        return tuple(picture_size), np.tile(picture_size, (len(pairs), 1))
    sizes = np.array([_read_size(pair.image_path) for pair in pairs], int).reshape(-1, 2)
    return tuple(sizes.max(axis=0, initial=1).tolist()), sizes


def _read_size(path):
    try:
        return (1, 1) if path is None else read_size(path)
    except FileError:  # decoding says so in a sentence, together with all others
        return 1, 1


def make_crop_reader(images, labels, sizes, crop_size, class_weights, rare_share):
    """Returns a function that cuts training crops out of large pictures.

    Args: images uint8 (n, height, width, 3) and labels uint8 (n, height, width), arrays or
        StoredArray; sizes int (n, 2), each picture's own part of them; crop_size (height,
        width); rare_share, see crops.choose_crop.
    Returns: function (indices, numbers (batch, CROP_NUMBERS) in 0..1) -> images uint8 (batch,
        *crop_size, 3), labels uint8 (batch, *crop_size).
    """
    random = np.random.default_rng(0)
    rare_pixels = [find_rare_pixels(label[:size[0], :size[1]], class_weights, random)
                   for label, size in zip(labels, sizes)]

    def read_crops(indices, numbers):
        """Returns a crop of each of the pictures, and of its label."""
        crops = []
        for index, own in zip(indices, numbers):
            top, left = choose_crop(sizes[index], crop_size, own, rare_pixels[index],
                                    class_weights, rare_share)
            part = index, slice(top, top + crop_size[0]), slice(left, left + crop_size[1])
            crops.append((cut_tile(images[part], 0, 0, crop_size, PADDING_GRAY),
                          cut_tile(labels[part], 0, 0, crop_size, PADDING_LABEL)))
        return tuple(np.stack(parts) for parts in zip(*crops))

    return read_crops


def draw_crop_numbers(count, seed, epoch):
    """Returns the random numbers of an epoch's crops, float64 (count, CROP_NUMBERS) in 0..1.

    From a generator of their own: all other random numbers are those of a run without crops.
    """
    return np.random.default_rng((seed, epoch, 1)).random((count, CROP_NUMBERS))


def count_crops(sizes, tile_size, batch_size):
    """Returns how many crops of a picture an epoch shows.

    As many as cover a picture once, on average, but no more than MAX_CROP_STEPS batches hold.
    """
    area = np.mean(np.prod(sizes, axis=1)) / np.prod(tile_size)
    return max(1, min(round(area), MAX_CROP_STEPS * batch_size // len(sizes)))


def choose_tiles(sizes, tile_size, most):
    """Returns (picture, top, left) of the tiles of all pictures, evenly spaced where they are more.

    Args: sizes int (n, 2); most, how many tiles at the most.
    """
    tiles = [(index, top, left) for index, size in enumerate(sizes)
             for top, left in tile_grid(size, tile_size)]
    return [tiles[number] for number in choose_evenly(len(tiles), most)]


def spread_tile(size, tile_size, number):
    """Returns the (top, left) of one tile of a picture; consecutive numbers spread over its tiles.

    The step between them is the golden section of the grid, so that neither the same row nor the
    same column comes again and again.
    """
    grid = tile_grid(size, tile_size)
    return grid[int((number * 0.618034 + 0.5) % 1 * len(grid))]


def cut_tiles(array, tiles, tile_size, fill):
    """Returns the tiles (picture, top, left) of an array (n, height, width, ...), stacked."""
    height, width = tile_size
    return np.stack([cut_tile(array[index, top:top + height, left:left + width], 0, 0, tile_size,
                              fill) for index, top, left in tiles])
