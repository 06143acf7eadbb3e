"""How the masks of a set write their classes: by numbers or colors, and what each is called."""

from typing import NamedTuple

import numpy as np

from device.errors import list_names
from device.model_info import IGNORED
from segmentation.data.classes import IGNORED_NAME
from segmentation.formats.cityscapes import LABEL_NAMES
from segmentation.formats.mask_colors import add_counts, assign, find_levels
from segmentation.formats.mask_files import LOSSY, Counts, count_kinds, pack, read_mask, unpack
from segmentation.formats.reading import FormatError, damage_as_sentence

UNKNOWN_SHARE = 0.05  # of pixels whose color the table lacks; more, and the table is not theirs


class Content(NamedTuple):
    """What one mask holds: its Counts, whether they are colors, its palette, (height, width)."""

    counts: Counts
    is_color: bool
    palette: np.ndarray
    size: tuple


class Coding(NamedTuple):
    """How all masks of a set are read.

    values: sorted numbers or packed colors that are classes; names: of each; order: the names in
    the order of their table, or of their values; by_color: whether masks are read as colors;
    is_soft: whether there are other values between the classes; remarks: sentences on all that.
    """

    values: np.ndarray
    names: list
    order: list
    by_color: bool
    is_soft: bool
    remarks: list

    def count(self, content):
        """Returns the Counts of a mask, of colors where the set is read by color."""
        return _as_colors(content) if self.by_color else content.counts

    def read(self, path):
        """Returns the position in values of each pixel of a mask: uint8 (height, width)."""
        with damage_as_sentence(path):
            array, palette = read_numbers(path)
            if self.by_color and array.ndim == 2:
                array = (palette[array] if palette is not None
                         else np.repeat(array[..., None].astype(np.uint8), 3, axis=-1))
            return assign(array, self.values, self.by_color, self.is_soft)


def count_content(path):
    """Returns what a mask holds; see read_mask for what is raised."""
    with damage_as_sentence(path):
        mask = read_numbers(path)
        return Content(count_kinds(path, mask.array), mask.array.ndim == 3, mask.palette,
                    mask.array.shape[:2])


