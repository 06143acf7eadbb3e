"""Tests of device/sources.py: which pictures a folder holds; padded with gray, or stretched."""

import numpy as np
from PIL import Image

from device.sources import fit_image, list_pictures


def test_padding_is_gray_around_the_picture():
    white = Image.new("RGB", (100, 10), "white")
    image, box = fit_image(white, (16, 24), keep_aspect=True)
    assert box == (0, 7, 24, 9)
    assert (image[7:9] == 255).all() and (image[:7] == 128).all() and (image[9:] == 128).all()


def test_stretched_to_the_whole_size():
    image, box = fit_image(Image.new("RGB", (100, 10), "white"), (16, 24), keep_aspect=False)
    assert box == (0, 0, 24, 16) and (image == 255).all() and image.shape == (16, 24, 3)


def test_pictures_of_sub_folders_keep_their_place(tmp_path):
    for name in ("x/1.png", "x/1.jpg", "y/1.png", "y/z/2.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 2)).save(tmp_path / name)
    pictures = list_pictures(tmp_path, (2, 4))
    assert [picture.name for picture in pictures] == ["x/1.jpg", "x/1.png", "y/1", "y/z/2"]
    assert pictures[3].path == tmp_path / "y/z/2.png" and pictures[3].load()[1] == (2, 4)
    assert [picture.name for picture in list_pictures(tmp_path / "y/1.png", (2, 4))] == ["1"]


def test_pictures_of_16_bits_are_scaled_by_the_models_range(tmp_path):
    Image.fromarray(np.array([[100, 610]], np.uint16)).save(tmp_path / "a.png")
    picture, = list_pictures(tmp_path, None, (100, 610))
    assert np.asarray(picture.load()[0])[0].tolist() == [[0, 0, 0], [255, 255, 255]]
