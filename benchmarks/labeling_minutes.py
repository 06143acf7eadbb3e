"""Counts what a person does to label 12 frames of DAVIS 2016's birds, with two sets of tools.

    python benchmarks/labeling_minutes.py [../shared/data/davis_birds/train]

Works in the window itself (on matplotlib's Agg canvas) by clicks, drags and keys; each takes a
second (and, in a second count, a lasso one for every three corners of its shape). A label is done
at a foreground IoU of 0.90. Polygons: as coarse as is worth while, to be corrected with the brush.
With the copied label and the magnet: the first frame of a clip by a lasso 3 pixels too wide, the
others by the label of the frame before, dragged into place; corrected with the brush, too. Both
persons know the truth and plan ahead, which favors polygons: real ones had 31 to 63 corners. Exit
code 1 where the second way does not save half of the actions.
"""

import math
import os
import sys
import tempfile
from pathlib import Path

os.environ["MPLBACKEND"] = "Agg"
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "segmentation")]

import matplotlib.pyplot as plt
import numpy as np
from labeling.hand import click, drag, press_key
from labeling.outlines import trace_outlines

from device.images import read_label
from segmentation.labeling.actions import BRUSH_STEP
from segmentation.labeling.label import shift_label
from segmentation.labeling.opening import open_session
from segmentation.labeling.raster import connected_region, polygon_region, stroke_region
from segmentation.labeling.snap import widen
from segmentation.labeling.state import BRUSH_SIZE
from segmentation.labeling.window import open_window

DATA = ROOT.parent / "shared" / "data" / "davis_birds" / "train"
GOAL = 0.90  # foreground IoU at which a label is done
CLIPS = ("blackswan", "flamingo", "mallard-fly", "mallard-water")
FRAMES = (0, 4, 8)  # of each clip
LASSO_SLACK = 3  # pixels that a lasso is drawn too wide
LASSO_CORNERS = 3  # of its shape that are drawn in a second
MOST_STROKES = 80  # a person begins anew before
FINER_KEYS = 2  # presses of - to the brush that is used, and to the finer one
NAMES = ["background", "duck", "swan", "flamingo"]


class Person:
    """Works in the window and counts every click, drag and key as one action."""

    def __init__(self, window):
        self.window, self.actions, self.slow_seconds = window, 0, 0

    def keys(self, *names):
        """Presses keys."""
        press_key(self.window, *names)
        self.actions += len(names)

    def polygon(self, corners, value):
        """Clicks the corners of a polygon and closes it with Enter."""
        self.choose(value)
        if self.window.tool != "polygon":
            self.keys("c")
        click(self.window, *corners)
        self.actions += len(corners)
        self.keys("enter")

    def lasso(self, corners, value):
        """Draws around an object, as quickly as its shape allows."""
        self.choose(value)
        if self.window.tool != "lasso":
            self.keys("l")
        drag(self.window, [*corners, corners[0]])
        self.actions += 1
        self.slow_seconds += math.ceil(len(corners) / LASSO_CORNERS) - 1

    def stroke(self, start, end, value):
        """Paints a straight stroke with the brush."""
        self.choose(value)
        if self.window.tool != "brush":
            self.keys("b")
        drag(self.window, [start, end] if start != end else [start])
        self.actions += 1

    def choose(self, value):
        """Takes a class where it is not taken yet."""
        if self.window.value != value:
            self.keys(str(value))

    def place_copy(self, down, right, snaps):
        """Copies the label of the image before, drags it, and keeps it, snapped or as it is."""
        if self.window.snaps != snaps:
            self.keys("m")
        self.keys("d")
        drag(self.window, [(100.0, 70.0), (100.0 + right, 70.0 + down)])
        self.actions += 1
        self.keys("enter")


def measure_iou(label, truth):
    """Returns the IoU of the foreground, where the class has to be right."""
    union = (label > 0) | (truth > 0)
    return ((label == truth) & (truth > 0)).sum() / max(1, union.sum())


def simplify(outline, tolerance):
    """Leaves out corners of a closed outline (Douglas and Peucker 1973); returns an array."""
    points = np.asarray(outline, float)
    far = int(np.argmax(np.hypot(*(points - points[0]).T)))

    def keep(first, last):
        """Returns the corners between two that are needed."""
        if last - first < 2:
            return []
        start, end = points[first], points[last % len(points)]
        along = end - start
        away = points[first + 1:last] - start
        length = np.hypot(*along)
        distances = np.abs(along[0] * away[:, 1] - along[1] * away[:, 0]) / length \
            if length else np.hypot(*away.T)
        middle = first + 1 + int(np.argmax(distances))
        if distances.max() <= tolerance:
            return []
        return [*keep(first, middle), middle, *keep(middle, last)]

    return points[[0, *keep(0, far), far, *keep(far, len(points))]]


