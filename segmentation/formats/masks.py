"""Label pictures of any kind: numbers, colors, soft edges, one mask a class or an object."""

from collections import Counter
from functools import partial
from typing import NamedTuple

import numpy as np

from device.errors import InputError, list_names
from segmentation.formats.cityscapes import LABEL_NAMES
from segmentation.formats.mask_colors import add_counts, assign, find_levels
from segmentation.formats.mask_files import LOSSY, Counts, count_kinds, pack, read_mask, unpack
from segmentation.formats.mask_names import choose_kind, name_classes, pair_masks, split_pool
from segmentation.formats.mask_tables import find_table
from segmentation.formats.pictures import Pictures
from segmentation.formats.reading import FormatError, damage_as_sentence
from segmentation.formats.records import Found, Indices, Record, mask_shape
from segmentation.parallel import in_parallel

KIND = "masks"
IGNORE = "__ignore__"
UNKNOWN_SHARE = 0.05  # of pixels whose color the table lacks; more, and the table is not theirs
PALETTE_IGNORE = 255


def find_masks(source, pictures, suffix, findings):
    """Finds the masks of SOURCE, their pictures and their classes.

    Args: pictures, a Pictures; suffix, see pair_masks; findings, list to which sentences are added.
    Returns: Found, and the Pictures without those files that are masks; None where there are none.
    """
    picture_paths, masks = split_pool(pictures.paths, source.masks())
    pictures = Pictures(pictures.folder, picture_paths)
    groups, lone = pair_masks(pictures, masks, suffix)
    if not groups:
        return None, pictures
    groups, remark = choose_kind(groups)
    remarks = [remark] if remark else []
    if lone:
        remarks.append(f"{len(lone)} mask(s) fit no picture by their names and are left out: "
                       f"{list_names(path.name for path in lone)}.")
    paths = [path for group in groups.values() for path, _ in group]
    source.used |= {path.resolve() for path in masks}
    held = _count_all(paths, findings)
    if findings:
        return Found(KIND, paths, []), pictures
    try:
        coding = _Coding(paths, held, find_table(source))
        remarks += coding.remarks
        classes = name_classes(groups, source.folder, len(coding.values) <= 2)
        held = dict(zip(paths, held))
        records = (_records_by_class(groups, classes, held, coding) if classes
                   else _whole_records(groups, held, coding))
    except InputError as error:
        findings += str(error).splitlines()
        return Found(KIND, paths, []), pictures
    order = sorted(set(classes.values())) if classes else coding.order
    return Found(f"{KIND} ({coding.form}{', one a class' if classes else ''})", paths, records,
                 order, has_background=bool(classes), remarks=remarks), pictures


class _Held(NamedTuple):
    """What one mask holds: its Counts, whether they are colors, its palette, (height, width)."""

    counts: Counts
    is_color: bool
    palette: np.ndarray
    size: tuple


def _count_all(paths, findings):
    """Returns the _Held of each mask; findings, list to which sentences are added."""
    def count(index):
        """Reads one mask; returns a sentence where that fails."""
        try:
            with damage_as_sentence(paths[index]):
                mask = _read(paths[index])
                counts = count_kinds(paths[index], mask.array)
                return _Held(counts, mask.array.ndim == 3, mask.palette, mask.array.shape[:2])
        except InputError as error:
            return str(error)

    results = in_parallel(count, len(paths), "Reading masks")
    findings += [result for result in results if isinstance(result, str)]
    return results


