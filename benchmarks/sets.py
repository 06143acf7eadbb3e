"""The three sets of real pictures that the benchmarks run on, and a run of the pipeline on one."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import main
from import_data import load_data
from segmentation.settings import read_settings

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
    """Chooses a set; returns import_data.load_data's dict, and main.py's settings."""
    choose_set(name, output_dir, **constants)
    settings, errors = read_settings(vars(main))
    return load_data(settings, errors), settings


def replace(original, function):
    """Puts a function in the place of another, in each module of the project that imported it."""
    for module in list(sys.modules.values()):
        if str(getattr(module, "__file__", "")).startswith(str(SHARED.parent)):
            for name, value in list(vars(module).items()):
                if value is original and module.__name__ not in ("__main__", "sets"):
                    setattr(module, name, function)


def float_features(encoder, calibration_images):
    """Stands in for features.make_feature_function: what Keras computes, in float32."""
    import tensorflow as tf

    run = tf.function(lambda images: encoder(images, training=False), reduce_retracing=True)
    return lambda images: [feature.numpy() for feature in run(
        tf.constant(images.astype(np.float32) / 127.5 - 1))]


def unchanged(encoder, calibration_images):
    """Stands in for equalize.equalize: the encoder as it is."""
    return encoder


def uncorrected(quantized, exact, images):
    """Stands in for bias_correction.correct_biases: the file as the converter leaves it."""
    return quantized


def unshifted(model_bytes, images):
    """Stands in for bias_correction.correct_tie_bias: the file as it is."""
    return model_bytes
