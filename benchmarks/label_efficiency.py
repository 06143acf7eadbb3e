"""Measures what labels are worth: mean IoU by the number of labeled images, three sets.

    python benchmarks/label_efficiency.py FOLDER [SEED ...]

Trains each set with 5, 10, 20, 40, 80 and all of its training images, evenly spaced, as
TensorFlow's tutorial does (learning.py), with main.py as it is, and with main.py and the other
images as images without a label (UNLABELED), whose epochs go through all images; 20 epochs each.
The score is the validation mean IoU of the last epoch, so that no choice of an epoch flatters it.
Results stay in FOLDER; a run that is there already is not repeated. Leaves
label_efficiency.png there and prints a table in Markdown.
"""

import csv
import subprocess
import sys
from pathlib import Path

import learning
import numpy as np
from sets import SETS, choose_set

import main

WAYS = {"tutorial": "TensorFlow's tutorial", "default": "this project",
        "unlabeled": "this project, UNLABELED = True"}
COLORS = {**learning.COLORS, "unlabeled": "tab:orange"}
COUNTS = (5, 10, 20, 40, 80, None)  # of labeled images; None: all


def link_labels(name, count, folder):
    """Returns a new folder of links to so many labels of a set, evenly spaced by name."""
    choose_set(name, folder)
    labels = sorted(Path(main.LABEL_DIR).glob("*.png"))
    folder.mkdir(parents=True, exist_ok=True)
    for index in np.linspace(0, len(labels) - 1, count or len(labels)).round().astype(int):
        link = folder / labels[index].name
        if not link.exists():
            link.symlink_to(labels[index])
    return folder


def train_one(name, way, count, seed, output):
    """Trains one set in one way with so many labels, in this process."""
    labels = link_labels(name, count, output.parent / f"{name}_{count or 'all'}_labels")
    learning.train_one(name, "tutorial" if way == "tutorial" else "default", seed, str(output),
                       LABEL_DIR=str(labels), SKIP_UNLABELED=True, UNLABELED=way == "unlabeled")


def score(name, way, count, seed, folder):
    """Trains in a process of its own unless that is done; returns the last epoch's mean IoU."""
    if count is None and way == "unlabeled":  # there are none
        way = "default"
    output = folder / f"{name}_{way}_{count or 'all'}_{seed}"
    if not (output / "predictions.png").exists():
        print(f"{name}, {way}, {count or 'all'} labels, seed {seed} ...", flush=True)
        output.mkdir(parents=True, exist_ok=True)
        with open(output / "log.txt", "w", encoding="utf-8") as log:
            subprocess.run([sys.executable, __file__, "--one", name, way, str(count or 0),
                            str(seed), str(output)], stdout=log, stderr=log, check=True)
    with open(output / "history.csv", encoding="utf-8") as file:
        return float(list(csv.DictReader(file))[-1]["mean_iou"])


def labels_to_reach(scores, target):
    """Returns the smallest number of labels whose score reaches the target, or None."""
    return next((count or "all" for count, value in zip(COUNTS, scores) if value >= target), None)


def draw(path, results):
    """Draws mean IoU by the number of labels, a plot a set."""
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(results), figsize=(11, 3.6), layout="constrained")
    ticks = [str(count or "all") for count in COUNTS]
    for axis, (name, ways) in zip(axes, results.items()):
        for way, scores in ways.items():
            axis.plot(ticks, scores.mean(axis=0), "o-", color=COLORS[way],
                      label=WAYS[way])
        axis.set(title=name, xlabel="labeled images", ylabel="validation mean IoU")
        axis.grid(alpha=0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    figure.savefig(path, dpi=90)


def main_benchmark(folder, seeds):
    """Runs what is missing, prints the table and draws the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    runs = {(name, way, count, seed): score(name, way, count, seed, folder)
            for seed in seeds for name in SETS for count in COUNTS for way in WAYS}
    results = {name: {way: np.array([[runs[name, way, count, seed] for count in COUNTS]
                                     for seed in seeds]) for way in WAYS} for name in SETS}
    print("| set | way | " + " | ".join(str(count or "all") for count in COUNTS) + " |")
    print("|---" * (len(COUNTS) + 2) + "|")
    for name, ways in results.items():
        for way, scores in ways.items():
            cells = [f"{values.mean():.3f}" for values in scores.T]
            print(f"| {name} | {way} | {' | '.join(cells)} |")
    for name, ways in results.items():
        means = {way: scores.mean(axis=0) for way, scores in ways.items()}
        for way in ("default", "unlabeled"):
            target = means[way][COUNTS.index(20)]
            needed = labels_to_reach(means["tutorial"], target)
            print(f"{name}, {way}: 20 labels give {target:.3f}; the tutorial needs "
                  f"{needed or 'more than all of the set'} for that.")
    draw(folder / "label_efficiency.png", results)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        set_name, chosen_way, number, chosen_seed, place = sys.argv[2:]
        train_one(set_name, chosen_way, int(number) or None, int(chosen_seed), Path(place))
    elif len(sys.argv) > 1:
        main_benchmark(Path(sys.argv[1]), [int(seed) for seed in sys.argv[2:]] or [1, 2, 3])
    else:
        sys.exit("Usage: python benchmarks/label_efficiency.py FOLDER [SEED ...]")
