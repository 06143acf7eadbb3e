"""Tables beside masks that name their values or colors: labelmap.txt, CSV files and others."""

import csv
import re
from typing import NamedTuple

from segmentation.data.classes import IGNORED_NAME
from segmentation.formats.reading import FormatError, clean_name, read_json, read_text

NAME_LISTS = ("classes.txt", "class_names.txt", "label_names.txt", "labels.txt", "obj.names")
TABLES = ("labelmap.txt", "label_colors.txt", "_classes.csv", "labelmap.csv", "class_dict.csv",
          "classes.csv", "label_map.csv", "colormap.csv", "color_map.csv", "dataset_meta.json")
COLOR_LINE = re.compile(r"^\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)[\s,]+(\S.*?)\s*$")


class Table(NamedTuple):
    """What a table names: colors (r, g, b) -> name, values -> name; the names in its order."""

    path: object
    colors: dict
    values: dict

    @property
    def names(self):
        """The names in the table's order."""
        return list(dict.fromkeys([*self.colors.values(), *self.values.values()]))


def find_table(source):
    """Returns the Table that lies beside the masks, None where there is none."""
    path = source.find_beside(*TABLES)
    if path is None:  # class_dict_seg.csv, my_colors.csv and so on
        paths = [*source.with_suffix(".csv"), *source.folder.glob("*.csv"),
                 *source.folder.resolve().parent.glob("*.csv")]
        path = next((path for path in paths if _has_colors(path)), None)
    path = path or source.find_beside(*NAME_LISTS)
    return None if path is None else read_table(path)


def _has_colors(path):
    """Whether the first line of a CSV file names the columns of a table of colors."""
    try:
        header = read_text(path).splitlines()[:1]
    except FormatError:
        return False
    return {"r", "g", "b"} <= {column.strip().lower() for column in "".join(header).split(",")}


def read_table(path):
    """Reads a table of any of these forms.

    Raises: FormatError where it can't be read, or names one color or value twice.
    """
    if path.name.lower() == "dataset_meta.json":
        rows = _read_meta(read_json(path))
    else:
        lines = [line for line in read_text(path).splitlines() if line.strip()]
        if path.name.lower() == "labelmap.txt":
            rows = [_read_labelmap_line(path, line) for line in lines
                    if not line.lstrip().startswith("#")]
        elif path.suffix.lower() == ".csv":
            rows = _read_csv(path, lines)
        elif any(COLOR_LINE.match(line) for line in lines):
            rows = [(tuple(map(int, found.groups()[:3])), clean_name(found[4]))
                    for found in map(COLOR_LINE.match, lines) if found]
        else:
            rows = read_name_list(lines)
    colors, values = {}, {}
    for key, name in rows:
        table = colors if isinstance(key, tuple) else values
        if table.get(key, name) != name:
            raise FormatError(f"{path} gives {table[key]} and {name} the same "
                              f"{'color' if table is colors else 'value'} {key}: one of them can't "
                              f"be told from the other; correct it.")
        table[key] = name
    if not colors:  # a labelmap without colors: the line number is the value
        return Table(path, {}, values)
    return Table(path, colors, values or dict(enumerate(dict.fromkeys(colors.values()))))


def read_name_list(lines):
    """Returns (line number, name) of a list of names, labelme's leading __ignore__ left out."""
    names = [clean_name(line) for line in lines]
    if names and names[0] == IGNORED_NAME:
        names = names[1:]
    return list(enumerate(names))


def _read_labelmap_line(path, line):
    """Reads "name:r,g,b:parts:actions" of CVAT and datumaro; a name may hold colons."""
    found = re.match(r"^\s*(.*?)\s*:\s*(?:(\d+)\s*,\s*(\d+)\s*,\s*(\d+))?\s*(?::.*)?$", line[:500])
    if not found or not found[1] or found[2] is None:
        raise FormatError(f"{path} has a line that is not name:r,g,b:: {line.strip()[:60]!r}; "
                          f"correct it.")
    return tuple(map(int, found.groups()[1:])), clean_name(found[1])


def _read_csv(path, lines):
    """Reads columns named as "name,r,g,b" or "Pixel Value, Class", in any order and case."""
    header, *rows = list(csv.reader(lines, skipinitialspace=True)) or [[]]
    header = [column.strip().lower() for column in header]

    def column(*names):
        """Returns the number of the first column of one of these names."""
        return next((header.index(name) for name in names if name in header), None)

    name = column("class", "name", "label", "class name", "class_name", "label_name")
    value = column("pixel value", "pixel_value", "value", "id", "index", "class_id", "label_id")
    channels = column("r", "red"), column("g", "green"), column("b", "blue")
    if name is None or (value is None and None in channels):
        raise FormatError(f"{path} has no columns such as name, r, g, b, or Pixel Value, Class: "
                          f"add a first line that names them.")
    try:
        if None in channels:
            return [(int(row[value]), clean_name(row[name])) for row in rows if row]
        return [(tuple(int(row[channel]) for channel in channels), clean_name(row[name]))
                for row in rows if row]
    except (ValueError, IndexError) as error:
        raise FormatError(f"{path} has a line of another form than its first: {error}; correct "
                          f"it.") from error


def _read_meta(content):
    """Reads datumaro's label_map and segmentation_colors."""
    names = {int(key): clean_name(name) for key, name in content.get("label_map", {}).items()}
    colors = content.get("segmentation_colors") or []
    return [*names.items(), *((tuple(map(int, color)), name)
                              for color, name in zip(colors, names.values()))]
