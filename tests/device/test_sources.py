"""Tests of device/sources.py: pictures are padded with gray, or stretched."""

from PIL import Image

from device.sources import fit_image


def test_padding_is_gray_around_the_picture():
    white = Image.new("RGB", (100, 10), "white")
    image, box = fit_image(white, (16, 24), keep_aspect=True)
    assert box == (0, 7, 24, 9)
    assert (image[7:9] == 255).all() and (image[:7] == 128).all() and (image[9:] == 128).all()


def test_stretched_to_the_whole_size():
    image, box = fit_image(Image.new("RGB", (100, 10), "white"), (16, 24), keep_aspect=False)
    assert box == (0, 0, 24, 16) and (image == 255).all() and image.shape == (16, 24, 3)
