"""Pairs the files of two folders: every image with the label PNG of the same name.

Also what all scripts say errors with. Plain Python: this file goes to the Coral, too.
"""

import unicodedata
from pathlib import Path
from typing import NamedTuple

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
LABEL_SUFFIX = ".png"
# Pictures of kinds that are not read: named where one of them was meant as an image or a label.
OTHER_SUFFIXES = (".apng", ".avif", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".npy", ".pgm",
                  ".ppm", ".psd", ".svg", ".tga")


class InputError(ValueError):
    """What a person gave can't be used; the message is one sentence a finding, remedy included."""


class Pair(NamedTuple):
    """An image file and its label file, which have the same stem; None for one that is missing."""

    image_path: Path
    label_path: Path


def report(sentences, findings=None):
    """Adds sentences to the list findings, to be raised with others, or raises them at once.

    Raises: InputError of all sentences, where findings is None.
    """
    if findings is not None:
        findings += sentences
    elif sentences:
        raise InputError("\n".join(sentences))


def list_names(names):
    """Returns the first five of the names and, where there are more, how many are not shown."""
    names = [str(name) for name in names]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def pair_files(image_dir, label_dir, names=None, skip_unlabelled=False, findings=None):
    """Pairs every image with the label PNG of the same stem, in whichever Unicode normal form.

    Both folders may be the same one: then its PNGs are the labels and all other images the images.
    Args: names, image file names to pair, others are left alone; None pairs all.
        skip_unlabelled, whether images without a label are passed over, and their number printed.
        findings, see report: with a list, files without a partner come last, as Pair with None,
        so that they can be looked at, too.
    Returns: list of Pair, sorted by stem, or in the order of names. Hidden files are passed over.
    Raises: InputError for a missing or empty folder, a missing image or label (from both sides),
        two images of one stem, and labels that are no PNG.
    """
    image_dir, label_dir = Path(image_dir), Path(label_dir)
    sentences, images, labels = _list_both(image_dir, label_dir)
    if sentences:
        report(sentences, findings)
        return []
    if names is not None:
        images, labels = _select(images, labels, names, image_dir)
    if skip_unlabelled:
        images = _skip_unlabelled(images, labels, image_dir)

    sentences = _double_stems(images, image_dir) + _double_stems(labels, label_dir)
    lossy = [path.name for paths in labels.values() for path in paths if not _is_label(path)]
    if lossy:
        sentences.append(f"{len(lossy)} label(s) in {label_dir} are not PNG, and only PNG keeps "
                         f"class indices exact: {list_names(lossy)}; save them as PNG.")
    sentences += _lone_files(images, labels, image_dir, label_dir)
    report(sentences, findings)
    pairs = [Pair(paths[0], labels[stem][0]) for stem, paths in images.items()
             if stem in labels and _is_label(labels[stem][0])]
    paired = {path for pair in pairs for path in pair}
    lone_images = [path for paths in images.values() for path in paths if path not in paired]
    lone_labels = [path for paths in labels.values() for path in paths
                   if path not in paired and _is_label(path)]
    return (pairs + [Pair(path, None) for path in lone_images]
            + [Pair(None, path) for path in lone_labels])


def _list_both(image_dir, label_dir):
    """Returns sentences on folders that are missing or empty, and the files of both by stem."""
    sentences, listed = [], {}
    for folder in (image_dir, label_dir):
        try:
            listed[folder] = find_images(folder)
        except InputError as error:
            sentences.append(str(error))
    if sentences:
        return list(dict.fromkeys(sentences)), {}, {}  # once, where both are the same folder
    together = image_dir.resolve() == label_dir.resolve()
    images = _by_stem(path for path in listed[image_dir] if not (together and _is_label(path)))
    labels = _by_stem(path for path in listed[label_dir] if not together or _is_label(path))
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
    without_label = {stem: paths[0].name for stem, paths in images.items() if stem not in labels}
    without_image = {stem: paths[0].name for stem, paths in labels.items() if stem not in images}
    if without_label:
        other = _other_kinds(label_dir, without_label)
        sentences.append(f"{len(without_label)} image(s) in {image_dir} have no label of the same "
                         f"name in {label_dir}{other}: {list_names(without_label.values())}; label "
                         f"or remove them, or set SKIP_UNLABELLED = True in main.py.")
    if without_image:
        other = _other_kinds(image_dir, without_image)
        sentences.append(f"{len(without_image)} label(s) in {label_dir} have no image of the same "
                         f"name in {image_dir}{other}: {list_names(without_image.values())}; add "
                         f"or remove them.")
    return sentences


def _other_kinds(folder, stems):
    """Returns a remark on files of these stems that are of a kind which is not read, or ''."""
    others = sorted(path.name for path in _list_folder(folder)
                    if path.suffix.lower() in OTHER_SUFFIXES and stem_of(path) in stems)
    return f" ({len(others)} of a kind that is not read: {list_names(others)})" if others else ""


def _select(images, labels, names, image_dir):
    """Returns the images of these file names, in their order, and the labels of the same stems."""
    by_name = {_normal(path.name): stem for stem, paths in images.items() for path in paths}
    missing = [name for name in names if _normal(name) not in by_name]
    if missing:
        raise InputError(f"{len(missing)} image(s) that the model was made with are gone from "
                         f"{image_dir}: {list_names(missing)}; put them back or train again.")
    stems = [by_name[_normal(name)] for name in names]
    return ({stem: images[stem] for stem in stems},
            {stem: labels[stem] for stem in stems if stem in labels})


def _skip_unlabelled(images, labels, image_dir):
    labelled = {stem: paths for stem, paths in images.items() if stem in labels}
    if len(labelled) < len(images):
        print(f"{len(images) - len(labelled)} of {len(images)} images in {image_dir} have no label "
              f"yet and are passed over (SKIP_UNLABELLED).")
    return labelled


def find_images(folder):
    """Returns the sorted paths of all image files in a folder, hidden files passed over.

    Raises: InputError where the folder is missing or can't be listed.
    """
    return sorted(path for path in _list_folder(folder) if _is_image(path))


def _list_folder(folder):
    folder = Path(folder)
    try:
        return list(folder.iterdir())
    except OSError as error:
        if folder.is_file():
            raise InputError(f"{folder} is a file, but a folder is needed here: correct the "
                             f"constant.") from error
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            raise InputError(f"The folder {folder} does not exist: create it or correct the "
                             f"constant.") from error
        raise InputError(f"The folder {folder} can't be listed ({error.strerror}): change its "
                         f"permissions or correct the constant.") from error


def _is_image(path):
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def _is_label(path):
    return path.suffix.lower() == LABEL_SUFFIX


def _normal(name):
    # macOS and Linux write the same accented letter as two code points or as one.
    return unicodedata.normalize("NFC", name)


def stem_of(path):
    """Returns the part of a file's name that image and label share, in Unicode's composed form."""
    return _normal(path.stem)


def _by_stem(paths):
    files = {}
    for path in paths:
        files.setdefault(stem_of(path), []).append(path)
    return dict(sorted(files.items()))


def _double_stems(files, folder):
    doubles = [" / ".join(p.name for p in paths) for paths in files.values() if len(paths) > 1]
    sentence = (f"{len(doubles)} name(s) in {folder} belong to more than one file: "
                f"{list_names(doubles)}; keep one of each.")
    return [sentence] if doubles else []
