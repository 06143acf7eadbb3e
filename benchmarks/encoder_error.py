"""Measures how far the int8 encoder's five maps are from the float ones, lever by lever.

    python benchmarks/encoder_error.py [SET ...]

Of each set's first 64 validation images: the mean squared error of each map, in per cent of the
mean square of its values around their channel's mean. Prints a table in Markdown.
"""

import sys

import numpy as np
from sets import SETS, choose_set, float_features, unchanged, uncorrected

import import_data
import main
from get_model import get_encoder
from segmentation.int8 import bias_correction, equalize, features, quantize

IMAGES = 64
EQUALIZE, CORRECT = equalize.equalize, bias_correction.correct_biases
LEVERS = {  # what stands for equalize and correct_biases
    "as the converter leaves it": (unchanged, uncorrected),
    "biases corrected": (unchanged, CORRECT),
    "equalized": (EQUALIZE, uncorrected),
    "both": (EQUALIZE, CORRECT),
}


def measure_errors(name):
    """Yields each lever's name and the errors of the five maps in per cent, on one set."""
    choose_set(name, "unused")
    data = import_data.load_data()
    encoder = get_encoder(main.IMAGE_SIZE, main.ENCODER_WEIGHTS)
    images = np.array(data["validation_images"][:IMAGES])
    calibration_images = quantize.add_extreme_pixels(
        data["images"][quantize.calibration_indices(len(data["images"]))])
    wanted = float_features(encoder, calibration_images)(images)
    variances = [np.square(maps - maps.mean((0, 1, 2))).mean() for maps in wanted]
    for lever, (equalize.equalize, bias_correction.correct_biases) in LEVERS.items():
        found = features.make_feature_function(encoder, calibration_images)(images)
        yield lever, [100 * np.square(a - b).mean() / variance
                      for a, b, variance in zip(found, wanted, variances)]


if __name__ == "__main__":
    rows = [f"| {name} | {lever} | " + " | ".join(f"{error:.2f}" for error in errors) + " |"
            for name in sys.argv[1:] or SETS for lever, errors in measure_errors(name)]
    print("| set | int8 encoder | 1/2 | 1/4 | 1/8 | 1/16 | 1/32 |\n|---|---|---|---|---|---|---|")
    print("\n".join(rows))
