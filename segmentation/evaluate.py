"""Predicts images with a Keras model and measures the predictions."""

import numpy as np
import tensorflow as tf

from segmentation.data.classes import count_pixels
from segmentation.metrics import confusion_matrix, summarize

PREDICTION_BATCH = 16  # images at a time where nothing is trained
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
        """Returns the most likely classes, some images at a time."""
        predictions = np.empty(images.shape[:3], np.uint8)
        for start in range(0, len(images), batch_size):
            batch = images[start:start + batch_size]
            inputs = batch.astype(np.float32) if features is None else features(batch)
            predictions[start:start + batch_size] = most_likely(inputs)
        return predictions

    return predict


def measure(predictions, data, ignore_label):
    """Measures predictions for the validation images of load_data; see metrics.summarize.

    One confusion matrix over all images, summed over some at a time, so that memory stays small.
    """
    labels, num_classes = data["validation_labels"], len(data["class_names"])
    return summarize(sum(
        confusion_matrix(labels[start:start + PREDICTION_BATCH],
                         predictions[start:start + PREDICTION_BATCH], num_classes, ignore_label)
        for start in range(0, len(labels), PREDICTION_BATCH)))


def warn_of_one_class(predictions, class_names):
    """Prints a warning where one class takes over nearly all predicted pixels."""
    shares = count_pixels(predictions, len(class_names)) / predictions.size
    if shares.max() > ONE_CLASS_SHARE:
        print(f"WARNING: {shares.max():.2%} of the predicted pixels are "
              f"{class_names[shares.argmax()]}: train for more EPOCHS, check the labels, or raise "
              f"CLASS_WEIGHT_POWER.")
