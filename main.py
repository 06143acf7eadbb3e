"""Trains the U-Net on a folder of images and a folder of label PNGs of the same names.

    python main.py

Edit the constants below for your own pictures. Reads IMAGE_DIR and LABEL_DIR; leaves in OUTPUT_DIR
model.keras (the epoch with the best validation mean IoU), model.json (all that later scripts need),
history.csv, curves.png and predictions.png. Then run tflite_convert.py and tflite_test.py.
"""

import csv
import io
import math
import os
import platform
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's own notes hide our lines

import keras
import matplotlib
import numpy as np
import tensorflow as tf

from cache import BYTES_PER_GB, decoded_bytes
from get_model import check_image_size, get_model
from import_data import (
    InputError,
    count_pixels,
    find_class_names,
    import_images,
    make_dataset,
    pair_files,
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
from quantise import calibration_indices, make_feature_function, with_both_ends

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
EPOCHS = 40
LEARNING_RATE = 3e-3  # of Adam at the start; falls to 0 along a cosine
AUGMENT = True  # flips and varies the colours of the training images
SEED = 1  # same seed, same machine: same result
OUTPUT_DIR = "output"
MEMORY_LIMIT_GB = 2  # decoded pairs that need more are kept on the disk, not in memory
CACHE_DIR = None  # folder for them; None: cache in OUTPUT_DIR

PREDICTION_BATCH = 16  # images at a time where nothing is trained
PREDICTION_ROWS = 8  # validation images shown in predictions.png
ONE_CLASS_SHARE = 0.999  # of the predicted pixels; more is worth a warning
LOSSES = ("dice+cross-entropy", "dice", "cross-entropy")


# ---- data ------------------------------------------------------------------------------------


def load_data():
    """Reads training and validation pairs as the constants say, and prints the table of classes.

    Returns: dict with images, labels, class_weights, validation_images, validation_labels,
        class_names, training_names, validation_names (image file names), validation_dirs.
    Raises: InputError as import_data does.
    """
    validation_dirs = (VALIDATION_IMAGE_DIR or IMAGE_DIR, VALIDATION_LABEL_DIR or LABEL_DIR)
    pairs = pair_files(IMAGE_DIR, LABEL_DIR, skip_unlabelled=SKIP_UNLABELLED)
    names, label_paths = pairs.image_names, pairs.label_files()
    limits = {"memory_limit_gb": MEMORY_LIMIT_GB,
              "cache_dir": CACHE_DIR or Path(OUTPUT_DIR) / "cache"}
    if VALIDATION_IMAGE_DIR is None:
        training_names, validation_names = split_names(names, VALIDATION_SPLIT, SEED)
    else:
        validation_pairs = pair_files(*validation_dirs)
        training_names = names
        validation_names = validation_pairs.image_names
        label_paths += validation_pairs.label_files()
    large = decoded_bytes(len(label_paths), IMAGE_SIZE) > MEMORY_LIMIT_GB * BYTES_PER_GB
    class_names = find_class_names(label_paths, LABEL_DIR, CLASS_NAMES, IGNORE_LABEL,
                                   limits["cache_dir"] if large else None)

    print(f"{len(training_names)} training and {len(validation_names)} validation images, "
          f"{len(class_names)} classes")
    images, labels, class_weights = import_images(
        IMAGE_DIR, LABEL_DIR, IMAGE_SIZE, class_names, IGNORE_LABEL, training_names, WEIGHT_POWER,
        **limits)
    validation_images, validation_labels, _ = import_images(
        *validation_dirs, IMAGE_SIZE, class_names, IGNORE_LABEL, validation_names, training=False,
        **limits)
    if count_pixels(validation_labels, len(class_names)).sum() == 0:
        raise InputError(f"All pixels of the validation labels have the ignore label "
                         f"{IGNORE_LABEL}: there is nothing to measure on; choose other images.")
    return {"images": images, "labels": labels, "class_weights": class_weights,
            "validation_images": validation_images, "validation_labels": validation_labels,
            "class_names": class_names, "training_names": training_names,
            "validation_names": validation_names, "validation_dirs": validation_dirs}


def split_names(names, share, seed):
    """Splits names at random into training and validation names, each sorted, at least one each.

    Raises: InputError where there are fewer than two names.
    """
    if len(names) < 2:
        raise InputError(f"{len(names)} pair(s) can't be split into training and validation: add "
                         f"pairs, or set VALIDATION_IMAGE_DIR and VALIDATION_LABEL_DIR.")
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
    overlap = tf.reduce_sum(truth * probability, (0, 1, 2))
    true_pixels = tf.reduce_sum(truth, (0, 1, 2))
    dice = tf.math.divide_no_nan(
        2 * overlap, true_pixels + tf.reduce_sum(probability, (0, 1, 2)))
    weights = tf.cast(class_weights, tf.float32) * tf.cast(true_pixels > 0, tf.float32)
    return tf.math.divide_no_nan(tf.reduce_sum(weights * (1 - dice)), tf.reduce_sum(weights))


def cross_entropy_loss(labels, logits, class_weights, ignore_label=255):
    """Cross-entropy, each pixel weighted by its class: sum of weight * loss over sum of weights.

    Arguments and result as for dice_loss, but without an upper bound.
    """
    logits = tf.cast(logits, tf.float32)
    truth, _ = _one_hot(labels, logits.shape[-1], ignore_label)
    weighted = truth * tf.cast(class_weights, tf.float32)
    loss = -tf.reduce_sum(weighted * tf.nn.log_softmax(logits))
    return tf.math.divide_no_nan(loss, tf.reduce_sum(weighted))


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
        return sum(part(labels, logits, class_weights, ignore_label) for part in parts)

    return loss


# ---- training --------------------------------------------------------------------------------


class Validation(keras.callbacks.Callback):
    """After each epoch: measures on the validation set, saves the best model, writes history.csv.

    One confusion matrix over all validation images; mean IoU is added to Keras' progress line.
    """

    def __init__(self, whole_model, predict, data, output_dir):
        super().__init__()
        self.whole_model, self.predict = whole_model, predict
        self.data, self.output_dir = data, Path(output_dir)
        self.best, self.history = None, []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        metrics = measure(self.predict(self.data["validation_images"]), self.data)
        for name in ("mean_iou", "mean_iou_without_background"):  # Keras' line can't show None
            logs[name] = float("nan") if metrics[name] is None else metrics[name]
        self.history.append({
            "epoch": epoch + 1, "loss": logs["loss"], "mean_iou": metrics["mean_iou"],
            "mean_iou_without_background": metrics["mean_iou_without_background"],
            "seconds": time.monotonic() - self.start,
            **{f"iou {name}": iou for name, iou in zip(self.data["class_names"], metrics["iou"])}})
        write_history(self.output_dir / "history.csv", self.history)
        if self.best is None or metrics["mean_iou"] > self.best["mean_iou"]:
            self.best = {"epoch": epoch + 1, **metrics}
            save_model(self.whole_model, self.output_dir / "model.keras")


def train(model, data, output_dir):
    """Fits the model as the constants say and leaves the best epoch's weights in it.

    A frozen encoder never changes, so only the decoder is trained, on what the int8 encoder makes
    of the images: faster than Keras' own encoder, and the decoder learns on what the device
    computes. An encoder with random weights is trained as a part of the whole model.
    Returns: list of a dict an epoch (the columns of history.csv), and the best epoch's number.
    """
    dataset = make_dataset(data["images"], data["labels"], BATCH_SIZE, AUGMENT, shuffle=True,
                           seed=SEED)
    trained, predict = model, make_predictor(model)
    if not model.get_layer("encoder").trainable:
        print("Quantising the encoder: the decoder is trained on its int8 features", flush=True)
        calibration_images = data["images"][calibration_indices(len(data["images"]))]
        features = make_feature_function(model.get_layer("encoder"),
                                         with_both_ends(calibration_images))
        dataset, trained = stream_features(dataset, features), model.get_layer("decoder")
        predict = make_predictor(trained, features)
    # A model of the same layers is compiled, so that no loss function is saved with the model.
    trained = keras.Model(trained.inputs, trained.outputs)
    steps = math.ceil(len(data["images"]) / BATCH_SIZE)
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, EPOCHS * steps)
    trained.compile(keras.optimizers.Adam(schedule),
                    make_loss(LOSS, data["class_weights"], IGNORE_LABEL))
    validation = Validation(model, predict, data, output_dir)
    try:
        trained.fit(dataset, epochs=EPOCHS, callbacks=[validation], verbose=1, shuffle=False)
    except KeyboardInterrupt:
        print(f"\nInterrupted after {len(validation.history)} of {EPOCHS} epochs.", flush=True)
    if validation.best is None:
        raise InputError("No epoch was finished, so there is no model.")
    model.load_weights(Path(output_dir) / "model.keras")
    return validation.history, validation.best["epoch"]


