"""Compares the int8 model with the Keras model on the validation images, or on others.

    python tflite_test.py

Reads model.keras, model_int8.tflite and model.json in OUTPUT_DIR. Prints the IoU of each class for
both, the share of pixels on which they agree, the images on which they agree least, times and
sizes. Leaves report.json and report.png. Exit code 1, with the reason and the layers that lose
most, where MIN_AGREEMENT or MAX_MEAN_IOU_DROP is not kept. A class that loses more than
MAX_CLASS_IOU_DROP is named in a warning.
"""

import time
from pathlib import Path

import numpy as np

import main as main_script
from device.class_bias import add_class_bias, read_class_bias
from device.drawing import color_mask, save_grid
from device.errors import InputError, run_script
from device.files import write_json
from device.images import PADDING_GRAY, PADDING_LABEL
from device.model_info import IGNORED, TFLITE_FILE, read_model_info
from device.progress import Progress
from device.segmenter import Segmenter
from device.tflite import model_shape, open_model
from device.tiles import blend_tiles, cut_tile, segment_tiles
from get_model import load_model
from import_data import (
    CALIBRATION_FIELDS,
    VALIDATION_FIELDS,
    load_calibration_images,
    load_validation_images,
)
from segmentation.bias_table import count_by_bias, format_bias_table
from segmentation.data.moved_folders import find_moved_folders
from segmentation.data.pairing import pair_files
from segmentation.evaluate import make_logit_function, make_predictor, tell_tiles
from segmentation.int8.features import make_feature_function
from segmentation.int8.interpreter import run_images
from segmentation.int8.quantize import layer_errors, prepare
from segmentation.metrics import confusion_matrix, format_iou_table, interval, summarize
from segmentation.picture_metrics import PictureMetrics

# The images
TEST_IMAGE_DIR = None  # folder of other labeled images; None: the validation images of main.py
TEST_LABEL_DIR = None  # folder of their labels

CLASS_BIAS = {}  # added to a class's logits: {"duck": 1.0} finds more ducks, and more false ones
BIAS_TABLE = False  # True prints the precision and recall of int8 by CLASS_BIAS, to choose it by

# Bounds
MIN_AGREEMENT = 0.97  # share of the pixels to which both must give the same class
MAX_MEAN_IOU_DROP = 0.01  # mean IoU of Keras minus that of int8: 0.01 is one point
MAX_CLASS_IOU_DROP = 0.01  # of one class; a warning only, as few pixels make it swing

# The report
DELEGATE = None  # "auto" also runs the compiled model on the Edge TPU, where both are there
WORST_CLASSES = 10  # classes whose IoU changes most for the worse, named
WORST_IMAGES = 10  # images with the least agreement, named and shown in report.png
DEBUG_IMAGES = 20  # validation images on which the layers that lose most are looked for
DIFFERENCE_COLOR = (255, 0, 0)  # of the pixels on which Keras and int8 differ


def choose_test_set(info):
    """Returns model.json's fields with TEST_IMAGE_DIR in the place of the validation images.

    Raises: InputError where only one of the two constants is set, or as pairing.pair_files does.
    """
    if TEST_IMAGE_DIR is None and TEST_LABEL_DIR is None:
        return info
    if None in (TEST_IMAGE_DIR, TEST_LABEL_DIR):
        raise InputError("TEST_IMAGE_DIR and TEST_LABEL_DIR belong together: set both or neither.")
    image_dir, label_dir = (Path(folder).expanduser()
                            for folder in (TEST_IMAGE_DIR, TEST_LABEL_DIR))
    return info | {"validation_image_dir": str(image_dir), "validation_label_dir": str(label_dir),
                   "validation_images": pair_files(image_dir, label_dir).image_names}


def check_same_shape(interpreter, info):
    """Raises InputError unless the .tflite has the size and the classes of model.json."""
    image_size, num_classes = model_shape(interpreter)
    expected = tuple(info["image_size"]), len(info["class_names"])
    if (image_size, num_classes) != expected:
        raise InputError(f"{TFLITE_FILE} takes images of {image_size} and gives {num_classes} "
                         f"classes, but model.json says {expected[0]} and {expected[1]}: run "
                         f"tflite_convert.py again.")


