"""Pairs the files of two folders: every image with the label PNG of the same name."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from device.errors import InputError, collect_or_raise, list_names
from device.files import (
    IMAGE_SUFFIXES,
    is_label_name,
    list_folder,
    list_image_names,
    normalize_unicode,
    split_suffix,
    stem_of,
)

# Pictures of kinds that are not read: named where one of them was meant as an image or a label.
OTHER_SUFFIXES = (".apng", ".avif", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".npy", ".pgm",
                  ".ppm", ".psd", ".svg", ".tga")


class Pair(NamedTuple):
    """An image file and its label file, which have the same stem; None for one that is missing."""

    image_path: Path
    label_path: Path


class Pairs(Sequence):
    """A sequence of Pair that keeps the paths as strings, None for one that is missing.

    Two Path objects and a Pair take 800 bytes, which is 40 MB for 50,000 pairs.
    """

    def __init__(self, image_files=(), label_files=()):
        self.image_files, self.label_files = list(image_files), list(label_files)

    def __len__(self):
        return len(self.image_files)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Pairs(self.image_files[index], self.label_files[index])
        return Pair(*(file and Path(file)
                      for file in (self.image_files[index], self.label_files[index])))

    def __add__(self, other):
        return Pairs(self.image_files + other.image_files, self.label_files + other.label_files)

    def image_names(self):
        """Returns the file names of all images, none of which may be missing."""
        return [os.path.basename(file) for file in self.image_files]

    def choose(self, names):
        """Returns the pairs of these image file names, in their order."""
        by_name = dict(zip(self.image_names(), zip(self.image_files, self.label_files)))
        return Pairs(*zip(*(by_name[name] for name in names)))


def pair_files(image_dir, label_dir, names=None, skip_unlabeled=False, errors=None):
    """Pairs every image with the label PNG of the same stem, in whichever Unicode normal form.

    Both folders may be the same one: then its PNGs are the labels and all other images the images.
    Args: names, image file names to pair, others are left alone; None pairs all.
        skip_unlabeled, whether images without a label are passed over, and their number printed.
        errors, see collect_or_raise: with a list, files without a partner come last, as Pair with
        None, so that they can be looked at, too.
    Returns: Pairs, sorted by stem, or in the order of names. Hidden files are passed over.
    Raises: InputError for a missing or empty folder, a missing image or label (from both sides),
        two images of one stem, and labels that are no PNG.
    """
    image_dir, label_dir = Path(image_dir), Path(label_dir)
    sentences, images, labels = _list_both(image_dir, label_dir)
    if sentences:
        collect_or_raise(sentences, errors)
        return Pairs()
    if names is not None:
        images, labels = _select(images, labels, names, image_dir)
    if skip_unlabeled:
        images = _skip_unlabeled(images, labels, image_dir)

    sentences = _double_stems(images, image_dir) + _double_stems(labels, label_dir)
    lossy = [name for doubles in labels.values() for name in doubles if not is_label_name(name)]
    if lossy:
        sentences.append(f"{len(lossy)} label(s) in {label_dir} are not PNG, and only PNG keeps "
                         f"class indices exact: {list_names(lossy)}; save them as PNG.")
    sentences += _lone_files(images, labels, image_dir, label_dir)
    collect_or_raise(sentences, errors)
    paired = [stem for stem in images if stem in labels and is_label_name(labels[stem][0])]
    image_names = [images[stem][0] for stem in paired]
    label_names = [labels[stem][0] for stem in paired]
    lone_images = _all_but(image_names, images)
    lone_labels = [name for name in _all_but(label_names, labels) if is_label_name(name)]
    return (Pairs(_in_folder(image_dir, image_names), _in_folder(label_dir, label_names))
            + Pairs(_in_folder(image_dir, lone_images), [None] * len(lone_images))
            + Pairs([None] * len(lone_labels), _in_folder(label_dir, lone_labels)))


def _all_but(names, files):
    names = set(names)
    return [name for doubles in files.values() for name in doubles if name not in names]


def _in_folder(folder, names):
    start = os.path.join(folder, "")
    return [start + name for name in names]


def _list_both(image_dir, label_dir):
    """Returns sentences on folders that are missing or empty, and the files of both by stem."""
    sentences, listed = [], {}
    for folder in (image_dir, label_dir):
        try:
            listed[folder] = list_image_names(folder)
        except InputError as error:
            sentences.append(str(error))
    if sentences:
        return list(dict.fromkeys(sentences)), {}, {}  # once, where both are the same folder
    together = image_dir.resolve() == label_dir.resolve()
    images = _by_stem(name for name in listed[image_dir] if not (together and is_label_name(name)))
    labels = _by_stem(name for name in listed[label_dir] if not together or is_label_name(name))
    if not images:
        other = _other_kinds(image_dir, labels)
        sentences.append(f"No images in {image_dir}{other}: put {', '.join(IMAGE_SUFFIXES)} files "
                         f"there.")
    elif not labels:
        other = _other_kinds(label_dir, images)
        sentences.append(f"No labels in {label_dir}{other}: put a PNG of class indices there for "
                         f"each image.")
    return sentences, images, labels


def _lone_files(images, labels, image_dir, label_dir):
    """Returns sentences on images without a label and labels without an image."""
    sentences = []
    without_label = {stem: doubles[0] for stem, doubles in images.items() if stem not in labels}
    without_image = {stem: doubles[0] for stem, doubles in labels.items() if stem not in images}
    if without_label:
        other = _other_kinds(label_dir, without_label)
        sentences.append(f"{len(without_label)} image(s) in {image_dir} have no label of the same "
                         f"name in {label_dir}{other}: {list_names(without_label.values())}; label "
                         f"or remove them, or set SKIP_UNLABELED = True in main.py.")
    if without_image:
        other = _other_kinds(image_dir, without_image)
        sentences.append(f"{len(without_image)} label(s) in {label_dir} have no image of the same "
                         f"name in {image_dir}{other}: {list_names(without_image.values())}; add "
                         f"or remove them.")
    return sentences


def _other_kinds(folder, stems):
    """Returns a remark on files of these stems that are of a kind which is not read, or ''."""
    others = sorted(name for name in list_folder(folder)
                    if split_suffix(name)[1] in OTHER_SUFFIXES and stem_of(name) in stems)
    return f" ({len(others)} of a kind that is not read: {list_names(others)})" if others else ""


def _select(images, labels, names, image_dir):
    """Returns the images of these file names, in their order, and the labels of the same stems."""
    by_name = {normalize_unicode(name): stem
               for stem, doubles in images.items() for name in doubles}
    missing = [name for name in names if normalize_unicode(name) not in by_name]
    if missing:
        raise InputError(f"{len(missing)} image(s) that the model was made with are gone from "
                         f"{image_dir}: {list_names(missing)}; put them back or train again.")
    stems = [by_name[normalize_unicode(name)] for name in names]
    return ({stem: images[stem] for stem in stems},
            {stem: labels[stem] for stem in stems if stem in labels})


def _skip_unlabeled(images, labels, image_dir):
    labeled = {stem: doubles for stem, doubles in images.items() if stem in labels}
    if len(labeled) < len(images):
        print(f"{len(images) - len(labeled)} of {len(images)} images in {image_dir} have no label "
              f"yet and are passed over (SKIP_UNLABELED).")
    return labeled


def _by_stem(names):
    """Returns stem -> tuple of the file names that have it; strings, for there may be many."""
    files = {}
    for name in names:
        stem = stem_of(name)
        files[stem] = (*files.get(stem, ()), name)
    return dict(sorted(files.items()))


def _double_stems(files, folder):
    doubles = [" / ".join(names) for names in files.values() if len(names) > 1]
    sentence = (f"{len(doubles)} name(s) in {folder} belong to more than one file: "
                f"{list_names(doubles)}; keep one of each.")
    return [sentence] if doubles else []
