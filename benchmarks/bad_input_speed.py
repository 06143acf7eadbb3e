"""Measures how long main.py takes to say what is wrong with 1,000 small pairs.

    python benchmarks/bad_input_speed.py

Every tenth pair has a fault, of eight kinds in turn: truncated, empty, a text, without a label,
another size, color label, value beyond the classes, a decompression bomb. Prints the sentences,
the seconds from the start of main() (TensorFlow is up by then) and the peak memory; exit code 1
above LIMIT_SECONDS.
"""

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS.parent), str(TESTS)]

from small_sets import png_bytes, write_square_pairs

import main
from device.errors import InputError

PAIRS = 1000
SIZE = (96, 128)
LIMIT_SECONDS = 10


def spoil(folders, index):
    """Gives the pair of this number a fault."""
    image_path, label_path = (folder / f"{index:03}.png" for folder in folders)
    kind = index // 10 % 8
    if kind == 0:
        image_path.write_bytes(image_path.read_bytes()[:-200])
    elif kind == 1:
        image_path.write_bytes(b"")
    elif kind == 2:
        image_path.write_text("This is a text.")
    elif kind == 3:
        label_path.unlink()
    elif kind == 4:
        Image.new("L", (5, 5)).save(label_path)
    elif kind == 5:
        Image.new("RGB", SIZE[::-1]).save(label_path)
    elif kind == 6:
        Image.fromarray(np.full(SIZE, 77, np.uint8)).save(label_path)
    else:
        image_path.write_bytes(png_bytes(8, 2, (60000, 60000), b"\0"))


def peak_megabytes():
    """Returns the largest memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run():
    """Makes the pairs, runs main() on them, prints; returns the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        folders = Path("images"), Path("labels")
        for path in folders:
            path.mkdir()
        write_square_pairs(folders, PAIRS, SIZE)
        for index in range(0, PAIRS, 10):
            spoil(folders, index)
        main.IMAGE_DIR, main.LABEL_DIR = map(str, folders)
        main.CLASS_NAMES, main.OUTPUT_DIR = ["background", "square", "disc"], "output"
        before, start = peak_megabytes(), time.monotonic()
        try:
            main.main()
        except InputError as error:
            print(error)
        seconds = time.monotonic() - start
        os.chdir(TESTS)
    print(f"{PAIRS} pairs: {seconds:.2f} s, peak memory {before:.0f} MB before, "
          f"{peak_megabytes():.0f} MB after")
    return int(seconds > LIMIT_SECONDS)


if __name__ == "__main__":
    sys.exit(run())