def stream_features(dataset, features):
    """Puts the encoder's features in place of the images of a dataset of batches.

    Args: dataset of (image, label); features, function uint8 (batch, height, width, 3) -> list of
        float32 arrays.
    Returns: tf.data.Dataset of (tuple of float32 tensors, label).
    """
    image, _ = next(iter(dataset))
    shapes = [(None, *array.shape[1:]) for array in features(np.uint8(image))]

    def encode(image, label):
        arrays = tf.numpy_function(features, [tf.cast(tf.round(image), tf.uint8)],
                                   [tf.float32] * len(shapes), stateful=False)
        return tuple(map(tf.ensure_shape, arrays, shapes)), label

    return dataset.map(encode, num_parallel_calls=2).prefetch(2)


def make_predictor(model, features=None):
    """Returns a function uint8 images (n, height, width, 3) -> most likely classes, uint8.

    Args: model, of images or, where the function features is given, of what that returns.
    """
    most_likely = tf.function(
        lambda batch: tf.cast(tf.argmax(model(batch, training=False), -1), tf.uint8),
        reduce_retracing=True)

    def predict(images, batch_size=PREDICTION_BATCH):
        predictions = np.empty(images.shape[:3], np.uint8)
        for start in range(0, len(images), batch_size):
            batch = images[start:start + batch_size]
            inputs = batch.astype(np.float32) if features is None else features(batch)
            predictions[start:start + batch_size] = most_likely(inputs)
        return predictions

    return predict


