"""Trains the U-Net on a folder of images and a folder of label PNGs of the same names.

    python main.py

Edit the constants below for your own pictures. Reads IMAGE_DIR and LABEL_DIR; leaves in OUTPUT_DIR
model.keras (the epoch with the best validation mean IoU), model.json (all that later scripts need),
history.csv, curves.png and predictions.png. Then run tflite_convert.py and tflite_test.py.
"""

import csv
import functools
import io
import json
import os
import platform
import shutil
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's own notes hide our lines
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # a sixth faster here; off by default on AVX2

import keras
import matplotlib
import numpy as np
import tensorflow as tf

from cache import BYTES_PER_GB
from constants import LOSSES, check_constants, usable_constants
from fast_decoder import call_decoder, choose_training_dtype
from get_model import describe_missing, get_model, unfreeze
from import_data import (
    InputError,
    check_label_values,
    compare_classes,
    count_pixels,
    list_faults,
    name_classes,
    read_pairs,
    weigh_classes,
)
from measuring import (
    class_colours,
    colour_mask,
    confusion_matrix,
    format_iou_table,
    overlay,
    save_grid,
    summarise,
    write_json,
    write_whole,
)
from pairing import Pairs, list_names, pair_files, report
from quantise import calibration_indices, make_feature_function, remember, with_both_ends
from saved_model import load_model
from training import (
    Phase,
    choose_call,
    choose_strategy,
    computing_in,
    fit,
    is_chief,
    load_state,
    save_state,
    sum_over_devices,
    worker_index,
)

# Data
IMAGE_DIR = "sample_data/images"
LABEL_DIR = "sample_data/labels"
VALIDATION_IMAGE_DIR = None  # folder of images to measure on; None splits some off IMAGE_DIR
VALIDATION_LABEL_DIR = None
VALIDATION_SPLIT = 0.2  # share of the pairs that is kept for measuring, drawn by SEED
SKIP_UNLABELLED = False  # True passes over images without a label; False: they are an error
IMAGE_SIZE = (128, 160)  # (height, width), divisible by 32; pictures are stretched to it
CLASS_NAMES = None  # list of names; None: classes.txt in LABEL_DIR, else counted from the labels
IGNORE_LABEL = 255  # label value that counts nowhere: not in the loss, the weights, the metrics

# Model
WEIGHTS = "imagenet"  # or the path of a MobileNetV2 weights file, or None: random
# (channels, channels of the encoder's map that is joined), from the smallest map upwards. Plain
# numbers give the decoder of TensorFlow's tutorial: DECODER_FILTERS = (512, 256, 128, 64).
DECODER_FILTERS = ((128, 96), (96, 64), (64, 48), (48, 32))

# Training
LOSS = "dice+cross-entropy"  # or "dice" alone, or "cross-entropy" alone, each weighted by class
WEIGHT_POWER = 0.5  # class weight ~ (1 / frequency) ** this: 1 plain inverse, 0.5 damped, 0 none
BATCH_SIZE = 8
EPOCHS = 20
LEARNING_RATE = 3e-3  # of Adam at the start; falls to 0 along a cosine
LEAST_STEPS = 20  # batches an epoch has, about; few images are gone through several times
PATIENCE = None  # epochs without a better validation mean IoU until it stops; None keeps EPOCHS
FINE_TUNE_EPOCHS = 0  # afterwards, with the encoder's later blocks trained too; 0: frozen for good
FINE_TUNE_FROM = "block_1_expand"  # the first of its layers that is trained then
FINE_TUNE_RATE = 5e-4  # learning rate then
RESUME = False  # True goes on with the run that was interrupted in OUTPUT_DIR
MIXED_PRECISION = False  # True computes in float16 on a GPU with tensor cores; sums stay float32
TENSORBOARD = False  # True writes OUTPUT_DIR/tensorboard: tensorboard --logdir output
AUGMENT = True  # flips the training images, varies their colours; in fine-tuning crops them too
SEED = 1  # same seed, same machine: same result
OUTPUT_DIR = "output"
MEMORY_LIMIT_GB = 2  # decoded pairs that need more are kept on the disk; features, not at all
CACHE_DIR = None  # folder for them; None: cache in OUTPUT_DIR

