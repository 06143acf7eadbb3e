"""Crops of large pictures for training (PICTURE_SIZE): at random, or around a rare class.

Random crops of a 12-megapixel picture hardly ever hold an object of a few pixels. So a share of the
crops is drawn around a pixel of one of the picture's rarer classes, as nnU-Net does with a third of
its patches (Isensee et al. 2021, "foreground oversampling"). Plain NumPy.
"""

import numpy as np

PIXELS_PER_CLASS = 64  # of each rarer class of a picture, among which a crop's center is drawn
CROP_NUMBERS = 5  # random numbers a crop: whether rare, which class, which pixel, top, left


def find_rare_pixels(label, class_weights, random):
    """Returns some pixels of each rarer class of a label, among which crops are centered.

    Rarer are all classes but the one with the smallest weight. Values that are no class are left
    out.
    Args: label uint8 (height, width); class_weights float (classes,); random, a NumPy Generator.
    Returns: dict of class index and int32 (up to PIXELS_PER_CLASS, 2), rows and columns.
    """
    weights = np.asarray(class_weights)
    occurring = np.flatnonzero(weights > 0)
    rarer = set(occurring.tolist()) - {int(occurring[np.argmin(weights[occurring])])}
    counts = np.bincount(label.ravel(), minlength=256)
    found = {}
    for index in sorted(rarer & set(np.flatnonzero(counts).tolist())):
        places = np.flatnonzero(label == index)
        if len(places) > PIXELS_PER_CLASS:
            places = random.choice(places, PIXELS_PER_CLASS, replace=False)
        found[index] = np.stack(np.unravel_index(places, label.shape), axis=1).astype(np.int32)
    return found


def choose_crop(size, crop_size, numbers, rare_pixels, class_weights, rare_share):
    """Returns the (top, left) of a crop.

    Args: size of the picture and crop_size, (height, width); numbers, CROP_NUMBERS floats in
        0..1; rare_pixels, what find_rare_pixels returns; rare_share, the share of crops that hold
        a rarer class where the picture has one. Of several such classes one is drawn with a
        probability proportional to its weight.
    """
    is_rare, which_class, which_pixel, *place = numbers
    free = [max(0, side - crop) for side, crop in zip(size, crop_size)]
    if is_rare >= rare_share or not rare_pixels:
        return tuple(min(room, int(number * (room + 1))) for room, number in zip(free, place))
    classes = list(rare_pixels)
    shares = np.cumsum([class_weights[index] for index in classes])
    chosen = classes[min(np.searchsorted(shares, which_class * shares[-1], "right"),
                         len(classes) - 1)]
    pixels = rare_pixels[chosen]
    pixel = pixels[min(int(which_pixel * len(pixels)), len(pixels) - 1)]
    return tuple(min(room, max(0, int(middle) - int(number * crop)))
                 for room, middle, number, crop in zip(free, pixel, place, crop_size))
