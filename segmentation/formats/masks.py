"""Label pictures of any kind: one a picture, one a class, or one an object."""

from collections import Counter
from functools import partial

import numpy as np

from device.errors import InputError, collect_or_raise, list_names
from segmentation.formats.mask_coding import count_content, find_coding
from segmentation.formats.mask_names import choose_kind, find_mask_classes, pair_masks, split_pool
from segmentation.formats.mask_tables import find_table
from segmentation.formats.pictures import Pictures
from segmentation.formats.reading import FormatError
from segmentation.formats.records import Found, Indices, Record, mask_shape
from segmentation.formats.refused import refuse_mask
from segmentation.parallel import in_parallel

KIND = "masks"


def find_masks(source, pictures, suffix, class_names, errors):
    """Finds the masks of SOURCE, their pictures and their classes.

    Args: pictures, a Pictures; suffix, see pair_masks; class_names, CLASS_NAMES or None; errors,
        list to which sentences are added.
    Returns: Found, and the Pictures without those files that are masks; None where there are none.
    """
    masks = [path for path in source.masks() if not refuse_mask(path)]
    pictures, groups, lone = _pair(pictures, masks, suffix)
    groups, remark = choose_kind(groups)
    if not groups:
        if masks:
            errors.append(f"{len(masks)} label picture(s) in {source.path} fit none of the "
                          f"{len(pictures.paths)} pictures in {pictures.folder} by name: "
                          f"{list_names(path.name for path in masks)}; correct IMAGE_DIR, or set "
                          f"SUFFIX to what the labels' names have behind the pictures'.")
        return None, pictures
    paths = [path for group in groups.values() for path, _ in group]
    source.used |= {path.resolve() for path in masks}
    try:
        contents = _count_all(paths)
        coding = find_coding(paths, contents, find_table(source), class_names)
        classes = find_mask_classes(groups, source.folder, len(coding.values) <= 2)
        contents = dict(zip(paths, contents))
        overlaps = {}
        records = (_records_by_class(groups, classes, contents, coding, overlaps) if classes
                   else _whole_records(groups, contents, coding))
    except InputError as error:
        errors += str(error).splitlines()
        return Found(KIND, paths, []), pictures
    remarks = [remark] * bool(remark) + coding.remarks
    if lone:
        remarks.append(f"{len(lone)} mask(s) fit no picture by their names and are left out: "
                       f"{list_names(path.name for path in lone)}.")
    form = "colors" if coding.by_color else "numbers"
    return Found(f"{KIND} ({form}{', one a class' if classes else ''})", paths, records,
                 sorted(set(classes.values())) if classes else coding.order,
                 has_background=bool(classes), remarks=remarks, overlaps=overlaps), pictures


def _pair(pictures, masks, suffix):
    """Returns the Pictures that are no masks, and what pair_masks finds.

    What lies in IMAGE_DIR are pictures, whatever their names, where masks lie elsewhere.
    """
    elsewhere = sorted(set(masks) - set(pictures.paths))
    groups, lone = pair_masks(pictures, elsewhere, suffix)
    if groups or len(elsewhere) == len(masks):
        return pictures, groups, lone
    picture_paths, masks = split_pool(pictures.paths, masks)
    pictures = Pictures(pictures.folder, picture_paths)
    return pictures, *pair_masks(pictures, masks, suffix)


def _count_all(paths):
    """Returns the Content of each mask; raises InputError of all that can't be read."""
    def read(index):
        """Reads one mask; returns a sentence where that fails."""
        try:
            return count_content(paths[index])
        except InputError as error:
            return str(error)

    contents = in_parallel(read, len(paths), "Reading masks")
    collect_or_raise([one for one in contents if isinstance(one, str)])
    return contents


def _whole_records(groups, contents, coding):
    """Returns a Record for each picture whose one mask holds all of its classes."""
    several = {picture: group for picture, group in groups.items() if len(group) > 1}
    if several:
        example = next(iter(several.values()))
        raise FormatError(f"{len(several)} picture(s) have several masks, such as "
                          f"{list_names(path.name for path, _ in example)}, and their names tell "
                          f"no classes: set SUFFIX to what the right ones end with.")
    records = []
    for picture, ((path, _),) in groups.items():
        values = coding.count(contents[path]).values
        classes = Counter(name for value, name in zip(coding.values, coding.names)
                          if value in values)
        records.append(Record(path, [picture.name], contents[path].size,
                              partial(_load_whole, path, coding), classes, picture=picture))
    return records


def _load_whole(path, coding, size):
    return Indices(coding.read(path), coding.names)


def _records_by_class(groups, classes, contents, coding, overlaps):
    """Returns a Record for each picture that has one mask a class or an object.

    Args: overlaps, dict to which each picture's are added when it is drawn.
    """
    if len(coding.values) > 2:
        raise FormatError(f"The masks' names tell one mask a class "
                          f"({list_names(sorted(set(classes.values())))}), but the masks hold "
                          f"{len(coding.values)} values: set SUFFIX, or SOURCE to a folder of one "
                          f"kind.")
    records = []
    for picture, group in groups.items():
        sizes = {contents[path].size for path, _ in group}
        if len(sizes) > 1:
            raise FormatError(f"The masks of {picture.name} have different sizes: "
                              f"{list_names(path.name for path, _ in group)}; export them again.")
        masks = [(path, classes[path]) for path, _ in group]
        counts = Counter(name for path, name in masks if contents[path].counts.values.any())
        records.append(Record(masks[0][0], [picture.name], sizes.pop(),
                              partial(_load_by_class, masks, coding, picture, overlaps),
                              counts, is_background=True, picture=picture))
    return records


def _load_by_class(masks, coding, picture, overlaps, size):
    """Masks come in the order of their classes' names; the later lies above."""
    shapes, once, twice = [], np.zeros(1, bool), np.zeros(1, bool)
    for path, name in sorted(masks, key=lambda entry: (entry[1], str(entry[0]))):
        # Where all masks have one value, that is the object unless it is 0.
        top = len(coding.values) - 1
        mask = (coding.read(path) == top) & bool(coding.values[top])
        if mask.any():
            shapes.append(mask_shape(name, mask))
            twice, once = twice | (once & mask), once | mask
    overlaps[picture] = int(np.count_nonzero(twice))
    return shapes
