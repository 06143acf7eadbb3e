"""Tests of intensity_range.py: one range for the whole set."""

import numpy as np
from PIL import Image

from segmentation.data.intensity_range import measure_intensity_range


def test_the_range_is_that_of_all_images_together(tmp_path, capsys):
    random, paths = np.random.default_rng(0), []
    for index, low in enumerate((100, 300)):
        values = random.integers(low, low + 200, (100, 100)).astype(np.uint16)
        values[0, 0] = 65535  # one hot pixel
        paths.append(tmp_path / f"{index}.png")
        Image.fromarray(values).save(paths[-1])
    paths += [tmp_path / "8.png", tmp_path / "gone.png", None]
    Image.new("L", (4, 4), 7).save(paths[2])
    low, high = measure_intensity_range(paths)
    assert 99 <= low <= 101 and 498 <= high <= 500
    assert "2 of 4 images have more than 8 bits a channel: 100 to 499 become 0 to 255" in (
        capsys.readouterr().out)


def test_images_of_8_bits_have_none(tmp_path, capsys):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.jpg")
    assert measure_intensity_range([tmp_path / "a.jpg"]) is None and not capsys.readouterr().out


def test_images_of_one_value_have_a_range_that_can_be_divided_by(tmp_path):
    Image.fromarray(np.full((4, 4), 500, np.uint16)).save(tmp_path / "a.png")
    low, high = measure_intensity_range([tmp_path / "a.png"])
    assert low == 500 < high
