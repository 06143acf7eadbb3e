"""Counts what a person does to label 12 frames with the model of the first 20 labels, or without.

    python benchmarks/labeling_with_model.py OUTPUT_DIR [../shared/data/davis_birds/val]

OUTPUT_DIR is main.py's, of a training on other frames of the same birds (DAVIS 2016). The person
is that of labeling_minutes.py, draws lassos 3 pixels too wide, and corrects with the brush up to a
foreground IoU of 0.90. Prints for each way the mean IoU before the first correction, all actions,
and the seconds where a lasso takes one for every three corners of its shape.
"""

import sys
import tempfile
from pathlib import Path

from labeling_minutes import (
    CLIPS,
    DATA,
    GOAL,
    NAMES,
    ROOT,
    Person,
    brush_sizes,
    correct,
    draw_lassos,
    draw_polygons,
    measure_iou,
    plan_strokes,
    plt,
    press_key,
)

from annotate_segmentation import load_model
from device.images import read_label
from segmentation.labeling.opening import open_session
from segmentation.labeling.window import open_window

FRAMES = (0, 2, 5)  # of each clip
WAYS = {  # name: keys before the first frame, tool, whether the model is at hand
    "lasso": ((), draw_lassos, False), "p": ((), lambda person, truth: person.keys("p"), True),
    "magnet without a model": (("m",), draw_lassos, False),
    "magnet with the model": (("m",), draw_lassos, True)}


def label_frames(folder, output_dir, way):
    """Labels the frames one way; returns the IoUs before corrections, actions, slow seconds."""
    keys, draw, has_model = WAYS[way]
    paths = [sorted((folder / "images").glob(f"{clip}_*"))[frame]
             for clip in CLIPS for frame in FRAMES]
    ious = []
    with tempfile.TemporaryDirectory() as name:
        images = Path(name, "images")
        images.mkdir()
        for path in paths:
            (images / path.name).symlink_to(path.resolve())
        session = open_session(images, Path(name, "labels"), NAMES, 255,
                               output_dir if has_model else Path(name, "none"), load_model)
        person = Person(open_window(session))
        person.keys(*keys)
        for path in paths:
            truth = read_label(folder / "labels" / f"{path.stem}.png")
            draw(person, truth)
            ious.append(measure_iou(session.picture.drawing.label, truth))
            correct_or_begin_anew(person, truth)
            press_key(person.window, "right")
        session.loader.shutdown()
        plt.close(person.window.figure)
    return ious, person.actions, person.slow_seconds


def correct_or_begin_anew(person, truth):
    """Corrects a label with the brush; where that is too much, undoes all and draws polygons."""
    drawing = person.window.session.picture.drawing
    if plan_strokes(drawing.label, truth, brush_sizes(person.window)) is None:
        while drawing.undo_steps:
            person.keys("z")
        draw_polygons(person, truth)
    else:
        correct(person, truth)


def main():
    """Labels the frames each way and prints what that took."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else DATA.parent / "val")
    print(f"{f'12 frames, up to an IoU of {GOAL}':<36} {'IoU at first':>12} {'actions':>8} "
          f"{'slowly':>8}")
    for way in WAYS:
        ious, actions, slow_seconds = label_frames(folder, Path(sys.argv[1]), way)
        print(f"{way:<36} {sum(ious) / len(ious):12.3f} {actions:8} {actions + slow_seconds:8}   "
              f"{' '.join(f'{iou:.2f}' for iou in ious)}", flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