PREDICTION_BATCH = 16  # images at a time where nothing is trained
PREDICTION_ROWS = 8  # validation images shown in predictions.png
NEEDED_MB = 200  # free in OUTPUT_DIR: the model, twice while it is saved, and the pictures
TOO_FEW = ("{} pair(s) can't be split into training and validation: add pairs, or set "
           "VALIDATION_IMAGE_DIR and VALIDATION_LABEL_DIR.")
ONE_CLASS_SHARE = 0.999  # of the predicted pixels; more is worth a warning


# ---- data ------------------------------------------------------------------------------------


def load_data(findings=()):
    """Reads training and validation pairs as the constants say, and prints the table of classes.

    Args: findings, sentences on what else is wrong, to be raised together with what is found here.
    Returns: dict with images, labels, class_weights, validation_images, validation_labels,
        class_names, training_names, validation_names (image file names), validation_dirs.
    Raises: InputError of all findings: wrong constants, pairing, files, sizes, label values.
    """
    findings = [*check_constants(globals()), *findings]
    given = usable_constants(globals())  # a wrong constant does not hide what the folders lack
    pairs, validation_pairs, validation_dirs = find_pairs(given, findings)
    (images, labels, values), (validation_images, validation_labels, validation_values) = read_both(
        pairs, validation_pairs, given["IMAGE_SIZE"], findings)
    ignore_label = given["IGNORE_LABEL"]
    all_values = np.concatenate([values[:], validation_values[:]])
    class_names = name_classes(all_values, given["LABEL_DIR"], given["CLASS_NAMES"], ignore_label,
                               findings)
    check_label_values(pairs + validation_pairs, all_values, class_names, ignore_label, len(pairs),
                       findings)
    report(findings)

    print(f"{len(pairs)} training and {len(validation_pairs)} validation images, "
          f"{len(class_names)} classes")
    class_weights = weigh_classes(labels, class_names, WEIGHT_POWER)
    print_notes(pairs, values, validation_pairs, validation_values, class_names)
    return {"images": images, "labels": labels, "class_weights": class_weights,
            "validation_images": validation_images, "validation_labels": validation_labels,
            "class_names": class_names, "validation_dirs": validation_dirs,
            "training_names": pairs.image_names(),
            "validation_names": validation_pairs.image_names()}


def read_both(pairs, validation_pairs, image_size, findings):
    """Decodes training and validation pairs, in memory or, above MEMORY_LIMIT_GB, into CACHE_DIR.

    Args: findings, list to which a sentence for each kind of fault is added. Where it holds some
        already, which keep from training, files are only looked at, and nothing is kept of them.
    Returns: import_data.read_pairs' arrays of the training and of the validation pairs.
    Raises: InputError of all findings so far, where a cache can't be written.
    """
    limit, cache_dir = 0, None
    if not findings:
        limit, cache_dir = MEMORY_LIMIT_GB, Path(CACHE_DIR or Path(OUTPUT_DIR) / "cache")
        if not is_chief():  # in a folder that machines share, each writes its own
            cache_dir /= f"worker_{worker_index()}"
    faults, arrays = [], []
    try:
        for some, purpose in ((pairs, "training"), (validation_pairs, "validation")):
            arrays.append(read_pairs(some, image_size, faults, limit, cache_dir, purpose))
    except InputError as error:
        report([*findings, *list_faults(faults), str(error)])
    findings += list_faults(faults)
    return arrays


def find_pairs(given, findings):
    """Pairs the files of the folders that the constants name.

    Args: given, dict of constants, where None stands for a folder's name that can't be used;
        findings, list to which sentences are added.
    Returns: training Pairs, validation Pairs, validation folders (images, labels).
    """
    folders = given["IMAGE_DIR"], given["LABEL_DIR"]
    validation_folders = tuple(
        own or shared for own, shared in zip(
            (given["VALIDATION_IMAGE_DIR"], given["VALIDATION_LABEL_DIR"]), folders))
    pairs = Pairs() if None in folders else pair_files(
        *folders, skip_unlabelled=given["SKIP_UNLABELLED"], findings=findings)
    if given["VALIDATION_IMAGE_DIR"] is not None:
        validation_pairs = Pairs() if None in validation_folders else pair_files(
            *validation_folders, findings=findings)
        return pairs, validation_pairs, validation_folders
    if None in pairs.image_files + pairs.label_files:  # has been said; they can't be split by name
        return pairs, Pairs(), validation_folders
    if len(pairs) < 2:
        findings += [TOO_FEW.format(len(pairs))] if pairs else []
        return pairs, Pairs(), validation_folders
    training, validation = split_names(pairs.image_names(), given["VALIDATION_SPLIT"],
                                       given["SEED"])
    return pairs.choose(training), pairs.choose(validation), validation_folders


