"""Measures what tiles buy: pictures of 192x256 in tiles of 96x128, whole, and whole at half size.

    python benchmarks/tiles.py FOLDER [SEED ...]

Trains camvid and birds at IMAGE_SIZE 96x128 as a whole, 192x256 as a whole, and 96x128 with
PICTURE_SIZE 192x256; measures Keras on the validation pictures' own grid, 192x256, where logits
of 96x128 are enlarged bilinearly. Results stay in FOLDER, a run that is there is not repeated;
prints a table in Markdown: mean IoU, and the IoU of the smallest classes.
"""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from sets import SETS, choose_set

import main
from device.images import PADDING_GRAY, read_image, read_label
from device.model_info import read_model_info
from device.tiles import blend_tiles
from get_model import load_model
from segmentation.evaluate import make_logit_function
from segmentation.metrics import confusion_matrix, summarize

FULL, HALF = (192, 256), (96, 128)
WAYS = {"whole, 96x128": (HALF, None), "whole, 192x256": (FULL, None),
        "tiles of 96x128": (HALF, FULL)}
SMALL = {"camvid": ("pole", "sign", "pedestrian", "bicyclist"),
         "birds": ("duck", "flamingo", "swan")}


def measure(folder, name):
    """Returns the metrics of a trained model on the validation pictures' own grid."""
    info = read_model_info(folder)
    image_size, (_, _, class_names) = tuple(info["image_size"]), SETS[name]
    run_tiles, confusion = make_logit_function(load_model(folder, info)), 0
    is_tiled = info["picture_size"] is not None
    for file in info["validation_images"]:
        image = read_image(Path(info["validation_image_dir"], file),
                           None if is_tiled else image_size)
        logits = blend_tiles(run_tiles, image, image_size, PADDING_GRAY)
        mask = tf.image.resize(logits, FULL).numpy().argmax(-1)
        label = read_label(Path(info["validation_label_dir"], file).with_suffix(".png"))
        confusion += confusion_matrix(label, mask, len(class_names))
    return summarize(confusion)


def run(name, way, seed, folder):
    """Trains and measures a set in one way, unless that is done; returns metrics and seconds."""
    output = folder / f"{name}_{way.replace(' ', '_').replace(',', '')}_{seed}"
    path = output / "native.json"
    if not path.exists():
        image_size, picture_size = WAYS[way]
        choose_set(name, output, IMAGE_SIZE=image_size, PICTURE_SIZE=picture_size, SEED=seed)
        main.main()
        history = np.genfromtxt(output / "history.csv", delimiter=",", names=True)
        path.write_text(json.dumps({**measure(output, name),
                                    "seconds": float(np.median(history["seconds"]))}))
    return json.loads(path.read_text())


def print_table(folder, seeds):
    """Runs what is missing and prints the table."""
    rows = []
    for name, small in SMALL.items():
        indices = [SETS[name][2].index(class_name) for class_name in small]
        for way in WAYS:
            results = [run(name, way, seed, folder) for seed in seeds]
            means = [np.mean([result["mean_iou"] for result in results])]
            means += [np.mean([result["iou"][index] for result in results]) for index in indices]
            iou = ", ".join(f"{class_name} {mean:.3f}"
                            for class_name, mean in zip(small, means[1:]))
            spread = np.std([result["mean_iou"] for result in results])
            seconds = np.median([result["seconds"] for result in results])
            rows.append(f"| {name} | {way} | {means[0]:.3f} ± {spread:.3f} | {iou} | "
                        f"{seconds:.1f} |")
    print("| set | way | mean IoU | smallest classes | seconds an epoch |")
    print("|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("Usage: python benchmarks/tiles.py FOLDER [SEED ...]")
    print_table(Path(sys.argv[1]), [int(seed) for seed in sys.argv[2:]] or [1, 2, 3])
