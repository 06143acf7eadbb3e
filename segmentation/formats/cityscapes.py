"""Cityscapes' gtFine_polygons.json, and the names of its label ids."""

from collections import Counter

from segmentation.formats.reading import clean_name, read_points, read_size
from segmentation.formats.records import Record, count_names, polygon

KIND = "Cityscapes polygons"
LABEL_NAMES = dict(enumerate((  # cityscapesscripts/helpers/labels.py
    "unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground",
    "road", "sidewalk", "parking", "rail track", "building", "wall", "fence", "guard rail",
    "bridge", "tunnel", "pole", "polegroup", "traffic light", "traffic sign", "vegetation",
    "terrain", "sky",
    "person", "rider", "car", "truck", "bus", "caravan", "trailer", "train", "motorcycle",
    "bicycle")))


def recognizes(content):
    """Whether this is a gtFine_polygons.json: imgHeight, imgWidth and objects."""
    return (isinstance(content, dict) and isinstance(content.get("objects"), list)
            and "imgHeight" in content and "imgWidth" in content)


def read(path, content, source):
    """Returns the one Record of a file; its objects lie from the back to the front."""
    base = path.stem.removesuffix("_polygons")
    for kind in ("_gtFine", "_gtCoarse"):
        base = base.removesuffix(kind)
    objects = content["objects"]
    shapes, left_out = _read_shapes(objects)
    return [Record(path, [f"{base}_leftImg8bit", base, f"{base}_rightImg8bit"],
                   read_size(content["imgHeight"], content["imgWidth"]),
                   lambda size: _read_shapes(objects)[0], count_names(shapes),
                   left_out)], list(LABEL_NAMES.values())


def _read_shapes(objects):
    known = set(LABEL_NAMES.values())
    shapes, left_out = [], Counter()
    for entry in objects:
        name = clean_name(entry["label"])
        if name not in known and name.removesuffix("group") in known:
            name = name.removesuffix("group")  # "cargroup": cars that can't be told apart
        points = read_points(entry["polygon"])
        if entry.get("deleted"):
            continue
        if not name or len(points) < 3:
            left_out["an outline of fewer than 3 points, or without a name"] += 1
        else:
            shapes.append(polygon(name, points))
    return shapes, left_out
