"""What a run leaves in OUTPUT_DIR: the model, model.json, history.csv and the pictures."""

import os
import platform
from operator import itemgetter
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from device.drawing import class_colors, color_mask, overlay, save_grid
from device.errors import shorten
from device.files import write_json, write_whole
from segmentation.evaluate import measure_own_size, predict_validation, warn_of_one_class
from segmentation.evenly import choose_evenly
from segmentation.metrics import TABLE_CLASSES, format_iou_table
from segmentation.picture_metrics import (
    PictureMetrics,
    write_class_metrics,
    write_picture_metrics,
)
from segmentation.train.mirrored import warn_of_confused_pairs

PREDICTION_ROWS = 8  # validation images shown in predictions.png
WORST_ROWS = 10  # shown in predictions_worst.png
DRAWN_SIDE = 400  # pixels, about, of an image's longer side that are kept for drawing
CURVES_SIZE = (12, 4.5)  # inches
CURVE_CLASSES = 10  # shown in curves.png, the rarest, of more than TABLE_CLASSES
CONFUSION_CLASSES = 30  # shown in confusion.png, those with the most wrong pixels
NAME_LENGTH = 24  # characters of a class name in a drawing


def save_model(model, path):
    """Saves the model without its optimizer, beside its place first, then renamed."""
    beside = path.with_name("part_" + path.name)  # Keras wants the ending .keras
    model.save(beside, include_optimizer=False)
    os.replace(beside, path)


def draw_curves(path, history, class_names, class_weights):
    """Draws the loss and the validation IoU by epoch: the mean, and of many classes the rarest.

    Args: class_weights, one a class: the rarest class has the largest.
    """
    rarest = sorted(range(len(class_names)), key=lambda index: -class_weights[index])
    chosen = sorted(rarest[:CURVE_CLASSES] if len(rarest) > TABLE_CLASSES else rarest)
    figure, (left, right) = make_figure(CURVES_SIZE, 1, 2)
    epochs = [row["epoch"] for row in history]
    left.plot(epochs, [row["loss"] for row in history], color="black")
    left.set(xlabel="epoch", ylabel="training loss", ylim=(0, None), title="Loss")
    colors, labels = class_colors(len(class_names)) / 255, drawable_names(class_names)
    for index in chosen:
        iou = [row[f"iou {class_names[index]}"] for row in history]
        right.plot(epochs, [np.nan if value is None else value for value in iou],
                   color=colors[index], linewidth=1, label=labels[index])
    right.plot(epochs, [row["mean_iou"] for row in history], color="red", linewidth=2.5,
               label="mean IoU")
    title = ("Validation" if len(chosen) == len(class_names)
             else f"Validation: mean and the {CURVE_CLASSES} rarest classes")
    right.set(xlabel="epoch", ylabel="IoU", ylim=(0, 1), title=title)
    right.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    save_figure(path, figure)


def draw_confusion(path, confusion, class_names):
    """Draws which class is taken for which: a row a true class, its shares as percentages.

    Of more than CONFUSION_CLASSES classes those with the most wrong pixels are drawn.
    Args: confusion int (classes, classes), rows true, columns predicted.
    """
    wrong = confusion.sum(axis=0) + confusion.sum(axis=1) - 2 * np.diag(confusion)
    chosen = np.sort(np.argsort(-wrong, kind="stable")[:CONFUSION_CLASSES])
    true = confusion.sum(axis=1, keepdims=True)
    percent = 100 * np.divide(confusion, true, out=np.zeros(confusion.shape), where=true > 0)
    percent = percent[np.ix_(chosen, chosen)]
    labels = drawable_names(class_names)
    names = [labels[index] for index in chosen]
    side = 3 + 0.5 * len(chosen)
    figure, axes = make_figure((side, side))
    axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    for (row, column), value in np.ndenumerate(percent):
        if value >= 0.05:  # a tenth, rounded
            axes.text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=7,
                      color="white" if value > 60 else "black")
    axes.set_xticks(range(len(chosen)), names, rotation=90, fontsize=8)
    axes.set_yticks(range(len(chosen)), names, fontsize=8)
    axes.set(xlabel="predicted class", ylabel="true class",
             title="Percent of the true class's pixels")
    save_figure(path, figure)


