"""YOLO's segmentation labels: a .txt a picture, lines "class x y x y ...", shares of the size."""

import re
from collections import Counter
from functools import partial

from segmentation.formats.mask_tables import NAME_LISTS
from segmentation.formats.reading import FormatError, clean_name, read_number, read_text
from segmentation.formats.records import Record, polygon

KIND = "YOLO text"
NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"  # matches one way only: no backtracking
LINE = re.compile(rf"^\s*\d+(?:\s+{NUMBER}){{4,}}\s*$")
BOX = "a box without an outline"
SLACK = 0.5  # how far outside of the picture, in shares of its size, an outline may reach


def recognizes(text):
    """Whether a text is YOLO's: its first line is a whole number and at least four numbers."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return bool(LINE.match(first))


def is_damaged(text):
    """Whether a text that is not YOLO's begins as if it were: with a number, alone in its line."""
    return bool(re.match(r"^\s*\d+\s+[-+.\d]", text))


def read(path, text, source):
    """Returns the one Record of a file, and the names of data.yaml or classes.txt."""
    names = source.once(read_names)
    outlines, left_out = _read_lines(path, text, names)
    return [Record(path, [path.stem], None, partial(_load, path, names),
                   Counter(name for name, _ in outlines), left_out,
                   is_background=not text.strip())], names


def _load(path, names, size):
    height, width = size
    return [polygon(name, [(x * width, y * height) for x, y in points])
            for name, points in _read_lines(path, read_text(path), names)[0]]


def _read_lines(path, text, names):
    """Returns (class name, points as shares) of each outline, and what is left out."""
    outlines, left_out = [], Counter()
    for number, line in enumerate(text.splitlines(), 1):
        parts = line.split()
        if not parts:
            continue
        if not LINE.match(line) or len(parts) % 2 == 0:
            raise FormatError(f"{path}, line {number}, is not a class and pairs of x and y: "
                              f"{line.strip()[:60]!r}; correct it.")
        index, values = int(parts[0]), [read_number(part) for part in parts[1:]]
        if min(values) < -SLACK or max(values) > 1 + SLACK:
            raise FormatError(f"{path}, line {number}, holds {max(values, key=abs):g}, but YOLO's "
                              f"coordinates are shares of 0 to 1: export it again.")
        if names and index >= len(names):
            raise FormatError(f"{path}, line {number}, has class {index}, but there are "
                              f"{len(names)} names: correct data.yaml or classes.txt.")
        if len(values) == 4:
            left_out[BOX] += 1
        else:
            name = names[index] if names else f"class {index}"
            outlines.append((name, list(zip(values[::2], values[1::2]))))
    return outlines, left_out


def read_names(source):
    """Returns the class names of data.yaml, or of a list such as classes.txt, [] without one."""
    path = source.find_beside("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
    path = path or next((path for path in source.files if path.suffix.lower() in (".yaml", ".yml")),
                        None)
    if path is not None:
        names = parse_yaml_names(read_text(path))
        if names:
            return names
    path = source.find_beside(*NAME_LISTS)
    return [clean_name(line) for line in read_text(path).splitlines()
            if line.strip()] if path else []


def parse_yaml_names(text):
    """Returns the list "names" of a YAML text in any of the forms that YOLO's tools write.

    names: [a, b], names: {0: a, 1: b} (over several lines too), "- a" lines, "0: a" lines.
    """
    lines = [_strip_comment(line) for line in text.splitlines()]
    start = next((index for index, line in enumerate(lines)
                  if re.match(r"^['\"]?names['\"]?\s*:", line)), None)
    if start is None:
        return []
    rest = lines[start].partition(":")[2].strip()
    if rest[:1] in ("[", "{"):
        whole = " ".join([rest, *lines[start + 1:]])
        end = whole.find("]" if rest[0] == "[" else "}")
        entries = re.findall(r"""\s*("[^"]*"|'[^']*'|[^,]+)""", whole[1:end if end > 0 else None])
        if rest[0] == "{":
            return _by_number(re.match(r"\s*['\"]?(\d+)['\"]?\s*:\s*(.*)", entry)
                              for entry in entries)
        return [_unquote(entry) for entry in entries if entry.strip()]
    block = []
    for line in lines[start + 1:]:
        if line.strip() and not line.startswith((" ", "\t", "-")):
            break
        block.append(line)
    listed = [re.match(r"\s*-\s+(.*)", line) for line in block if line.strip()]
    if listed and all(listed):
        return [_unquote(entry[1]) for entry in listed]
    return _by_number(re.match(r"\s*['\"]?(\d+)['\"]?\s*:\s*(.*)", line) for line in block)


def _by_number(matches):
    names = {int(match[1]): _unquote(match[2]) for match in matches if match}
    return [names.get(number, f"class {number}")
            for number in range(min(max(names, default=-1) + 1, 10_000))]


def _strip_comment(line):
    return re.sub(r"(^|\s)#.*$", "", line).rstrip()


def _unquote(text):
    text = text.strip()
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return clean_name(text[1:-1] if quoted else text)
