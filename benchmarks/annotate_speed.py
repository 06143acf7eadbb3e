"""Measures how fast the labeling window is with 24-megapixel photographs.

    python benchmarks/annotate_speed.py
    MPLBACKEND=TkAgg xvfb-run -s "-screen 0 3840x2160x24" \\
        python benchmarks/annotate_speed.py 3840 2160

Makes three photographs of 6000x4000 in a temporary folder, works on them in a window of the size
given (1280x800 else), and prints milliseconds from the event to the finished picture; the label is
saved meanwhile, which the next click or key waits for. Without MPLBACKEND on matplotlib's Agg
canvas: there the toolkit's own milliseconds are missing. "CPU" is the time that the thread of the
window computes: on a busy machine the others are longer than that. Exit code 1 where an action
takes more than LIMIT at best.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backend_bases import KeyEvent, MouseEvent
from PIL import Image

from segmentation.labeling import style
from segmentation.labeling import window as window_module
from segmentation.labeling.loading import open_picture
from segmentation.labeling.opening import open_session
from segmentation.labeling.prelabel import predict_classes
from segmentation.labeling.saving import finish_saving
from segmentation.labeling.window import open_window

SIZE = (6000, 4000)  # (width, height)
LIMIT = 100  # milliseconds from an action to the picture
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


def open_shown(session, size):
    """Opens the window at a size and waits until the toolkit shows it."""
    style.WINDOW_SIZE = size
    window_module.find_screen = lambda: None
    window = open_window(session)
    plt.show(block=False)
    for _ in range(20):
        settle(window)
        time.sleep(0.05)
    if not window.is_drawn:
        window.figure.canvas.draw()
    return window


def settle(window):
    """Lets the toolkit put on the screen what was drawn."""
    window.figure.canvas.flush_events()


def key(window, name):
    """Presses a key."""
    canvas = window.figure.canvas
    canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", canvas, name))
    settle(window)


def mouse(window, name, x, y, button=1, step=0):
    """Sends a mouse event at screen shares (0..1) of the picture's axes."""
    canvas, box = window.figure.canvas, window.axes.bbox
    event = MouseEvent(name, canvas, box.x0 + x * box.width, box.y0 + y * box.height, button,
                       step=step)
    canvas.callbacks.process(name, event)
    settle(window)


def draw_stroke(window, start, end, count=60):
    """Drags the left button along a wavy line; returns the times of its moves, its end, saving."""
    moves = []
    mouse(window, "button_press_event", start, 0.5)
    for share in np.linspace(0, 1, count):
        moves.append(time_once(lambda share=share: mouse(
            window, "motion_notify_event", start + share * (end - start),
            0.5 + 0.2 * np.sin(12 * share))))
    end = time_once(lambda: mouse(window, "button_release_event", end, 0.5))
    return moves, end, time_once(lambda: finish_saving(window.session))


def time_once(function):
    """Returns the milliseconds on the clock and of the CPU that a function takes."""
    start, cpu_start = time.perf_counter(), time.thread_time()
    function()
    return 1000 * (time.perf_counter() - start), 1000 * (time.thread_time() - cpu_start)


def report(title, times):
    """Prints a line of the table; returns title and the best milliseconds."""
    clock, cpu = zip(*times)
    print(f"{title:<54} {min(clock):6.0f} {statistics.median(clock):8.0f} {max(clock):8.0f} "
          f"{statistics.median(cpu):8.0f}", flush=True)
    return title, min(clock)


def measure(title, function, repeats=REPEATS, rest=lambda: None):
    """Times a function and prints a line; rest() is called after each time, without being timed."""
    times = []
    for _ in range(repeats):
        times.append(time_once(function))
        rest()
    return report(title, times)


def measure_actions(window):
    """Measures what a person does on one image; returns title and milliseconds of each."""
    actions = [measure("key: class", lambda: key(window, "."))]
    key(window, "2")
    key(window, "b")
    strokes = [draw_stroke(window, 0.1 + 0.1 * number, 0.4 + 0.05 * number) for number in range(5)]
    actions.append(report("brush: a move", [move for moves, *_ in strokes for move in moves]))
    actions.append(report("brush: let go, painted", [end for _, end, _ in strokes]))
    actions.append(report("... and from then on until it is saved", [save for *_, save in strokes]))
    for name, title in (("z", "undo"), ("y", "redo")):
        actions.append(measure(f"key: {title} of a stroke", lambda name=name: key(window, name), 5,
                               lambda: finish_saving(window.session)))
    for name, title in (("z", "undo"), ("y", "redo")):
        actions.append(measure(f"key: {title}, at once after another that is being saved",
                               lambda name=name: key(window, name), 5))
    actions.append(measure("wheel: zoom in", lambda: mouse(
        window, "scroll_event", 0.5, 0.5, None, 1)))
    actions.append(measure("wheel: zoom out", lambda: mouse(
        window, "scroll_event", 0.5, 0.5, None, -1)))
    return actions


def measure_moves(window):
    """Measures moving on to an image that is loaded ahead."""
    times = []
    for name in ("left", "right", "right", "left") * 2:
        for future in list(window.session.preloading.values()):
            future.result()
        times.append(time_once(lambda name=name: key(window, name)))
    report("key: next or previous image, loaded ahead", times)


def main():
    """Makes the photographs, measures, and prints."""
    size = tuple(map(int, sys.argv[1:3])) or style.WINDOW_SIZE
    with tempfile.TemporaryDirectory() as folder:
        image_dir, label_dir = Path(folder, "images"), Path(folder, "labels")
        make_photographs(image_dir, 3)
        session = open_session(image_dir, label_dir, ["background", "bird", "water", "sky"])
        print(f"{os.cpu_count()} CPUs, images of {SIZE}, a window of {size}, {plt.get_backend()}")
        print(f"{'milliseconds':<54} {'best':>6} {'median':>8} {'worst':>8} {'CPU':>8}")
        photo = session.image_paths[0]
        measure("opening a photograph (in a thread, ahead)",
                lambda: open_picture(photo, label_dir / "none.png"), 3)
        session.index = 1
        window = open_shown(session, size)
        actions = measure_actions(window)
        measure_moves(window)
        logits = np.random.default_rng(1).normal(size=(256, 384, 4)).astype(np.float32)
        measure("prediction 256x384x4 enlarged to full size",
                lambda: predict_classes(logits, session.picture.drawing.label.shape), 3)
        plt.close(window.figure)
    slow = [title for title, milliseconds in actions if milliseconds > LIMIT]
    if slow:
        sys.exit(f"More than {LIMIT} ms to the picture: {', '.join(slow)}")


if __name__ == "__main__":
    main()
