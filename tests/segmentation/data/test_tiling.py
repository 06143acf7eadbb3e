"""Tests of large pictures: sizes, crops for training, tiles for validation, by small arrays."""

import numpy as np
from PIL import Image

from device.tiles import tile_grid
from segmentation.data.pairing import Pairs
from segmentation.data.tiling import (
    choose_tiles,
    count_crops,
    cut_tiles,
    draw_crop_numbers,
    find_size,
    make_crop_reader,
    spread_tile,
)


def save(folder, name, size, orientation=1):
    """Saves an image of (height, width) and returns its path."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size[::-1]).save(folder / name, exif=exif)
    return str(folder / name)


def test_full_size_is_the_largest_height_and_width_upright(tmp_path):
    files = [save(tmp_path, "a.png", (20, 50)), save(tmp_path, "b.jpg", (30, 40)),
             save(tmp_path, "c.jpg", (60, 10), orientation=6)]
    (tmp_path / "d.png").write_bytes(b"damaged")
    size, sizes = find_size(Pairs("", "", [*files, str(tmp_path / "d.png")], [None] * 4), "full")
    assert size == (30, 60)
    assert sizes.tolist() == [[20, 50], [30, 40], [10, 60], [1, 1]]


def test_a_given_size_is_that_of_all(tmp_path):
    size, sizes = find_size(Pairs("", "", [save(tmp_path, "a.png", (20, 50))], [None]), (8, 9))
    assert size == (8, 9) and sizes.tolist() == [[8, 9]]


def make_pictures():
    """Two pictures, 20x30 and 12x16 in it, whose pixels tell their place; class 1 at a corner."""
    rows, columns = np.mgrid[:20, :30]
    image = np.stack([rows, columns, np.zeros_like(rows)], -1).astype(np.uint8)
    labels = np.zeros((2, 20, 30), np.uint8)
    labels[0, 19, 29] = 1
    return np.stack([image, image]), labels, np.array([[20, 30], [12, 16]])


def test_crops_lie_inside_the_pictures_and_fit_their_labels():
    images, labels, sizes = make_pictures()
    read_crops = make_crop_reader(images, labels, sizes, (8, 10), [0.5, 1.5], 0.5)
    crops, crop_labels = read_crops([0, 1] * 50, draw_crop_numbers(100, 1, 0))
    assert crops.shape == (100, 8, 10, 3) and crop_labels.shape == (100, 8, 10)
    assert crops[1::2, ..., 0].max() == 11 and crops[1::2, ..., 1].max() == 15
    is_corner = (crops[..., 0] == 19) & (crops[..., 1] == 29)
    assert (crop_labels == is_corner).all()
    assert 20 < is_corner.any((1, 2)).sum() < 32  # half of the 50 of the picture that has class 1


def test_a_picture_smaller_than_a_crop_is_padded():
    images, labels, _ = make_pictures()
    read_crops = make_crop_reader(images, labels, np.array([[20, 30]] * 2), (24, 32), [1, 1], 0)
    crops, crop_labels = read_crops([0], draw_crop_numbers(1, 1, 0))
    assert (crops[0, 20:] == 128).all() and (crop_labels[0, :, 30:] == 255).all()
    assert (crops[0, :20, :30] == images[0]).all()


def test_crop_numbers_depend_on_seed_and_epoch():
    first = draw_crop_numbers(4, 1, 0)
    assert (first == draw_crop_numbers(4, 1, 0)).all()
    assert not (first == draw_crop_numbers(4, 1, 1)).any()
    assert not (first == draw_crop_numbers(4, 2, 0)).any()


def test_crops_cover_a_picture_once_but_epochs_stay_short():
    assert count_crops(np.array([[96, 128]] * 10), (96, 128), 8) == 1
    assert count_crops(np.array([[192, 256]] * 100), (96, 128), 8) == 4
    assert count_crops(np.array([[3000, 4000]] * 200), (128, 160), 8) == 8
    assert count_crops(np.array([[3000, 4000]] * 5000), (128, 160), 8) == 1


def test_tiles_are_spread_over_all_pictures():
    sizes = np.array([[8, 8], [8, 14]])
    assert choose_tiles(sizes, (8, 8), 10) == [(0, 0, 0), (1, 0, 0), (1, 0, 6)]
    assert choose_tiles(sizes, (8, 8), 2) == [(0, 0, 0), (1, 0, 6)]


def test_cut_tiles():
    images, _, _ = make_pictures()
    tiles = cut_tiles(images, [(0, 2, 3), (1, 15, 25)], (4, 6), 9)
    assert tiles.shape == (2, 4, 6, 3) and tiles[0, 0, 0].tolist() == [2, 3, 0]
    assert (tiles[1, :, 5] == 9).all()


def test_calibration_tiles_come_from_all_over_the_picture():
    size, tile_size = (40, 40), (10, 10)
    tiles = {spread_tile(size, tile_size, number) for number in range(25)}
    assert len(tiles) > 15 and tiles <= set(tile_grid(size, tile_size))
    assert spread_tile((10, 10), tile_size, 3) == (0, 0)
