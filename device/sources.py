"""Where predict.py's pictures come from: a folder, one image, or a camera."""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from device.errors import InputError
from device.files import find_images
from device.images import load_image, resize_image
from device.progress import Progress

PADDING_GRAY = 128  # gray: 0 to the network, like the zeros that its convolutions pad with


class Picture(NamedTuple):
    """A picture: its result's name, the RGB PIL image, its own (height, width), its file."""

    name: str
    image: Any  # of a large JPEG no more than the model needs
    size: tuple
    path: Any = None


def fit_image(image, image_size, keep_aspect):
    """Brings an RGB PIL image to the model's size, stretched, or padded where its shape is kept.

    Returns: uint8 (height, width, 3), and the box (left, upper, right, lower) that it fills there.
    """
    height, width = image_size
    if not keep_aspect:
        return resize_image(image, image_size), (0, 0, width, height)
    scale = min(height / image.height, width / image.width)
    inner = max(1, round(scale * image.height)), max(1, round(scale * image.width))
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    padded = np.full((height, width, 3), PADDING_GRAY, np.uint8)
    padded[top:top + inner[0], left:left + inner[1]] = resize_image(image, inner)
    return padded, (left, top, left + inner[1], top + inner[0])


def read_files(source, image_size, failures):
    """Yields a Picture for each image in a folder, or for one image file.

    A file that can't be read is passed over, and its sentence added to the list failures.
    Raises: InputError where there is no image.
    """
    paths = [Path(source)] if Path(source).is_file() else find_images(source)
    if not paths:
        raise InputError(f"There are no images in {source}: correct IMAGES.")
    stems, progress = Counter(path.stem for path in paths), Progress("Predicting", len(paths))
    for number, path in enumerate(paths):
        progress.show(number)
        try:
            image, (width, height) = load_image(path, image_size)
        except InputError as error:
            failures.append(str(error))
            continue
        name = path.stem if stems[path.stem] == 1 else path.name  # a.jpg and a.png: two results
        yield Picture(name, image, (height, width), path)


def read_camera(device, count, failures):
    """Yields so many Pictures of a camera; where it stops, a sentence goes to failures.

    Raises: InputError without OpenCV: a V4L device is no file that Pillow could read.
    """
    try:
        import cv2
    except ImportError as error:
        raise InputError("A camera is read with OpenCV, which can't be imported: "
                         "pip install opencv-python-headless.") from error
    camera, progress = cv2.VideoCapture(device), Progress("Predicting", count)
    try:
        for number in range(count):
            progress.show(number)
            is_read, frame = camera.read()
            if not is_read:
                failures.append(f"camera {device} gives no frame {number}: is it there, and free?")
                return
            image = Image.fromarray(np.ascontiguousarray(frame[..., ::-1]))  # OpenCV gives BGR
            yield Picture(f"frame_{number:05}", image, frame.shape[:2])
    finally:
        camera.release()
