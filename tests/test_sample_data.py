"""Tests of sample_data: the committed pairs are sound, and the script still draws them."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

FOLDER = Path(__file__).resolve().parents[1] / "sample_data"
sys.path.insert(0, str(FOLDER))

import make_sample_data

NAMES = sorted(path.name for path in (FOLDER / "images").glob("*.png"))


def read(folder, name):
    with Image.open(FOLDER / folder / name) as file:
        return file.mode, file.getpalette(), np.array(file)


def test_pairs_are_complete_and_small():
    assert len(NAMES) == make_sample_data.PAIRS >= 60
    assert sorted(path.name for path in (FOLDER / "labels").glob("*.png")) == NAMES
    assert sum(path.stat().st_size for path in FOLDER.glob("*/*.*")) <= 3_000_000


def test_class_names_are_the_scripts():
    text = (FOLDER / "labels" / "classes.txt").read_text()
    assert tuple(text.splitlines()) == make_sample_data.CLASSES


def test_labels_hold_classes_in_their_colors():
    counts = np.zeros(len(make_sample_data.CLASSES), int)
    palette = [value for color in make_sample_data.PALETTE for value in color]
    for name in NAMES:
        mode, colors, label = read("labels", name)
        assert mode == "P" and colors[:len(palette)] == palette, name
        assert label.shape == (make_sample_data.HEIGHT, make_sample_data.WIDTH), name
        assert label.max() < len(counts), name
        image_mode, _, image = read("images", name)
        assert image_mode == "RGB" and image.shape == (*label.shape, 3), name
        counts += np.bincount(label.ravel(), minlength=len(counts))
    shares = counts / counts.sum()
    assert shares[0] > 0.9
    assert shares[1:].min() > 0.015


def test_script_draws_the_committed_pair():
    image, label = make_sample_data.draw_pair(13)  # both kinds of birds
    committed_image = read("images", "birds_13.png")[2].astype(int)
    committed_label = read("labels", "birds_13.png")[2]
    # Equal on the machine that drew them; elsewhere sine and Fourier transform may round otherwise.
    assert np.mean(label != committed_label) < 0.001
    assert np.mean(abs(image - committed_image) > 1) < 0.01
