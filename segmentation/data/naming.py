"""How labels are named after their images: by the same name, or with a common prefix or suffix.

Names are stems as (folder, stem) pairs, the folder relative to the image or label folder.
"""

import re
from typing import Any, NamedTuple

from device.errors import list_names

# A prefix or suffix is set off by a sign ("_mask", "gt-") or is a word of its own ("mask"); so
# train1 never matches train10.
SUFFIX_FORM = re.compile(r"([^0-9A-Za-z].*|[A-Za-z]{3,})", re.DOTALL)
PREFIX_FORM = re.compile(r"(.*[^0-9A-Za-z]|[A-Za-z]{3,})", re.DOTALL)
# Where an image has several files, the one whose name holds the first of these is its label.
LABEL_WORDS = ("labelids", "labeltrainids", "mask", "label", "segmentation", "gt")
LEAST_SHARE = 0.5  # of the images or of the labels that a prefix or suffix has to explain


class Naming(NamedTuple):
    """Functions from a stem of each side to the name that both share; a label's is None where it
    is left alone. sentence says what was found out, and is '' where names are simply the same;
    error, why no rule could be found, or ''."""

    image_key: Any
    label_key: Any
    sentence: str = ""
    error: str = ""


class Affix(NamedTuple):
    """What a label's stem has before and behind the image's."""

    prefix: str
    suffix: str

    def strip(self, stem):
        """Returns the stem without the affix, or None where it does not have it."""
        end = len(stem) - len(self.suffix)
        if end <= len(self.prefix) or not stem.startswith(self.prefix):
            return None
        return stem[len(self.prefix):end] if stem.endswith(self.suffix) else None

    def __str__(self):
        return f"{self.prefix}*{self.suffix}"


def same_name(stem):
    """Returns the stem itself: images and labels have the same names."""
    return stem


def bare_name(stem):
    """Drops the folder."""
    return "", stem[1]


def find_naming(images, labels):
    """Finds out how the labels are named after the images.

    Args: images, labels: lists of (folder, stem). Returns: Naming; same_name where nothing else
        explains half of the images or of the labels.
    """
    if not set(images).isdisjoint(labels) or not images or not labels:
        return Naming(same_name, same_name)
    in_folders = any(folder for folder, _ in images + labels)
    unique = _are_unique(images)
    if in_folders and unique and not set(map(bare_name, images)).isdisjoint(map(bare_name, labels)):
        doubles = _doubles(labels)
        if not doubles:
            return Naming(bare_name, bare_name, "Images and labels lie in different sub-folders: "
                                                "they are paired by name alone.")
        return Naming(same_name, same_name, error=(
            f"An image has labels in several sub-folders ({list_names(doubles)}): where they are "
            f"masks of one class each, convert them with import_labels.py."))
    views = [same_name, bare_name] if in_folders and unique else [same_name]
    for view in views:
        for image_affix in [Affix("", ""), *_common_affixes([view(stem)[1] for stem in images])]:
            naming = _find_affix(images, labels, view, image_affix)
            if naming:
                return naming
    return Naming(same_name, same_name)


def split_one_folder(stems):
    """Tells images from labels in one folder, where a label has an image's name and an affix.

    Args: stems, list of (folder, stem). Returns: the set of stems that are labels, maybe empty.
    """
    affix, _ = _choose(_explain(stems, stems), len(stems) / 2, len(stems) / 2)
    if affix is None:
        return set()
    known = set(stems)
    return {(folder, stem) for folder, stem in stems if (folder, affix.strip(stem)) in known}


def guess_difference(images, labels):
    """Returns why names of both sides nearly match, such as "in upper and lower case", or ''.

    Args: images, labels: lists of stems, strings, that have no partner.
    """
    for reason, simplify in (
            ("in upper and lower case", str.casefold),
            ("in the zeros before numbers", lambda name: re.sub(r"0+(?=\d)", "", name)),
            ("in case and in the zeros before numbers",
             lambda name: re.sub(r"0+(?=\d)", "", name.casefold())),
            ("in spaces, hyphens and underscores", lambda name: re.sub(r"[\s_-]+", "", name))):
        found = set(map(simplify, images)) & set(map(simplify, labels))
        if 2 * len(found) >= min(len(images), len(labels)):
            return reason
    return ""


