"""Measures how fast and how well main.py learns, beside TensorFlow's tutorial, on three sets.

    python benchmarks/learning.py FOLDER [SEED ...]

Trains every set in three ways, one after the other, 20 epochs each, same split and machine:
tutorial (its decoder, cross-entropy, batch normalization's momentum 0.99), dice (the same decoder,
plain dice weighted by inverse frequency), and default (main.py as it is). The first two train by
Adam and do not augment, so Keras' own features of each image are computed once and kept, and all is
float32: the numbers of Keras' fit in less time. Seconds are measured apart, on a quiet machine: the
tutorial's own loop and main.py's, each with the tutorial's decoder and with the default, in turn,
some epochs of each, medians. Results stay in FOLDER; a run that is there already is not repeated.
Leaves learning.png there and prints tables in Markdown, by epoch and by second: means over the
seeds, and their spread.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sets import SETS, choose_set, float_features, load_set

from device.model_info import IGNORED

TUTORIAL_FILTERS = (512, 256, 128, 64)
PLAIN = {"DECODER_FILTERS": TUTORIAL_FILTERS, "LEARNING_RATE": 1e-3, "FLIP": None,
         "COLOR": 0, "MIX_CLASSES": 0, "PASTE_OBJECTS": False}
WAYS = {
    "tutorial": {**PLAIN, "LOSS": "cross-entropy", "CLASS_WEIGHT_POWER": 0.0},
    "dice": {**PLAIN, "LOSS": "dice", "CLASS_WEIGHT_POWER": 1.0},
    "default": {},
}
COLORS = {"tutorial": "tab:gray", "dice": "tab:blue", "default": "tab:red"}
SHOWN_EPOCHS = (5, 10, 20)
SHOWN_SHARES = (0.05, 0.1, 0.25, 1.0)  # of the seconds that the tutorial takes
TIMED_TURNS = 5
ANSWER = "seconds: "


def train_one(name, way, seed, output, **constants):
    """Trains one set in one way with one seed, in this process; further constants by name."""
    import keras

    import get_model
    import main
    from segmentation.train import loop, run

    choose_set(name, output, SEED=seed, MEMORY_LIMIT_GB=8, **WAYS[way], **constants)
    if way != "default":
        run.make_feature_function = float_features
        run.choose_training_dtype = lambda: "float32"
        loop.ConvolutionMuon = lambda learning_rate, *_: keras.optimizers.Adam(learning_rate)
        run.WEIGHT_DECAY, run.VARIATION = 0, None
    if way == "tutorial":
        get_model.DECODER_MOMENTUM = 0.99
    main.main()


def time_ways(name, log):
    """Times whole epochs, validation included, of each of LOOPS in turn, in processes of their own.

    Returns: dict of loop -> dict of "epoch", and for main.py of its parts "waiting" for the next
        batch and "evaluation" -> list of seconds.
    """
    processes = {loop: subprocess.Popen(
        [sys.executable, __file__, "--epochs", name, loop], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **environment})
        for loop, (_, _, environment) in LOOPS.items()}
    times = {loop: {} for loop in LOOPS}
    for turn in range(TIMED_TURNS + 1):  # the first one compiles
        for loop, process in processes.items():
            process.stdin.write("go\n")
            process.stdin.flush()
            answer = next(line for line in process.stdout if line.startswith(ANSWER))
            for part, value in json.loads(answer.removeprefix(ANSWER)).items() if turn else ():
                times[loop].setdefault(part, []).append(value)
    for process in processes.values():
        process.communicate()
    return times


def run_epochs(name, loop, folder):
    """Trains an epoch of a loop for each line that comes in, and answers with its seconds."""
    from get_model import get_model

    make_epoch, filters, _ = LOOPS[loop]
    settings, data = load_set(name, folder)
    model = get_model(settings.image_size, len(data["class_names"]), settings.encoder_weights,
                      filters or settings.decoder_filters)
    epoch = make_epoch(model, data, settings)
    for _ in sys.stdin:
        start = time.perf_counter()
        parts = epoch()
        print(ANSWER + json.dumps({"epoch": time.perf_counter() - start, **parts}), flush=True)


def plain_epoch(model, data, settings):
    """Returns a function that trains and validates one epoch as TensorFlow's tutorial does.

    By Keras' fit, on pictures flipped by Keras' layer, but with main.py's metric.
    """
    import keras

    import main

    training, validation = tutorial_streams(data, settings.batch_size)
    loss = main.make_loss("cross-entropy", np.ones(len(data["class_names"])),
                          IGNORED)
    mean_iou = keras.metrics.MeanIoU(len(data["class_names"]), ignore_class=IGNORED,
                                     sparse_y_pred=False)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=[mean_iou])

    def epoch():
        """Runs Keras' fit for one epoch."""
        model.fit(training, validation_data=validation, epochs=1, verbose=0)
        return {}

    return epoch


