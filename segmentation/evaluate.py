"""Predicts images with a Keras model and measures the predictions."""

import time

import numpy as np
import tensorflow as tf

from device.images import PADDING_GRAY
from device.progress import Progress
from device.tflite import most_likely_classes
from device.tiles import segment_tiles, tile_grid
from segmentation.memory import count_at_once
from segmentation.metrics import confusion_matrix, summarize

PREDICTION_BATCH = 16  # images at a time where nothing is trained, at most
ONE_CLASS_SHARE = 0.999  # of the predicted pixels; more is worth a warning


def make_predictor(model, features=None):
    """Returns a function uint8 images (n, height, width, 3) -> most likely classes, uint8.

    Args: model, or a function that is called like one, of images or, where the function features
        is given, of what that returns.
    """
    most_likely = tf.function(
        lambda batch: tf.cast(tf.argmax(model(batch, training=False), -1), tf.uint8),
        reduce_retracing=True)

    def predict(images, batch_size=PREDICTION_BATCH):
        """Returns the most likely classes, some images at a time: at most batch_size."""
        batch_size = count_at_once(images.shape[1:3], batch_size)
        predictions = np.empty(images.shape[:3], np.uint8)
        for start in range(0, len(images), batch_size):
            batch = images[start:start + batch_size]
            inputs = batch.astype(np.float32) if features is None else features(batch)
            predictions[start:start + batch_size] = most_likely(inputs)
        return predictions

    return predict


def make_logit_function(model):
    """Returns a function uint8 images (n, height, width, 3) -> logits float32, of a Keras model."""
    run = tf.function(lambda batch: model(batch, training=False), reduce_retracing=True)
    return lambda images: run(images.astype(np.float32)).numpy()


def predict_validation(model, data, tile_size):
    """Yields image, label and predicted mask of each validation image, as large as it was read.

    That is IMAGE_SIZE, or with PICTURE_SIZE the picture's own size, which is predicted in tiles.
    Args: data of load_data.
    """
    if "validation_pictures" not in data:
        predict = make_predictor(model)
        batch_size = count_at_once(tile_size, PREDICTION_BATCH)
        for start in range(0, len(data["validation_images"]), batch_size):
            images = data["validation_images"][start:start + batch_size]
            labels = data["validation_labels"][start:start + batch_size]
            yield from zip(images, labels, predict(images))
        return
    pictures, sizes = data["validation_pictures"], data["validation_sizes"]
    run_tiles, progress = make_logit_function(model), Progress("Predicting", len(pictures))
    tell_tiles(run_tiles, sizes, tile_size)
    for number, (height, width) in enumerate(sizes.tolist()):
        picture = pictures[number][:height, :width]
        label = data["validation_picture_labels"][number][:height, :width]
        yield picture, label, segment_tiles(run_tiles, picture, tile_size, PADDING_GRAY)
        progress.show(number + 1)


def tell_tiles(run_tiles, sizes, tile_size):
    """Prints how many tiles pictures have and how long they take, by the seconds of one gray tile.

    Args: run_tiles, function uint8 (n, *tile_size, 3) -> logits; sizes, (height, width) of each.
    """
    gray = np.full((1, *tile_size, 3), PADDING_GRAY, np.uint8)
    run_tiles(gray)  # the first call compiles
    start = time.perf_counter()
    run_tiles(gray)
    count = sum(len(tile_grid(size, tile_size)) for size in sizes)
    print(f"Predicting {len(sizes)} pictures in {count} tiles of {tile_size[0]}x{tile_size[1]} "
          f"(height x width): about {count * (time.perf_counter() - start):.1f} s", flush=True)


def measure_own_size(model, data):
    """Measures the model on the validation images' own pixels; see metrics.summarize.

    Logits are enlarged bilinearly, as predict.py does. What is published is mostly measured so.
    Args: data of load_data, without PICTURE_SIZE.
    """
    run, num_classes, confusion = make_logit_function(model), len(data["class_names"]), 0
    images = data["validation_images"]
    batch_size = count_at_once(images.shape[1:3], PREDICTION_BATCH)
    for start in range(0, len(images), batch_size):
        for number, logits in enumerate(run(images[start:start + batch_size]), start):
            label, (height, width) = data["read_own_label"](number), logits.shape[:2]
            mask = most_likely_classes(logits, label.shape, (0, 0, width, height))
            confusion += confusion_matrix(label, mask, num_classes)
    return summarize(confusion)


def measure(predictions, data):
    """Measures predictions for the validation images of load_data; see metrics.summarize.

    One confusion matrix over all images, summed over some at a time, so that memory stays small.
    """
    labels, num_classes = data["validation_labels"], len(data["class_names"])
    return summarize(sum(
        confusion_matrix(labels[start:start + PREDICTION_BATCH],
                         predictions[start:start + PREDICTION_BATCH], num_classes)
        for start in range(0, len(labels), PREDICTION_BATCH)))


def warn_of_one_class(metrics, class_names):
    """Prints a warning where one class takes over nearly all predicted pixels, but not the labels.

    Args: metrics, what metrics.summarize returned.
    """
    predicted, true = (np.array(metrics[key]) / max(1, sum(metrics[key]))
                       for key in ("predicted_pixels", "pixels"))
    index = predicted.argmax()
    if predicted[index] > ONE_CLASS_SHARE and 1 - predicted[index] < (1 - true[index]) / 2:
        print(f"WARNING: {predicted[index]:.2%} of the predicted pixels are {class_names[index]}, "
              f"but {true[index]:.2%} of the labeled ones: train for more EPOCHS, check the "
              f"labels, or raise CLASS_WEIGHT_POWER.")
