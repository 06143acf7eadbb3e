"""Measures peak memory and seconds of importing 1,000, 10,000 and 50,000 pairs through the cache.

    python benchmarks/large_sets.py [NUMBER_OF_PAIRS ...]

Makes its own pairs of 64 x 64 PNGs in a temporary folder (about 1 GB, and 1 GB of cache). Each
measurement is a process of its own: import_data.load_data, then one shuffled and augmented epoch of
batches, as in main.py but without the training. Peak memory is the peak of resident memory (VmHWM);
"anonymous" is what of it belongs to no file (RssAnon), at the end of the epoch. Prints Markdown.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

COUNTS = (1000, 10000, 50000)
IMAGE_SIZE = (64, 64)
DIFFERENT_PAIRS = 500  # the others repeat their bytes, in files of their own
WAYS = ("first start", "second start", "in memory", "without TensorFlow")


def make_pairs(folder, count):
    """Writes so many pairs of smooth, slightly noisy pictures and labels of two classes."""
    random, contents = np.random.default_rng(0), []
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for index in range(count):
        paths = [folder / f"{name}/{index:06}.png" for name in ("images", "labels")]
        if index >= DIFFERENT_PAIRS:
            for path, content in zip(paths, contents[index % DIFFERENT_PAIRS]):
                path.write_bytes(content)
            continue
        coarse = Image.fromarray(random.integers(0, 256, (5, 5, 3), dtype=np.uint8))
        picture = np.asarray(coarse.resize(IMAGE_SIZE, Image.Resampling.BICUBIC)).astype(np.int16)
        picture = np.clip(picture + random.integers(-6, 7, picture.shape), 0, 255)
        label = np.zeros(IMAGE_SIZE, np.uint8)
        label[:random.integers(5, 60), 20:random.integers(25, 60)] = 1
        for path, array in zip(paths, (picture.astype(np.uint8), label)):
            Image.fromarray(array).save(path)
        contents.append([path.read_bytes() for path in paths])
    (folder / "labels/classes.txt").write_text("background\nobject\n")


def memory():
    """Returns peak resident and present anonymous memory of this process, MB (10**6 bytes)."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 10**3, float("nan")
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    # Not ru_maxrss: that of a child begins at what its parent had when it started the child.
    return tuple(int(lines[key].split()[0]) * 1024 / 10**6 for key in ("VmHWM", "RssAnon"))


def measure(way, folder):
    """Imports the pairs of a folder in this process, and prints what it took as JSON."""
    import import_data

    if way != "without TensorFlow":
        import main
        from segmentation.data.augmentation import Augmentation
        from segmentation.data.batches import make_dataset
        from segmentation.settings import read_settings

        main.IMAGE_DIR, main.LABEL_DIR = str(folder / "images"), str(folder / "labels")
        main.IMAGE_SIZE, main.OUTPUT_DIR = IMAGE_SIZE, str(folder)
        main.MEMORY_LIMIT_GB = 10**6 if way == "in memory" else 0
    start, cpu_start = time.perf_counter(), time.process_time()
    if way == "without TensorFlow":
        pairs = import_data.pair_files(folder / "images", folder / "labels")
        images, labels, *_ = import_data.read_pairs(
            pairs, import_data.Decoding(IMAGE_SIZE), memory_limit_gb=0, cache_dir=folder / "alone")
    else:
        data = import_data.load_data(*read_settings(vars(main)))
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    start = time.perf_counter()
    if way == "without TensorFlow":
        for index in np.random.default_rng(0).permutation(len(images)):
            images[index], labels[index]
    else:
        for _ in make_dataset(data["images"], data["labels"], 8, Augmentation(), shuffle=True):
            pass
    epoch = time.perf_counter() - start
    peak, anonymous = memory()
    print("\n" + json.dumps({"peak": peak, "anonymous": anonymous, "seconds": seconds, "cpu": cpu,
                             "epoch": epoch}))


def run(way, folder):
    """Returns what measure printed in a process of its own."""
    result = subprocess.run([sys.executable, __file__, way, str(folder)], text=True,
                            stdout=subprocess.PIPE, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def main():
    """Measures every number of pairs in every way."""
    if sys.argv[1:2] and sys.argv[1] in WAYS:
        measure(sys.argv[1], Path(sys.argv[2]))
        return
    print("| pairs | first start, s (CPU) | second start, s (CPU) | times as fast (CPU) | "
          "peak memory, MB | anonymous, MB | peak of the second start | peak without the cache | "
          "import alone, no TensorFlow |")
    print("|---|---|---|---|---|---|---|---|---|")
    for count in map(int, sys.argv[1:] or COUNTS):
        with tempfile.TemporaryDirectory() as folder:
            make_pairs(Path(folder), count)
            first, second, plain, alone = (run(way, Path(folder)) for way in WAYS)
        ratio, cpu_ratio = (first[key] / second[key] for key in ("seconds", "cpu"))
        print(f"| {count:,} | {first['seconds']:.2f} ({first['cpu']:.2f}) | "
              f"{second['seconds']:.2f} ({second['cpu']:.2f}) | {ratio:.1f} ({cpu_ratio:.1f}) | "
              f"{first['peak']:.0f} | "
              f"{first['anonymous']:.0f} | {second['peak']:.0f} | {plain['peak']:.0f} | "
              f"{alone['peak']:.0f} |", flush=True)


if __name__ == "__main__":
    main()