def _find_affix(images, labels, view, image_affix):
    cores = {}
    for stem in images:
        folder, name = view(stem)
        core = image_affix.strip(name)
        if core is None:
            return None
        cores[folder, core] = stem
    explained = _explain(list(cores), [view(stem) for stem in labels])
    affix, rivals = _choose(explained, len(images), len(labels))
    if affix is None and rivals:
        return Naming(same_name, same_name, error=(
            f"An image has several labels, named {list_names(rivals)}: where they are masks of one "
            f"class each, convert them with import_labels.py; else keep one kind in the folder."))
    if affix is None:
        return None

    def image_key(stem):
        """Strips what all images have in common."""
        folder, name = view(stem)
        return folder, image_affix.strip(name)

    def label_key(stem):
        """Strips the affix; None for a label of another kind of an image."""
        folder, name = view(stem)
        core = affix.strip(name)
        if core is not None and (folder, core) in cores:
            return folder, core
        is_rival = any((folder, rival.strip(name)) in cores for rival in rivals)
        return None if is_rival else (folder, name)

    left_alone = f"; left alone are {list_names(rivals)}" if rivals else ""
    return Naming(image_key, label_key,
                  f"Labels are named {affix}, their images {image_affix}{left_alone}.")


def _explain(images, labels):
    """Returns Affix -> set of the labels that it makes of an image's stem."""
    known, explained = set(images), {}
    for folder, stem in labels:
        for cut in range(1, len(stem)):
            head, tail = stem[:cut], stem[cut:]
            if (folder, head) in known and SUFFIX_FORM.fullmatch(tail):
                explained.setdefault(Affix("", tail), set()).add((folder, stem))
            if (folder, tail) in known and PREFIX_FORM.fullmatch(head):
                explained.setdefault(Affix(head, ""), set()).add((folder, stem))
    return explained


def _choose(explained, num_images, num_labels):
    """Returns the Affix of the labels, or None, and others that explain nearly as many files."""
    most = max(map(len, explained.values()), default=0)
    if not most or most < LEAST_SHARE * min(num_images, num_labels):
        return None, []
    best, *others = sorted(
        (affix for affix in explained if 2 * len(explained[affix]) >= most),
        key=lambda affix: (_rank(affix), -len(explained[affix]), str(affix)))
    others = [affix for affix in others if 2 * len(explained[affix] - explained[best]) >= most]
    if others and _rank(best) == _rank(others[0]):
        return None, [best, *others]
    return best, others


def _rank(affix):
    text = re.sub("[^a-z]", "", str(affix).lower())
    return next((rank for rank, word in enumerate(LABEL_WORDS) if word in text), len(LABEL_WORDS))


def _common_affixes(stems):
    """Returns what all stems begin with, or end with, up to a sign: as suffix, prefix and both."""
    if len(stems) < 2:
        return []
    prefix = _common_start(stems)
    suffix = _common_start([stem[::-1] for stem in stems])[::-1]
    affixes = [Affix("", suffix), Affix(prefix, ""), Affix(prefix, suffix)]
    return [affix for affix in dict.fromkeys(affixes) if affix != Affix("", "")]


def _common_start(stems):
    """Returns what all strings begin with, cut behind its last sign."""
    first, last = min(stems), max(stems)  # what these have in common, all have
    length = next((place for place, (one, other) in enumerate(zip(first, last)) if one != other),
                  min(len(first), len(last)))
    return re.match(r"(.*[^0-9A-Za-z])?", first[:length], re.DOTALL)[0]


def _are_unique(stems):
    return len({name for _, name in stems}) == len(stems)


def _doubles(stems):
    """Returns "folder/stem" of the names that several folders hold, in pairs of the same name."""
    folders = {}
    for folder, name in sorted(stems):
        folders.setdefault(name, []).append(f"{folder}/{name}")
    return [" and ".join(files[:3]) for files in folders.values() if len(files) > 1]