def _read(path):
    """Reads a mask; Cityscapes' instance ids are 1000 times the class and the object's number."""
    mask = read_mask(path)
    if "instanceids" in path.stem.lower() and mask.array.ndim == 2:
        numbers = mask.array
        return mask._replace(array=np.where(numbers >= 1000, numbers // 1000, numbers))
    return mask


class _Coding:
    """How all masks of a set write their classes.

    values: sorted numbers or packed colors that are classes; names: of each; order: names as the
    table has them; by_color: whether masks are read as colors.
    """

    def __init__(self, paths, held, table):
        self.remarks, self.table = [], table
        palettes = [one.palette for one in held if one.palette is not None]
        self.by_color = (any(one.is_color for one in held) or _differ(palettes)
                         or _names_colors(table, held))
        total = add_counts([self.count(one) for one in held])
        is_lossy = any(path.suffix.lower() in LOSSY for path in paths)
        self.values, self.is_soft = self._choose_values(total, is_lossy, bool(palettes))
        self.fallbacks = LABEL_NAMES if paths[0].stem.lower().endswith(
            ("labelids", "instanceids")) else {}
        self.names = [self._name(int(value), bool(palettes)) for value in self.values]
        self.order = [name for name in table.names if name in self.names] if table else []
        self.order += [name for name in self._sorted_names() if name not in self.order]
        self.form = "colors" if self.by_color else "numbers"
        self._tell(total)

    def _choose_values(self, total, is_lossy, has_palette):
        known = self.table and (self.table.colors if self.by_color else None)
        if known:
            values = np.sort(np.array([pack_color(color) for color in known], np.int64))
            lacking = ~np.isin(total.values, values)
            share = total.pixels[lacking].sum() / total.pixels.sum()
            if share > UNKNOWN_SHARE:
                names = [format_color(value) for value in
                         total.values[lacking][np.argsort(-total.pixels[lacking])]]
                raise FormatError(f"{share:.0%} of the masks' pixels have colors that "
                                  f"{self.table.path} lacks: {list_names(names)}; add them to it.")
            used = values[np.isin(values, total.values)]
            return used, bool(lacking.any())
        if has_palette and not self.by_color:
            return total.values, False
        levels = find_levels(total, self.by_color, is_lossy)
        if levels is None:
            raise FormatError("The label pictures have no areas of one value or color: they look "
                              "like photos; set SOURCE to the folder of the masks.")
        if len(levels.values) > 255:
            raise FormatError(f"The masks hold {len(levels.values)} different values, but at most "
                              f"255 classes can be stored: join some, or set SOURCE to the masks "
                              f"of classes, not of objects.")
        return levels

    def _name(self, value, has_palette):
        table, binary = self.table, len(self.values) == 2 and self.values[0] == 0
        if self.by_color:
            name = table and table.colors.get(tuple(unpack(value).tolist()))
            if name or value == 0:
                return name or "background"
            return "foreground" if binary and value == 0xFFFFFF else f"color {format_color(value)}"
        if table and value in table.values:
            return table.values[value]
        if binary and value and (value in (1, 255) or self.is_soft):
            return (list(table.values.values())[1] if table and len(table.values) == 2
                    else "foreground")
        if value == PALETTE_IGNORE and (has_palette or self._is_far_from_others(value)):
            return IGNORE
        return self.fallbacks.get(value, f"class {value}" if value else "background")

    def _is_far_from_others(self, value):
        """Whether 255 is no level of evenly spread ones (0, 128, 255), but a mark (0, 1, 255)."""
        others = self.values[self.values < value]
        steps = np.diff(others)
        return not self.is_soft and len(others) > 1 and value - others[-1] > 4 * steps.max()

    def _sorted_names(self):
        """Returns names by value; colors from bright to dark, black first."""
        ordered = sorted(zip(self.values.tolist(), self.names),
                         key=lambda entry: (-entry[0] if self.by_color else entry[0]))
        return list(dict.fromkeys(name for _, name in ordered))

    def _tell(self, total):
        if self.table:
            self.remarks.append(f"The classes' names are from {self.table.path}.")
        if self.is_soft:
            between = total.pixels[~np.isin(total.values, self.values)].sum()
            self.remarks.append(
                f"The masks have soft edges: {between / total.pixels.sum():.1%} of the pixels "
                f"({len(total.values) - len(self.values)} in-between values) were given to the "
                f"class beside them.")

    def count(self, held):
        """Returns the Counts of a mask, of colors where the set is read by color."""
        return _as_colors(held) if self.by_color else held.counts

    def read(self, path):
        """Returns the position in values of each pixel of a mask: uint8 (height, width)."""
        with damage_as_sentence(path):
            array, palette = _read(path)
            if self.by_color and array.ndim == 2:
                array = (palette[array] if palette is not None
                         else np.repeat(array[..., None].astype(np.uint8), 3, axis=-1))
            return assign(array, self.values, self.by_color, self.is_soft)


def pack_color(color):
    """Returns a color (r, g, b) as one number."""
    return int(pack(np.array([[color]], np.uint8))[0, 0])


def format_color(value):
    """Returns a packed color as "r,g,b"."""
    return ",".join(map(str, unpack(value).tolist()))


def _differ(palettes):
    """Whether palettes give one number different colors, so that the color must be the class."""
    if len(palettes) < 2:
        return False
    longest = max(palettes, key=len)
    return any((palette != longest[:len(palette)]).any() for palette in palettes)


def _names_colors(table, held):
    """Whether a table names the colors of all palettes, which are safer than their numbers."""
    return bool(table and table.colors) and all(
        one.palette is not None and all(tuple(color) in table.colors for color in
                                        one.palette[one.counts.values].tolist()) for one in held)


def _as_colors(held):
    """Returns the Counts of numbers as those of their colors, gray where there is no palette."""
    counts, is_color, palette, _ = held
    if is_color:
        return counts
    if palette is not None:
        return add_counts([counts._replace(values=pack(palette[counts.values][None])[0])])
    return counts._replace(values=counts.values * 0x010101)


# ---- records ---------------------------------------------------------------------------------


def _whole_records(groups, held, coding):
    """Returns a Record for each picture whose one mask holds all of its classes."""
    several = {picture: group for picture, group in groups.items() if len(group) > 1}
    if several:
        example = next(iter(several.values()))
        raise FormatError(f"{len(several)} picture(s) have several masks, such as "
                          f"{list_names(path.name for path, _ in example)}, and their names tell "
                          f"no classes: set SUFFIX to what the right ones end with.")
    records = []
    for picture, ((path, _),) in groups.items():
        values = coding.count(held[path]).values
        classes = Counter(name for value, name in zip(coding.values, coding.names)
                          if value in values)
        records.append(Record(path, [picture.name], held[path].size,
                              partial(_load_whole, path, coding), classes, picture=picture))
    return records


def _load_whole(path, coding, size):
    return Indices(coding.read(path), coding.names)


def _records_by_class(groups, classes, held, coding):
    """Returns a Record for each picture that has one mask a class or an object."""
    if len(coding.values) > 2:
        raise FormatError(f"The masks' names tell one mask a class "
                          f"({list_names(sorted(set(classes.values())))}), but the masks hold "
                          f"{len(coding.values)} values: set SUFFIX, or SOURCE to a folder of one "
                          f"kind.")
    records = []
    for picture, group in groups.items():
        sizes = {held[path].size for path, _ in group}
        if len(sizes) > 1:
            raise FormatError(f"The masks of {picture.name} have different sizes: "
                              f"{list_names(path.name for path, _ in group)}; export them again.")
        masks = [(path, classes[path]) for path, _ in group]
        counts = Counter(name for path, name in masks if held[path].counts.values.any())
        records.append(Record(masks[0][0], [picture.name], sizes.pop(),
                              partial(_load_by_class, masks, coding), counts, is_background=True,
                              picture=picture))
    return records


def _load_by_class(masks, coding, size):
    """Masks come in the order of the classes' names; the later lies above."""
    shapes = []
    for path, name in sorted(masks, key=lambda entry: (entry[1], str(entry[0]))):
        mask = coding.read(path)
        # A set of full masks alone has one value, which is the object unless it is 0.
        top = len(coding.values) - 1
        shapes.append(mask_shape(name, mask == top if top or coding.values[0] else mask > 0))
    return shapes
