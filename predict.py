"""Runs the int8 model on pictures, a camera, a stream or a video; needs no TensorFlow.

    python predict.py

To a Coral goes the folder output/device that tflite_convert.py makes; docs/coral.md has every step.
Leaves in RESULT_DIR masks/ (palette PNGs: the pixel is the class), overlays/ (to look at, with a
legend) and areas.csv (the share of each class), and prints median times. Exit code 1 where a
picture can't be read or a camera stops.
"""

import contextlib
import faulthandler
import os
import queue
import signal
import sys
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from device.areas import (
    check_alert,
    count_areas,
    find_alerts,
    format_alert,
    format_json_line,
    open_area_table,
)
from device.drawing import draw_overlay, save_mask, save_overlay
from device.errors import InputError, list_names, run_script
from device.files import write_whole
from device.images import load_image, resize_image
from device.intensity import holds_wide_pixels
from device.live import is_live, kind_of, read_frames
from device.model_info import find_output_dir
from device.probabilities import class_probability
from device.progress import Progress, StepClock, say
from device.segmenter import Segmenter
from device.sources import list_pictures
from device.view import open_view

# Paths count from the folder of this file.

# Model
MODEL_PATH = None  # None: model_int8.tflite in main.py's OUTPUT_DIR, or beside this file
DELEGATE = "auto"  # the Edge TPU if it is there; None: the CPU; a library's name: only that
DEVICE = None  # which Edge TPU: None: the first; "usb", "pci", "usb:1". A list, ["usb:0", "usb:1"],
# shares the pictures of a folder among them
RUNTIME = None  # "ai-edge-litert", "tflite-runtime" or "tensorflow"; None: what is installed, on
# the Edge TPU first tflite-runtime, on the CPU first ai-edge-litert, which is much faster there
THREADS = os.cpu_count() or 1  # of the CPU

# Pictures
IMAGES = None  # None: the folder images beside this file, else sample_data/images. A folder, an
# image, a video file, a stream ("rtsp://..."), a camera (0, "/dev/video0"), or "picamera2": the
# Raspberry Pi's camera module
CAMERA_FRAMES = None  # frames of a camera, stream or video; None: until Ctrl-C, or the video's end
KEEP_ASPECT = False  # False stretches to the model's size, exactly as in training; True pads
FULL_SIZE = True  # True: masks of the picture's size, from resized logits; False: the model's size
CLASS_BIAS = {}  # added to the logits of a class: {"duck": 1.0} finds more ducks, and more false
# ones; tflite_test.py prints a table to choose it by (BIAS_TABLE)

# Results
RESULT_DIR = None  # None: the folder predictions beside the model
SAVE = None  # "both", "masks", "overlays", "nothing"; None: both, but nothing of an endless source
SAVE_PROBABILITIES = None  # a class: probabilities/ holds gray pictures, 255: surely this class
OVERLAY_SIDE = 1280  # pixels of an overlay's longer side at most; masks keep their size
ALERT = None  # {"duck": 0.002}: a line when a class covers more than this share of the picture
JSON_LINES = False  # True: standard output is one line of JSON for each picture, nothing else

# What it shows
VIEW = None  # "window", or a port (8080): a page for browsers with the overlay and the shares
VIEW_HOST = "127.0.0.1"  # this machine only; "0.0.0.0": all who reach it can look, unencrypted

WARM_UP = 3  # runs on an empty image before the first picture, because the first ones are slower

STEPS = ("load", "resize", "inference", "mask", "save", "show")
SAVE_KINDS = {"both": ("masks", "overlays"), "masks": ("masks",), "overlays": ("overlays",),
              "nothing": ()}
HERE = Path(__file__).parent
RATE_FRAMES = 20  # over so many the frames per second on the page are averaged


def find_images_source():
    """Returns IMAGES; a path counts from this file's folder."""
    if IMAGES is None:
        return HERE / ("images" if (HERE / "images").is_dir() else "sample_data/images")
    is_path = kind_of(IMAGES) in ("files", "video") and "://" not in str(IMAGES)
    return HERE / Path(IMAGES).expanduser() if is_path else IMAGES


def choose_kinds(source):
    """Returns what is saved: "masks", "overlays", both or nothing, as a tuple.

    Raises: InputError where SAVE is none of SAVE_KINDS.
    """
    if SAVE is not None and SAVE not in SAVE_KINDS:
        raise InputError(f"SAVE is {SAVE!r}, but it must be None or one of "
                         f"{', '.join(SAVE_KINDS)}.")
    is_endless = is_live(source) and CAMERA_FRAMES is None
    return SAVE_KINDS[SAVE or ("nothing" if is_endless else "both")]


