"""Which mask belongs to which picture: by a common suffix or prefix, by sub-folders, by class."""

import os
import re
from collections import Counter
from pathlib import Path

from device.errors import InputError, list_names
from device.files import split_suffix, stem_of
from segmentation.formats.mask_files import count_kinds, read_mask

MASK_WORDS = re.compile(  # in the name of a file or folder that holds labels
    r"mask|label|annot|segm|groundtruth|ground_truth|matte|trimap|gtfine|gtcoarse"
    r"|(?<![a-z])(gt|seg|ann|lbl|l)(?![a-z])", re.IGNORECASE)
PICTURE_WORDS = ("img", "image", "leftimg8bit", "rgb", "sat", "photo", "picture", "input", "im",
                 "raw", "orig", "original")
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".webp")
SHOWN = re.compile(r"vis|viz|overlay|blend|preview|show|prob|color|rgb", re.IGNORECASE)
SPLITS = ("train", "val", "test", "valid", "validation", "training", "testing")
# Of several masks of one picture the first of these kinds is read.
KINDS = ("labelids", "segmentationclass", "trainids", "color", "instanceids", "segmentationobject")


def split_pool(pictures, masks, look_inside=True):
    """Divides files of folders in which pictures and masks lie together.

    Args: pictures, masks, lists of paths, which may hold the same files; look_inside, whether the
        files' pixels decide where no name does.
    Returns: pictures, masks without overlap.
    """
    both = set(pictures) & set(masks)
    if not both:
        return pictures, masks
    together = Counter((path.parent, stem_of(path)) for path in both)
    labels = {path for path in both if together[path.parent, stem_of(path)] > 1
              and split_suffix(path.name)[1] not in PHOTO_SUFFIXES}
    if labels:  # x.jpg and x.png in one folder
        return [path for path in pictures if path not in labels], sorted(labels)
    root = Path(os.path.commonpath([path.parent for path in both]))
    marked = {path for path in both if MASK_WORDS.search(
        "/".join((*path.relative_to(root).parts[:-1], path.stem)))}
    if not marked or marked == both:
        marked = {path for path in both if looks_like_mask(path)} if look_inside else set()
    return ([path for path in pictures if path not in marked],
            [path for path in masks if path not in both or path in marked])


def pair_masks(pictures, masks, suffix=None):
    """Finds the picture of each mask.

    Args: pictures, a pictures.Pictures; masks, list of paths; suffix, what the names of masks have
        behind the picture's (None: found by itself).
    Returns: dict picture path -> list of (mask path, what the mask's name has beside the
        picture's), and the masks that fit no picture.
    """
    keys, groups, lone = _picture_keys(pictures.paths), {}, []
    for path in masks:
        stem = stem_of(path).casefold()
        if suffix is not None:
            end = suffix.casefold()
            spans = [("", stem.removesuffix(end), end)] if stem.endswith(end) else []
        else:
            spans = [*_spans(stem), *((f"{stem} ", part.casefold(), "")
                                      for part in reversed(path.parent.parts))]
        match = next((span for span in spans if span[1] in keys), None)
        found = pictures.nearest(keys[match[1]], path) if match else []
        if len(found) == 1:
            name = stem_of(path)  # in its own case, for it may become a class name
            before, behind = name[:len(match[0])], name[len(name) - len(match[2]):]
            groups.setdefault(found[0], []).append((path, f"{before}*{behind}"))
        elif suffix is None or match:
            lone.append(path)
    return groups, lone


def choose_kind(groups):
    """Keeps of several kinds of masks of a picture the one that holds classes.

    Known are KINDS, and one mask of the picture's own name beside others that are made to be looked
    at (x.png, x_overlay.png).
    Returns: groups, and a remark, '' where nothing was passed over.
    """
    beside = {affix[1:] for group in groups.values() for _, affix in group} - {""}
    plain = {picture: [mask for mask in group if mask[1] == "*"]
             for picture, group in groups.items()}
    if beside and all(map(SHOWN.search, beside)) and all(map(len, plain.values())):
        return plain, ("Passed over are the masks whose names end with "
                       f"{list_names(sorted(beside))}.")
    passed_over, read = Counter(), set()
    chosen = {}
    for picture, masks in groups.items():
        ranks = [_kind(path) for path, _ in masks]
        best = min(ranks)
        chosen[picture] = [mask for mask, rank in zip(masks, ranks) if rank == best]
        if best < len(KINDS):
            read.add(best)
            passed_over.update(rank for rank in ranks if rank != best)
    remark = ""
    if passed_over:
        remark = (f"Of several kinds of masks, {', '.join(KINDS[rank] for rank in sorted(read))} "
                  f"are read; passed over: " + ", ".join(
                      f"{count} {KINDS[rank] if rank < len(KINDS) else 'others'}"
                      for rank, count in sorted(passed_over.items())) + ".")
    return chosen, remark


