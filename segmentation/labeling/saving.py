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

COMPRESS_LEVEL = 1  # of saved labels: 24 megapixels take 70 ms; the smallest file takes 260 ms
ANY = "any"  # in place of a file's stamp: the file is replaced whoever wrote it


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


def begin_saving(session, overwrite=False):
    """Starts to write the current label in a thread; removes its file where all is undone.

    24 megapixels take 70 ms to be written, a slow disk longer; the stroke is shown meanwhile. No
    more than that stroke is ever at stake: one label is written at a time, a copy that no stroke
    changes, and the next click or key waits for finish_saving, so that painting, moving on, closing
    and looking at the file's time find everything on the disk, or the error.
    Args: overwrite, whether a file that somebody else changed meanwhile is replaced.
    Raises: what finish_saving raises of the label that was being written before.
    """
    finish_saving(session)
    picture, drawing = session.picture, session.picture.drawing
    label = drawing.label.copy() if has_label(drawing) else None
    stamp = ANY if overwrite else drawing.stamp
    session.writing = session.writer.submit(
        _replace_file, session, picture.label_path, label, stamp), label


def finish_saving(session):
    """Waits for the label that is being written; returns at once where there is none.

    Raises: InputError where it can't be written, ConflictError where the file was changed;
        session.unsaved stays true then until it is written.
    """
    if session.writing is None:
        return
    (future, label), session.writing = session.writing, None
    picture, drawing = session.picture, session.picture.drawing
    session.unsaved = True
    drawing.stamp = future.result()
    session.unsaved = False
    if label is None:
        drawing.on_disk = None
        session.labeled.discard(picture.image_path)
    else:
        drawing.on_disk = label
        session.labeled.add(picture.image_path)
    mark_reviewed(session, picture.image_path)


def save_current(session, overwrite=False):
    """Writes the current label and waits for it; arguments and errors as above."""
    begin_saving(session, overwrite)
    finish_saving(session)


def save_rest(session):
    """Waits for the label that is being written, and writes what could not be written before."""
    finish_saving(session)
    if session.unsaved:
        save_current(session)


def _replace_file(session, path, label, stamp):
    """Writes a label file, or removes it where label is None; runs in the writing thread.

    Args: stamp, of the file as it is known here, or ANY. Returns: the new file's stamp.
    """
    try:
        if stamp not in (ANY, stamp_of(path)):
            raise ConflictError(f"{path.name} was changed by another program or window meanwhile.")
        if label is None:
            path.unlink(missing_ok=True)
        else:
            write_label(session, path, label)
        return stamp_of(path)
    except OSError as error:
        raise InputError(f"{path} can't be written ({error.strerror}): make room or change "
                         f"permissions, then paint on; it is tried again.") from error


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
    try:
        save_rest(session)
    except InputError as error:
        copy = Path(tempfile.gettempdir()) / f"unsaved_{session.picture.label_path.name}"
        try:
            write_label(session, copy, session.picture.drawing.label)
        except OSError:
            raise error from None
        raise InputError(f"{error} The label as it was drawn here is {copy}.") from error
