"""Which images are set aside for validation: by a list, or drawn by seed, groups kept together.

A split at random puts a rare class wholly on one side, and the frames of one clip on both: then the
score says little. So each class that is in two groups or more comes to both sides, and a group (a
clip, a place, a day) is never torn apart. Plain NumPy.
"""

import os
import re
from pathlib import Path

import numpy as np

from device.errors import InputError, list_names
from device.files import normalize_unicode, split_suffix

MAX_SHARE_FACTOR = 2  # a group is set aside where it is at most this many times what is missing
SPREAD = 0.618034  # the golden section: its multiples, modulo 1, are spread evenly


def split_by_list(names, path):
    """Returns the positions of training and validation images, the latter as a text file lists.

    Args: names, of the images; path of a file with one name a line, with or without folder and
        suffix, as VOC's val.txt has them; what follows a space is passed over.
    Raises: InputError where the file can't be read or lists what is no image, or where no image is
        left to train on.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"VALIDATION_LIST {path} can't be read ({error}): write one image name a "
                         f"line, or correct the constant.") from error
    lines = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    positions = {}
    for position, name in enumerate(names):
        for alias in _aliases(name):
            positions.setdefault(alias, []).append(position)
    chosen, unknown = set(), []
    for line in lines:
        found = _find(line, positions) or _find(line.split()[0], positions)
        if len(found) == 1:
            chosen.update(found)
        else:
            unknown.append(line)
    if unknown:
        raise InputError(f"{len(unknown)} line(s) of VALIDATION_LIST {path} name no image, or "
                         f"several: {list_names(unknown)}; write one image name a line.")
    if not 0 < len(chosen) < len(names):
        raise InputError(f"VALIDATION_LIST {path} lists {len(chosen)} of {len(names)} images: "
                         f"some are needed to train on, and some to measure on.")
    return _both_sides(chosen, len(names))


def _aliases(name):
    """Returns all ways in which a list may name an image."""
    base, name = os.path.basename(name), normalize_unicode(name)
    return {name, split_suffix(name)[0], normalize_unicode(base),
            split_suffix(normalize_unicode(base))[0]}


def _find(text, positions):
    """Returns the positions of the image of this name, tried with less and less of its folders."""
    parts = normalize_unicode(text).replace("\\", "/").split("/")
    for start in range(len(parts)):
        name = "/".join(parts[start:])
        found = positions.get(name) or positions.get(split_suffix(name)[0])
        if found:
            return found
    return []


def find_groups(names, split_by=None):
    """Returns the group of each image: what the regular expression finds, or its sub-folder.

    Args: names, relative to IMAGE_DIR; split_by, SPLIT_BY: the first group in brackets, or the
        whole of what matches, names an image's group.
    Returns: list of str; without split_by and sub-folders each image is a group of its own.
    Raises: InputError where the expression does not match a name.
    """
    if split_by is None:
        folders = [os.path.dirname(name) for name in names]
        return folders if len(set(folders)) > 1 else list(names)
    matches = [re.search(split_by, split_suffix(name)[0]) for name in names]
    missed = [name for name, match in zip(names, matches) if match is None]
    if missed:
        raise InputError(f"SPLIT_BY {split_by!r} does not match the names of {len(missed)} "
                         f"image(s): {list_names(missed)}; correct it.")
    return [match[1] if match.re.groups else match[0] for match in matches]


def split_by_seed(groups, holds, share, seed, may_tear=True):
    """Draws the images to measure on: about a share, groups whole, each class on both sides.

    Args: groups, the group of each image; holds bool (n, classes), which classes its label holds;
        share of the images, 0 to 1; seed; may_tear, whether groups are torn apart, and that is
        printed, where training would lose a class with any of them.
    Returns: sorted positions of training and of validation images, at least one each.
    Raises: InputError where there are fewer than two groups.
    """
    members = {}
    for position, group in enumerate(groups):
        members.setdefault(group, []).append(position)
    members = list(members.values())
    if len(members) < 2:
        raise InputError(f"All {len(groups)} images are of one group: there is none to measure on. "
                         f"Add images of others, or correct SPLIT_BY.")
    random = np.random.default_rng(seed)
    random.shuffle(members)
    group_holds = np.array([holds[positions].any(axis=0) for positions in members])
    sizes = np.array([len(positions) for positions in members])
    chosen = _draw_groups(group_holds, sizes, max(1, round(share * len(groups))))
    if not chosen and may_tear and len(members) < len(groups):
        print("The sub-folders hold different classes: images of each are trained on and measured "
              "on. Where they are clips or places, the score is too good (see SPLIT_BY).")
        return split_by_seed(range(len(groups)), holds, share, seed)
    chosen = chosen or [int(np.argmin(sizes))]
    return _both_sides({position for group in chosen for position in members[group]}, len(groups))


def _draw_groups(holds, sizes, count):
    """Returns which groups are set aside, about count images; none where training needs them all.

    Args: holds bool (groups, classes); sizes, images in each group; both in random order.
    """
    left = holds.sum(axis=0)  # training groups that hold a class
    chosen = {}  # in the order in which they were taken

    def take(group):
        """Sets a group aside, unless a class would be gone from training."""
        if group in chosen or len(chosen) == len(sizes) - 1 or (left[holds[group]] < 2).any():
            return False
        left[holds[group]] -= 1
        chosen[group] = sizes[group]
        return True

    for index in np.argsort(left, kind="stable"):  # the rarest class first
        holders = np.flatnonzero(holds[:, index])
        if len(holders) > 1 and not set(holders) & set(chosen):
            # of those that hold the class the smallest, so that it costs training the least
            any(take(group) for group in holders[np.argsort(sizes[holders], kind="stable")])
    # The rest evenly over all groups, sorted by what they hold: so the shares are alike.
    alike = np.lexsort(holds.T) if holds.shape[1] else np.arange(len(sizes))
    needed = count - sum(chosen.values())
    for group in alike[np.argsort(np.arange(len(alike)) * SPREAD % 1, kind="stable")]:
        if needed > 0 and sizes[group] <= needed * MAX_SHARE_FACTOR and take(group):
            needed -= sizes[group]
    return list(chosen)


def _both_sides(chosen, count):
    return [n for n in range(count) if n not in chosen], sorted(chosen)