def print_notes(pairs, values, validation_pairs, validation_values, class_names):
    """Prints what does not keep from training, but should be known; arguments as in load_data."""
    if len(pairs) < BATCH_SIZE:
        print(f"Note: there are fewer training images ({len(pairs)}) than BATCH_SIZE "
              f"({BATCH_SIZE}): each batch holds all of them.")
    for note in compare_classes(values, validation_pairs, validation_values, class_names,
                                IGNORE_LABEL):
        print(note)


def split_names(names, share, seed):
    """Splits names at random into training and validation names, each sorted, at least one each.

    Raises: InputError where there are fewer than two names.
    """
    if len(names) < 2:
        raise InputError(TOO_FEW.format(len(names)))
    count = min(max(1, round(share * len(names))), len(names) - 1)
    order = np.random.default_rng(seed).permutation(len(names))
    validation = {names[index] for index in order[:count]}
    return [n for n in names if n not in validation], [n for n in names if n in validation]


# ---- loss ------------------------------------------------------------------------------------


def dice_loss(labels, logits, class_weights, ignore_label=255):
    """The weighted dice loss: sum of weight * (1 - dice) over sum of weights, 0..1.

    Soft dice of a class is 2 * overlap / (predicted + true) over all pixels of the batch (Milletari
    et al. 2016, V-Net; weighted by class as in Sudre et al. 2017). Only classes that the batch's
    labels hold are counted: so a missed rare object costs its class's whole weight, while the same
    pixels guessed wrongly in front of background cost next to nothing.
    Args: labels integer (batch, height, width), logits (batch, height, width, classes),
        class_weights float (classes,), ignore_label an int or None.
    Returns: float32 scalar, 0 for a perfect prediction with any weights. Sums are in float32.
    """
    logits = tf.cast(logits, tf.float32)
    truth, counted = _one_hot(labels, logits.shape[-1], ignore_label)
    probability = tf.nn.softmax(logits) * counted[..., None]
    overlap, true_pixels, predicted_pixels = (
        sum_over_devices(tf.reduce_sum(value, (0, 1, 2)))
        for value in (truth * probability, truth, probability))
    dice = tf.math.divide_no_nan(2 * overlap, true_pixels + predicted_pixels)
    weights = tf.cast(class_weights, tf.float32) * tf.cast(true_pixels > 0, tf.float32)
    return tf.math.divide_no_nan(tf.reduce_sum(weights * (1 - dice)), tf.reduce_sum(weights))


def cross_entropy_loss(labels, logits, class_weights, ignore_label=255):
    """Cross-entropy, each pixel weighted by its class: sum of weight * loss over sum of weights.

    Arguments and result as for dice_loss, but without an upper bound.
    """
    logits = tf.cast(logits, tf.float32)
    truth, _ = _one_hot(labels, logits.shape[-1], ignore_label)
    weighted = truth * tf.cast(class_weights, tf.float32)
    loss = sum_over_devices(-tf.reduce_sum(weighted * tf.nn.log_softmax(logits)))
    return tf.math.divide_no_nan(loss, sum_over_devices(tf.reduce_sum(weighted)))


def _one_hot(labels, num_classes, ignore_label):
    """Returns float32 (..., classes), zeros where nothing counts, and float32 (...), 1 or 0."""
    labels = tf.cast(labels, tf.int32)
    counted = labels < num_classes
    if ignore_label is not None:
        counted &= labels != ignore_label
    counted = tf.cast(counted, tf.float32)
    return tf.one_hot(labels, num_classes) * counted[..., None], counted


def make_loss(name, class_weights, ignore_label):
    """Returns the loss function (labels, logits) -> scalar that LOSS names.

    Raises: InputError for an unknown name.
    """
    if name not in LOSSES:
        raise InputError(f"LOSS is {name!r}, but it must be one of {', '.join(LOSSES)}.")
    parts = [{"dice": dice_loss, "cross-entropy": cross_entropy_loss}[part]
             for part in name.split("+")]

    def loss(labels, logits):
        """Adds up the parts; see dice_loss."""
        return sum(part(labels, logits, class_weights, ignore_label) for part in parts)

    return loss


