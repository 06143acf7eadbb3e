"""Supervisely's JSON (and Dataset Ninja's): ann/PICTURE.json, meta.json with the classes."""

import base64
import zlib
from collections import Counter
from functools import partial

from segmentation.formats.geometry import box_outline
from segmentation.formats.labelme import sort_corners
from segmentation.formats.reading import (
    FormatError,
    clean_name,
    damage_as_sentence,
    read_embedded_mask,
    read_json,
    read_points,
    read_size,
)
from segmentation.formats.records import Record, Shape, count_names, mask_shape, polygon

KIND = "Supervisely JSON"


def recognizes(content):
    """Whether this is Supervisely's: objects and size."""
    return (isinstance(content, dict) and isinstance(content.get("objects"), list)
            and isinstance(content.get("size"), dict))


def read(path, content, source):
    """Returns the one Record of a file, and the classes of meta.json."""
    size = read_size(content["size"].get("height"), content["size"].get("width"))
    shapes, left_out = _read_shapes(content["objects"])
    return [Record(path, [path.stem, path.name], size, partial(_load, path),
                   count_names(shapes), left_out)], source.once(_read_classes)


def _read_classes(source):
    path = source.find_beside("meta.json")
    if path is None:
        return []
    content = read_json(path)
    with damage_as_sentence(path):
        return [clean_name(one["title"]) for one in content.get("classes", [])]


def _load(path, size):
    return _read_shapes(read_json(path)["objects"])[0]


def _read_shapes(objects):
    """Returns shapes in the file's order, which is from below to above."""
    shapes, left_out = [], Counter()
    for entry in objects:
        name = clean_name(entry.get("classTitle"))
        kind = entry.get("geometryType") or ("bitmap" if entry.get("bitmap") else "polygon")
        if not name:
            left_out["without a class name"] += 1
        elif kind in ("bitmap", "alpha_mask"):
            shapes.append(_read_bitmap(name, entry.get("bitmap") or entry["mask"]))
        elif kind in ("polygon", "rectangle"):
            exterior = read_points(entry["points"]["exterior"])
            holes = [read_points(ring) for ring in entry["points"].get("interior") or []]
            if kind == "rectangle":
                (left, top), (right, bottom) = sort_corners(exterior)
                shapes.append(polygon(name, box_outline(left, top, right, bottom)))
            elif len(exterior) < 3:
                left_out["an outline of fewer than 3 points"] += 1
            else:
                shapes.append(Shape(name, "polygon", [exterior],
                                    [ring for ring in holes if len(ring) > 2]))
        else:
            left_out[f"{clean_name(kind)}, which has no area"] += 1
    return shapes, left_out


def _read_bitmap(name, bitmap):
    """A bitmap is a PNG, mostly packed by zlib, in base64, whose corner is its origin."""
    content = base64.b64decode(bitmap["data"])
    if not content.startswith(b"\x89PNG"):
        content = unpack(content)
    left, top = bitmap["origin"]
    return mask_shape(name, read_embedded_mask(content), int(left), int(top))


def unpack(content, limit=1 << 28):
    """Returns what zlib packed, at most limit bytes.

    Raises: FormatError where there is more.
    """
    unpacker = zlib.decompressobj()
    result = unpacker.decompress(content, limit)
    if unpacker.unconsumed_tail:
        raise FormatError(f"A bitmap holds more than {limit >> 20} MB; export it again.")
    return result


