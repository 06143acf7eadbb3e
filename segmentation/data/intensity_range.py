"""The one range of a set's pixels of more than 8 bits, which becomes 0..255 in every script."""

import numpy as np
from PIL import Image

from device.images import IMAGE_FORMATS
from device.intensity import holds_wide_pixels, is_wide, read_wide_pixels
from segmentation.evenly import choose_evenly
from segmentation.parallel import in_parallel

PERCENTILES = (0.1, 99.9)  # of all pixels: a few hot or dead ones must not set the range
MEASURED_IMAGES = 200  # at most, evenly spaced
MEASURED_PIXELS = 20_000  # of each, evenly spaced


def measure_intensity_range(paths):
    """Measures the range of all images of more than 8 bits a channel, and prints it.

    Args: paths of images, None for one that is missing. Files that can't be read are passed over:
        decoding says what is wrong with them.
    Returns: [low, high], two floats, or None where all images have 8 bits.
    """
    paths = [path for path in paths if path is not None]
    found = in_parallel(lambda index: holds_wide_pixels(paths[index]), len(paths),
                        "Looking at files")
    wide = [path for path, is_wide_file in zip(paths, found) if is_wide_file]
    if not wide:
        return None
    chosen = choose_evenly(len(wide), MEASURED_IMAGES)
    pixels = in_parallel(lambda index: _sample_pixels(wide[chosen[index]]), len(chosen),
                         "Measuring the range")
    pixels = np.concatenate(pixels)
    if not len(pixels):
        return None
    low, high = np.percentile(pixels, PERCENTILES).tolist()
    high = max(high, low + 1e-6 * max(1, abs(low)))
    print(f"{len(wide)} of {len(paths)} images have more than 8 bits a channel: {low:g} to "
          f"{high:g} become 0 to 255, in all of them alike.", flush=True)
    return [low, high]


def _sample_pixels(path):
    """Returns evenly spaced pixels of an image as float64 (n,); none where it can't be read."""
    try:
        with Image.open(path, formats=IMAGE_FORMATS) as file:
            if not is_wide(file):
                return np.empty(0)
            values = read_wide_pixels(file, path).ravel()
    except Exception:  # Pillow's readers raise nearly every kind; decoding says what is wrong
        return np.empty(0)
    values = values[::max(1, len(values) // MEASURED_PIXELS)].astype(np.float64)
    return values[np.isfinite(values)]
