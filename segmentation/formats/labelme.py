"""labelme's JSON, one file a picture; X-AnyLabeling and AnyLabeling write it too."""

import base64
import math
from collections import Counter
from functools import partial

from segmentation.formats.reading import (
    clean_name,
    damage_as_sentence,
    read_embedded_mask,
    read_json,
    read_points,
    read_size,
)
from segmentation.formats.records import Record, Shape, count_names, mask_shape, polygon

KIND = "labelme JSON"
LINE_WIDTH = 10  # pixels; labelme/utils/shape.py, shape_to_mask
POINT_RADIUS = 5


def recognizes(content):
    """Whether this is labelme's: a list of shapes, and a field or two of its own."""
    return (isinstance(content, dict) and isinstance(content.get("shapes", 0), (list, type(None)))
            and any(key in content for key in ("imagePath", "imageData", "imageHeight", "flags")))


def read(path, content, source):
    """Returns the one Record of a file, whose own name is more often right than its imagePath.

    Returns: list of Record, and no order of classes, which the file does not tell.
    """
    shapes, left_out = _read_shapes(content["shapes"] or [])
    names = [path.stem] + ([str(content["imagePath"])] if content.get("imagePath") else [])
    return [Record(path, names, read_size(content.get("imageHeight"), content.get("imageWidth")),
                   partial(_load, path), count_names(shapes), left_out,
                   is_background=not content["shapes"],
                   read_picture=partial(read_picture, path) if content.get("imageData") else None,
                   )], []


def read_picture(path):
    """Returns the bytes of the picture that a file holds inside: a whole PNG or JPEG file."""
    with damage_as_sentence(path):
        return base64.b64decode(read_json(path)["imageData"])


def _load(path, size):
    return _read_shapes(read_json(path)["shapes"] or [])[0]


def _read_shapes(entries):
    shapes, left_out = [], Counter()
    for entry in entries:
        name = clean_name(entry.get("label"))
        points = read_points(entry["points"])
        kind = entry.get("shape_type") or "polygon"
        if not name:
            left_out["without a class name"] += 1
        elif kind == "mask":
            shapes.append(_read_mask(name, entry["mask"], points))
        else:
            shape = _read_outline(name, kind, points)
            if shape is None:
                left_out[f"{kind} of {len(points)} point(s)"] += 1
            else:
                shapes.append(shape)
    return shapes, left_out


def _read_outline(name, kind, points):
    """Returns the Shape as labelme itself draws it, None where its points are too few."""
    if kind == "rectangle" and len(points) == 2:
        return Shape(name, "rectangle", sort_corners(points))
    if kind == "circle" and len(points) == 2:
        (x, y), edge = points
        return Shape(name, "ellipse", _square(x, y, math.dist((x, y), edge)))
    if kind == "point" and len(points) == 1:
        return Shape(name, "ellipse", _square(*points[0], POINT_RADIUS))
    if kind in ("line", "linestrip") and len(points) >= 2:
        return Shape(name, "line", points, width=LINE_WIDTH)
    # polygon, oriented_rectangle, X-AnyLabeling's rotation and its rectangle of four points
    known = kind not in ("circle", "point", "line", "linestrip", "points")
    return polygon(name, points) if known and len(points) >= 3 else None


def sort_corners(points):
    """Returns the left upper and the right lower of two corners given in any order."""
    (x0, y0), (x1, y1) = points
    return [(min(x0, x1), min(y0, y1)), (max(x0, x1), max(y0, y1))]


def _square(x, y, radius):
    return [(x - radius, y - radius), (x + radius, y + radius)]


def _read_mask(name, text, points):
    """A mask is a PNG in base64 whose corner is the first point, rounded."""
    (x, y), *_ = points
    return mask_shape(name, read_embedded_mask(base64.b64decode(text)), round(x), round(y))