def open_segmenters(source, tell):
    """Returns a Segmenter, or where DEVICE is a list one for each Edge TPU."""
    path = HERE / Path(MODEL_PATH).expanduser() if MODEL_PATH else find_output_dir(HERE)
    devices = DEVICE if isinstance(DEVICE, (list, tuple)) else [DEVICE]
    if kind_of(source) != "files":
        devices = devices[:1]  # frames come one at a time
    segmenters = [Segmenter(path, DELEGATE, device, RUNTIME, THREADS, KEEP_ASPECT, tell,
                            CLASS_BIAS)
                  for device in devices]
    if SAVE_PROBABILITIES not in (None, *segmenters[0].class_names):
        raise InputError(f"SAVE_PROBABILITIES is {SAVE_PROBABILITIES!r}, but it must be None or "
                         f"one of {', '.join(segmenters[0].class_names)}.")
    for segmenter in segmenters:
        for _ in range(WARM_UP):
            segmenter.run(np.zeros((*segmenter.image_size, 3), np.uint8))
    return segmenters


def predict_all(segmenters, pictures, kinds, folder, failures):
    """Predicts and saves pictures, each with a segmenter that is free.

    Yields: for each picture it, the PIL image, the mask and its StepClock, in the pictures' order.
    """
    free = queue.SimpleQueue()
    for segmenter in segmenters:
        free.put(segmenter)

    def predict_one(entry):
        """Predicts one picture; returns None where it can't be read."""
        picture, waited = entry
        clock, segmenter = StepClock(STEPS), free.get()
        try:
            clock.seconds["load"] = waited
            try:
                image, size = picture.load()
            except InputError as error:
                failures.append(str(error))
                return None
            clock.mark("load")
            mask, logits = segmenter.predict(image, size if FULL_SIZE else None, clock.mark,
                                             keep_logits=SAVE_PROBABILITIES is not None)
            save_results(folder, kinds, picture, image, mask, segmenter)
            if SAVE_PROBABILITIES is not None:
                save_probabilities(folder, picture, logits, mask.shape, segmenter)
            clock.mark("save")
            return picture, image, mask, clock
        finally:
            free.put(segmenter)

    if len(segmenters) == 1:
        yield from filter(None, map(predict_one, time_waiting(pictures)))
        return
    pool = ThreadPoolExecutor(len(segmenters))
    try:
        yield from filter(None, pool.map(predict_one, time_waiting(pictures)))
    finally:
        pool.shutdown(cancel_futures=True)


def time_waiting(pictures):
    """Yields each picture with the seconds that it was waited for: a camera gives so many."""
    start = time.perf_counter()
    for picture in pictures:
        yield picture, time.perf_counter() - start
        start = time.perf_counter()


def save_results(folder, kinds, picture, image, mask, segmenter):
    """Writes masks/name.png and overlays/name.jpg, the latter no larger than OVERLAY_SIDE.

    Raises: InputError where they can't be written.
    """
    with writing_to(folder):
        if "masks" in kinds:
            save_mask(make_place(folder / "masks", f"{picture.name}.png"), mask, segmenter.colors,
                      values=segmenter.label_values, safe=False)
        if "overlays" in kinds:
            size = limit_size(mask.shape)
            if picture.path:  # its image may be smaller than the picture in the file
                image = load_image(picture.path, size, segmenter.intensity_range)[0]
            save_overlay(make_place(folder / "overlays", f"{picture.name}.jpg"),
                         resize_image(image, size), mask, segmenter.class_names, segmenter.colors)


def save_probabilities(folder, picture, logits, size, segmenter):
    """Writes probabilities/name.png, gray: how probable the class SAVE_PROBABILITIES is."""
    index = segmenter.class_names.index(SAVE_PROBABILITIES)
    probability = class_probability(logits, index, segmenter.logit_scale, size)
    with writing_to(folder):
        place = make_place(folder / "probabilities", f"{picture.name}.png")
        write_whole(place, lambda file: Image.fromarray(probability).save(file, "PNG"))


def make_place(folder, name):
    """Returns the path of a file; its name may hold a sub-folder, which is made."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    return folder / name


@contextlib.contextmanager
def writing_to(folder):
    """Turns the operating system's refusal to write into an InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(f"The results can't be written to {folder} ({error.strerror}): free "
                         f"space, correct RESULT_DIR, or set SAVE.") from error


def limit_size(size):
    """Returns a (height, width), made smaller where a side is above OVERLAY_SIDE."""
    scale = min(1, OVERLAY_SIDE / max(size))
    return [max(1, round(scale * side)) for side in size]


def show(view, segmenter, image, mask, areas, moments):
    """Shows the overlay with frames per second and the share of each class; returns: go on?"""
    size = limit_size((image.height, image.width))
    rate = (len(moments) - 1) / (moments[-1] - moments[0]) if len(moments) > 1 else 0
    names = [f"{name} {share:.1%}" for name, share in zip(segmenter.class_names,
                                                          areas / areas.sum())]
    return view.show(draw_overlay(resize_image(image, size), mask, names, segmenter.colors,
                                  f"{rate:.1f} frames per second"))


