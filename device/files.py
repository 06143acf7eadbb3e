"""Lists the images of a folder, and writes files so that a reader never sees half of one."""

import csv
import io
import json
import os
import tempfile
import unicodedata
from pathlib import Path

from device.errors import InputError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
LABEL_SUFFIX = ".png"


def find_images(folder):
    """Returns the sorted paths of all image files in a folder; hidden files are left out.

    Raises: InputError where the folder is missing or can't be listed.
    """
    return [Path(folder) / name for name in list_image_names(folder)]


def list_image_names(folder):
    """Returns the sorted names of all image files in a folder; raises as find_images does."""
    return sorted(name for name in list_folder(folder) if is_image_name(name))


def list_tree(folder, without=None):
    """Lists the images of a folder, or, where none lies in it, of its sub-folders.

    Hidden files and folders are passed over.
    Args: without, a folder that is left out where it lies in this one.
    Returns: sorted names, those in sub-folders as "sub-folder/name" with / on every system.
    Raises: InputError where the folder is missing or can't be listed.
    """
    names = list_image_names(folder)
    return names or list_sub_folders(folder, without)


def list_sub_folders(folder, without=None):
    """Returns what list_tree does, of the sub-folders alone."""
    names, left_out = [], {without and os.path.realpath(without), os.path.realpath(folder)}
    for place, folders, files in os.walk(folder, followlinks=True):
        inner = os.path.relpath(place, folder).replace(os.sep, "/")
        folders[:] = [name for name in folders if not name.startswith(".")
                      and os.path.realpath(os.path.join(place, name)) not in left_out]
        left_out.update(os.path.realpath(os.path.join(place, name)) for name in folders)
        if inner != ".":
            names += [f"{inner}/{name}" for name in files if is_image_name(name)]
    return sorted(names)


def list_folder(folder):
    """Returns the names of all files in a folder, in any order; raises as find_images does."""
    folder = Path(folder)
    try:
        return os.listdir(folder)
    except OSError as error:
        if folder.is_file():
            raise InputError(f"{folder} is a file, but a folder is needed here: correct the "
                             f"constant.") from error
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            raise InputError(f"The folder {folder} does not exist: create it or correct the "
                             f"constant.") from error
        raise InputError(f"The folder {folder} can't be listed ({error.strerror}): change its "
                         f"permissions or correct the constant.") from error


def is_image_name(name):
    """Returns whether a file name is that of an image: by its suffix, and not hidden."""
    return split_suffix(name)[1] in IMAGE_SUFFIXES and not name.startswith(".")


def is_label_name(name):
    """Returns whether a file name is that of a label."""
    return split_suffix(name)[1] == LABEL_SUFFIX


def split_suffix(name):
    """Returns stem and lower-case suffix of a file name, several times as fast as Path."""
    stem, dot, suffix = name.rpartition(".")
    return (stem, dot + suffix.lower()) if dot else (name, "")


def normalize_unicode(name):
    """Returns a name in Unicode's composed form (NFC): macOS writes an accent as its own letter."""
    return unicodedata.normalize("NFC", name)


def stem_of(path):
    """Returns the part of a file's name that an image and its label share, normalized."""
    return normalize_unicode(split_suffix(os.path.basename(path))[0])


def write_whole(path, write, safe=True):
    """Writes a temporary file in the same folder, then renames it to path.

    So path holds the old content or the new one, never half of it, even when the power fails.
    Args: path; write, a function that is given the open binary file; safe, False for what can be
        made again: no waiting until the disk has it, which takes an SD card long.
    """
    path = Path(path)
    temporary = path.with_name(path.name + ".part")
    with open(temporary, "wb") as file:
        write(file)
        if safe:
            file.flush()
            os.fsync(file.fileno())
    os.replace(temporary, path)


def find_write_error(folder):
    """Makes a folder where it is missing; returns why no file can be written there, or None."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror


def write_table(path, rows):
    """Writes a CSV file: a line for each dict of a list, whose keys are the columns."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, lambda file: file.write(text.getvalue().encode("utf-8")))


def write_json(path, content):
    """Writes a dict as readable JSON."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    write_whole(path, lambda file: file.write(text.encode("utf-8")))
