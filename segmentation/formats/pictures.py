"""The pictures that labels belong to: finds them by what tools call them, reads size and EXIF."""

import os
import re
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from PIL import ExifTags

from device.files import IMAGE_SUFFIXES, normalize_unicode, split_suffix
from device.images import SIDEWAYS, UPRIGHT_METHODS, open_image

HASH_PREFIX = re.compile(r"^[0-9a-fA-F]{8}-(?=.)")  # Label Studio's, before the name
ROBOFLOW = re.compile(r"^(.+)_(jpe?g|png|bmp|webp|tiff?)\.rf\.[0-9A-Za-z]+$", re.IGNORECASE)
PASSED_OVER = ("__MACOSX",)  # folder that macOS adds to archives; hidden ones are passed over too


class PictureState(NamedTuple):
    """Size (height, width) as stored in the file, and EXIF orientation (1: stored upright)."""

    stored: tuple
    orientation: int

    @property
    def upright(self):
        """Size (height, width) as the picture is looked at."""
        return self.stored[::-1] if self.orientation in SIDEWAYS else self.stored


def list_files(folder, leave_out=()):
    """Returns the sorted paths of all files in a folder and beneath it, hidden ones passed over.

    Args: leave_out, resolved folders that are not looked into.
    """
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders
                            if not name.startswith(".") and name not in PASSED_OVER
                            and not (leave_out and Path(parent, name).resolve() in leave_out))
        found += [Path(parent, name) for name in sorted(names) if not name.startswith(".")]
    return found


def read_state(path):
    """Returns the PictureState of an image file; its pixels are not decoded.

    Raises: InputError where the file can't be read as an image.
    """
    with open_image(path) as file:
        orientation = file.getexif().get(ExifTags.Base.Orientation, 1)
        return PictureState(file.size[::-1], orientation if orientation in UPRIGHT_METHODS else 1)


class Pictures:
    """Image files that can be looked up by what label files call them."""

    def __init__(self, folder, paths):
        self.folder, self.paths = Path(folder), sorted(paths)
        self.by_name, self.by_stem, self.by_alias, self.by_number = {}, {}, {}, {}
        for path in self.paths:
            name = _fold(path.name)
            stem = split_suffix(name)[0]
            self.by_name.setdefault(name, []).append(path)
            self.by_stem.setdefault(stem, []).append(path)
            alias = ROBOFLOW.match(stem)
            if alias:
                self.by_alias.setdefault(alias[1], []).append(path)
            digits = re.search(r"(\d+)$", stem)
            if digits:
                self.by_number.setdefault(int(digits[1]), []).append(path)

    def find(self, names, label_path):
        """Returns the pictures that a label's names fit best: one, none, or several.

        Args: names, as the label file has them, the likeliest first; label_path, the label file: of
            several pictures of one name the one in the most alike folders is meant.
        """
        for name in names:
            parts = split_name(name)
            for candidate in _spellings(parts[-1]):
                stem = strip_image_suffix(candidate)
                for table, key in ((self.by_name, candidate), (self.by_stem, candidate),
                                   (self.by_stem, stem), (self.by_alias, stem)):
                    if key in table:
                        return self.nearest(table[key], label_path, parts[:-1])
        return []

    def find_frame(self, number):
        """Returns the pictures whose names end in this number."""
        return self.by_number.get(number, [])

    @staticmethod
    def nearest(paths, label_path, folders=()):
        """Returns the one path of several that fits the folders best, or all that fit alike."""
        if len(paths) == 1:
            return paths
        scores = [_alikeness(path.parent, Path(label_path).parent, tuple(folders))
                  for path in paths]
        return [path for path, score in zip(paths, scores) if score == max(scores)]


@lru_cache(maxsize=1 << 16)  # clips have hundreds of frames, all of the same names
def _alikeness(picture_folder, label_folder, named):
    """Returns how well a picture's folders fit: those that are named first, then the label's own.

    Args: two folders; named, names of folders, case folded, as the label file has them.
    """
    own = [_fold(part) for part in picture_folder.resolve().parts]
    same = 0
    while same < min(len(own), len(named)) and own[-1 - same] == named[-1 - same]:
        same += 1
    around = [_fold(part) for part in label_folder.resolve().parts]
    return same, sum(2 if part in own else any(part.startswith(other) for other in own)
                     for part in around)


def split_name(name):
    """Returns folders and name, case folded, of a path with either slash, a URL, or a name."""
    name = str(name).strip()
    if re.match(r"^[A-Za-z][A-Za-z0-9+.-]+://", name) or name.startswith("/data/"):
        name = _path_of_url(name)
    parts = PurePosixPath(_fold(name.replace("\\", "/"))).parts
    return list(parts) or [""]


def _path_of_url(url):
    """Returns the path in a URL, or what is none after all as it is."""
    try:
        parts = urlsplit(url)
        local = parse_qs(parts.query).get("d")  # Label Studio's local files
    except ValueError:
        return url
    return local[0] if local else unquote(parts.path)


def strip_image_suffix(name):
    """Returns a name without the suffix of a picture; other dots stay."""
    stem, suffix = split_suffix(name)
    return stem if suffix in (*IMAGE_SUFFIXES, ".gif", ".jfif", ".heic") else name


def _spellings(name):
    """Returns how a picture of this name may be called on the disk, the likeliest first."""
    spellings = [name]
    for change in (unquote, lambda text: HASH_PREFIX.sub("", text), _strip_roboflow):
        spellings += [_fold(change(spelling)) for spelling in spellings]
    return list(dict.fromkeys(spellings))


def _strip_roboflow(name):
    found = ROBOFLOW.match(strip_image_suffix(name))
    return f"{found[1]}.{found[2]}" if found else name


def _fold(name):
    return normalize_unicode(name).casefold()
