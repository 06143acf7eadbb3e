"""Tests of reading.py: pairs of small files, decoded, and all that is wrong with them at once."""

import numpy as np
import pytest
from PIL import Image
from small_sets import png_bytes, write_pair

from device.errors import InputError
from segmentation.data.pairing import pair_files
from segmentation.data.reading import Decoding, read_label_values, read_pairs, split_set


def test_pairs_are_read_as_promised(folders):
    write_pair(folders, "b", np.full((10, 20), 1))
    write_pair(folders, "a", np.zeros((10, 20)), ".bmp")
    images, labels, counts, sizes, orientations = read_pairs(
        pair_files(*folders), Decoding((32, 64)))
    assert images.shape == (2, 32, 64, 3) and images.dtype == np.uint8
    assert labels.shape == (2, 32, 64) and labels.dtype == np.uint8
    assert labels[0].max() == 0 and labels[1].min() == 1
    assert (images[1, ..., 0] == 60).all() and (images[0] == 0).all()
    assert counts.shape == (2, 256) and counts[:, :3].tolist() == [[200, 0, 0], [0, 200, 0]]
    assert sizes.tolist() == [[10, 20], [10, 20]] and orientations.tolist() == [1, 1]


def test_label_values_become_class_indices(folders):
    write_pair(folders, "a", [[0, 7, 11, 255]])
    table = np.full(256, 255)
    table[[0, 7, 11]] = 0, 1, 2
    decoded = read_pairs(pair_files(*folders), Decoding((1, 4), tuple(table.tolist())))
    assert decoded.labels.tolist() == [[[0, 1, 2, 255]]]
    assert np.flatnonzero(decoded.value_counts[0]).tolist() == [0, 7, 11, 255]


def test_a_set_is_split_in_place(folders):
    for value in range(7):
        write_pair(folders, str(value), np.full((4, 4), value))
    rows = [5, 0, 6, 2], [4, 1, 3]
    parts = split_set(read_pairs(pair_files(*folders), Decoding((4, 4))), *rows)
    for part, expected in zip(parts, rows):
        assert part.labels[:, 0, 0].tolist() == expected
        assert (part.images[:, 0, 0, 0] == np.multiply(expected, 60) % 256).all()
        assert part.value_counts.argmax(axis=1).tolist() == expected


def save_turned(folders, stem, orientation, label):
    """Writes an image whose stored left half is white, and EXIF that turns it; stored label."""
    picture = np.zeros((8, 16, 3), np.uint8)
    picture[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(picture).save(folders[0] / f"{stem}.png", exif=exif)
    Image.fromarray(label).save(folders[1] / f"{stem}.png")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_labels_of_the_stored_picture_are_turned_with_it(folders, orientation):
    stored = np.zeros((8, 16), np.uint8)
    stored[:, :8] = 1
    save_turned(folders, "a", orientation, stored)
    size = (16, 8) if orientation > 4 else (8, 16)
    decoded = read_pairs(pair_files(*folders), Decoding(size, labels_turned=True))
    assert ((decoded.images[0, ..., 0] == 255) == (decoded.labels[0] == 1)).all()
    assert decoded.sizes.tolist() == [list(size)] and decoded.orientations == [orientation]
    if orientation > 4:
        with pytest.raises(InputError, match=r"turned upright by EXIF, but their labels fit the "
                                             r"stored.*8x16, label 16x8.*LABELS_TURNED = True"):
            read_pairs(pair_files(*folders), Decoding(size))


def test_colors_that_were_numbered_file_by_file_are_found(folders):
    red, green, black = [255, 0, 0], [0, 255, 0], [0, 0, 0]
    for stem, palette in (("a", [black, red]), ("b", [black, green]), ("c", [black, red, green])):
        write_pair(folders, stem, np.eye(4) * (len(palette) - 1))
        label = Image.fromarray(np.uint8(np.eye(4) * (len(palette) - 1)))
        label.putpalette([channel for color in palette for channel in color])
        label.save(folders[1] / f"{stem}.png")
    with pytest.raises(InputError, match=r"1 file\(s\) in .*labels hold numbers that mean other "
                                         r"colors in other files: c\.png \(color \(0, 255, 0\) is "
                                         r"2, but 1 in b\.png\).*import_labels\.py"):
        read_pairs(pair_files(*folders), Decoding((4, 4)))


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
        read_pairs(pair_files(*folders), Decoding((32, 32)))
    message = str(error.value)
    assert "images can't be read as an image: a.png (an empty file), c.png (damaged" in message
    assert "labels can't be read as an image: b.png (no PNG," in message
    assert "size of the label (width x height): d.png (8x8, label 9x8)" in message


def test_decompression_bomb_is_refused(folders):
    write_pair(folders, "a", np.eye(8))
    (folders[0] / "a.png").write_bytes(png_bytes(8, 2, (60000, 60000), b"\0"))
    with pytest.raises(InputError, match=r"more than 178,956,970 pixels: a\.png"):
        read_pairs(pair_files(*folders), Decoding((32, 32)))