def run_keras(model, images, tile_size, class_names):
    """Returns the classes that the Keras model predicts, and the median seconds an image.

    Args: images, list of uint8 (height, width, 3), predicted in tiles where they are larger than
        tile_size (height, width), the model's input.
    Returns: list of uint8 (height, width), float.
    """
    run_tiles = make_logit_function(model)
    bias = read_class_bias(CLASS_BIAS, class_names)
    run_tiles(images[0][:1, :1].repeat(tile_size[0], 0).repeat(tile_size[1], 1)[None])  # compiles
    return _run_each(lambda tiles: add_class_bias(run_tiles(tiles), bias), images, tile_size)


def run_int8(interpreter, images, tile_size, class_names):
    """Returns the classes that the .tflite model predicts, and the median seconds an image."""
    scale, _ = interpreter.get_output_details()[0]["quantization"]
    bias = read_class_bias(CLASS_BIAS, class_names, scale)
    return _run_each(lambda tiles: add_class_bias(run_images(interpreter, tiles), bias), images,
                     tile_size)


def count_int8_by_bias(interpreter, images, labels, tile_size):
    """Returns bias_table.count_by_bias of the .tflite model, over all images."""
    scale, counts = interpreter.get_output_details()[0]["quantization"][0] or 1, 0
    progress = Progress("Counting by CLASS_BIAS", len(images))
    for number, (image, label) in enumerate(zip(images, labels)):
        logits = blend_tiles(lambda tiles: run_images(interpreter, tiles), image, tile_size,
                             PADDING_GRAY)
        counts = counts + count_by_bias(logits * np.float32(scale), label)
        progress.show(number + 1)
    return counts


def _run_each(run_tiles, images, tile_size):
    predictions, seconds, progress = [], [], Progress("Predicting", len(images))
    sizes = [image.shape[:2] for image in images]
    if any(size != tuple(tile_size) for size in sizes):
        tell_tiles(run_tiles, sizes, tile_size)
    for number, image in enumerate(images):
        start = time.perf_counter()
        predictions.append(segment_tiles(run_tiles, image, tile_size, PADDING_GRAY))
        seconds.append(time.perf_counter() - start)
        progress.show(number + 1)
    return predictions, float(np.median(seconds))


def run_edgetpu(folder, images, tile_size):
    """Returns {"edgetpu": what run_int8 does, but on the Edge TPU}; {} where it is not there."""
    segmenter = DELEGATE and Segmenter(folder, DELEGATE, class_bias=CLASS_BIAS)
    if not segmenter or not segmenter.is_on_edgetpu:
        return {}
    return {"edgetpu": _run_each(
        lambda tiles: np.stack([segmenter.run(tile) for tile in tiles]), images, tile_size)}


def load_test_images(info):
    """Returns the images and the labels to measure on.

    Raises: InputError as import_images does, and where all label pixels are ignored.
    """
    images, labels = load_validation_images(info)
    if all((label == IGNORED).all() for label in labels):
        raise InputError(f"All pixels of the labels in {info['validation_label_dir']} are ignored: "
                         f"there is nothing to measure on; choose other images.")
    return images, labels


def compare(info, labels, keras_predictions, int8_predictions):
    """Compares the predictions of both models; returns the report as a dict (see report.json)."""
    keras, int8 = (measure(info, labels, masks) for masks in (keras_predictions, int8_predictions))
    keras_metrics, int8_metrics = keras.summarize(), int8.summarize()
    agreement = np.array([(keras_mask == int8_mask).mean() for keras_mask, int8_mask in zip(
        keras_predictions, int8_predictions)])
    worst = np.argsort(agreement, kind="stable")[:WORST_IMAGES]
    return {"class_names": info["class_names"], "keras": keras_metrics, "int8": int8_metrics,
            "mean_iou_drop": keras_metrics["mean_iou"] - int8_metrics["mean_iou"],
            "mean_iou_change_interval": interval(int8.draw_mean_iou() - keras.draw_mean_iou()),
            "iou_drop": [None if None in pair else pair[0] - pair[1]
                         for pair in zip(keras_metrics["iou"], int8_metrics["iou"])],
            "keras_confusion": keras.confusion.tolist(), "int8_confusion": int8.confusion.tolist(),
            "agreement": float(agreement.mean()),
            "worst_images": [{"image": info["validation_images"][index],
                              "agreement": float(agreement[index])} for index in worst]}