def drawable_names(class_names):
    """Returns the class names as matplotlib can draw them: short, or "class 3" for other letters.

    A $ is escaped: it would start a formula.
    """
    font = get_font(findfont(FontProperties()))
    return [shorten(name, NAME_LENGTH).replace("$", r"\$")
            if all(font.get_char_index(ord(letter)) for letter in name) else f"class {index}"
            for index, name in enumerate(class_names)]


def make_figure(size, *shape):
    """Returns a matplotlib figure of a size in inches and its axes.

    Not by pyplot: that would take over the backend of a notebook that imports main.
    """
    figure = Figure(size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(*shape)


def save_figure(path, figure):
    """Writes a figure as PNG."""
    write_whole(path, lambda file: figure.savefig(file, format="png", dpi=110))


def shrink(*arrays):
    """Returns images, labels, masks (height, width, ...) with rows and columns left out, if large.

    So that the pictures of a set that are to be drawn fit into memory.
    """
    step = max(1, max(arrays[0].shape[:2]) // DRAWN_SIDE)
    return [np.ascontiguousarray(array[::step, ::step]) for array in arrays]


def draw_predictions(path, shown, class_names, titles=None):
    """Draws images beside their truth and prediction.

    Args: shown, list of image uint8 (height, width, 3), label and predicted mask uint8 (height,
        width), of any sizes; titles, None or a text below each.
    """
    colors = class_colors(len(class_names))
    rows = [[image, color_mask(label, colors), color_mask(mask, colors),
             overlay(image, mask, colors)] for image, label, mask in shown]
    save_grid(path, rows, ("image", "truth", "prediction", "prediction over image"), class_names,
              colors, titles)


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
                     "flip": settings.flip, "rotate": settings.rotate, "color": settings.color,
                     "fine_tune_epochs": settings.fine_tune_epochs,
                     "mixed_precision": settings.mixed_precision,
                     "seed": settings.seed, "weights": str(settings.encoder_weights)},
        "validation_metrics": metrics,
        "versions": {"python": platform.python_version(), "tensorflow": tf.__version__,
                     "keras": keras.__version__, "numpy": np.__version__},
    }


def write_results(model, data, record, settings):
    """Writes model.json, the tables and the pictures, and prints the IoU of each class.

    Args: model with the best epoch's weights.
    """
    output_dir, class_names = Path(settings.output_dir), data["class_names"]
    pictures, names = PictureMetrics(len(class_names)), data["validation_names"]
    evenly = choose_evenly(len(names), PREDICTION_ROWS).tolist()
    shown, worst = [], []
    for number, (image, label, mask) in enumerate(
            predict_validation(model, data, settings.image_size)):
        score, small = pictures.add(label, mask), shrink(image, label, mask)
        if number in evenly:
            shown.append(small)
        if not np.isnan(score):
            worst = sorted([*worst, (score, number, small)], key=itemgetter(0))[:WORST_ROWS]
    metrics = {"epoch": record["best"]["epoch"], **pictures.summarize()}
    if settings.picture_size is None:
        own_size = measure_own_size(model, data)
        metrics["own_size"] = {key: own_size[key] for key in (
            "mean_iou", "mean_iou_without_background", "iou")}
    write_json(output_dir / "model.json", describe_model(model, data, settings, metrics))
    write_picture_metrics(output_dir / "metrics.csv", names, class_names, pictures)
    write_class_metrics(output_dir / "class_metrics.csv", class_names, metrics)
    if record["history"]:
        draw_curves(output_dir / "curves.png", record["history"], class_names,
                    data["class_weights"])
    draw_predictions(output_dir / "predictions.png", shown, class_names)
    draw_predictions(output_dir / "predictions_worst.png", [small for _, _, small in worst],
                     class_names,
                     [f"{names[number]}: mean IoU {100 * score:.2f} %"
                      for score, number, _ in worst])
    draw_confusion(output_dir / "confusion.png", pictures.confusion, class_names)
    print(f"\nBest epoch: {metrics['epoch']} of {record['epochs']}, "
          f"{len(names)} validation images")
    print(format_iou_table(class_names, {"Keras": metrics}))
    if "own_size" in metrics:
        print(f"own size: on the images' own pixels; all else at IMAGE_SIZE {settings.image_size}")
    warn_of_one_class(metrics, class_names)
    warn_of_confused_pairs(pictures.confusion, class_names, settings.flip)
