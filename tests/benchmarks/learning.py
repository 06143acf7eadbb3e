"""Measures how fast and how well main.py learns, beside TensorFlow's tutorial, on three sets.

    python tests/benchmarks/learning.py FOLDER [SEED ...]

Trains every set in three ways, one after the other, 20 epochs each, same split and machine:
tutorial (its decoder, cross-entropy, batch normalisation's momentum 0.99), dice (the same decoder,
plain dice weighted by inverse frequency), and default (main.py as it is). Neither of the first two
augments, so Keras' own features of each image are computed once and kept: the numbers of Keras' fit
in less time. Seconds are measured apart, on a quiet machine: the plain Keras loop of the first two
and main.py's own in turn, some epochs of each, medians. Results stay in FOLDER; a run that is there
already is not repeated. Leaves learning.png there and prints a table in Markdown: means over the
seeds, and their spread.
"""

import csv
import json
import subprocess
import sys
import time
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
TIMED_TURNS = 3


def kept_float_features(encoder, calibration_images):
    """Stands in for make_feature_function: what Keras computes, once an image."""
    import tensorflow as tf

    run, kept = tf.function(lambda image: encoder(image, training=False)), {}

    def features(images):
        for image in images:
            if image.tobytes() not in kept:
                scaled = tf.constant(image[None].astype(np.float32) / 127.5 - 1)
                kept[image.tobytes()] = [feature.numpy() for feature in run(scaled)]
        return [np.concatenate(parts)
                for parts in zip(*(kept[image.tobytes()] for image in images))]

    return features


def train_one(name, way, seed, output):
    """Trains one set in one way with one seed, in this process."""
    import get_model
    import main

    choose_set(name, output, SEED=seed, **WAYS[way])
    if way != "default":
        main.make_feature_function = kept_float_features
    if way == "tutorial":
        get_model.DECODER_MOMENTUM = 0.99
    main.main()


def time_ways(name, output):
    """Times whole epochs, validation included, of the plain Keras loop and of main.py in turn.

    Returns: dict of way -> list of seconds an epoch. "tutorial" is Keras' fit of the whole network
        with its own validation; "same decoder" main.py with the tutorial's decoder.
    """
    import main
    from get_model import get_model

    choose_set(name, output)
    data = main.load_data()
    num_classes, seconds = len(data["class_names"]), {}
    model = get_model(main.IMAGE_SIZE, num_classes, main.WEIGHTS, (512, 256, 128, 64))
    epochs = {"tutorial": plain_epoch(model, data)}
    for way, filters in (("same decoder", (512, 256, 128, 64)), ("default", main.DECODER_FILTERS)):
        model = get_model(main.IMAGE_SIZE, num_classes, main.WEIGHTS, filters)
        epochs[way] = our_epoch(model, data)
    for turn in range(TIMED_TURNS + 1):  # the first one compiles
        for way, epoch in epochs.items():
            start = time.perf_counter()
            epoch()
            if turn:
                seconds.setdefault(way, []).append(time.perf_counter() - start)
    return seconds


def plain_epoch(model, data):
    """Returns a function that trains and validates one epoch in Keras' own way."""
    import keras
    import tensorflow as tf

    import main

    def stream(images, labels):
        return tf.data.Dataset.from_tensor_slices((images, labels)).map(
            lambda image, label: (tf.cast(image, tf.float32), label), tf.data.AUTOTUNE)

    training = stream(data["images"], data["labels"]).cache().shuffle(1000).batch(
        main.BATCH_SIZE).prefetch(tf.data.AUTOTUNE)
    validation = stream(data["validation_images"], data["validation_labels"]).batch(main.BATCH_SIZE)
    loss = main.make_loss("cross-entropy", np.ones(len(data["class_names"])), main.IGNORE_LABEL)
    model.compile(keras.optimizers.Adam(1e-3), loss)
    return lambda: model.fit(training, validation_data=validation, epochs=1, verbose=0)


def our_epoch(model, data):
    """Returns a function that trains and measures one epoch as main.py does."""
    import tensorflow as tf

    import main
    import training
    from streaming import count_steps

    strategy, options = tf.distribute.get_strategy(), {"augment": True, "seed": 1, "repeats": 1}
    phase = next(main.plan_phases(model, data, 0))
    loss = main.make_loss(main.LOSS, data["class_weights"], main.IGNORE_LABEL)
    steps = count_steps(len(data["images"]), main.BATCH_SIZE, 1)
    step = training.make_step(strategy, phase.model, training.make_optimizer(
        phase, steps, strategy), loss, training.choose_call(phase, strategy))
    batches = training.stream(strategy, data, main.BATCH_SIZE, features=phase.features,
                              epochs=range(1000), **options)
    predict = main.make_predictor(phase.model, phase.features)

    def epoch():
        for _ in range(steps):
            training.run_step(step, batches)
        main.measure(predict(data["validation_images"]), data)

    return epoch


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