def find_mask_classes(groups, source_folder, binary):
    """Finds the class of each mask where a picture has one mask a class or an object.

    Args: groups, see pair_masks; binary, whether all masks have no more than two values.
    Returns: dict mask path -> class name, or None where each mask holds all classes of its picture.
    """
    masks = {path: affix for group in groups.values() for path, affix in group}
    several = any(len(group) > 1 for group in groups.values())
    folders = {path: _class_folder(path, picture, source_folder)
               for picture, group in groups.items() for path, _ in group}
    if len(set(folders.values()) - {""}) > 1 and (several or binary):
        return {path: folder or "object" for path, folder in folders.items()}
    tags = _vary(masks)
    if not several and not (binary and len(set(tags.values())) > 1):
        return None
    names = {path: re.sub(r"[\W_]*\d*$", "", tag) for path, tag in tags.items()}
    if several and any(MASK_WORDS.fullmatch(name.rstrip("s")) for name in names.values()):
        return None  # x_mask.png and x_depth.png are two kinds, no two classes
    holders = Counter(names.values())
    # Names that come once each are numbers or hashes of objects, not classes.
    if any(not name for name in names.values()) or (
            len(holders) > 2 and max(holders.values()) == 1 and len(groups) > 1):
        return dict.fromkeys(masks, "object")
    return names


def _kind(path):
    text = f"{path.parent.name}/{path.stem}".lower()
    return next((rank for rank, kind in enumerate(KINDS) if kind in text), len(KINDS))


def _class_folder(path, picture, source_folder):
    """Returns the folder between SOURCE and a mask that may be its class, or ''."""
    try:
        parts = path.relative_to(source_folder).parts[:-1]
    except ValueError:
        return ""
    around = {part.casefold() for part in picture.parts[:-1]} | {stem_of(picture).casefold()}
    parts = [part for part in parts if part.casefold() not in around
             and part.casefold() not in SPLITS and not MASK_WORDS.fullmatch(part.rstrip("s"))]
    return parts[-1] if parts else ""


def _vary(masks):
    """Returns path -> what differs in the affixes, common tokens at both ends removed."""
    tokens = {path: [token for token in re.split(r"[\W_]+", affix) if token]
              for path, affix in masks.items()}
    kinds = {tuple(parts) for parts in tokens.values()}
    if len(kinds) == 1:
        return dict.fromkeys(masks, "")
    start = end = 0
    shortest = min(map(len, kinds))
    while start < shortest and len({parts[start] for parts in kinds}) == 1:
        start += 1
    while end < shortest - start and len({parts[-1 - end] for parts in kinds}) == 1:
        end += 1
    return {path: "_".join(parts[start:len(parts) - end]) for path, parts in tokens.items()}


def _picture_keys(paths):
    """Returns the stems of pictures, and those without a word such as img -> paths."""
    stems = {path: stem_of(path).casefold() for path in paths}
    keys = {}
    for path, stem in stems.items():
        keys.setdefault(stem, []).append(path)
    ends = [re.split(r"[_\-. ]", stem) for stem in stems.values()]
    words = set(PICTURE_WORDS)
    if len(paths) > 1:  # whatever all pictures' names begin or end with
        for tokens in ({parts[0] for parts in ends}, {parts[-1] for parts in ends}):
            words |= {token for token in tokens if len(tokens) == 1 and not token.isdigit()}
    short = {}
    for path, stem in stems.items():
        for key in _without_word(stem, words):
            short.setdefault(key, []).append(path)
    return {**short, **keys}


def _without_word(stem, words):
    found = re.match(r"^([a-z0-9]+?)[_\-. ]+(.+)$", stem)
    if found and found[1] in words:
        yield found[2]
    found = re.match(r"^(.+?)[_\-. ]+([a-z0-9]+)$", stem)
    if found and found[2] in words:
        yield found[1]


def _belong_together(one, other):
    return (one.isdigit() and other.isdigit()) or (one.isalpha() and other.isalpha())


def _spans(stem):
    """Returns (before, span, behind) of all runs of a name's tokens, the longest first."""
    edges = [0, *(place for place in range(1, len(stem)) if not _belong_together(
        stem[place - 1], stem[place])), len(stem)]
    spans = [(stem[:start], stem[start:end], stem[end:])
             for start in edges for end in edges if start < end]
    return sorted(spans, key=lambda span: -len(span[1]))


def looks_like_mask(path):
    """Whether most pixels of a picture lie amid their like, as in masks and never in photos."""
    try:
        counts = count_kinds(path, read_mask(path).array)
    except InputError:  # which is said where the picture is read
        return False
    return counts.pure.sum() > 0.6 * counts.pixels.sum()
