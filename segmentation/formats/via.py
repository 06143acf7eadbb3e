"""The JSON of the VGG Image Annotator (VIA), versions 1 and 2: projects and region data."""

import math
from collections import Counter
from functools import partial

from segmentation.formats.geometry import box_outline, ellipse_outline
from segmentation.formats.reading import clean_name, read_number
from segmentation.formats.records import Record, count_names, polygon

KIND = "VIA JSON"
PREFERRED = ("class", "label", "name", "category", "type", "object", "class_name", "object_name")


def recognizes(content):
    """Whether this is VIA's: a project, or a dict of files with their regions."""
    if not isinstance(content, dict) or not content:
        return False
    if "_via_img_metadata" in content:
        return isinstance(content["_via_img_metadata"], dict)
    return all(isinstance(value, dict) and "filename" in value and "regions" in value
               for value in content.values())


def read(path, content, source):
    """Returns a Record for each picture, and the options of a project's attribute."""
    files = content.get("_via_img_metadata", content)
    regions = {key: _list_regions(entry) for key, entry in files.items()}
    attribute, remark = choose_attribute([region for some in regions.values() for region in some])
    records = []
    for key, entry in files.items():
        shapes, left_out = _read_shapes(regions[key], attribute)
        records.append(Record(path, [str(entry["filename"])], None,
                              partial(_load, regions[key], attribute), count_names(shapes),
                              left_out))
    if remark:
        source.remarks.append(f"{path.name}: {remark}")
    options = (content.get("_via_attributes") or {}).get("region") or {}
    options = (options.get(attribute) or {}).get("options") or {}
    return records, [clean_name(name) for name in options]


def _list_regions(entry):
    regions = entry.get("regions") or []
    return list(regions.values()) if isinstance(regions, dict) else list(regions)


def choose_attribute(regions):
    """Chooses the attribute that names the class: of those that most regions have, a likely name.

    Returns: the attribute, None where there is none, and a remark where there are several.
    """
    counts = Counter(name for region in regions
                     for name, value in (region.get("region_attributes") or {}).items()
                     if _read_value(value))
    if not counts:
        return None, ""
    most = max(counts.values())
    common = [name for name in counts if counts[name] == most]
    chosen = min(common, key=lambda name: PREFERRED.index(name.lower())
                 if name.lower() in PREFERRED else len(PREFERRED))
    others = [name for name in counts if name != chosen]
    return chosen, (f"the class is taken from the attribute {chosen}, not from "
                    f"{', '.join(others)}." if others else "")


def _read_value(value):
    """Returns an attribute's text; of checkboxes, {name: true}, the names that are ticked."""
    if isinstance(value, dict):
        return " + ".join(clean_name(name) for name, ticked in value.items() if ticked)
    return clean_name(value)


def _load(regions, attribute, size):
    return _read_shapes(regions, attribute)[0]


def _read_shapes(regions, attribute):
    shapes, left_out = [], Counter()
    for region in regions:
        name = "object"
        if attribute is not None:
            name = _read_value((region.get("region_attributes") or {}).get(attribute))
        kind = region["shape_attributes"]["name"]
        outline = _read_outline(kind, region["shape_attributes"])
        if not name:
            left_out[f"without the attribute {attribute}"] += 1
        elif len(outline) < 3:
            left_out[f"{clean_name(kind)}, which has no area"] += 1
        else:
            shapes.append(polygon(name, outline))
    return shapes, left_out


def _read_outline(kind, shape):
    """Returns the corners of a region, [] where it has no area."""
    def numbers(*keys):
        """Returns these fields as numbers."""
        return [read_number(shape[key]) for key in keys]

    if kind == "polygon":
        return [(read_number(x), read_number(y))
                for x, y in zip(shape["all_points_x"], shape["all_points_y"], strict=True)]
    if kind == "rect":
        left, top, width, height = numbers("x", "y", "width", "height")
        return box_outline(left, top, left + width, top + height)
    if kind == "circle":
        x, y, radius = numbers("cx", "cy", "r")
        return ellipse_outline(x, y, radius, radius)
    if kind == "ellipse":
        degrees = math.degrees(read_number(shape.get("theta") or 0))
        return ellipse_outline(*numbers("cx", "cy", "rx", "ry"), degrees)
    return []