# ---- training --------------------------------------------------------------------------------


def train(model, data, output_dir, strategy):
    """Trains the model as the constants say and saves the best epoch as model.keras.

    A frozen encoder never changes, so only the decoder is trained, on what the int8 encoder makes
    of the images: faster than Keras' own encoder, and the decoder learns on what the device
    computes. An encoder with random weights is trained as a part of the whole model.
    Returns: the record: history, list of a dict an epoch (the columns of history.csv), and best,
        the metrics of the best epoch.
    Raises: InputError as training.fit does, and where RESUME does not fit.
    """
    record = {"constants": describe_run(model, data), "epochs": 0, "history": [], "best": None}
    optimizer_variables, best_weights = None, []
    if RESUME:
        optimizer_variables = resume(model, record, best_weights, output_dir)
    options = {"augment": AUGMENT, "seed": SEED, "repeats": count_repeats(len(data["images"]))}
    loss = make_loss(LOSS, data["class_weights"], IGNORE_LABEL)
    is_interrupted = False
    for phase in plan_phases(model, data, record["epochs"]):
        if best_weights and record["epochs"] == phase.first_epoch > 0:
            model.set_weights(best_weights)  # fine-tuning goes on from the best epoch
        predict = make_predictor(choose_call(phase, strategy), phase.features_again)
        is_interrupted = fit(
            phase, strategy, loss, data, BATCH_SIZE, options,
            make_epoch_end(model, predict, data, record, best_weights, output_dir),
            record["epochs"], optimizer_variables, MIXED_PRECISION)
        if record["best"] is None:  # interrupted in the first epoch
            keep_best(model, {"epoch": 0, **measure(predict(data["validation_images"]), data)},
                      data, record, best_weights, output_dir)
        if is_interrupted or is_patience_over(record):
            break
        optimizer_variables = None
    if is_interrupted and record["epochs"] < EPOCHS + FINE_TUNE_EPOCHS:
        print(f"Interrupted after {record['epochs']} of {EPOCHS + FINE_TUNE_EPOCHS} epochs. To go "
              f"on: RESUME = True, and python main.py again.", flush=True)
    return record


def plan_phases(model, data, epochs_done):
    """Yields the training.Phase of the frozen encoder, and that of fine-tuning where wanted."""
    encoder, decoder = model.get_layer("encoder"), model.get_layer("decoder")
    if encoder.trainable:
        yield Phase(model, None, LEARNING_RATE, 0, EPOCHS)
        return
    if epochs_done < EPOCHS:
        print("Quantising the encoder: the decoder is trained on its int8 features", flush=True)
        calibration_images = data["images"][calibration_indices(len(data["images"]))]
        features = make_feature_function(encoder, with_both_ends(calibration_images))
        features_again = remember(features, MEMORY_LIMIT_GB * BYTES_PER_GB)
        fast_call = None if MIXED_PRECISION else functools.partial(
            call_decoder, decoder, training_dtype=choose_training_dtype())
        yield Phase(decoder, features if AUGMENT else features_again, LEARNING_RATE, 0, EPOCHS,
                    fast_call, features_again)
    if epochs_done < EPOCHS + FINE_TUNE_EPOCHS and FINE_TUNE_EPOCHS:
        unfreeze(encoder, FINE_TUNE_FROM)
        yield Phase(model, None, FINE_TUNE_RATE, EPOCHS, EPOCHS + FINE_TUNE_EPOCHS, windows=True)


def count_repeats(count):
    """Returns how often an epoch goes through so few images: it has about LEAST_STEPS batches."""
    return max(1, round(LEAST_STEPS * BATCH_SIZE / count))


