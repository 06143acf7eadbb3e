"""Pairs the files of two folders: every image with its label PNG."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from device.errors import InputError, collect_or_raise, list_names
from device.files import (
    IMAGE_SUFFIXES,
    is_label_name,
    list_folder,
    list_sub_folders,
    list_tree,
    normalize_unicode,
    split_suffix,
    stem_of,
)
from segmentation.data.naming import find_naming, guess_difference, split_one_folder

# Pictures of kinds that are not read: named where one of them was meant as an image or a label.
OTHER_SUFFIXES = (".apng", ".avif", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".npy", ".pgm",
                  ".ppm", ".psd", ".svg", ".tga")
ANNOTATION_SUFFIXES = (".json", ".xml", ".txt")  # of other tools
NO_LABEL_FILES = ("classes.txt",)


class Pair(NamedTuple):
    """An image file and its label file; None for one that is missing."""

    image_path: Path
    label_path: Path


class Pairs(Sequence):
    """A sequence of Pair that keeps names in two folders, None for a file that is missing.

    Two Path objects and a Pair take 800 bytes, which is 40 MB for 50,000 pairs.
    """

    def __init__(self, image_dir="", label_dir="", image_names=(), label_names=()):
        """Names are relative to the folders, with / between a sub-folder and a name."""
        self.image_names, self.label_names = list(image_names), list(label_names)
        self.folders = [(os.fspath(image_dir), os.fspath(label_dir))] * len(self.image_names)

    def __len__(self):
        return len(self.image_names)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self.choose(range(len(self))[index])
        return Pair(*(file and Path(file) for file in self.files(index)))

    def __add__(self, other):
        both = Pairs()
        both.image_names = self.image_names + other.image_names
        both.label_names = self.label_names + other.label_names
        both.folders = self.folders + other.folders
        return both

    def files(self, index):
        """Returns the paths of image and label as strings; None for one that is missing."""
        names = self.image_names[index], self.label_names[index]
        return tuple(name and os.path.join(folder, name)
                     for folder, name in zip(self.folders[index], names))

    def choose(self, indices):
        """Returns the pairs of these indices, in their order."""
        chosen = Pairs()
        for index in indices:
            chosen.image_names.append(self.image_names[index])
            chosen.label_names.append(self.label_names[index])
            chosen.folders.append(self.folders[index])
        return chosen


def pair_files(image_dir, label_dir, names=None, unlabeled="error", errors=None):
    """Pairs every image with its label PNG, in whichever Unicode normal form.

    A label has the name of its image, or that with a common prefix or suffix (see naming.py); both
    may lie in one folder. Where a folder holds no image itself, its sub-folders are taken. What was
    found out is printed.
    Args: names, of images to pair, relative to image_dir, others are left alone; None pairs all.
        unlabeled, what images without a label are: an "error", or "skip" passes over them, or
        "keep" returns them last, with None for their label; how many there are is printed.
        errors, see collect_or_raise: with a list, files without a partner come last, with None for
        their partner, so that they can be looked at, too.
    Returns: Pairs, sorted by name, or in the order of names. Hidden files are passed over.
    Raises: InputError for a missing or empty folder, a missing image or label (from both sides),
        two images of one name, and labels that are no PNG.
    """
    image_dir, label_dir = Path(image_dir), Path(label_dir)
    sentences, image_names, label_names = _list_both(image_dir, label_dir)
    if sentences:
        collect_or_raise(sentences, errors)
        return Pairs()
    naming = find_naming([_split(name) for name in image_names],
                         [_split(name) for name in label_names])
    if naming.error:
        collect_or_raise([naming.error], errors)
        return Pairs()
    if naming.sentence:
        print(naming.sentence, flush=True)
    images = _by_key(image_names, naming.image_key)
    labels = _by_key(label_names, naming.label_key)
    if names is not None:
        images, labels = _select(images, labels, names, image_dir)
    waiting = []  # images that are kept without a label
    if unlabeled != "error":
        lone = [doubles[0] for key, doubles in images.items() if key not in labels]
        waiting = lone if unlabeled == "keep" else []
        _note_unlabeled(len(lone), len(images), image_dir, unlabeled)
        images = {key: doubles for key, doubles in images.items() if key in labels}

    collect_or_raise([*_double_names(images, image_dir), *_double_names(labels, label_dir),
                      *_lossy_labels(labels, label_dir),
                      *_lone_files(images, labels, image_dir, label_dir)], errors)
    return Pairs(image_dir, label_dir, *_line_up(images, labels, waiting))


def _line_up(images, labels, waiting):
    """Returns the names of images and of labels in pair, None for a missing partner.

    First those with both, then lone images, lone labels, and images that wait for a label.
    """
    paired = [key for key in images if key in labels and is_label_name(labels[key][0])]
    paired_images = [images[key][0] for key in paired]
    paired_labels = [labels[key][0] for key in paired]
    lone_images = _all_but(paired_images, images)
    lone_labels = [name for name in _all_but(paired_labels, labels) if is_label_name(name)]
    return (paired_images + lone_images + [None] * len(lone_labels) + waiting,
            paired_labels + [None] * len(lone_images) + lone_labels + [None] * len(waiting))


def _split(name):
    """Returns the (folder, stem) of a relative name, the stem in Unicode's composed form."""
    return normalize_unicode(os.path.dirname(name)), stem_of(name)


def _all_but(names, files):
    names = set(names)
    return [name for doubles in files.values() for name in doubles if name not in names]