def find_regions(mask):
    """Returns the connected regions of a mask, the largest first, bool arrays of its shape."""
    left, regions = mask.copy(), []
    while left.any():
        row, column = np.argwhere(left)[0]
        top, start, part = connected_region(left.astype(np.uint8), (column, row))
        region = np.zeros(mask.shape, bool)
        region[top:top + part.shape[0], start:start + part.shape[1]] = part
        regions.append(region)
        left &= ~region
    return sorted(regions, key=np.sum, reverse=True)


def outer_outline(region):
    """Returns the longest outline of a region."""
    return max(trace_outlines(region), key=len)


def fewest_corners(region, goal):
    """Returns the polygon of the fewest corners that covers a region with an IoU."""
    for tolerance in np.geomspace(8, 0.3, 24):
        corners = simplify(outer_outline(region), tolerance)
        if len(corners) >= 3:
            top, left, mask = polygon_region(corners, region.shape)
            painted = np.zeros(region.shape, bool)
            painted[top:top + mask.shape[0], left:left + mask.shape[1]] = mask
            if (painted & region).sum() / (painted | region).sum() >= goal:
                return corners
    return outer_outline(region)


def paint_on(label, region, value):
    """Returns a copy of a label with a region painted."""
    top, left, mask = region
    painted = label.copy()
    painted[top:top + mask.shape[0], left:left + mask.shape[1]][mask] = value
    return painted


def plan_strokes(label, truth, sizes):
    """Returns straight brush strokes (start, end, value, size) that bring a label to the goal.

    Greedy: of some hundred strokes between wrong pixels, the one that mends most for each action
    comes next; the finer brush once the broad one mends little.
    Returns: the strokes, or None where they don't suffice.
    """
    rng, strokes, value_now = np.random.default_rng(0), [], None
    for size in sizes:
        while (now := measure_iou(label, truth)) < GOAL and len(strokes) < MOST_STROKES:
            best = (0.004 if size != sizes[-1] else 0.0), None, None
            for value in np.unique(truth[label != truth]).tolist():
                wrong = np.argwhere((label != truth) & (truth == value))[:, ::-1]
                for _ in range(120):
                    start, end = wrong[rng.integers(len(wrong), size=2)].tolist()
                    region = stroke_region([start, end], size, truth.shape)
                    painted = paint_on(label, region, value)
                    gain = (measure_iou(painted, truth) - now) / (1 + (value != value_now))
                    if gain > best[0]:
                        best = gain, painted, (tuple(start), tuple(end), value, size)
            if best[1] is None:
                break
            label, value_now = best[1], best[2][2]
            strokes.append(best[2])
    return strokes if measure_iou(label, truth) >= GOAL else None


def brush_sizes(window):
    """Returns the diameters of the two brushes that are used, in image pixels: 4 and 2 here."""
    broad = BRUSH_SIZE * window.scale / BRUSH_STEP**FINER_KEYS
    return broad, broad / BRUSH_STEP**FINER_KEYS


def correct(person, truth):
    """Corrects a label with the brush until the goal is reached."""
    window = person.window
    label = window.session.picture.drawing.label
    if measure_iou(label, truth) >= GOAL:
        return
    for start, end, value, size in plan_strokes(label, truth, brush_sizes(window)) or ():
        while window.brush_size * window.scale > size * 1.1:
            person.keys("-")
        while window.brush_size * window.scale < size / 1.1:
            person.keys("+")
        person.stroke(start, end, value)
    correct(person, truth)  # the mouse moves by whole pixels of the screen


