"""Tests of stored_array.py: an array on the disk gives what a plain array gives."""

import numpy as np
import pytest

from segmentation.data import stored_array
from segmentation.data.classes import count_pixels
from segmentation.data.stored_array import StoredArray

SHAPE = 12, 16, 24, 3
EVERY_INDEX = [
    0, -1, np.int64(3), slice(2, 5), slice(None), slice(None, None, 2), slice(5, 2), [3, 1, 3],
    np.array([2, 0]), np.array([], int), (1, ..., 0), (slice(None), 0, 0), Ellipsis,
    np.array([[1, 2], [-1, 0]]), (2, slice(3, 9)), (-1, slice(3, 9), slice(2, 4)),
    (1, slice(9, 3)), (0, slice(5, 900)), (0, slice(4, 4)), (0, slice(None, None, 2), 5)]


@pytest.fixture
def plain():
    """An array of random values."""
    return np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)


@pytest.fixture
def stored(tmp_path, plain):
    """The same values in a file."""
    made = StoredArray(tmp_path / "a.npy", SHAPE, np.uint8, make=True)
    for index, record in enumerate(plain):
        made[index] = record
    made.close()
    return StoredArray(tmp_path / "a.npy", SHAPE, np.uint8)


@pytest.mark.parametrize("index", EVERY_INDEX, ids=str)
def test_every_index_gives_what_a_plain_array_gives(stored, plain, index):
    assert np.array_equal(stored[index], plain[index])
    assert stored[index].dtype == plain.dtype


def test_it_behaves_like_a_plain_array(stored, plain, monkeypatch):
    monkeypatch.setattr(stored_array, "BLOCK_BYTES", 5 * plain[0].size)  # several blocks
    assert np.array_equal(np.stack(list(stored)), plain) and len(stored) == 12
    assert np.array_equal(stored, plain) and stored.shape == SHAPE
    assert np.array_equal(stored[np.arange(12) > 6], plain[7:])
    assert stored.ndim == plain.ndim and stored.size == plain.size
    for wrong in (12, -13, [12]):
        with pytest.raises(IndexError):
            stored[wrong]


@pytest.mark.parametrize("index", EVERY_INDEX, ids=str)
def test_selected_records_are_those_of_a_plain_array(stored, plain, index):
    chosen, expected = stored.select([1, 5, 0, 11, 2]).select([1, 2, 3, 4]), plain[[5, 0, 11, 2]]
    assert chosen.shape == expected.shape and chosen.size == expected.size
    assert np.array_equal(chosen[index], expected[index])
    assert np.array_equal(np.asarray(chosen), expected)
    with pytest.raises(IndexError):
        chosen[4]


def test_pixels_of_selected_labels_are_counted(tmp_path):
    labels = np.random.default_rng(1).integers(0, 3, (6, 8, 8), np.uint8)
    made = StoredArray(tmp_path / "labels.npy", labels.shape, np.uint8, make=True)
    made.class_counts = np.zeros(256, np.int64)
    for index, label in enumerate(labels):
        made[index] = label
    assert np.array_equal(count_pixels(made, 3), count_pixels(labels, 3))
    assert np.array_equal(count_pixels(made.select([4, 1]), 3), count_pixels(labels[[4, 1]], 3))


def test_a_file_of_another_shape_or_size_is_refused(stored, tmp_path):
    for shape, dtype in (((11, *SHAPE[1:]), np.uint8), (SHAPE, np.int8)):
        with pytest.raises(ValueError, match=r"a\.npy is damaged or of other pairs"):
            StoredArray(tmp_path / "a.npy", shape, dtype)
    with pytest.raises(ValueError, match="does not fit"):
        StoredArray(tmp_path / "b.npy", SHAPE, np.uint8, make=True)[0] = np.zeros(3)
