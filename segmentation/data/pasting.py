"""Pastes objects of one training image into another, so that rare ones are seen more often.

Copy-paste augmentation (Dwibedi et al. 2017, Cut, Paste and Learn; Ghiasi et al. 2021, Simple
Copy-Paste). Plain NumPy and Pillow.
"""

import numpy as np
from PIL import Image

from device.images import resize_label

MIN_BACKGROUND = 0.9  # share of the pixels; where the background holds less, it costs points
MAX_PASTED = 2  # objects in an image; each is pasted with the next probability
PASTE_PROBABILITY = 0.5
SCALE_RANGE = (0.6, 1.5)  # of a pasted object's sides
MIN_PIXELS = 30  # of the objects in an image that are pasted; fewer are hardly to be recognized


def is_background_large(pixel_counts):
    """Whether class 0 holds MIN_BACKGROUND of the labeled pixels, so that pasting pays.

    Args: pixel_counts (classes,), of the training labels.
    """
    return pixel_counts[0] > MIN_BACKGROUND * np.sum(pixel_counts)


def paste_objects(image, label, images, labels, num_classes, random, mirrors=True):
    """Pastes what is no background in other images at random places, scaled at random.

    Args: image uint8 (height, width, 3) and label uint8 (height, width), changed in place; images
        and labels to take objects of, uint8 (n, height, width, 3) and (n, height, width); random,
        np.random.Generator; mirrors, whether half of the objects are mirrored, too.
    """
    for _ in range(MAX_PASTED):
        if random.random() < PASTE_PROBABILITY:
            donor = random.integers(len(images))
            _paste(image, label, images[donor], labels[donor], num_classes, random, mirrors)


def _paste(image, label, donor_image, donor_label, num_classes, random, mirrors):
    is_object = (donor_label > 0) & (donor_label < num_classes)
    if is_object.sum() < MIN_PIXELS:
        return
    rows, columns = np.flatnonzero(is_object.any(1)), np.flatnonzero(is_object.any(0))
    box = np.s_[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    donor_image, donor_label = donor_image[box], np.where(is_object, donor_label, 0)[box]
    size = np.multiply(donor_label.shape, np.exp(random.uniform(*np.log(SCALE_RANGE))))
    height, width = np.clip(np.round(size), 1, label.shape).astype(int)
    donor_image = np.asarray(Image.fromarray(donor_image).resize(
        (width, height), Image.Resampling.BILINEAR))
    donor_label = resize_label(donor_label.astype(np.uint8), (height, width))
    if random.random() < 0.5 and mirrors:
        donor_image, donor_label = donor_image[:, ::-1], donor_label[:, ::-1]
    top, left = (random.integers(limit - side + 1)
                 for limit, side in zip(label.shape, donor_label.shape))
    place, is_object = np.s_[top:top + height, left:left + width], donor_label > 0
    image[place][is_object] = donor_image[is_object]
    label[place][is_object] = donor_label[is_object]
