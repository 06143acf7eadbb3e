"""Copies the label of the previous image, to be dragged into place: for video and fixed cameras."""

import numpy as np

from segmentation.labeling.keeping import keep
from segmentation.labeling.label import replace_label, shift_label
from segmentation.labeling.saving import open_drawing
from segmentation.labeling.screen import refresh
from segmentation.labeling.session import label_path_of
from segmentation.labeling.snap import snap_region
from segmentation.labeling.state import Floating, NotNowError, check_nothing_under_way

REACH = 3  # pixels by which an object may have grown beyond its copied label
ARROWS = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}  # (down, right)


def copy_label(window):
    """Lays the label of the nearest image before this one over it, to be dragged into place."""
    check_nothing_under_way(window)
    session = window.session
    before = [path for path in session.image_paths[:session.index] if path in session.labeled]
    if not before:
        raise NotNowError("No image before this one has a label to be copied.")
    size = session.picture.drawing.label.shape
    label = open_drawing(label_path_of(session, before[-1]), size).label
    if label.shape != size:
        raise NotNowError(f"{before[-1].name} has another size than this image.")
    if not label.any():
        raise NotNowError(f"The label of {before[-1].name} is all background.")
    window.floating = Floating(label, before[-1].name)
    refresh(window)


def begin_drag(window, event):
    """Lets the mouse move the copied label while its button is held."""
    floating = window.floating
    start_down, start_right = floating.down, floating.right

    def move(right, up):
        """Moves the label by screen pixels from where it was."""
        floating.right = start_right + round(right * window.scale)
        floating.down = start_down - round(up * window.scale)

    window.held = event.x, event.y, move


def nudge(window, key):
    """Moves the copied label by one pixel."""
    down, right = ARROWS[key]
    window.floating.down += down
    window.floating.right += right
    refresh(window)


def put_down(window):
    """Paints the copied label where it lies; with the magnet on, each class snaps to the image."""
    drawing, floating = window.session.picture.drawing, window.floating
    moved = shift_label(floating.label, floating.down, floating.right)
    if window.snaps:
        moved = snap_label(window.session.picture.levels[0], moved)
    free = (moved > 0) & ((drawing.label == 0) | (not window.lock))
    window.floating = None
    replace_label(drawing, np.where(free, moved, drawing.label))
    keep(window)
    refresh(window)


def snap_label(image, label):
    """Snaps the region of each class to the object within it; returns uint8 like label."""
    snapped = np.zeros_like(label)
    for value in np.flatnonzero(np.bincount(label.ravel(), minlength=256)[1:]) + 1:
        rows = np.flatnonzero((label == value).any(axis=1))
        columns = np.flatnonzero((label == value).any(axis=0))
        top, left = int(rows[0]), int(columns[0])
        part = np.s_[top:int(rows[-1]) + 1, left:int(columns[-1]) + 1]
        region = top, left, np.ascontiguousarray(label[part] == value)
        top, left, mask = snap_region(image, region, reach=REACH)
        snapped[top:top + mask.shape[0], left:left + mask.shape[1]][mask] = value
    return snapped


def let_go(window):
    """Drops the copied label."""
    window.floating = None
    refresh(window)
