"""Reads label files and writes them back so that no work is lost, a stranger's neither."""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from device.drawing import class_colors, save_mask
from device.errors import InputError
from device.images import read_label
from segmentation.labeling.label import Drawing, has_label, replace_label
from segmentation.labeling.review import mark_reviewed

COMPRESS_LEVEL = 1  # of saved labels: 24 megapixels take 40 ms; the smallest file takes 260 ms


class ConflictError(InputError):
    """A label file was changed by somebody else since it was read or written here."""


def open_drawing(label_path, size):
    """Opens a label file, or an all-zero label of size (height, width) where there is none."""
    stamp = stamp_of(label_path)
    if stamp is None:
        return Drawing(np.zeros(size, np.uint8), False, ())
    label = read_label(label_path)
    return Drawing(label, True, held_values(label), on_disk=label.copy(), stamp=stamp)


def held_values(label):
    """Returns the values that a label holds, ascending, as a tuple of int."""
    return tuple(np.flatnonzero(Image.fromarray(label).histogram()).tolist())


def stamp_of(path):
    """Returns when a file was written and its size, or None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size


def save_current(session, overwrite=False):
    """Writes the current label beside its place and renames it; removes it where all is undone.

    Args: overwrite, whether a file that somebody else changed meanwhile is replaced.
    Raises: InputError where it can't be written, ConflictError where the file was changed;
        session.unsaved stays true until it is written.
    """
    picture, drawing = session.picture, session.picture.drawing
    session.unsaved = True
    try:
        if not overwrite and stamp_of(picture.label_path) != drawing.stamp:
            raise ConflictError(
                f"{picture.label_path.name} was changed by another program or window meanwhile.")
        if has_label(drawing):
            write_label(session, picture.label_path, drawing.label)
            session.labeled.add(picture.image_path)
        else:
            picture.label_path.unlink(missing_ok=True)
            session.labeled.discard(picture.image_path)
    except OSError as error:
        raise InputError(f"{picture.label_path} can't be written ({error.strerror}): make room or "
                         f"change permissions, then paint on; it is tried again.") from error
    drawing.stamp, drawing.on_disk = stamp_of(picture.label_path), drawing.label.copy()
    session.unsaved = False
    mark_reviewed(session, picture.image_path)


def write_label(session, path, label):
    """Writes a label as a palette PNG in the colors of the session's classes."""
    save_mask(path, label, class_colors(len(session.class_names)),
              compress_level=COMPRESS_LEVEL)


def read_theirs(session):
    """Returns the label that somebody else wrote, zeros where they removed it.

    Raises: InputError where it can't be read or has another size.
    """
    picture = session.picture
    theirs = open_drawing(picture.label_path, picture.drawing.label.shape).label
    if theirs.shape != picture.drawing.label.shape:
        raise InputError(f"The changed {picture.label_path.name} has another size.")
    return theirs


def merge_theirs(session):
    """Puts both versions together: where this window has painted, its pixels; else the file's."""
    drawing = session.picture.drawing
    theirs, before = read_theirs(session), drawing.on_disk
    painted = drawing.label != (0 if before is None else before)
    replace_label(drawing, np.where(painted, drawing.label, theirs))
    save_current(session, overwrite=True)


def take_theirs(session):
    """Takes the changed file's label, as a step that can be undone."""
    replace_label(session.picture.drawing, read_theirs(session))
    save_current(session, overwrite=True)


def close_session(session):
    """Saves what is not saved yet and lets go of the images that are being loaded.

    Raises: InputError where the label can't be written; it says where a copy of it lies then.
    """
    session.loader.shutdown(wait=False, cancel_futures=True)
    if session.unsaved:
        try:
            save_current(session)
        except InputError as error:
            copy = Path(tempfile.gettempdir()) / f"unsaved_{session.picture.label_path.name}"
            try:
                write_label(session, copy, session.picture.drawing.label)
            except OSError:
                raise error from None
            raise InputError(f"{error} The label as it was drawn here is {copy}.") from error