def format_row(name, way, histories, rarest, seconds):
    """One row of the table: mean and spread over the seeds."""
    def cell(key, epoch):
        values = np.array([history[key][epoch - 1] for history in histories])
        return f"{values.mean():.3f}" + (f" ± {values.std():.3f}" if len(values) > 1 else "")

    best = np.array([history["mean_iou"].max() for history in histories])
    cells = [cell("mean_iou", epoch) for epoch in SHOWN_EPOCHS]
    return (f"| {name} | {way} | {' | '.join(cells)} | {best.mean():.3f} ± {best.std():.3f} | "
            f"{cell('mean_iou_without_background', 20)} | {rarest} {cell('iou ' + rarest, 20)} | "
            f"{seconds[way]:.1f} |")


def find_rarest(name, folder):
    """Returns the name of the class with the fewest training pixels: that of the largest weight."""
    path = next(folder.glob(f"{name}_default_*/model.json"))
    info = json.loads(path.read_text(encoding="utf-8"))
    return info["class_names"][int(np.argmax(info["class_weights"]))]


def read_seconds(name, folder):
    """Times the ways of a set in a process of its own unless it was done; returns the medians."""
    path = folder / f"{name}_seconds.json"
    if not path.exists():
        print(f"{name}, seconds an epoch ...", flush=True)
        with open(folder / f"{name}_seconds.txt", "w", encoding="utf-8") as log:
            subprocess.run([sys.executable, __file__, "--seconds", name, str(path)],
                           stdout=log, stderr=log, check=True)
    seconds = json.loads(path.read_text())
    medians = {way: float(np.median(values)) for way, values in seconds.items()}
    return {**medians, "dice": medians["tutorial"]}  # another loss in the same loop


def epochs_to_pass(history, score):
    """Epochs of training until the mean IoU first reaches a score, or NaN."""
    reached = np.flatnonzero(history["mean_iou"] >= score)
    return history["epoch"][reached[0]] if len(reached) else np.nan


def draw_curves(path, results, seconds):
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
                right.plot(history["epoch"] * seconds[name][way], history["mean_iou"],
                           color=COLOURS[way])
        left.set(title=name, xlabel="epoch", ylabel="validation mean IoU")
        right.set(title=name, xlabel="seconds of training")
        left.legend()
        for axis in (left, right):
            axis.grid(alpha=0.3)
    figure.savefig(path, dpi=90)


def main_benchmark(folder, seeds):
    """Runs what is missing, prints the tables and draws the curves."""
    folder.mkdir(parents=True, exist_ok=True)
    seconds = {name: read_seconds(name, folder) for name in SETS}
    # By seed first: an interrupted benchmark has whole seeds.
    runs = {(name, way, seed): read_history(name, way, seed, folder)
            for seed in seeds for name in SETS for way in WAYS}
    results = {name: {way: [runs[name, way, seed] for seed in seeds] for way in WAYS}
               for name in SETS}
    print("| set | way | " + " | ".join(f"epoch {epoch}" for epoch in SHOWN_EPOCHS)
          + " | best | without class 0 | rarest class | seconds an epoch |")
    print("|---" * (len(SHOWN_EPOCHS) + 6) + "|")
    for name, ways in results.items():
        for way, histories in ways.items():
            print(format_row(name, way, histories, find_rarest(name, folder), seconds[name]))
    for name, ways in results.items():
        print_speed(name, ways, seconds[name])
    draw_curves(folder / "learning.png", results, seconds)


def print_speed(name, ways, seconds):
    """Prints when the default passes the tutorial's final score, and seconds an epoch."""
    shares = [epochs_to_pass(default, tutorial["mean_iou"][-1]) * seconds["default"]
              / (len(tutorial["epoch"]) * seconds["tutorial"])
              for tutorial, default in zip(ways["tutorial"], ways["default"])]
    same, default = (seconds[way] / seconds["tutorial"] for way in ("same decoder", "default"))
    print(f"{name}: the default passes the tutorial's final score in "
          f"{', '.join(f'{share:.2f}' for share in shares)} of its seconds; an epoch with the "
          f"tutorial's decoder takes {same:.2f} of the plain Keras loop's seconds, with the "
          f"default {default:.2f}.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        train_one(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
    elif sys.argv[1:2] == ["--seconds"]:
        times = time_ways(sys.argv[2], Path(sys.argv[3]).parent / "seconds")
        Path(sys.argv[3]).write_text(json.dumps(times))
    elif len(sys.argv) > 1:
        main_benchmark(Path(sys.argv[1]), [int(seed) for seed in sys.argv[2:]] or [1, 2, 3])
    else:
        sys.exit("Usage: python tests/benchmarks/learning.py FOLDER [SEED ...]")