def tutorial_streams(data, batch_size):
    """Returns the tf.data streams of training and validation batches that the tutorial makes."""
    import keras
    import tensorflow as tf

    # Without tf.data's tuning: at its end an iterator waits for the next round of it, and they come
    # 0.01 * (2 ** n - 1) seconds after the start, so that an epoch of 7 seconds takes 10.23.
    untuned = tf.data.Options()
    untuned.autotune.enabled = False
    random_flip = keras.layers.RandomFlip("horizontal", seed=1)

    def stream(images, labels):
        """Streams pictures as float32, and labels."""
        return tf.data.Dataset.from_tensor_slices((images, labels)).map(
            lambda image, label: (tf.cast(image, tf.float32), label), 2).with_options(untuned)

    def flip(image, label):
        """Flips the pictures of a batch at random, and their labels in pair."""
        both = random_flip(tf.concat([image, tf.cast(label[..., None], tf.float32)], -1),
                           training=True)
        return both[..., :3], tf.cast(both[..., 3], tf.uint8)

    training = stream(data["images"], data["labels"]).cache().shuffle(1000).batch(
        batch_size).map(flip, 2).prefetch(2)
    validation = stream(data["validation_images"], data["validation_labels"])
    return training, validation.batch(batch_size)


def our_epoch(model, data, settings):
    """Returns a function that trains and measures one epoch as main.py does.

    It returns the seconds of "waiting" for the next batch, and of "evaluation".
    """
    import tensorflow as tf

    import main
    from segmentation import evaluate
    from segmentation.data.augmentation import Augmentation
    from segmentation.data.batches import count_steps
    from segmentation.train import devices, loop, run
    from segmentation.train.gradient import make_measure

    strategy = tf.distribute.get_strategy()
    options = {"augmentation": Augmentation(), "seed": 1, "repeats": 1,
               "pasted_classes": run.count_pasted_classes(data, settings)}
    phase = next(run.plan_phases(model, data, settings, 0))
    loss = main.make_loss(settings.loss, data["class_weights"], IGNORED)
    steps = count_steps(len(data["images"]), settings.batch_size, 1)
    step = loop.make_step(strategy, phase, loop.make_optimizer(phase, steps, strategy),
                          make_measure(loss, by_xla=True), loop.choose_call(phase, strategy))
    batches = devices.stream(strategy, data, settings.batch_size, features=phase.features,
                             epochs=range(1000), **options)
    predict = evaluate.make_predictor(loop.choose_call(phase, strategy), phase.cached_features)

    def epoch():
        """Trains and measures one epoch, and returns the seconds of its parts."""
        waited = 0.0
        for _ in range(steps):
            start = time.perf_counter()
            batch = next(batches)
            waited += time.perf_counter() - start
            float(step(*batch))
        start = time.perf_counter()
        evaluate.measure(predict(data["validation_images"]), data)
        return {"waiting": waited, "evaluation": time.perf_counter() - start}

    return epoch


# loop -> (what makes its epoch, decoder or None for main.py's, environment variables). Keras runs
# with what TensorFlow chooses by itself; main.py sets this variable to 1.
TF_CHOICE = {"TF_ENABLE_ONEDNN_OPTS": "default"}
LOOPS = {
    "Keras, tutorial's decoder": (plain_epoch, TUTORIAL_FILTERS, TF_CHOICE),
    "main.py, tutorial's decoder": (our_epoch, TUTORIAL_FILTERS, {}),
    "Keras, default decoder": (plain_epoch, None, TF_CHOICE),
    "main.py, default decoder": (our_epoch, None, {}),
}
LOOP_OF_WAY = {"tutorial": "Keras, tutorial's decoder", "dice": "Keras, tutorial's decoder",
               "default": "main.py, default decoder"}


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
        """Mean and spread of a column of history.csv after an epoch."""
        values = np.array([history[key][epoch - 1] for history in histories])
        return f"{values.mean():.3f}" + (f" ± {values.std():.3f}" if len(values) > 1 else "")

    best = np.array([history["mean_iou"].max() for history in histories])
    cells = [cell("mean_iou", epoch) for epoch in SHOWN_EPOCHS]
    return (f"| {name} | {way} | {' | '.join(cells)} | {best.mean():.3f} ± {best.std():.3f} | "
            f"{cell('mean_iou_without_background', 20)} | {rarest} {cell('iou ' + rarest, 20)} | "
            f"{seconds[LOOP_OF_WAY[way]]['epoch']:.1f} |")


