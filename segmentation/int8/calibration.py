"""Which training images calibrate the quantization, also called the representative data set."""

from segmentation.evenly import choose_evenly

CALIBRATION_IMAGES = 100  # training images, evenly spaced, that set the ranges of all tensors


def calibration_indices(count):
    """Returns which of so many training images calibrate: evenly spaced, CALIBRATION_IMAGES."""
    return choose_evenly(count, CALIBRATION_IMAGES)


def add_extreme_pixels(images):
    """Returns a copy of calibration images in which two pixels are 0 and 255.

    So the input's range is exactly 0..255, and its int8 value pixel - 128.
    Args: images uint8 (n, height, width, 3).
    """
    images = images.copy()
    images[0, 0, 0], images[0, -1, -1] = 0, 255
    return images