def format_times(clocks, seconds):
    """Returns the table of median milliseconds that STEPS took, and frames per second of all."""
    table = np.array([list(clock.seconds.values()) for clock in clocks])
    steps = [step for step, column in zip(STEPS, table.T) if column.any()]
    table = np.column_stack([table[:, [STEPS.index(step) for step in steps]], table.sum(1)])
    title = f"median of {len(clocks)} picture(s)"
    return (title + "".join(f"{step:>11}" for step in (*steps, "together")) + "\n"
            + f"{'milliseconds':<{len(title)}}"
            + "".join(f"{1000 * value:>11.2f}" for value in np.median(table, axis=0))
            + f"\n{len(clocks) / seconds:.1f} frames per second, everything included")


def tell_areas(picture, areas, class_names, before):
    """Prints the line of JSON or the alert that a picture's areas call for; returns its alerts.

    Args: areas int (classes,), in pixels; before, the alerts of the picture before it.
    """
    alerts = find_alerts(areas, class_names, ALERT)
    if JSON_LINES:
        say(format_json_line(picture.name, areas, class_names, alerts))
    elif alerts and (picture.path or alerts != before):  # of a camera: what is new
        say(format_alert(picture.name, alerts, areas, class_names, ALERT))
    return alerts


def run(segmenters, pictures, count, kinds, folder, failures, tell):
    """Predicts all pictures, writes and prints what is known of each; returns their StepClocks.

    Ctrl-C, SIGTERM, a closed window, or an Edge TPU that can't go on end it; what was done is kept.
    Args: count of pictures, None: not known.
    """
    first, clocks, alerts = segmenters[0], [], []
    moments, progress = deque(maxlen=RATE_FRAMES), Progress("Predicting", count)
    with contextlib.ExitStack() as stack:
        if hasattr(pictures, "close"):  # a camera's
            stack.callback(pictures.close)
        with writing_to(folder):
            add_areas = stack.enter_context(open_area_table(folder / "areas.csv",
                                                            first.class_names))
        view = open_view(VIEW, VIEW_HOST)
        if view:
            stack.callback(view.close)
        try:
            for picture, image, mask, clock in predict_all(segmenters, pictures, kinds, folder,
                                                           failures):
                clock.restart()
                areas = count_areas(mask, len(first.class_names))
                with writing_to(folder):
                    add_areas(picture.name, areas)
                alerts = tell_areas(picture, areas, first.class_names, alerts)
                clock.mark("save")
                clocks.append(clock)
                moments.append(time.perf_counter())
                progress.show(len(clocks))
                if view and not show(view, first, image, mask, areas, moments):
                    break
                clock.mark("show" if view else "save")
        except KeyboardInterrupt:
            tell("Stopped.")
        except BrokenPipeError:  # predict.py | head
            tell("Stopped: no one reads the lines any more.")
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except InputError as error:
            if not clocks:
                raise
            failures.append(str(error))
    return clocks


def main():
    """Predicts all pictures; returns the exit code: 1 where something failed, else 0."""
    def tell(text):
        """Prints a sentence; beside lines of JSON on the error output."""
        print(text, file=sys.stderr if JSON_LINES else sys.stdout, flush=True)

    source, failures = find_images_source(), []
    kinds = choose_kinds(source)
    segmenters = open_segmenters(source, tell)
    check_alert(ALERT, segmenters[0].class_names)
    if kind_of(source) == "files":
        pictures = list_pictures(source, segmenters[0].load_size, segmenters[0].intensity_range)
        count = len(pictures)
        wide = [picture.name for picture in pictures if holds_wide_pixels(picture.path)]
        if wide and segmenters[0].intensity_range is None:
            tell(f"WARNING: {len(wide)} picture(s) have more than 8 bits a channel "
                 f"({list_names(wide)}), but the model was trained on pictures of 8 bits: 0 to "
                 f"65535 becomes 0 to 255, which may be too dark.")
    else:
        count, pictures = CAMERA_FRAMES, read_frames(source, CAMERA_FRAMES, failures)
    folder = (HERE / Path(RESULT_DIR).expanduser() if RESULT_DIR
              else segmenters[0].path.parent / "predictions")
    with writing_to(folder):
        for kind in ("", *kinds):
            (folder / kind).mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    clocks = run(segmenters, pictures, count, kinds, folder, failures, tell)
    if clocks:
        tell(format_times(clocks, time.perf_counter() - start))
        left = *kinds[::-1], *["probabilities"] * (SAVE_PROBABILITIES is not None), "areas.csv"
        tell(f"Look at {', '.join(str(folder / name) for name in left)}.")
    if failures:
        tell(f"FAILED: {len(failures)} picture(s) can't be used: {list_names(failures)}")
    return 1 if failures else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # systemctl stop ends as Ctrl-C does
    faulthandler.enable(os.dup(2))  # where a library crashes, Python says at which line
    run_script(main)
