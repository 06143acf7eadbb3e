"""Lists the images of a folder by name, and writes files whole, so that none is ever half there."""

import json
import os
import unicodedata
from pathlib import Path

from device.errors import InputError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
LABEL_SUFFIX = ".png"


def find_images(folder):
    """Returns the sorted paths of all image files in a folder, hidden files passed over.

    Raises: InputError where the folder is missing or can't be listed.
    """
    return [Path(folder) / name for name in list_image_names(folder)]


def list_image_names(folder):
    return sorted(name for name in list_folder(folder) if is_image_name(name))


def list_folder(folder):
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
    return split_suffix(name)[1] in IMAGE_SUFFIXES and not name.startswith(".")


def is_label_name(name):
    return split_suffix(name)[1] == LABEL_SUFFIX


def split_suffix(name):
    """Returns stem and lower-case suffix of a file name; several times as fast as Path does."""
    stem, dot, suffix = name.rpartition(".")
    return (stem, dot + suffix.lower()) if dot else (name, "")


def normalize_unicode(name):
    # macOS and Linux write the same accented letter as two code points or as one.
    return unicodedata.normalize("NFC", name)


def stem_of(path):
    """Returns the part of a file's name that image and label share, in Unicode's composed form."""
    return normalize_unicode(split_suffix(os.path.basename(path))[0])


def write_whole(path, write):
    """Writes a file beside its place and renames it, so that no half-written file is ever seen.

    Args: path; write, a function that is given the open binary file.
    """
    path = Path(path)
    beside = path.with_name(path.name + ".part")
    with open(beside, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def write_json(path, content):
    """Writes a dict as readable JSON."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    write_whole(path, lambda file: file.write(text.encode("utf-8")))
