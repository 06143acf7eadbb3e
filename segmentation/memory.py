"""Memory: how much is free, how much a training needs, how many images go at a time."""

PIXELS_AT_ONCE = 2**20  # of images that go through a network together where nothing is trained


def count_at_once(image_size, most):
    """Returns how many images of (height, width) go through a network at a time: at most so many.

    Fewer where they are large, so that 1024x1024 needs no more memory than 256x256 does.
    """
    height, width = image_size
    return max(1, min(most, PIXELS_AT_ONCE // (height * width)))