def make_epoch_end(model, predict, data, record, best_weights, output_dir):
    """Returns the function that training.fit calls after each epoch.

    It measures on the validation set with one confusion matrix, prints a line, saves the best model
    and all that a later run needs to go on; it returns whether PATIENCE is over.
    """
    writer = (tf.summary.create_file_writer(str(output_dir / "tensorboard"))
              if TENSORBOARD and is_chief() else None)

    def finish(epoch, loss, seconds, optimizer):
        """Measures, prints, saves; see training.fit."""
        start = time.monotonic()
        predictions = predict(data["validation_images"])
        metrics = measure(predictions, data)
        row = {"epoch": epoch + 1, "loss": loss, "mean_iou": metrics["mean_iou"],
               "mean_iou_without_background": metrics["mean_iou_without_background"],
               "seconds": seconds, "evaluation_seconds": time.monotonic() - start,
               **{f"iou {name}": iou for name, iou in zip(data["class_names"], metrics["iou"])}}
        record["history"].append(row)
        record["epochs"] = epoch + 1
        is_best = record["best"] is None or metrics["mean_iou"] > record["best"]["mean_iou"]
        print(format_epoch(row, metrics, data["class_names"], is_best), flush=True)
        warn_of_one_class(predictions, data["class_names"])
        if is_best:
            keep_best(model, {"epoch": epoch + 1, **metrics}, data, record, best_weights,
                      output_dir)
        if is_chief():
            write_history(output_dir / "history.csv", record["history"])
            save_state(output_dir, record, model.weights, optimizer.variables)
        if writer is not None:
            write_summary(writer, row)
        return is_patience_over(record)

    return finish


def keep_best(model, metrics, data, record, best_weights, output_dir):
    """Notes the metrics as the best so far, keeps the weights, saves model.keras and model.json.

    So a run that ends badly later leaves a model that can be converted.
    """
    record["best"], best_weights[:] = metrics, model.get_weights()
    if is_chief():
        with computing_in(model, "float32" if MIXED_PRECISION else None):
            save_model(model, Path(output_dir) / "model.keras")
        write_json(Path(output_dir) / "model.json", describe_model(model, data, metrics))


def is_patience_over(record):
    """Whether PATIENCE epochs have passed without a better mean IoU."""
    return PATIENCE is not None and record["epochs"] - record["best"]["epoch"] >= PATIENCE


def format_epoch(row, metrics, class_names, is_best):
    """Returns an epoch's line: loss, mean IoU, the worst class and its IoU, seconds."""
    occurring = [(iou, name) for iou, name in zip(metrics["iou"], class_names) if iou is not None]
    worst_iou, worst = min(occurring)
    return (f"epoch {row['epoch']:>{len(str(EPOCHS + FINE_TUNE_EPOCHS))}}/"
            f"{EPOCHS + FINE_TUNE_EPOCHS}  loss {row['loss']:.4f}  mean IoU "
            f"{100 * row['mean_iou']:5.2f} %  worst: {worst} {100 * worst_iou:.2f} %  "
            f"{row['seconds'] + row['evaluation_seconds']:.1f} s" + ("  best" if is_best else ""))


def write_summary(writer, row):
    """Writes an epoch's numbers for TensorBoard."""
    with writer.as_default(step=row["epoch"]):
        for name, value in row.items():
            if name != "epoch" and value is not None:
                tf.summary.scalar(name, value)
    writer.flush()


def describe_run(model, data):
    """Returns the constants that a run which goes on must have in common with the earlier one."""
    return {"CLASS_NAMES": list(data["class_names"]), "IMAGE_SIZE": list(IMAGE_SIZE),
            "DECODER_FILTERS": json.loads(json.dumps(DECODER_FILTERS)), "BATCH_SIZE": BATCH_SIZE,
            "IGNORE_LABEL": IGNORE_LABEL,
            "frozen encoder": not model.get_layer("encoder").trainable,
            "training images": data["training_names"]}


def resume(model, record, best_weights, output_dir):
    """Takes up the state that an earlier run left in OUTPUT_DIR, into the arguments.

    Returns: the optimizer's variables, or None where the earlier run had ended a phase.
    Raises: InputError where the earlier run had other classes, sizes, decoder, images.
    """
    state = load_state(output_dir)
    if state is None:
        print(f"There is nothing to go on with in {output_dir}: starting at epoch 1.", flush=True)
        return None
    content, weights, optimizer_variables = state
    differences = [f"{name} was {shorten(content['constants'].get(name))} and is {shorten(value)}"
                   for name, value in record["constants"].items()
                   if content["constants"].get(name) != value]
    if differences:
        raise InputError(f"The run in {output_dir} can't be gone on with: "
                         f"{'; '.join(differences)}. Set them as they were, or RESUME = False to "
                         f"start again.")
    info = {"image_size": IMAGE_SIZE, "class_names": content["constants"]["CLASS_NAMES"]}
    best_weights[:] = load_model(output_dir, info).get_weights()
    model.set_weights(weights)
    record.update(content)
    print(f"Going on after epoch {record['epochs']} (RESUME).", flush=True)
    is_phase_over = record["epochs"] in (EPOCHS, EPOCHS + FINE_TUNE_EPOCHS)
    return None if is_phase_over else optimizer_variables


