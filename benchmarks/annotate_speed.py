"""Measures how fast annotate_segmentation.py is with 24-megapixel photographs.

    python benchmarks/annotate_speed.py

Makes three photographs of 6000x4000 in a temporary folder, works on them on matplotlib's Agg canvas
(no window, so the toolkit's own few milliseconds are not in it), and prints milliseconds from the
event to the finished picture. "processor" is the time that the thread of the window computes: on a
busy machine the others are longer than that. Exit code 1 where a key takes more than LIMIT at best.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from matplotlib.backend_bases import KeyEvent, MouseEvent
from PIL import Image

from device.tflite import most_likely_classes
from segmentation.labeling import style
from segmentation.labeling.label import replace_label
from segmentation.labeling.session import open_picture, open_session, save_current
from segmentation.labeling.window import open_window

SIZE = (6000, 4000)  # (width, height)
LIMIT = 150  # milliseconds from a key to the picture
REPEATS = 9


def make_photographs(folder, count):
    """Writes JPEGs as a camera would: smooth shapes under noise."""
    rng = np.random.default_rng(1)
    folder.mkdir()
    for index in range(count):
        shapes = rng.integers(0, 256, (40, 60, 3), np.uint8)
        pixels = np.asarray(Image.fromarray(shapes).resize(SIZE, Image.Resampling.BICUBIC))
        noise = rng.integers(0, 24, (SIZE[1], SIZE[0], 1), np.uint8)
        Image.fromarray(pixels // 2 + noise + 50).save(folder / f"photo_{index}.jpg", quality=90)


def key(window, name):
    """Presses a key."""
    canvas = window.figure.canvas
    canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", canvas, name))


def mouse(window, name, x, y, button=1, step=0):
    """Sends a mouse event at screen shares (0..1) of the picture's axes."""
    canvas, box = window.figure.canvas, window.axes.bbox
    event = MouseEvent(name, canvas, box.x0 + x * box.width, box.y0 + y * box.height, button,
                       step=step)
    canvas.callbacks.process(name, event)


def stroke(window, start, end, count=100):
    """Drags the left button along a wavy line."""
    mouse(window, "button_press_event", start, 0.5)
    for share in np.linspace(0, 1, count):
        mouse(window, "motion_notify_event", start + share * (end - start),
              0.5 + 0.2 * np.sin(12 * share))
    mouse(window, "button_release_event", end, 0.5)


def measure(title, function, repeats=REPEATS):
    """Times a function, prints a line, and returns its best milliseconds."""
    return report(title, [time_once(function) for _ in range(repeats)])


def time_once(function):
    """Returns the milliseconds on the clock and of the CPU that a function takes."""
    start, processor_start = time.perf_counter(), time.thread_time()
    function()
    return 1000 * (time.perf_counter() - start), 1000 * (time.thread_time() - processor_start)


def report(title, times):
    """Prints a line of the table; returns the best milliseconds."""
    clock, processor = zip(*times)
    print(f"{title:<44} {min(clock):6.0f} {statistics.median(clock):8.0f} {max(clock):8.0f} "
          f"{statistics.median(processor):10.0f}", flush=True)
    return min(clock)


def measure_keys(window):
    """Measures what a person does on one image; returns title -> milliseconds."""
    keys = {}
    for title, name in (("class", "1"), ("opacity", "o"), ("tool", "b"), ("whole picture", "f")):
        keys[title] = measure(f"key: {title}", lambda name=name: key(window, name))
    key(window, "b")
    measure("brush stroke of 100 moves, drawn and saved",
            lambda: stroke(window, 0.3, 0.3 + np.random.default_rng().uniform(0.2, 0.4)))
    keys["undo"] = measure("key: undo of a stroke, saved", lambda: key(window, "z"), 5)
    keys["redo"] = measure("key: redo of a stroke, saved", lambda: key(window, "y"), 5)
    measure("wheel: zoom in", lambda: mouse(window, "scroll_event", 0.5, 0.5, None, 1))
    keys["undo, zoomed in"] = measure("key: undo, zoomed in", lambda: key(window, "z"), 3)
    keys["redo, zoomed in"] = measure("key: redo, zoomed in", lambda: key(window, "y"), 3)
    key(window, "f")
    return keys


def measure_move(window):
    """Measures moving on to an image that is loaded ahead."""
    def settle():
        for future in list(window.session.preloading.values()):
            future.result()

    times = []
    for name in ("left", "right", "right", "left") * 2:
        settle()
        times.append(time_once(lambda name=name: key(window, name)))
    return report("key: next or previous image, loaded ahead", times)


def main():
    """Makes the photographs, measures, and prints."""
    with tempfile.TemporaryDirectory() as folder:
        image_dir, label_dir = Path(folder, "images"), Path(folder, "labels")
        make_photographs(image_dir, 3)
        session = open_session(image_dir, label_dir, ["background", "bird", "water", "sky"])
        print(f"{os.cpu_count()} processors, images of {SIZE}, a window of "
              f"{style.WINDOW_SIZE}")
        print(f"{'milliseconds':<44} {'best':>6} {'median':>8} {'worst':>8} {'processor':>10}")
        photo = session.image_paths[0]
        measure("opening a photograph (in a thread, ahead)",
                lambda: open_picture(photo, label_dir / "none.png"), 3)
        session.index = 1
        window = open_window(session)
        keys = measure_keys(window)
        keys["next"] = measure_move(window)
        logits = np.random.default_rng(1).normal(size=(256, 384, 4)).astype(np.float32)
        size = session.picture.drawing.label.shape
        box = (0, 0, 384, 256)
        label = most_likely_classes(logits, size, box)
        measure("prediction 256x384x4 enlarged to full size",
                lambda: most_likely_classes(logits, size, box), 3)
        measure("  ... put into the label", lambda: replace_label(session.picture.drawing, label),
                3)
        measure("  ... saved (noise: the worst case)", lambda: save_current(session), 3)
    slow = [title for title, milliseconds in keys.items() if milliseconds > LIMIT]
    if slow:
        sys.exit(f"More than {LIMIT} ms from key to picture: {', '.join(slow)}")


if __name__ == "__main__":
    main()