def measure(info, labels, predictions):
    """Returns the PictureMetrics of one model's predictions."""
    pictures = PictureMetrics(len(info["class_names"]))
    for label, mask in zip(labels, predictions):
        pictures.add(label, mask)
    return pictures


def find_failures(report):
    """Returns a sentence for each bound that the report breaks."""
    failures = []
    if report["agreement"] < MIN_AGREEMENT:
        failures.append(f"Keras and int8 agree on {report['agreement']:.2%} of the pixels, "
                        f"less than MIN_AGREEMENT = {MIN_AGREEMENT:.2%}.")
    if report["mean_iou_drop"] > MAX_MEAN_IOU_DROP:
        failures.append(f"int8 loses {100 * report['mean_iou_drop']:.2f} points of mean IoU, "
                        f"more than MAX_MEAN_IOU_DROP = {100 * MAX_MEAN_IOU_DROP:.2f}.")
    return failures


def find_warnings(report):
    """Returns a sentence where classes lose more than MAX_CLASS_IOU_DROP.

    This is no failure: the IoU of a class with few validation pixels varies by itself.
    """
    losing = [f"{name} {100 * drop:.2f}"
              for drop, name in sorted(_class_drops(report), reverse=True)
              if drop > MAX_CLASS_IOU_DROP]
    return [f"int8 loses more than MAX_CLASS_IOU_DROP = {100 * MAX_CLASS_IOU_DROP:.2f} points of "
            f"IoU on {len(losing)} class(es): {', '.join(losing)}; look at them in report.png, and "
            f"use more validation images that show them."] if losing else []


def _class_drops(report):
    return [(drop, name) for drop, name in zip(report["iou_drop"], report["class_names"])
            if drop is not None]


