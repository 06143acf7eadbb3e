"""What a run leaves in OUTPUT_DIR: the model, model.json, history.csv and the pictures."""

import csv
import io
import os
import platform
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from device.drawing import class_colors, color_mask, overlay, save_grid
from device.files import write_json, write_whole
from device.model_info import IGNORED
from segmentation.evaluate import predict_validation, warn_of_one_class
from segmentation.metrics import confusion_matrix, format_iou_table, summarize

PREDICTION_ROWS = 8  # validation images shown in predictions.png
CURVES_SIZE = (12, 4.5)  # inches


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
    # Not pyplot: that would take over the backend of a notebook that imports main.
    figure = Figure(CURVES_SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in history]
    left.plot(epochs, [row["loss"] for row in history], color="black")
    left.set(xlabel="epoch", ylabel="training loss", ylim=(0, None), title="Loss")
    for name, color in zip(class_names, class_colors(len(class_names))):
        iou = [np.nan if row[f"iou {name}"] is None else row[f"iou {name}"] for row in history]
        right.plot(epochs, iou, color=color / 255, linewidth=1, label=name)
    right.plot(epochs, [row["mean_iou"] for row in history], color="red", linewidth=2.5,
               label="mean IoU")
    right.set(xlabel="epoch", ylabel="IoU", ylim=(0, 1), title="Validation")
    right.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    write_whole(path, lambda file: figure.savefig(file, format="png", dpi=110))


def draw_predictions(path, shown, class_names):
    """Draws images beside their truth and prediction.

    Args: shown, list of image uint8 (height, width, 3), label and predicted mask uint8 (height,
        width), of any sizes.
    """
    colors = class_colors(len(class_names))
    rows = [[image, color_mask(label, colors), color_mask(mask, colors),
             overlay(image, mask, colors)] for image, label, mask in shown]
    save_grid(path, rows, ("image", "truth", "prediction", "prediction over image"), class_names,
              colors)


def describe_model(model, data, settings, metrics):
    """Returns what model.json holds: all that the later scripts have to know."""
    return {
        "class_names": data["class_names"],
        "class_colors": class_colors(len(data["class_names"])).tolist(),
        "image_size": list(settings.image_size),
        "picture_size": (settings.picture_size if settings.picture_size in (None, "full")
                         else list(settings.picture_size)),
        **data["reading"],
        "class_weights": [float(weight) for weight in data["class_weights"]],
        "decoder_filters": list(settings.decoder_filters),
        "encoder_alpha": settings.encoder_alpha,
        "encoder_frozen": not model.get_layer("encoder").trainable_variables,
        "image_dir": str(settings.image_dir), "label_dir": str(settings.label_dir),
        "validation_image_dir": str(data["validation_dirs"][0]),
        "validation_label_dir": str(data["validation_dirs"][1]),
        "training_images": data["training_names"],
        "validation_images": data["validation_names"],
        "training": {"loss": settings.loss, "class_weight_power": settings.class_weight_power,
                     "batch_size": settings.batch_size,
                     "epochs": settings.epochs, "learning_rate": settings.learning_rate,
                     "augment": settings.augment,
                     "fine_tune_epochs": settings.fine_tune_epochs,
                     "mixed_precision": settings.mixed_precision,
                     "seed": settings.seed, "weights": str(settings.encoder_weights)},
        "validation_metrics": metrics,
        "versions": {"python": platform.python_version(), "tensorflow": tf.__version__,
                     "keras": keras.__version__, "numpy": np.__version__},
    }


def write_results(model, data, record, settings):
    """Writes model.json and the pictures, and prints the IoU of each class.

    Args: model with the best epoch's weights.
    """
    output_dir = Path(settings.output_dir)
    confusion, shown, num_classes = 0, [], len(data["class_names"])
    count = len(data["validation_names"])
    chosen = set(np.linspace(0, count - 1, min(PREDICTION_ROWS, count)).astype(int).tolist())
    for number, (image, label, mask) in enumerate(
            predict_validation(model, data, settings.image_size)):
        confusion += confusion_matrix(label, mask, num_classes, IGNORED)
        if number in chosen:
            shown.append((image, label, mask))
    metrics = {"epoch": record["best"]["epoch"], **summarize(confusion)}
    write_json(output_dir / "model.json", describe_model(model, data, settings, metrics))
    if record["history"]:
        draw_curves(output_dir / "curves.png", record["history"], data["class_names"])
    draw_predictions(output_dir / "predictions.png", shown, data["class_names"])
    print(f"\nBest epoch: {metrics['epoch']} of {record['epochs']}, "
          f"{count} validation images")
    print(format_iou_table(data["class_names"], {"Keras": metrics}))
    warn_of_one_class(confusion.sum(axis=0), data["class_names"])
