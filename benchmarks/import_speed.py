"""Measures how much faster import_data reads pairs than a plain loop over Pillow.

    python benchmarks/import_speed.py [IMAGE_DIR LABEL_DIR]

Without folders it makes its own: 60 camera-sized JPEGs (1600 x 1200) with PNG labels, and the same
pictures as PNGs of 256 x 192. Both ways run in turn, several times; medians and their ratio.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from segmentation import parallel
from segmentation.data import pairing, reading

IMAGE_SIZE = (128, 160)
PAIRS = 60
ROUNDS = 7


def make_pairs(folder, size, suffix):
    """Writes PAIRS smooth, slightly noisy pictures and labels of two classes."""
    random = np.random.default_rng(0)
    width, height = size
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for index in range(PAIRS):
        coarse = Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        picture = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)).astype(np.int16)
        picture = np.clip(picture + random.integers(-6, 7, picture.shape), 0, 255)
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"images/{index:03}{suffix}")
        label = np.zeros((height, width), np.uint8)
        label[height // 3:height // 2, width // 3:width // 2] = 1
        Image.fromarray(label).save(folder / f"labels/{index:03}.png")
    return folder / "images", folder / "labels"


def read_plainly(pairs):
    """The loop that everybody writes first."""
    height, width = IMAGE_SIZE
    images, labels = [], []
    for pair in pairs:
        with Image.open(pair.image_path) as image, Image.open(pair.label_path) as label:
            images.append(np.asarray(image.convert("RGB").resize((width, height),
                                                                 Image.Resampling.BILINEAR)))
            labels.append(np.asarray(label.resize((width, height), Image.Resampling.NEAREST)))
    return np.stack(images), np.stack(labels)


def compare(title, folders):
    """Prints the medians of both ways in turn, and the median of the ratios."""
    pairs, seconds = pairing.pair_files(*folders), []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        plain_labels = read_plainly(pairs)[1]
        between = time.perf_counter()
        labels = reading.read_pairs(pairs, reading.Decoding(IMAGE_SIZE)).labels
        seconds.append((between - start, time.perf_counter() - between))
        assert (labels == plain_labels).all()
    plain, ours = np.array(seconds).T
    print(f"{title}: {len(pairs)} pairs, plain loop {np.median(plain):.3f} s, import_data "
          f"{np.median(ours):.3f} s, {np.median(plain / ours):.2f} times as fast "
          f"({parallel.READER_THREADS} threads, median of {ROUNDS} rounds)")


def main():
    """Compares on the given folders, or on made ones."""
    if len(sys.argv) == 3:
        compare(sys.argv[1], sys.argv[1:])
        return
    with tempfile.TemporaryDirectory() as folder:
        compare("JPEG 1600x1200", make_pairs(Path(folder) / "camera", (1600, 1200), ".jpg"))
        compare("PNG 256x192", make_pairs(Path(folder) / "small", (256, 192), ".png"))


if __name__ == "__main__":
    main()
