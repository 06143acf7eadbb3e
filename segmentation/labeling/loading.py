"""Opens the images of a session one after the other, and loads their neighbors ahead."""

from PIL import Image

from device.errors import InputError
from device.images import read_image
from segmentation.labeling.label import park, unpark
from segmentation.labeling.saving import open_drawing, save_rest
from segmentation.labeling.session import Picture, format_skipped, label_path_of, next_unlabeled

SMALLEST_LEVEL = 1_000_000  # pixels; images are kept halved and halved again down to this size


def open_picture(image_path, label_path, drawing=None, intensity_range=None):
    """Reads an image, halves it down to screen size, and opens its label or an empty one.

    Args: drawing, the Drawing of an earlier visit, or None; intensity_range, see images.read_image.
    Raises: InputError where either can't be read, or where their sizes differ.
    """
    image = read_image(image_path, intensity_range=intensity_range)
    levels = [Image.fromarray(image).convert("RGBX")]
    while levels[-1].width * levels[-1].height > SMALLEST_LEVEL:
        levels.append(levels[-1].reduce(2))
    size = levels[0].height, levels[0].width
    if drawing is None:
        drawing = open_drawing(label_path, size)
    unpark(drawing)
    if drawing.label.shape != size:
        height, width = drawing.label.shape
        raise InputError(f"{image_path.name} is {size[1]}x{size[0]} but its label is "
                         f"{width}x{height} (width x height): resize or remove the label")
    return Picture(image_path, label_path, levels, drawing)


def open_current(session, direction=1):
    """Opens the image at session.index and loads its neighbors ahead, in a thread.

    An image that can't be used is taken off the list, noted in session.skipped, and the next one in
    the direction (1 or -1) is opened instead; at the end of the list, the last that can be used.
    Returns: sentences about the images that were skipped on the way.
    Raises: InputError where no image is left.
    """
    sentences = []
    while True:
        image_path = session.image_paths[session.index]
        try:
            session.picture = _expect(session, image_path).result()
            break
        except InputError as error:
            sentences.append(_skip(session, image_path, str(error)))
            moved = session.index - (direction < 0)
            session.index = min(max(moved, 0), len(session.image_paths) - 1)
    _look_ahead(session)
    return sentences


def _expect(session, image_path):
    """Returns the future of an image's Picture, asked for now or before."""
    if image_path not in session.preloading:
        session.preloading[image_path] = session.loader.submit(
            open_picture, image_path, label_path_of(session, image_path),
            session.parked_drawings.get(image_path), session.intensity_range)
    return session.preloading[image_path]


def _skip(session, image_path, sentence):
    session.skipped[image_path] = sentence
    session.image_paths.remove(image_path)
    session.labeled.discard(image_path)
    session.preloading.pop(image_path, None)
    if not session.image_paths:
        raise InputError(f"None of the images can be labeled:\n{format_skipped(session)}")
    return f"Skipped: {sentence}."


def _look_ahead(session):
    """Loads the next image, the next without a label and the previous; lets go of all others."""
    count, here = len(session.image_paths), session.index
    following = next_unlabeled(session)
    indices = here, here + 1, here if following is None else following, here - 1
    wanted = [session.image_paths[index % count] for index in indices]
    for image_path in set(session.preloading) - set(wanted):
        future = session.preloading.pop(image_path)
        if not future.cancel() and future.done() and not future.exception():
            drawing = future.result().drawing
            if drawing.undo_steps or drawing.redo_steps:
                park(drawing)
                session.parked_drawings[image_path] = drawing
    for image_path in wanted:
        _expect(session, image_path)


def go_to(session, index, direction=1):
    """Saves what is not saved yet and opens the image at an index; returns open_current's result.

    Raises: InputError where the label can't be written; then the image stays.
    """
    save_rest(session)
    session.index = index
    return open_current(session, direction)


def forget_loaded(session, image_paths):
    """Lets go of what is in memory of some images, because their label files were rewritten."""
    for image_path in image_paths:
        session.parked_drawings.pop(image_path, None)
        future = session.preloading.pop(image_path, None)
        if future is not None:
            future.cancel()
