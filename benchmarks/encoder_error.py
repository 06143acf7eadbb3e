"""Measures how far the int8 encoder's five maps are from the float ones, lever by lever.

    python benchmarks/encoder_error.py [SET ...]

Of each set's first 64 validation images: the mean squared error of each map, in per cent of the
mean square of its values around their channel's mean. Prints a table in Markdown.
"""

import contextlib
import sys

import numpy as np
from sets import SETS, float_features, load_set, without_bias_correction, without_equalization

from get_model import get_encoder
from segmentation.int8.calibration import add_extreme_pixels, calibration_indices
from segmentation.int8.features import make_feature_function

IMAGES = 64
LEVERS = {  # what is left out
    "as the converter leaves it": (without_equalization, without_bias_correction),
    "biases corrected": (without_equalization,),
    "equalized": (without_bias_correction,),
    "both": (),
}


def measure_errors(name):
    """Yields each lever's name and the errors of the five maps in per cent, on one set."""
    settings, data = load_set(name, "unused")
    encoder = get_encoder(settings.image_size, settings.encoder_weights)
    images = np.array(data["validation_images"][:IMAGES])
    calibration_images = add_extreme_pixels(
        data["images"][calibration_indices(len(data["images"]))])
    expected = float_features(encoder, calibration_images)(images)
    variances = [np.square(maps - maps.mean((0, 1, 2))).mean() for maps in expected]
    for lever, left_out in LEVERS.items():
        with contextlib.ExitStack() as stack:
            for leave_out in left_out:
                stack.enter_context(leave_out())
            found = make_feature_function(encoder, calibration_images)(images)
        yield lever, [100 * np.square(a - b).mean() / variance
                      for a, b, variance in zip(found, expected, variances)]


if __name__ == "__main__":
    rows = [f"| {name} | {lever} | " + " | ".join(f"{error:.2f}" for error in errors) + " |"
            for name in sys.argv[1:] or SETS for lever, errors in measure_errors(name)]
    print("| set | int8 encoder | 1/2 | 1/4 | 1/8 | 1/16 | 1/32 |\n|---|---|---|---|---|---|---|")
    print("\n".join(rows))
