"""What several test files make their data with: small folders of pairs, settings, PNGs by hand."""

import ast
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from segmentation.settings import read_settings

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def write_pair(folders, stem, label, suffix=".png"):
    """Writes a label (uint8 array) and an image of the same size whose red tells the class."""
    label = np.asarray(label, np.uint8)
    image = np.zeros((*label.shape, 3), np.uint8)
    image[..., 0] = label * 60
    Image.fromarray(image).save(folders[0] / (stem + suffix))
    Image.fromarray(label).save(folders[1] / (stem + ".png"))


def write_square_pairs(folders, count, size=(32, 32)):
    """Writes pairs of a bright square (class 1) or disc (class 2) on noise, drawn by fixed seed."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:size[0], :size[1]]
    for index in range(count):
        image = random.integers(0, 80, (*size, 3), dtype=np.uint8)
        label = np.zeros(size, np.uint8)
        row, column = random.integers(9, size[0] - 9), random.integers(9, size[1] - 9)
        if index % 2:
            inside = (abs(rows - row) < 6) & (abs(columns - column) < 6)
        else:
            inside = (rows - row) ** 2 + (columns - column) ** 2 < 49
        label[inside] = 1 + index % 2
        image[inside] = (230, 40, 40) if index % 2 else (40, 40, 230)
        Image.fromarray(image).save(folders[0] / f"{index:03}.png")
        Image.fromarray(label).save(folders[1] / f"{index:03}.png")


def read_constants(script="main.py"):
    """Returns a script's constants without running it: main.py would load TensorFlow."""
    body = ast.parse((ROOT / script).read_text(encoding="utf-8")).body
    return {node.targets[0].id: ast.literal_eval(node.value) for node in body
            if isinstance(node, ast.Assign) and node.targets[0].id.isupper()}


def settings_for(folders, **constants):
    """Returns main.py's settings with these folders of images and labels, and these constants."""
    settings, errors = read_settings({**read_constants(), "IMAGE_DIR": folders[0],
                                      "LABEL_DIR": folders[1], **constants})
    assert not errors
    return settings


def png_bytes(bits, color_type, size, rows):
    """A PNG written by hand: Pillow itself writes no gray PNG of 2 or 4 bits."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(
            ">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", *size, bits, color_type, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))


def coded_pairs(count, size=(16, 24)):
    """Images whose color tells the label at every pixel, so that a pair can be checked."""
    labels = np.random.default_rng(1).integers(0, 2, (count, *size), dtype=np.uint8)
    return np.repeat(labels[..., None] * 150 + 50, 3, axis=3).astype(np.uint8), labels


def blobs(count, size=(32, 40)):
    """Images of a large bright rectangle, class 1, on dark ground."""
    labels = np.zeros((count, *size), np.uint8)
    labels[:, 8:26, 10:30] = 1
    return np.repeat(labels[..., None] * 150 + 50, 3, axis=3).astype(np.uint8), labels