def draw_polygons(person, truth):
    """Labels an image by polygons, as coarse as is worth while, corrected with the brush."""
    best, sizes = None, brush_sizes(person.window)
    for goal in (0.7, 0.75, 0.8, 0.84, 0.88, 0.9, 0.92, 0.94):
        plan, label = [], np.zeros(truth.shape, np.uint8)
        for region in find_regions(truth > 0):
            if measure_iou(label, truth) < GOAL:
                corners = fewest_corners(region, goal)
                plan.append((corners, int(truth[region].max())))
                label = paint_on(label, polygon_region(corners, truth.shape), plan[-1][1])
        corners = sum(len(corners) + 1 for corners, _ in plan)
        if best is not None and corners >= best[0]:
            continue
        strokes = plan_strokes(label, truth, sizes)
        count = corners + len(strokes or ())
        if strokes is not None and (best is None or count < best[0]):
            best = count, plan
    for corners, value in best[1]:
        person.polygon(corners, value)
    correct(person, truth)


def draw_lassos(person, truth):
    """Draws around one object after the other, too wide, until the goal is reached."""
    drawing = person.window.session.picture.drawing
    for region in find_regions(widen(truth > 0, LASSO_SLACK)):
        if measure_iou(drawing.label, truth) < GOAL:
            person.lasso(simplify(outer_outline(region), 2), int(truth[region].max()))


def best_shift(before, truth):
    """Returns by how much (down, right) a person drags the label of the frame before."""
    center = [np.argwhere(label > 0).mean(axis=0) for label in (before, truth)]
    down, right = np.rint(center[1] - center[0]).astype(int)
    return max(((down + y, right + x) for y in range(-6, 7) for x in range(-6, 7)),
               key=lambda shift: measure_iou(shift_label(before, *shift), truth))


def label_clip(person, truths, uses_help):
    """Labels the frames of one clip; returns the actions and the IoU of each."""
    results = []
    for number, truth in enumerate(truths):
        start, before = person.actions, truths[number - 1]
        drawing = person.window.session.picture.drawing
        if not uses_help:
            draw_polygons(person, truth)
        elif number == 0:
            draw_lassos(person, truth)
            correct(person, truth)
        else:
            shift = best_shift(before, truth)
            fits = measure_iou(shift_label(before, *shift), truth) >= GOAL  # that is seen
            person.place_copy(*shift, snaps=not fits)
            correct(person, truth)
        results.append((person.actions - start, measure_iou(drawing.label, truth)))
        press_key(person.window, "right")
    return results


def run(folder, uses_help):
    """Labels all clips in new sessions.

    Returns: clip -> list of (actions, IoU), and the seconds that slowly drawn lassos take besides.
    """
    results, slow_seconds = {}, 0
    for clip in CLIPS:
        paths = sorted((folder / "images").glob(f"{clip}_*"))
        chosen = [paths[index] for index in FRAMES]
        truths = [read_label(folder / "labels" / f"{path.stem}.png") for path in chosen]
        with tempfile.TemporaryDirectory() as name:
            images = Path(name, "images")
            images.mkdir()
            for path in chosen:
                (images / path.name).symlink_to(path.resolve())
            window = open_window(open_session(images, Path(name, "labels"), NAMES))
            person = Person(window)
            if uses_help:
                person.keys("m")
            results[clip] = label_clip(person, truths, uses_help)
            slow_seconds += person.slow_seconds
            window.session.loader.shutdown()
            plt.close(window.figure)
    return results, slow_seconds


def main():
    """Labels the frames both ways and prints the actions of each."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else DATA)
    (alone, _), (helped, slow_seconds) = run(folder, False), run(folder, True)
    print(f"{'actions, and IoU reached':<26} {'polygons alone':>22} {'copy and magnet':>22}")
    for clip in CLIPS:
        for frame, before, after in zip(FRAMES, alone[clip], helped[clip]):
            cells = [f"{actions:5}  {iou:.3f}" for actions, iou in (before, after)]
            print(f"{f'{clip}, frame {frame}':<26} {cells[0]:>22} {cells[1]:>22}")
    totals = [sum(actions for results in way.values() for actions, _ in results)
              for way in (alone, helped)]
    print(f"{'all':<26} {totals[0]:>15}        {totals[1]:>15}   "
          f"{1 - totals[1] / totals[0]:.0%} saved")
    print(f"With lassos drawn slowly, a second for every {LASSO_CORNERS} corners of their shape: "
          f"{1 - (totals[1] + slow_seconds) / totals[0]:.0%} saved")
    if min(iou for way in (alone, helped) for results in way.values() for _, iou in results) < GOAL:
        sys.exit(f"A label is below the IoU of {GOAL}.")
    if totals[1] > totals[0] / 2:
        sys.exit("Less than half of the actions are saved.")


if __name__ == "__main__":
    main()
