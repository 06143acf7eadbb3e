"""Tests of segmentation/labeling/label.py, with matplotlib's events on the Agg canvas."""

import numpy as np

from segmentation.labeling import label
from segmentation.labeling.raster import stroke_region


def test_undo_stores_the_changed_rectangle_only():
    drawing = label.Drawing(np.zeros((4000, 6000), np.uint8), False, ())
    label.paint(drawing, stroke_region([(3000, 2000), (3100, 2050)], 40, (4000, 6000)), 2)
    step = drawing.undo_steps[-1]
    assert step.packed.shape[0] < 110 and step.packed.shape[1] < 160
    assert len(step.packed.content) < 1000