def _list_both(image_dir, label_dir):
    """Returns sentences on folders that are missing or empty, and the names of both."""
    sentences, listed = [], {}
    for folder, other in ((image_dir, label_dir), (label_dir, image_dir)):
        try:
            listed[folder] = list_tree(folder, without=other)
        except InputError as error:
            sentences.append(str(error))
    if sentences:
        return list(dict.fromkeys(sentences)), [], []  # once, where both are the same folder
    images, labels = listed[image_dir], listed[label_dir]
    if image_dir.resolve() == label_dir.resolve():
        images, labels = _tell_apart(images)
    elif images and "/" not in images[0]:
        inside = list_sub_folders(image_dir, without=label_dir)
        if inside:
            print(f"{len(inside)} images in sub-folders of {image_dir} are left alone, because "
                  f"images lie in {image_dir} itself.", flush=True)
    if not images:
        other = _other_kinds(image_dir, set(map(stem_of, labels)))
        sentences.append(f"No images in {image_dir}{other}: put {', '.join(IMAGE_SUFFIXES)} files "
                         f"there.")
    elif not labels:
        other = (_other_kinds(label_dir, set(map(stem_of, images))) or _annotations(label_dir)
                 or _other_kinds(label_dir))
        sentences.append(f"No labels in {label_dir}{other}: put a PNG of class indices there for "
                         f"each image.")
    return sentences, images, labels


def _tell_apart(names):
    """Tells the images of a folder from the label PNGs beside them; returns both lists."""
    stems = Counter(_split(name) for name in names)
    labels = {name for name in names if is_label_name(name)}
    if all(stems[_split(name)] == 1 for name in labels):  # no a.png beside an a.jpg
        with_affix = split_one_folder(list(stems))
        if with_affix or len(labels) == len(names):
            labels = {name for name in labels if _split(name) in with_affix}
    return [name for name in names if name not in labels], sorted(labels)


def _annotations(folder):
    """Returns a remark on labels of other tools in a folder, or ''."""
    names = [name for name in sorted(list_folder(folder)) if name not in NO_LABEL_FILES
             and split_suffix(name)[1] in ANNOTATION_SUFFIXES and not name.startswith(".")]
    return (f" ({len(names)} file(s) of another tool: {list_names(names)}; convert them with "
            f"import_labels.py)") if names else ""


def _lossy_labels(labels, label_dir):
    """Returns a list of a sentence on labels that are no PNG, or an empty one."""
    lossy = [name for doubles in labels.values() for name in doubles if not is_label_name(name)]
    return [f"{len(lossy)} label(s) in {label_dir} are not PNG, and only PNG keeps class indices "
            f"exact: {list_names(lossy)}; convert them with import_labels.py."] if lossy else []


def _lone_files(images, labels, image_dir, label_dir):
    """Returns sentences on images without a label and labels without an image."""
    sentences = []
    without_label = {key: doubles[0] for key, doubles in images.items() if key not in labels}
    without_image = {key: doubles[0] for key, doubles in labels.items() if key not in images}
    if without_label:
        other = _other_kinds(label_dir, {stem for _, stem in without_label})
        sentences.append(f"{len(without_label)} image(s) in {image_dir} have no label of the same "
                         f"name in {label_dir}{other}: {list_names(without_label.values())}; label "
                         f"or remove them, or set SKIP_UNLABELED = True in main.py.")
    if without_image:
        other = _other_kinds(image_dir, {stem for _, stem in without_image})
        sentences.append(f"{len(without_image)} label(s) in {label_dir} have no image of the same "
                         f"name in {image_dir}{other}: {list_names(without_image.values())}; add "
                         f"or remove them.")
    if without_label and without_image:
        reason = guess_difference([stem for _, stem in without_label],
                                  [stem for _, stem in without_image])
        if reason:
            sentences[-1] += f" The names differ only {reason}: rename one side."
    return sentences


def _other_kinds(folder, stems=None):
    """Returns a remark on files of a kind that is not read, of these stems or of all, or ''."""
    others = sorted(name for name in list_folder(folder) if split_suffix(name)[1] in OTHER_SUFFIXES
                    and (stems is None or stem_of(name) in stems))
    return f" ({len(others)} of a kind that is not read: {list_names(others)})" if others else ""


def _select(images, labels, names, image_dir):
    """Returns the images of these file names, in their order, and the labels of the same keys."""
    by_name = {normalize_unicode(name): key
               for key, doubles in images.items() for name in doubles}
    missing = [name for name in names if normalize_unicode(name) not in by_name]
    if missing:
        raise InputError(f"{len(missing)} image(s) that the model was made with are gone from "
                         f"{image_dir}: {list_names(missing)}; put them back or train again.")
    keys = [by_name[normalize_unicode(name)] for name in names]
    return {key: images[key] for key in keys}, {key: labels[key] for key in keys if key in labels}


def _note_unlabeled(count, total, image_dir, unlabeled):
    what = {"skip": " and are skipped (SKIP_UNLABELED)", "keep": ""}[unlabeled]
    if count:
        print(f"{count} of {total} images in {image_dir} have no label yet{what}.")


def _by_key(names, key_of):
    """Returns key -> tuple of the names that have it; names without a key are left out."""
    files = {}
    for name in names:
        key = key_of(_split(name))
        if key is not None:
            files[key] = (*files.get(key, ()), name)
    return dict(sorted(files.items()))


def _double_names(files, folder):
    doubles = [" / ".join(names) for names in files.values() if len(names) > 1]
    sentence = (f"{len(doubles)} name(s) in {folder} belong to more than one file: "
                f"{list_names(doubles)}; keep one of each.")
    return [sentence] if doubles else []
