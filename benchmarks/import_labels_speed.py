"""Times import_labels.py on labelme files of 12-megapixel pictures, and measures its memory.

    python benchmarks/import_labels_speed.py [files, 1000]

Makes the files in a temporary folder: every picture is the same 4000 x 3000 JPEG (linked, so that
the disk holds it once), every JSON has 15 polygons of 200 points, and every second one the whole
picture in imageData, as labelme writes it.
"""

import base64
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import import_labels

SIZE = (3000, 4000)  # (height, width)
POLYGONS, POINTS = 15, 200


def make_polygons(random):
    """Returns labelme's shapes: blobs of about a tenth of the picture's width."""
    shapes = []
    for number in range(POLYGONS):
        center = random.uniform(300, 2700, 2)
        angles = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
        radii = 250 + 60 * np.sin(5 * angles + number) + random.uniform(-5, 5, POINTS)
        points = np.stack([center[0] + radii * np.cos(angles), center[1] + radii * np.sin(angles)])
        shapes.append({"label": f"class {number % 5}", "points": points.T.tolist(),
                       "shape_type": "polygon", "group_id": None, "flags": {}})
    return shapes


def make_set(folder, count):
    """Writes so many pictures with their JSON."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (60, 80, 3), np.uint8)
    picture = folder / "picture.jpg"
    Image.fromarray(coarse).resize(SIZE[::-1], Image.Resampling.BICUBIC).save(picture, quality=97)
    image_data = base64.b64encode(picture.read_bytes()).decode()
    (folder / "source").mkdir()
    for index in range(count):
        os.link(picture, folder / f"source/{index:04}.jpg")
        content = {"version": "5.0.1", "flags": {}, "shapes": make_polygons(random),
                   "imagePath": f"{index:04}.jpg", "imageHeight": SIZE[0], "imageWidth": SIZE[1],
                   "imageData": image_data if index % 2 else None}
        (folder / f"source/{index:04}.json").write_text(json.dumps(content))
    return picture.stat().st_size


def main():
    """Makes the set, imports it, prints seconds and megabytes."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        size = make_set(folder, count)
        import_labels.SOURCE = str(folder / "source")
        import_labels.LABEL_DIR = str(folder / "labels")
        import_labels.find_output_dir = lambda _: folder / "output"
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        start, processor = time.perf_counter(), time.process_time()
        import_labels.main()
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{count} files, pictures of {size / 1e6:.1f} MB, {os.cpu_count()} processors: "
          f"{seconds:.1f} s ({time.process_time() - processor:.1f} s of computing), at most "
          f"{peak:.0f} MB of memory ({before:.0f} MB before)")


if __name__ == "__main__":
    main()
