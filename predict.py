"""Runs the int8 model on a folder of images, on one image or on a camera; needs no TensorFlow.

    python predict.py

To a Coral go predict.py, the folder device/, the .tflite files and model.json; it needs numpy,
pillow, libedgetpu and one TFLite runtime (ai-edge-litert, tflite-runtime or tensorflow).
Leaves in RESULT_DIR masks/ (palette PNGs: the pixel is the class) and overlays/ (to look at, with
a legend), and prints median times. Exit code 1 where a picture can't be read.
"""

import os
import time
from pathlib import Path

import numpy as np

from device.drawing import save_mask, save_overlay
from device.errors import list_names, run_script
from device.images import load_image, resize_image
from device.model_info import TFLITE_FILE, find_output_dir, read_classes
from device.sources import fit_image, read_camera, read_files
from device.tflite import choose_model, model_shape, most_likely_classes, open_model, run_model

# Model
MODEL_PATH = None  # None: model_int8.tflite in main.py's OUTPUT_DIR, or beside this file. Where the
# Edge TPU is, the *_edgetpu.tflite beside it is taken
DELEGATE = "auto"  # the Edge TPU if it is there; None: the CPU; a library's name: only that
THREADS = os.cpu_count() or 1  # of the CPU

# Pictures
IMAGES = "sample_data/images"  # a folder, an image, or a camera: its number, or "/dev/video0"
CAMERA_FRAMES = 100  # a camera is read so often; Ctrl-C ends it sooner
KEEP_ASPECT = False  # False stretches to the model's size, exactly as in training; True pads
FULL_SIZE = True  # resizes the logits (not the mask) to the picture's size; False: the model's size

# Results
RESULT_DIR = None  # None: the folder predictions beside the model
OVERLAY_SIDE = 1280  # pixels of an overlay's longer side at most; masks keep their size
WARM_UP = 3  # runs on an empty image before the first picture, because the first ones are slower

STEPS = ("load", "resize", "inference", "mask")


def run_pictures(interpreter, image_size, pictures, save):
    """Predicts all pictures and calls save(picture, mask uint8) with each.

    Returns: for each picture the seconds that STEPS took; saving is no part of them.
    """
    seconds, moments = [], [time.perf_counter()]
    try:
        for picture in pictures:
            moments.append(time.perf_counter())
            image, box = fit_image(picture.image, image_size, KEEP_ASPECT)
            moments.append(time.perf_counter())
            logits = run_model(interpreter, image)
            moments.append(time.perf_counter())
            ratio = np.tile(np.divide(logits.shape[1::-1], image_size[::-1]), 2)  # 1, or below
            mask_size = picture.size if FULL_SIZE else (box[3] - box[1], box[2] - box[0])
            mask = most_likely_classes(logits, mask_size, tuple(box * ratio))
            seconds.append(np.diff([*moments, time.perf_counter()]))
            save(picture, mask)
            moments = [time.perf_counter()]
    except KeyboardInterrupt:
        print("Stopped by Ctrl-C.")
    return seconds


def save_results(folder, picture, mask, class_names, colors):
    """Writes masks/name.png and overlays/name.jpg, the latter no larger than OVERLAY_SIDE."""
    save_mask(folder / "masks" / f"{picture.name}.png", mask, colors)
    scale = min(1, OVERLAY_SIDE / max(mask.shape))
    size = [max(1, round(scale * side)) for side in mask.shape]
    image = load_image(picture.path, size)[0] if picture.path else picture.image
    save_overlay(folder / "overlays" / f"{picture.name}.jpg", resize_image(image, size),
                           mask, class_names, colors)


def format_times(seconds):
    """Returns the table of median milliseconds that STEPS took, and all together."""
    columns = np.column_stack([seconds, np.sum(seconds, axis=1)])
    medians = 1000 * np.median(columns, axis=0)
    title = f"median of {len(seconds)} picture(s)"
    return (title + "".join(f"{step:>11}" for step in (*STEPS, "together")) + "\n"
            + f"{'milliseconds':<{len(title)}}" + "".join(f"{value:>11.2f}" for value in medians))


def main():
    """Predicts all pictures; returns the exit code: 1 where some could not be read, else 0."""
    path = MODEL_PATH or find_output_dir(Path(__file__).parent) / TFLITE_FILE
    path, delegate, sentence = choose_model(path, DELEGATE)
    print(sentence)
    interpreter = open_model(path, THREADS, delegate)
    image_size, num_classes = model_shape(interpreter)
    class_names, colors = read_classes(path.parent, num_classes)
    folder, failures = Path(RESULT_DIR or path.parent / "predictions"), []
    for kind in ("masks", "overlays"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for _ in range(WARM_UP):
        run_model(interpreter, np.zeros((*image_size, 3), np.uint8))
    is_camera = isinstance(IMAGES, int) or str(IMAGES).startswith("/dev/video")
    pictures = (read_camera(IMAGES, CAMERA_FRAMES, failures) if is_camera
                else read_files(IMAGES, image_size, failures))
    seconds = run_pictures(
        interpreter, image_size, pictures,
        lambda picture, mask: save_results(folder, picture, mask, class_names, colors))
    if seconds:
        print(f"{format_times(seconds)}\nLook at {folder / 'overlays'} and {folder / 'masks'}.")
    if failures:
        print(f"FAILED: {len(failures)} picture(s) can't be used: {list_names(failures)}")
    return 1 if failures else 0


if __name__ == "__main__":
    run_script(main)