def read_numbers(path):
    """Reads a mask; Cityscapes' instance ids are 1000 times the class and the object's number."""
    mask = read_mask(path)
    if "instanceids" in path.stem.lower() and mask.array.ndim == 2:
        numbers = mask.array
        return mask._replace(array=np.where(numbers >= 1000, numbers // 1000, numbers))
    return mask


def find_coding(paths, contents, table, class_names):
    """Finds out how masks write their classes.

    Args: paths of the masks; contents, the Content of each; table, a mask_tables.Table or None;
        class_names, CLASS_NAMES or None: they name numbers that nothing else names.
    Raises: FormatError where they are no masks, or hold too many classes.
    """
    by_color = (any(one.is_color for one in contents) or _differ(contents)
                or _names_colors(table, contents))
    has_palette = any(one.palette is not None for one in contents) and not by_color
    total = add_counts([_as_colors(one) if by_color else one.counts for one in contents])
    is_lossy = any(path.suffix.lower() in LOSSY for path in paths)
    values, is_soft = _choose_values(total, table, by_color, is_lossy, has_palette)
    names = _name_values(values, table, by_color, is_soft, has_palette,
                         paths[0].stem.lower().endswith(("labelids", "instanceids")))
    remarks = _describe(total, values, is_soft, table)
    if class_names and table is None:
        names = _use_class_names(names, values, by_color, class_names, remarks)
    order = [name for name in table.names if name in names] if table else []
    by_value = sorted(zip(values.tolist(), names),  # colors from bright to dark
                      key=lambda entry: -entry[0] if by_color else entry[0])
    return Coding(values, names, list(dict.fromkeys([*order, *(name for _, name in by_value)])),
                  by_color, is_soft, remarks)


def _differ(contents):
    """Whether palettes give a number different colors, or a color different numbers."""
    pairs = {(value, tuple(color)) for one in contents if one.palette is not None
             for value, color in zip(one.counts.values.tolist(),
                                     one.palette[one.counts.values].tolist())}
    numbers, colors = {value for value, _ in pairs}, {color for _, color in pairs}
    return len(pairs) > min(len(numbers), len(colors)) and len(contents) > 1


def _names_colors(table, contents):
    """Whether a table names the colors of all palettes, which are safer than their numbers."""
    return bool(table and table.colors) and all(
        one.palette is not None
        and all(tuple(color) in table.colors for color in one.palette[one.counts.values].tolist())
        for one in contents)


def _as_colors(content):
    """Returns the Counts of numbers as those of their colors, gray where there is no palette."""
    counts, is_color, palette, _ = content
    if is_color:
        return counts
    if palette is not None:
        return add_counts([counts._replace(values=pack(palette[counts.values][None])[0])])
    if counts.values[-1] > 255:
        raise FormatError("Some masks are RGB, others gray with values above 255: set SOURCE to "
                          "masks of one kind.")
    return counts._replace(values=counts.values * 0x010101)


def _choose_values(total, table, by_color, is_lossy, has_palette):
    """Returns the values that are classes, and whether others lie between them."""
    if by_color and table and table.colors:
        return _choose_known(total, table)
    if has_palette:
        return total.values, False
    levels = find_levels(total, by_color, is_lossy)
    if levels is None:
        raise FormatError("The label pictures have no areas of one value or color, as photos do: "
                          "set SOURCE to the folder of the masks, or SUFFIX to what their names "
                          "end with.")
    if len(levels.values) > 255:
        raise FormatError(f"The masks hold {len(levels.values)} different values, but at most 255 "
                          f"classes can be stored: set SOURCE to masks of classes, not of objects.")
    if is_lossy and len(levels.values) == 1 and len(total.values) > 1:
        raise FormatError("The masks are JPEG, which can't keep values apart that lie as near to "
                          "one another as these: export them as PNG.")
    return levels


def _choose_known(total, table):
    """Returns the table's colors that occur, and whether there are others."""
    known = np.array([pack_color(color) for color in table.colors], np.int64)
    lacking = ~np.isin(total.values, known)
    share = total.pixels[lacking].sum() / total.pixels.sum()
    if share > UNKNOWN_SHARE:
        most = total.values[lacking][np.argsort(-total.pixels[lacking])]
        raise FormatError(f"{share:.0%} of the masks' pixels have colors that {table.path} lacks: "
                          f"{list_names(map(format_color, most))}; add them to it.")
    return total.values[~lacking], bool(lacking.any())


def pack_color(color):
    """Returns a color (r, g, b) as one number."""
    return (color[0] << 16) + (color[1] << 8) + color[2]


def format_color(value):
    """Returns a packed color as "r,g,b"."""
    return ",".join(map(str, unpack(value).tolist()))


# ---- names -----------------------------------------------------------------------------------


def _name_values(values, table, by_color, is_soft, has_palette, is_cityscapes):
    """Returns the name of each value."""
    numbers = values.tolist()
    binary = len(numbers) == 2 and numbers[0] == 0
    if by_color:
        known = {pack_color(color): name for color, name in table.colors.items()} if table else {}
        plain = {0: "background"} | ({0xFFFFFF: "foreground"} if binary else {})
        return [known.get(value) or plain.get(value) or f"color {format_color(value)}"
                for value in numbers]
    known = dict(table.values) if table else dict(LABEL_NAMES) if is_cityscapes else {}
    if binary and numbers[1] not in known and (numbers[1] in (1, 255, 65535) or is_soft):
        known[numbers[1]] = known[1] if len(known) == 2 and 1 in known else "foreground"
    elif IGNORED in numbers and (has_palette or _is_mark(numbers, is_soft)):
        known.setdefault(IGNORED, IGNORED_NAME)
    return [known.get(value) or (f"class {value}" if value else "background")
            for value in numbers]


def _is_mark(numbers, is_soft):
    """Whether 255 is no level of evenly spread ones (0, 128, 255), but a mark (0, 1, 255)."""
    others = [value for value in numbers if value < IGNORED]
    return not is_soft and len(others) > 1 and (
        IGNORED - others[-1] > 4 * max(np.diff(others)))


def _use_class_names(names, values, by_color, class_names, remarks):
    """Returns the names of CLASS_NAMES for values that have no name of their own.

    Numbers that all lie within the list stand for its places; other values are taken in their
    order, where there are as many of them as names.
    """
    if all(name in class_names for name in names if name != IGNORED_NAME):
        return names
    kept = [place for place, name in enumerate(names) if name != IGNORED_NAME]
    numbers = values[kept].tolist()
    if not by_color and max(numbers) < len(class_names):
        chosen = [class_names[number] for number in numbers]
    elif len(kept) == len(class_names):
        chosen = list(class_names)
        remarks.append("CLASS_NAMES name the masks' values in this order: " + ", ".join(
            f"{names[place]} is {name}" for place, name in zip(kept, chosen)) + ".")
    else:
        return names
    return [dict(zip(kept, chosen)).get(place, name) for place, name in enumerate(names)]


def _describe(total, values, is_soft, table):
    remarks = [f"The classes' names are from {table.path}."] if table else []
    if is_soft:
        between = ~np.isin(total.values, values)
        remarks.append(f"The masks have soft edges: "
                       f"{total.pixels[between].sum() / total.pixels.sum():.1%} of the pixels "
                       f"({between.sum()} in-between values) were given to the class beside them.")
    return remarks
