"""Tests of reading.py: pairs of small files, decoded, and all that is wrong with them at once."""

import numpy as np
import pytest
from PIL import Image
from small_sets import png_bytes, write_pair

from device.errors import InputError
from segmentation.data.pairing import pair_files
from segmentation.data.reading import read_label_values, read_pairs


def test_pairs_are_read_as_promised(folders):
    write_pair(folders, "b", np.full((10, 20), 1))
    write_pair(folders, "a", np.zeros((10, 20)), ".bmp")
    images, labels, values = read_pairs(pair_files(*folders), (32, 64))
    assert images.shape == (2, 32, 64, 3) and images.dtype == np.uint8
    assert labels.shape == (2, 32, 64) and labels.dtype == np.uint8
    assert labels[0].max() == 0 and labels[1].min() == 1
    assert (images[1, ..., 0] == 60).all() and (images[0] == 0).all()
    assert values.shape == (2, 256) and values[:, :3].tolist() == [
        [True, False, False], [False, True, False]]


def test_values_of_labels_are_those_at_their_own_size(folders):
    for stem, label in (("a", [[0, 4, 255]]), ("b", [[1, 0, 0]])):
        write_pair(folders, stem, label)
    values = read_label_values([folders[1] / "b.png", folders[1] / "a.png"])
    assert [np.flatnonzero(row).tolist() for row in values] == [[0, 1], [0, 4, 255]]


def test_all_file_errors_come_together(folders):
    for stem in "abcdef":
        write_pair(folders, stem, np.eye(8))
    (folders[0] / "a.png").write_bytes(b"")
    (folders[1] / "b.png").write_text("no picture")
    whole = (folders[0] / "c.png").read_bytes()
    (folders[0] / "c.png").write_bytes(whole[:len(whole) - 30])
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(folders[1] / "d.png")
    with pytest.raises(InputError) as error:
        read_pairs(pair_files(*folders), (32, 32))
    message = str(error.value)
    assert "images can't be read as an image: a.png (an empty file), c.png (damaged" in message
    assert "labels can't be read as an image: b.png (no PNG," in message
    assert "size of the label (width x height): d.png (8x8, label 9x8)" in message


def test_decompression_bomb_is_refused(folders):
    write_pair(folders, "a", np.eye(8))
    (folders[0] / "a.png").write_bytes(png_bytes(8, 2, (60000, 60000), b"\0"))
    with pytest.raises(InputError, match=r"more than 178,956,970 pixels: a\.png"):
        read_pairs(pair_files(*folders), (32, 32))