def draw_report(path, info, report, images, labels, keras_predictions, int8_predictions):
    """Draws the worst images: image, truth, Keras, int8, and where the two differ."""
    colors = np.array(info["class_colors"], np.uint8)
    index_of = {name: index for index, name in enumerate(info["validation_images"])}
    rows, titles = [], []
    for entry in report["worst_images"]:
        index = index_of[entry["image"]]
        differs = keras_predictions[index] != int8_predictions[index]
        difference = np.where(differs[..., None], np.uint8(DIFFERENCE_COLOR), images[index] // 3)
        rows.append([images[index], *(color_mask(mask[index], colors) for mask in (
            labels, keras_predictions, int8_predictions)), difference])
        titles.append(f"{entry['image']}: {entry['agreement']:.2%} alike")
    save_grid(path, rows, ("image", "truth", "Keras", "int8", "red: they differ"),
              info["class_names"], colors, titles)


def find_losses(info, model, images, labels):
    """Looks for the part and the layers where the int8 model loses accuracy.

    Returns: dict with the mean IoU of the int8 encoder with the Keras decoder, and the ten layers
        whose activations change most by quantization.
    """
    print("Looking for the layers that lose most ...", flush=True)
    calibration_images, encoder = load_calibration_images(info), model.get_layer("encoder")
    predict = make_predictor(model.get_layer("decoder"),
                             make_feature_function(encoder, calibration_images))
    tile_size = info["image_size"]
    tiles, tile_labels = (np.stack([cut_tile(array, 0, 0, tile_size, fill) for array in arrays])
                          for arrays, fill in ((images, PADDING_GRAY), (labels, PADDING_LABEL)))
    confusion = confusion_matrix(tile_labels, predict(tiles), len(info["class_names"]))
    return {"int8_encoder_keras_decoder": summarize(confusion)["mean_iou"],
            "layers": layer_errors(prepare(model, calibration_images), calibration_images,
                                   tiles[:DEBUG_IMAGES])[:10]}


def print_losses(report):
    """Prints which part and which layers lose most, and what to try."""
    losses, keras_iou = report["losses"], report["keras"]["mean_iou"]
    by_encoder = keras_iou - losses["int8_encoder_keras_decoder"]
    by_decoder = report["mean_iou_drop"] - by_encoder
    print(f"Change of mean IoU by the int8 encoder {-100 * by_encoder:+.2f}, by the int8 decoder "
          f"{-100 * by_decoder:+.2f} percentage points.\nLayers that change most: error in "
          f"quantization steps (0.29 is rounding alone)")
    for layer in losses["layers"]:
        print(f"  {layer['error_in_steps']:6.2f}  mean squared error "
              f"{layer['mean_squared_error']:.2e}  {layer['operation']} {layer['layer']}")
    print("Try more EPOCHS, a lower LEARNING_RATE or other DECODER_FILTERS (main.py).")


def print_report(report):
    """Prints the report as a person reads it."""
    columns = {"Keras": report["keras"], "int8": report["int8"]}
    if "edgetpu" in report:
        columns["Edge TPU"] = report["edgetpu"]
    print(format_iou_table(report["class_names"], columns))
    drops = sorted(_class_drops(report), reverse=True)
    print("IoU change from Keras to int8, percentage points: " + ", ".join(
        f"{name} {-100 * drop:+.2f}" for drop, name in drops[:WORST_CLASSES])
        + (", ..." if len(drops) > WORST_CLASSES else ""))
    low, high = report["mean_iou_change_interval"]
    print(f"Change of mean IoU from Keras to int8: {-100 * report['mean_iou_drop']:+.2f} points, "
          f"95 % interval {100 * low:+.2f} to {100 * high:+.2f}")
    print(f"Keras and int8 agree on {report['agreement']:.2%} of the pixels; least on:")
    for entry in report["worst_images"]:
        print(f"  {entry['agreement']:.2%}  {entry['image']}")
    times, sizes = report["milliseconds_per_image"], report["bytes"]
    print(f"On this CPU, one image at a time: Keras {times['keras']:.1f} ms, "
          f"int8 {times['int8']:.1f} ms (medians)")
    if "edgetpu" in times:
        print(f"On the Edge TPU: {times['edgetpu']:.1f} ms (median)")
    print(f"Size: Keras {sizes['keras']:,} bytes, int8 {sizes['int8']:,} bytes")


def main():
    """Runs both models, compares them, and returns the exit code: 1 where a bound is broken."""
    folder = Path(main_script.OUTPUT_DIR).expanduser()
    info = choose_test_set(read_model_info(folder, CALIBRATION_FIELDS + VALIDATION_FIELDS))
    info = find_moved_folders(info, vars(main_script))
    model, interpreter = load_model(folder, info), open_model(folder / TFLITE_FILE)
    check_same_shape(interpreter, info)
    images, labels = load_test_images(info)
    tile_size, class_names = tuple(info["image_size"]), info["class_names"]
    runs = {"keras": run_keras(model, images, tile_size, class_names),
            "int8": run_int8(interpreter, images, tile_size, class_names),
            **run_edgetpu(folder, images, tile_size)}
    predictions = {name: masks for name, (masks, _) in runs.items()}

    report = compare(info, labels, predictions["keras"], predictions["int8"])
    report["milliseconds_per_image"] = {name: 1000 * seconds
                                        for name, (_, seconds) in runs.items()}
    report["bytes"] = {"keras": (folder / "model.keras").stat().st_size,
                       "int8": (folder / TFLITE_FILE).stat().st_size}
    if "edgetpu" in runs:
        report["edgetpu"] = measure(info, labels, predictions["edgetpu"]).summarize()
    report["failures"], report["warnings"] = find_failures(report), find_warnings(report)
    if report["failures"]:
        report["losses"] = find_losses(info, model, images, labels)
    write_json(folder / "report.json", report)
    draw_report(folder / "report.png", info, report, images, labels, predictions["keras"],
                predictions["int8"])
    print_report(report)
    if BIAS_TABLE:
        print(format_bias_table(class_names, count_int8_by_bias(
            interpreter, images, labels, tile_size), report["int8"]))
    for sentence in report["warnings"]:
        print(f"WARNING: {sentence}")
    for sentence in report["failures"]:
        print(f"FAILED: {sentence}")
    if report["failures"]:
        print_losses(report)
    else:
        print("PASSED: the int8 model does what the Keras model does.")
    print(f"Look at {folder / 'report.png'}.")
    return 1 if report["failures"] else 0


if __name__ == "__main__":
    run_script(main)