def shorten(value):
    """Returns a value as text; of a long list the first five and the count."""
    return f"[{list_names(value)}]" if isinstance(value, list) else str(value)


def make_predictor(model, features=None):
    """Returns a function uint8 images (n, height, width, 3) -> most likely classes, uint8.

    Args: model, or a function that is called like one, of images or, where the function features
        is given, of what that returns.
    """
    most_likely = tf.function(
        lambda batch: tf.cast(tf.argmax(model(batch, training=False), -1), tf.uint8),
        reduce_retracing=True)

    def predict(images, batch_size=PREDICTION_BATCH):
        """Returns the most likely classes, some images at a time."""
        predictions = np.empty(images.shape[:3], np.uint8)
        for start in range(0, len(images), batch_size):
            batch = images[start:start + batch_size]
            inputs = batch.astype(np.float32) if features is None else features(batch)
            predictions[start:start + batch_size] = most_likely(inputs)
        return predictions

    return predict


def measure(predictions, data):
    """Measures predictions for the validation images of load_data; see measuring.summarise.

    One confusion matrix over all images, summed over some at a time, so that memory stays small.
    """
    labels, num_classes = data["validation_labels"], len(data["class_names"])
    return summarise(sum(
        confusion_matrix(labels[start:start + PREDICTION_BATCH],
                         predictions[start:start + PREDICTION_BATCH], num_classes, IGNORE_LABEL)
        for start in range(0, len(labels), PREDICTION_BATCH)))


# ---- what is left in OUTPUT_DIR --------------------------------------------------------------


def save_model(model, path):
    """Saves the model without its optimizer, beside its place first, then renamed."""
    beside = path.with_name("part_" + path.name)  # Keras wants the ending .keras
    model.save(beside, include_optimizer=False)
    os.replace(beside, path)


