"""The three sets of real pictures that the benchmarks run on, and plain quantization's parts."""

import contextlib
import sys
from pathlib import Path
from unittest import mock

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import main
import tflite_convert
from device.images import scale_pixels
from import_data import load_data
from segmentation.int8 import features, quantize
from segmentation.settings import read_settings
from segmentation.train import run

SHARED = Path(__file__).resolve().parents[2] / "shared"
ENCODER_WEIGHTS = SHARED / "weights/mobilenet_v2_1.0_160_no_top.weights.h5"
EPOCHS = 20
SETS = {  # image size (height, width), ignore label, class names
    "birds": ((128, 160), 255, ["background", "duck", "flamingo", "swan"]),
    "davis_birds": ((96, 160), 255, ["background", "duck", "swan", "flamingo"]),
    "camvid": ((128, 160), 11, ["sky", "building", "pole", "road", "pavement", "tree", "sign",
                                "fence", "car", "pedestrian", "bicyclist"]),
}


def choose_set(name, output_dir, **constants):
    """Sets main.py's constants for a set; further constants by name."""
    folder = SHARED / "data" / name
    if not folder.is_dir():
        sys.exit(f"Error: {folder} is missing; the benchmarks need the folder of shared data "
                 f"beside the project.")
    main.IMAGE_DIR, main.LABEL_DIR = str(folder / "train/images"), str(folder / "train/labels")
    main.VALIDATION_IMAGE_DIR = str(folder / "val/images")
    main.VALIDATION_LABEL_DIR = str(folder / "val/labels")
    main.IMAGE_SIZE, main.IGNORE_LABEL, main.CLASS_NAMES = SETS[name]
    main.ENCODER_WEIGHTS, main.EPOCHS = str(ENCODER_WEIGHTS), EPOCHS
    main.OUTPUT_DIR = str(output_dir)
    for constant, value in constants.items():
        setattr(main, constant, value)


def load_set(name, output_dir, **constants):
    """Chooses a set and reads it; returns the settings and the data."""
    choose_set(name, output_dir, **constants)
    settings, errors = read_settings(vars(main))
    return settings, load_data(settings, errors)


# ---- what plain quantization does instead ----------------------------------------------------


def float_features(encoder, calibration_images):
    """Stands in for features.make_feature_function: what Keras computes, in float32."""
    import tensorflow as tf

    encode = tf.function(lambda images: encoder(images, training=False), reduce_retracing=True)
    return lambda images: [feature.numpy() for feature in encode(
        tf.constant(scale_pixels(np.asarray(images))))]


@contextlib.contextmanager
def without_equalization():
    """Quantizes the encoder as it is."""
    with mock.patch.object(features, "equalize", lambda encoder, images: encoder), \
            mock.patch.object(quantize, "equalize", lambda encoder, images: encoder):
        yield


@contextlib.contextmanager
def without_bias_correction():
    """Leaves all biases as the converter makes them, except those of the logits."""
    with mock.patch.object(quantize, "correct_biases",
                           lambda int8_bytes, float_bytes, images: int8_bytes):
        yield


@contextlib.contextmanager
def plain_quantization():
    """Trains on float features, and converts as TensorFlow's converter does by itself."""
    with without_equalization(), without_bias_correction(), \
            mock.patch.object(run, "make_feature_function", float_features), \
            mock.patch.object(tflite_convert, "correct_tie_bias", lambda model_bytes, images:
                              model_bytes):
        yield