def format_row_by_second(name, way, histories, rarest, seconds):
    """One row of the table by second: the three scores, means over the seeds."""
    epoch_seconds, tutorial_seconds = (
        seconds[LOOP_OF_WAY[which]]["epoch"] for which in (way, "tutorial"))
    keys = ("mean_iou", "mean_iou_without_background", "iou " + rarest)
    cells = []
    for share in SHOWN_SHARES:
        done = share * len(histories[0]["epoch"]) * tutorial_seconds / epoch_seconds
        done = min(int(done + 1e-6), len(histories[0]["epoch"]))  # whole epochs
        cells.append(" / ".join(f"{np.mean([history[key][done - 1] for history in histories]):.3f}"
                                for key in keys) if done else "-")
    return f"| {name} | {way} | {' | '.join(cells)} |"


def find_rarest(name, folder):
    """Returns the name of the class with the fewest training pixels: that of the largest weight."""
    path = next(folder.glob(f"{name}_default_*/model.json"))
    info = json.loads(path.read_text(encoding="utf-8"))
    return info["class_names"][int(np.argmax(info["class_weights"]))]


def read_seconds(name, folder):
    """Times the loops of a set unless it was done; returns dict of loop -> part -> median."""
    path = folder / f"{name}_seconds.json"
    if not path.exists():
        print(f"{name}, seconds an epoch ...", flush=True)
        with open(folder / f"{name}_seconds.txt", "w", encoding="utf-8") as log:
            path.write_text(json.dumps(time_ways(name, log)))
    return {loop: {part: float(np.median(values)) for part, values in parts.items()}
            for loop, parts in json.loads(path.read_text()).items()}


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
                left.plot(history["epoch"], history["mean_iou"], color=COLORS[way], label=label)
                right.plot(history["epoch"] * seconds[name][LOOP_OF_WAY[way]]["epoch"],
                           history["mean_iou"], color=COLORS[way])
        left.set(title=name, xlabel="epoch", ylabel="validation mean IoU")
        right.set(title=name, xlabel="seconds of training")
        left.xaxis.get_major_locator().set_params(integer=True)
        for axis in (left, right):
            axis.grid(alpha=0.3)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
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
    rows = [(name, way, histories) for name, ways in results.items()
            for way, histories in ways.items()]
    rarest = {name: find_rarest(name, folder) for name in SETS}
    print("| set | way | " + " | ".join(f"epoch {epoch}" for epoch in SHOWN_EPOCHS)
          + " | best | without class 0 | rarest class | seconds an epoch |")
    print("|---" * (len(SHOWN_EPOCHS) + 6) + "|")
    for name, way, histories in rows:
        print(format_row(name, way, histories, rarest[name], seconds[name]))
    print("\nMean IoU / without class 0 / rarest class, after shares of the tutorial's seconds:")
    print("| set | way | " + " | ".join(f"{share:.0%}" for share in SHOWN_SHARES) + " |")
    print("|---" * (len(SHOWN_SHARES) + 2) + "|")
    for name, way, histories in rows:
        print(format_row_by_second(name, way, histories, rarest[name], seconds[name]))
    for name, ways in results.items():
        print_speed(name, ways, seconds[name])
    draw_curves(folder / "learning.png", results, seconds)


def print_speed(name, ways, seconds):
    """Prints when the default passes the tutorial's final score, and compares the loops."""
    tutorial_seconds, default_seconds = (
        seconds[LOOP_OF_WAY[way]]["epoch"] for way in ("tutorial", "default"))
    shares = [epochs_to_pass(default, tutorial["mean_iou"][-1]) * default_seconds
              / (len(tutorial["epoch"]) * tutorial_seconds)
              for tutorial, default in zip(ways["tutorial"], ways["default"])]
    print(f"{name}: the default passes the tutorial's final score in "
          f"{', '.join(f'{share:.2f}' for share in shares)} of its seconds.")
    for loop, parts in seconds.items():
        print(f"  {loop}: {parts['epoch']:.2f} s an epoch" + "".join(
            f", of which {part} {parts[part] / parts['epoch']:.1%}"
            for part in ("waiting", "evaluation") if part in parts))
    for decoder in ("tutorial's", "default"):
        ratio = (seconds[f"main.py, {decoder} decoder"]["epoch"]
                 / seconds[f"Keras, {decoder} decoder"]["epoch"])
        print(f"  {decoder} decoder: main.py's epoch takes {ratio:.2f} of Keras'")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        train_one(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
    elif sys.argv[1:2] == ["--epochs"]:
        with tempfile.TemporaryDirectory() as unused:
            run_epochs(sys.argv[2], sys.argv[3], unused)
    elif len(sys.argv) > 1:
        main_benchmark(Path(sys.argv[1]), [int(seed) for seed in sys.argv[2:]] or [1, 2, 3])
    else:
        sys.exit("Usage: python benchmarks/learning.py FOLDER [SEED ...]")
