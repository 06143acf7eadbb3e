"""The classes of a labeling session: named, added, renamed, merged, always with classes.txt."""

import os
import shutil
from pathlib import Path

import numpy as np

from device.errors import InputError, list_names
from device.images import read_label
from device.model_info import MAX_CLASSES
from segmentation.data.classes import (
    CLASS_NAMES_FILE,
    default_class_names,
    read_class_names,
    write_class_names,
)
from segmentation.data.reading import read_label_values
from segmentation.labeling.loading import forget_loaded
from segmentation.labeling.saving import write_label
from segmentation.labeling.session import label_path_of

DEFAULT_CLASS_NAMES = ("background", "object")
REWRITING, REWRITTEN = ".rewriting", ".rewritten"  # folders below the labels, see rewrite_labels


def agree_class_names(session, class_names):
    """Returns the names to paint with; writes classes.txt where it lacks some.

    Classes that were added while working stand in classes.txt behind those of class_names.
    Raises: InputError where the two lists contradict each other, or for names given twice.
    """
    written = read_class_names(session.label_dir)
    given = [str(name).strip() for name in class_names or ()]
    shared = min(len(written or ()), len(given))
    if shared and written[:shared] != given[:shared]:
        raise InputError(f"{session.label_dir / CLASS_NAMES_FILE} says {list_names(written)}, but "
                         f"CLASS_NAMES is {list_names(given)}: the labels there mean the former; "
                         f"correct one of the two.")
    label_paths = [label_path_of(session, path) for path in sorted(session.labeled)]
    names = max(written or [], given, key=len)
    if not names and label_paths:
        names = name_found_classes(label_paths, session.ignore_label)
    if not written and not given and len(names) < 2:
        names = list(DEFAULT_CLASS_NAMES)
    if len(set(names)) < len(names) or len(names) < 2 or len(names) > MAX_CLASSES:
        raise InputError(f"The classes are {list_names(names)}: give 2 to {MAX_CLASSES} different "
                         f"names, the background first.")
    if names != written:
        write_class_names(session.label_dir, names)
    return names


def name_found_classes(label_paths, ignore_label):
    """Returns background, class 1, ... up to the largest class index that the labels hold.

    Raises: InputError where a label can't be read.
    """
    found = np.flatnonzero(read_label_values(label_paths).any(axis=0))
    return default_class_names(range(int(found[found != ignore_label].max(initial=0)) + 1))


def read_again(session):
    """Takes over the classes that another window has added to classes.txt meanwhile.

    Raises: InputError where the file contradicts the names that are painted with here.
    """
    written = read_class_names(session.label_dir) or list(session.class_names)
    if written[:len(session.class_names)] != session.class_names:
        raise InputError(f"{CLASS_NAMES_FILE} was changed meanwhile to {list_names(written)}: "
                         f"close this window and open it again.")
    session.class_names[:] = written


def add_class(session, name):
    """Adds a class behind the others, in classes.txt too; returns its index.

    Raises: InputError for a name that is empty or taken, or where no index is left.
    """
    read_again(session)
    name, index = " ".join(name.split()), len(session.class_names)
    if not name or name in session.class_names:
        raise InputError(f"There is a class {name} already." if name else "No name, no new class.")
    if index == session.ignore_label or index >= MAX_CLASSES:
        raise InputError(f"No more classes: the next index, {index}, is not free.")
    _write_names(session, [*session.class_names, name])
    session.class_names.append(name)
    return index


def rename_class(session, index, name):
    """Gives a class another name, in classes.txt too.

    Raises: InputError for a name that is empty or taken.
    """
    read_again(session)
    name = " ".join(name.split())
    if not name or name in session.class_names:
        raise InputError(f"There is a class {name} already." if name else "The name stays.")
    names = [*session.class_names]
    names[index] = name
    _write_names(session, names)
    session.class_names[index] = name


def _write_names(session, names):
    try:
        write_class_names(session.label_dir, names)
    except OSError as error:
        raise InputError(f"{CLASS_NAMES_FILE} can't be written ({error.strerror}).") from error


def merge_classes(session, source, target):
    """Makes one class of two: all labels and classes.txt are changed, or none.

    The classes behind the source move up by one. What can be undone before, can't be afterwards.
    Args: source and target, indices of classes; source may also be a value without a class, such as
        255 of foreign masks, and then no other class moves.
    Returns: how many label files were changed.
    """
    read_again(session)
    names, table = [*session.class_names], np.arange(256, dtype=np.uint8)
    if source < len(names):
        behind = np.arange(source + 1, len(names))
        table[behind] -= 1
        table[source] = target - (target > source)
        del names[source]
    else:
        table[source] = target
    changed = rewrite_labels(session, table, names)
    session.class_names[:] = names
    forget_loaded(session, session.image_paths)  # what could be undone held the old values
    return len(changed)


def rewrite_labels(session, table, names):
    """Replaces the values of all labels and classes.txt together; returns the images changed.

    All new files are written into a folder first; renaming it is the moment from which the change
    holds, and finish_rewriting moves them into place, at the next start if need be.
    Raises: InputError where a file can't be read or written; nothing is changed then.
    """
    folder, changed = session.label_dir / REWRITING, []
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for image_path in sorted(session.labeled):
            path = label_path_of(session, image_path)
            label = read_label(path)
            if (table[label] != label).any():
                write_label(session, folder / path.name, table[label])
                changed.append(image_path)
        write_class_names(folder, names)
        os.replace(folder, session.label_dir / REWRITTEN)
    except (OSError, InputError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise InputError(f"Nothing was changed: {getattr(error, 'strerror', error)}.") from error
    finish_rewriting(session.label_dir)
    return changed


def finish_rewriting(label_dir):
    """Moves the files of an interrupted or just finished rewrite_labels into place."""
    folder = Path(label_dir) / REWRITTEN
    if folder.is_dir():
        for path in folder.iterdir():
            os.replace(path, Path(label_dir) / path.name)
        folder.rmdir()
