"""Measures what int8 costs: our way beside plain post-training quantization, on three sets.

    python benchmarks/int8_accuracy.py FOLDER [SET ...]

Trains each set twice with main.py's constants and 20 epochs, converts and tests. Plain: the decoder
is trained on Keras' own float features, the encoder is not equalized, no biases are changed.
Ours: main.py as it is. Results stay in FOLDER, a run that is there already is not repeated; prints
a table in Markdown.
"""

import contextlib
import json
import sys
from pathlib import Path

from sets import SETS, choose_set, plain_quantization

import main
import tflite_convert
import tflite_test

WAYS = {"plain": plain_quantization, "ours": contextlib.nullcontext}


def run(name, way, folder):
    """Trains, converts and tests a set in one way, unless its report is there; returns that."""
    output = folder / f"{name}_{way}"
    if not (output / "report.json").exists():
        choose_set(name, output)
        with WAYS[way]():
            main.main()
            tflite_convert.main()
            tflite_test.main()
    return json.loads((output / "report.json").read_text())


def format_row(name, way, report):
    """One row of the table: mean IoU of both, their difference, the worst class, agreement."""
    drops = {c: d for c, d in zip(report["class_names"], report["iou_drop"]) if d is not None}
    worst = max(drops, key=drops.get)
    return (f"| {name} | {way} | {report['keras']['mean_iou']:.3f} | "
            f"{report['int8']['mean_iou']:.3f} | {-100 * report['mean_iou_drop']:+.2f} | "
            f"{worst} {-100 * drops[worst]:+.2f} | {report['agreement']:.2%} |")


def print_table(folder, names):
    """Runs what is missing and prints the table."""
    rows = [format_row(name, way, run(name, way, folder))
            for name in names for way in WAYS]
    print("| set | way | mean IoU Keras | int8 | points | worst class, points | agreement |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("Usage: python benchmarks/int8_accuracy.py FOLDER [SET ...]")
    print_table(Path(sys.argv[1]), sys.argv[2:] or list(SETS))