def write_history(path, history):
    """Writes history.csv: a row an epoch, a column a number."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_whole(path, lambda file: file.write(text.getvalue().encode("utf-8")))


def draw_curves(path, history, class_names):
    """Draws the loss and the validation IoU by epoch."""
    matplotlib.use("Agg")  # a machine without a screen is the normal case
    import matplotlib.pyplot as plt

    epochs = [row["epoch"] for row in history]
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    left.plot(epochs, [row["loss"] for row in history], color="black")
    left.set(xlabel="epoch", ylabel="training loss", ylim=(0, None), title="Loss")
    for name, colour in zip(class_names, class_colours(len(class_names))):
        iou = [np.nan if row[f"iou {name}"] is None else row[f"iou {name}"] for row in history]
        right.plot(epochs, iou, color=colour / 255, linewidth=1, label=name)
    right.plot(epochs, [row["mean_iou"] for row in history], color="red", linewidth=2.5,
               label="mean IoU")
    right.set(xlabel="epoch", ylabel="IoU", ylim=(0, 1), title="Validation")
    right.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    write_whole(path, lambda file: figure.savefig(file, format="png", dpi=110))
    plt.close(figure)


def draw_predictions(path, predictions, data):
    """Draws validation images, evenly spaced over the set, beside their truth and prediction."""
    count = min(PREDICTION_ROWS, len(data["validation_images"]))
    chosen = np.unique(np.linspace(0, len(data["validation_images"]) - 1, count).astype(int))
    images, labels = data["validation_images"][chosen], data["validation_labels"][chosen]
    colours = class_colours(len(data["class_names"]))
    rows = [[image, colour_mask(label, colours), colour_mask(mask, colours),
             overlay(image, mask, colours)]
            for image, label, mask in zip(images, labels, predictions[chosen])]
    save_grid(path, rows, ("image", "truth", "prediction", "prediction over image"),
              data["class_names"], colours)


def describe_model(model, data, metrics):
    """Returns what model.json holds: all that the later scripts have to know."""
    return {
        "class_names": data["class_names"],
        "class_colours": class_colours(len(data["class_names"])).tolist(),
        "image_size": list(IMAGE_SIZE),
        "ignore_label": IGNORE_LABEL,
        "class_weights": [float(weight) for weight in data["class_weights"]],
        "decoder_filters": list(DECODER_FILTERS),
        "encoder_frozen": not model.get_layer("encoder").trainable_variables,
        "image_dir": str(IMAGE_DIR), "label_dir": str(LABEL_DIR),
        "validation_image_dir": str(data["validation_dirs"][0]),
        "validation_label_dir": str(data["validation_dirs"][1]),
        "training_images": data["training_names"],
        "validation_images": data["validation_names"],
        "training": {"loss": LOSS, "weight_power": WEIGHT_POWER, "batch_size": BATCH_SIZE,
                     "epochs": EPOCHS, "learning_rate": LEARNING_RATE, "augment": AUGMENT,
                     "fine_tune_epochs": FINE_TUNE_EPOCHS, "mixed_precision": MIXED_PRECISION,
                     "seed": SEED, "weights": str(WEIGHTS)},
        "validation_metrics": metrics,
        "versions": {"python": platform.python_version(), "tensorflow": tf.__version__,
                     "keras": keras.__version__, "numpy": np.__version__},
    }


def make_output_dir(folder, findings=None):
    """Makes the folder and tries to write there, so that it is not found out after the training.

    Args: findings, see pairing.report. Returns: the folder as Path, or None where it is no path.
    Raises: InputError where it can't be written, or where less than NEEDED_MB are free.
    """
    if check_constants({"OUTPUT_DIR": folder}):
        return None  # load_data says so
    folder, sentences = Path(folder), []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "writable.txt", lambda file: file.write(b"yes"))
        (folder / "writable.txt").unlink()
        free = shutil.disk_usage(folder).free // 10**6
        if free < NEEDED_MB:
            sentences = [f"OUTPUT_DIR {folder} has {free} MB free, but {NEEDED_MB} MB are needed: "
                         f"choose another folder or make room."]
    except OSError as error:
        sentences = [f"OUTPUT_DIR {folder} can't be written ({error.strerror}): choose another "
                     f"folder or make room."]
    report(sentences, findings)
    return folder


def warn_of_one_class(predictions, class_names):
    """Prints a warning where one class takes over nearly all predicted pixels."""
    shares = count_pixels(predictions, len(class_names)) / predictions.size
    if shares.max() > ONE_CLASS_SHARE:
        print(f"WARNING: {shares.max():.2%} of the predicted pixels are "
              f"{class_names[shares.argmax()]}: train for more EPOCHS, check the labels, or raise "
              f"WEIGHT_POWER.")


def main():
    """Reads, trains, saves, and draws, as the constants say."""
    start, findings = time.monotonic(), []
    strategy, sentence = choose_strategy()
    print(sentence, flush=True)
    output_dir = make_output_dir(OUTPUT_DIR, findings)
    if not check_constants({"WEIGHTS": WEIGHTS}) and describe_missing(WEIGHTS):
        findings.append(describe_missing(WEIGHTS))
    data = load_data(findings)
    keras.utils.set_random_seed(SEED)
    with strategy.scope():
        model = get_model(IMAGE_SIZE, len(data["class_names"]), WEIGHTS, DECODER_FILTERS)
    record = train(model, data, output_dir, strategy)
    if is_chief():  # other machines' processes have the same model and write nothing
        write_results(data, record, output_dir)
        print(f"{(time.monotonic() - start) / 60:.1f} minutes. Look at "
              f"{output_dir}/predictions.png and {output_dir}/curves.png; the model is "
              f"{output_dir}/model.keras.")


def write_results(data, record, output_dir):
    """Writes model.json and the pictures, and prints the IoU of each class."""
    # From the file: variables that several machines share can't be read by one of them alone.
    model = load_model(output_dir, {**data, "image_size": IMAGE_SIZE})
    predictions = make_predictor(model)(data["validation_images"])
    metrics = {"epoch": record["best"]["epoch"], **measure(predictions, data)}
    write_json(output_dir / "model.json", describe_model(model, data, metrics))
    if record["history"]:
        draw_curves(output_dir / "curves.png", record["history"], data["class_names"])
    draw_predictions(output_dir / "predictions.png", predictions, data)
    print(f"\nBest epoch: {metrics['epoch']} of {record['epochs']}, "
          f"{len(data['validation_names'])} validation images")
    print(format_iou_table(data["class_names"], {"Keras": metrics}))
    warn_of_one_class(predictions, data["class_names"])


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit("Interrupted; what was saved in OUTPUT_DIR after the last whole epoch is whole.")