def measure(predictions, data):
    """Measures predictions for the validation images of load_data; see measuring.summarise."""
    return summarise(confusion_matrix(data["validation_labels"], predictions,
                                      len(data["class_names"]), IGNORE_LABEL))


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
        "encoder_frozen": not model.get_layer("encoder").trainable,
        "image_dir": str(IMAGE_DIR), "label_dir": str(LABEL_DIR),
        "validation_image_dir": str(data["validation_dirs"][0]),
        "validation_label_dir": str(data["validation_dirs"][1]),
        "training_images": data["training_names"],
        "validation_images": data["validation_names"],
        "training": {"loss": LOSS, "weight_power": WEIGHT_POWER, "batch_size": BATCH_SIZE,
                     "epochs": EPOCHS, "learning_rate": LEARNING_RATE, "augment": AUGMENT,
                     "seed": SEED, "weights": str(WEIGHTS)},
        "validation_metrics": metrics,
        "versions": {"python": platform.python_version(), "tensorflow": tf.__version__,
                     "keras": keras.__version__, "numpy": np.__version__},
    }


def make_output_dir(folder):
    """Makes the folder and tries to write there, so that it is not found out after the training.

    Raises: InputError where it can't be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "writable.txt", lambda file: file.write(b"yes"))
        (folder / "writable.txt").unlink()
    except OSError as error:
        raise InputError(f"OUTPUT_DIR {folder} can't be written ({error.strerror}): choose "
                         f"another folder or make room.") from error
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
    check_image_size(IMAGE_SIZE)
    start = time.monotonic()
    output_dir = make_output_dir(OUTPUT_DIR)
    keras.utils.set_random_seed(SEED)
    data = load_data()
    model = get_model(IMAGE_SIZE, len(data["class_names"]), WEIGHTS, DECODER_FILTERS)
    history, best_epoch = train(model, data, output_dir)

    predictions = make_predictor(model)(data["validation_images"])
    metrics = {"epoch": best_epoch, **measure(predictions, data)}
    write_json(output_dir / "model.json", describe_model(model, data, metrics))
    draw_curves(output_dir / "curves.png", history, data["class_names"])
    draw_predictions(output_dir / "predictions.png", predictions, data)
    print(f"\nBest epoch: {best_epoch} of {EPOCHS}, {len(data['validation_names'])} validation "
          f"images")
    print(format_iou_table(data["class_names"], {"Keras": metrics}))
    warn_of_one_class(predictions, data["class_names"])
    print(f"{(time.monotonic() - start) / 60:.1f} minutes. Look at {output_dir}/predictions.png "
          f"and {output_dir}/curves.png; the model is {output_dir}/model.keras.")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"Error: {error}")
