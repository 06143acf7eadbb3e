"""Measures how fast and how well main.py learns, beside TensorFlow's tutorial, on three sets.

    python tests/benchmarks/learning.py FOLDER [SEED ...]

Trains every set in three ways, one after the other, 20 epochs each, same split and machine:
tutorial (its decoder, cross-entropy, batch normalisation's momentum 0.99, plain Keras fit), dice
(the same decoder and loop, plain dice weighted by inverse frequency), and default (main.py as it
is). Results stay in FOLDER; a run that is there already is not repeated. Leaves learning.png there
and prints a table in Markdown: means over the seeds, and their spread.
"""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
from sets import SETS, choose_set

TUTORIAL_DECODER = {"DECODER_FILTERS": (512, 256, 128, 64)}
WAYS = {
    "tutorial": {**TUTORIAL_DECODER, "LOSS": "cross-entropy", "WEIGHT_POWER": 0.0,
                 "AUGMENT": False, "LEARNING_RATE": 1e-3},
    "dice": {**TUTORIAL_DECODER, "LOSS": "dice", "WEIGHT_POWER": 1.0, "AUGMENT": False,
             "LEARNING_RATE": 1e-3},
    "default": {},
}
COLOURS = {"tutorial": "tab:gray", "dice": "tab:blue", "default": "tab:red"}
SHOWN_EPOCHS = (5, 10, 20)


def train_plainly(model, data, output_dir):
    """Stands in for main.train: the whole model, encoder included, in Keras' own fit."""
    import keras

    import main

    dataset = main.make_dataset(data["images"], data["labels"], main.BATCH_SIZE, main.AUGMENT,
                                shuffle=True, seed=main.SEED)
    steps = -(-len(data["images"]) // main.BATCH_SIZE)
    schedule = keras.optimizers.schedules.CosineDecay(main.LEARNING_RATE, main.EPOCHS * steps)
    trained = keras.Model(model.inputs, model.outputs)
    trained.compile(keras.optimizers.Adam(schedule),
                    main.make_loss(main.LOSS, data["class_weights"], main.IGNORE_LABEL))
    validation = main.Validation(model, main.make_predictor(model), data, output_dir)
    trained.fit(dataset, epochs=main.EPOCHS, callbacks=[validation], verbose=2, shuffle=False)
    model.load_weights(Path(output_dir) / "model.keras")
    return validation.history, validation.best["epoch"]


def train_one(name, way, seed, output):
    """Trains one set in one way with one seed, in this process."""
    import get_model
    import main

    choose_set(name, output, SEED=seed, **WAYS[way])
    if way != "default":
        main.train = train_plainly
    if way == "tutorial":
        get_model.DECODER_MOMENTUM = 0.99
    main.main()


def read_history(name, way, seed, folder):
    """Trains in a process of its own unless the run is complete; returns its history's columns."""
    output = folder / f"{name}_{way}_{seed}"
    if not (output / "predictions.png").exists():
        print(f"{name}, {way}, seed {seed} ...", flush=True)
        output.mkdir(parents=True, exist_ok=True)
        with open(output / "log.txt", "w", encoding="utf-8") as log:
            subprocess.run([sys.executable, __file__, "--one", name, way, str(seed), str(output)],
                           stdout=log, stderr=log, check=True)
    with open(output / "history.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {key: np.array([float(row[key] or "nan") for row in rows]) for key in rows[0]}


def format_row(name, way, histories, rarest):
    """One row of the table: mean and spread over the seeds."""
    def cell(key, epoch):
        values = np.array([history[key][epoch - 1] for history in histories])
        return f"{values.mean():.3f}" + (f" ± {values.std():.3f}" if len(values) > 1 else "")

    best = np.array([history["mean_iou"].max() for history in histories])
    seconds = np.mean([history["seconds"][1:].mean() for history in histories])
    cells = [cell("mean_iou", epoch) for epoch in SHOWN_EPOCHS]
    return (f"| {name} | {way} | {' | '.join(cells)} | {best.mean():.3f} | "
            f"{cell('mean_iou_without_background', 20)} | {rarest} {cell('iou ' + rarest, 20)} | "
            f"{seconds:.1f} |")


def seconds_to_pass(history, score):
    """Seconds of training until the mean IoU first reaches a score, or NaN."""
    reached = np.flatnonzero(history["mean_iou"] >= score)
    return np.cumsum(history["seconds"])[reached[0]] if len(reached) else np.nan


def draw_curves(path, results):
    """Draws mean IoU by epoch and by second, a row a set, a thin line a seed."""
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(results), 2, figsize=(11, 3.4 * len(results)), squeeze=False,
                                layout="constrained")
    for (name, ways), (left, right) in zip(results.items(), axes):
        for way, histories in ways.items():
            for number, history in enumerate(histories):
                label = way if number == 0 else None
                left.plot(history["epoch"], history["mean_iou"], color=COLOURS[way], label=label)
                right.plot(np.cumsum(history["seconds"]), history["mean_iou"], color=COLOURS[way])
        left.set(title=name, xlabel="epoch", ylabel="validation mean IoU")
        right.set(title=name, xlabel="seconds of training")
        left.legend()
        for axis in (left, right):
            axis.grid(alpha=0.3)
    figure.savefig(path, dpi=90)


def main_benchmark(folder, seeds):
    """Runs what is missing, prints the table and draws the curves."""
    # By seed first: an interrupted benchmark has whole seeds.
    runs = {(name, way, seed): read_history(name, way, seed, folder)
            for seed in seeds for name in SETS for way in WAYS}
    results = {name: {way: [runs[name, way, seed] for seed in seeds] for way in WAYS}
               for name in SETS}
    rarest = {"birds": "swan", "davis_birds": "flamingo", "camvid": "bicyclist"}
    print("| set | way | " + " | ".join(f"epoch {epoch}" for epoch in SHOWN_EPOCHS)
          + " | best | without class 0 | rarest class | seconds an epoch |")
    print("|---" * (len(SHOWN_EPOCHS) + 6) + "|")
    for name, ways in results.items():
        for way, histories in ways.items():
            print(format_row(name, way, histories, rarest[name]))
    for name, ways in results.items():
        shares = []
        for tutorial, default in zip(ways["tutorial"], ways["default"]):
            final = tutorial["mean_iou"][-1]
            shares.append(seconds_to_pass(default, final) / tutorial["seconds"].sum())
        print(f"{name}: the default passes the tutorial's final score in "
              f"{np.mean(shares):.2f} of its seconds.")
    draw_curves(folder / "learning.png", results)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        train_one(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
    elif len(sys.argv) > 1:
        main_benchmark(Path(sys.argv[1]), [int(seed) for seed in sys.argv[2:]] or [1, 2, 3])
    else:
        sys.exit("Usage: python tests/benchmarks/learning.py FOLDER [SEED ...]")
