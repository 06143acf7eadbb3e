"""Holds the int8 model against the Keras model on the validation images.

    python tflite_test.py

Reads model.keras, model_int8.tflite and model.json in OUTPUT_DIR; prints the IoU of each class side
by side, the share of pixels on which both agree, the images on which they agree least, times and
sizes; leaves report.json and report.png. Exit code 1, with the reason, where the int8 model is
beyond MIN_AGREEMENT or MAX_MEAN_IOU_DROP.
"""

import sys
import time
from pathlib import Path

import numpy as np

from import_data import InputError, import_images
from main import OUTPUT_DIR, make_predictor
from measuring import (
    colour_mask,
    confusion_matrix,
    format_iou_table,
    read_model_info,
    save_grid,
    summarise,
    write_json,
)
from predict import open_model, run_model
from tflite_convert import MODEL_FILE, load_model

MIN_AGREEMENT = 0.97  # share of pixels to which Keras and int8 give the same class
MAX_MEAN_IOU_DROP = 0.01  # mean IoU of Keras minus that of int8
WORST_IMAGES = 10  # named, and shown in report.png
DIFFERENCE_COLOUR = (255, 0, 0)


def load_validation(info):
    """Reads the validation images and labels that model.json names."""
    images, labels, _ = import_images(
        info["validation_image_dir"], info["validation_label_dir"], info["image_size"],
        info["class_names"], info["ignore_label"], info["validation_images"], verbose=False)
    return images, labels


def run_keras(model, images):
    """Returns the classes that the Keras model predicts, and the median seconds an image.

    Args: images uint8 (n, height, width, 3). Returns: uint8 (n, height, width), float.
    """
    predict = make_predictor(model)
    predict(images[:1])  # the first call compiles
    return _run_each(lambda image: predict(image[None])[0], images)


def run_int8(interpreter, images):
    """Returns the classes that the .tflite model predicts, and the median seconds an image."""
    return _run_each(lambda image: run_model(interpreter, image).argmax(-1), images)


def _run_each(predict, images):
    predictions, seconds = np.empty(images.shape[:3], np.uint8), []
    for index, image in enumerate(images):
        start = time.perf_counter()
        predictions[index] = predict(image)
        seconds.append(time.perf_counter() - start)
    return predictions, float(np.median(seconds))


def compare(info, labels, keras_predictions, int8_predictions):
    """Compares the predictions of both models; returns the report as a dict (see report.json)."""
    num_classes = len(info["class_names"])
    keras_metrics, int8_metrics = (
        summarise(confusion_matrix(labels, predictions, num_classes, info["ignore_label"]))
        for predictions in (keras_predictions, int8_predictions))
    agreement = (keras_predictions == int8_predictions).mean(axis=(1, 2))
    worst = np.argsort(agreement, kind="stable")[:WORST_IMAGES]
    return {"class_names": info["class_names"], "keras": keras_metrics, "int8": int8_metrics,
            "mean_iou_drop": keras_metrics["mean_iou"] - int8_metrics["mean_iou"],
            "agreement": float(agreement.mean()),
            "worst_images": [{"image": info["validation_images"][index],
                              "agreement": float(agreement[index])} for index in worst]}


def find_failures(report):
    """Returns a sentence for each constant that the report is beyond."""
    failures = []
    if report["agreement"] < MIN_AGREEMENT:
        failures.append(f"Keras and int8 agree on {report['agreement']:.2%} of the pixels, "
                        f"less than MIN_AGREEMENT = {MIN_AGREEMENT:.2%}.")
    if report["mean_iou_drop"] > MAX_MEAN_IOU_DROP:
        failures.append(f"int8 loses {100 * report['mean_iou_drop']:.2f} points of mean IoU, "
                        f"more than MAX_MEAN_IOU_DROP = {100 * MAX_MEAN_IOU_DROP:.2f}.")
    return failures


def draw_report(path, info, report, images, labels, keras_predictions, int8_predictions):
    """Draws the worst images: image, truth, Keras, int8, and where the two differ."""
    colours = np.array(info["class_colours"], np.uint8)
    index_of = {name: index for index, name in enumerate(info["validation_images"])}
    rows, titles = [], []
    for entry in report["worst_images"]:
        index = index_of[entry["image"]]
        differs = keras_predictions[index] != int8_predictions[index]
        difference = np.where(differs[..., None], np.uint8(DIFFERENCE_COLOUR), images[index] // 3)
        rows.append([images[index], *(colour_mask(mask[index], colours) for mask in (
            labels, keras_predictions, int8_predictions)), difference])
        titles.append(f"{entry['image']}: {entry['agreement']:.2%} alike")
    save_grid(path, rows, ("image", "truth", "Keras", "int8", "red: they differ"),
              info["class_names"], colours, titles)


def print_report(report):
    """Prints the report as a person reads it."""
    print(format_iou_table(report["class_names"],
                           {"Keras": report["keras"], "int8": report["int8"]}))
    print(f"Keras and int8 agree on {report['agreement']:.2%} of the pixels; least on:")
    for entry in report["worst_images"]:
        print(f"  {entry['agreement']:.2%}  {entry['image']}")
    times, sizes = report["milliseconds_per_image"], report["bytes"]
    print(f"On this processor, one image at a time: Keras {times['keras']:.1f} ms, "
          f"int8 {times['int8']:.1f} ms (medians)")
    print(f"Size: Keras {sizes['keras']:,} bytes, int8 {sizes['int8']:,} bytes")


def main():
    """Runs both models, reports, and returns the exit code: 0, or 1 beyond the constants."""
    folder = Path(OUTPUT_DIR)
    info = read_model_info(folder)
    model, interpreter = load_model(folder), open_model(folder / MODEL_FILE)
    images, labels = load_validation(info)
    keras_predictions, keras_seconds = run_keras(model, images)
    int8_predictions, int8_seconds = run_int8(interpreter, images)

    report = compare(info, labels, keras_predictions, int8_predictions)
    report["milliseconds_per_image"] = {"keras": 1000 * keras_seconds, "int8": 1000 * int8_seconds}
    report["bytes"] = {"keras": (folder / "model.keras").stat().st_size,
                       "int8": (folder / MODEL_FILE).stat().st_size}
    report["failures"] = find_failures(report)
    write_json(folder / "report.json", report)
    draw_report(folder / "report.png", info, report, images, labels, keras_predictions,
                int8_predictions)
    print_report(report)
    for sentence in report["failures"]:
        print(f"FAILED: {sentence}")
    if not report["failures"]:
        print("PASSED: the int8 model does what the Keras model does.")
    print(f"Look at {folder / 'report.png'}.")
    return 1 if report["failures"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        sys.exit(f"Error: {error}")
