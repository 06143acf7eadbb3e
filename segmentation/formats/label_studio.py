"""Label Studio's JSON and JSON-MIN: brush strokes, polygons, rectangles, ellipses, in per cent."""

import base64
from collections import Counter
from functools import partial

from segmentation.formats.geometry import box_outline, ellipse_outline
from segmentation.formats.reading import (
    ContentError,
    clean_name,
    read_embedded_mask,
    read_number,
    read_size,
)
from segmentation.formats.records import Record, count_names, mask_shape, polygon
from segmentation.formats.runs import decode_label_studio

KIND = "Label Studio JSON"


def recognizes(content):
    """Whether this is Label Studio's: a list of tasks with data, or JSON-MIN's flat ones."""
    return (isinstance(content, list) and bool(content) and isinstance(content[0], dict)
            and (("data" in content[0] and ("annotations" in content[0]
                                           or "completions" in content[0]))
                 or any(_is_flat(value) for value in content[0].values())))


def _is_flat(value):
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) \
        and "original_width" in value[0]


def read(path, content, source):
    """Returns a Record for each task; the export tells no order of classes."""
    several = predicted = 0
    records = []
    for task in content:
        annotations = task.get("annotations", task.get("completions"))
        if annotations is None:
            results = [_unflatten(region) for value in task.values() if _is_flat(value)
                       for region in value]
        else:
            whole = [one for one in annotations if not one.get("was_cancelled")]
            several += len(whole) > 1
            predicted += not whole and bool(task.get("predictions"))
            results = list(whole[-1].get("result") or []) if whole else []
        shapes, left_out, size = _read_shapes(results)
        records.append(Record(path, _find_names(task), size, partial(_load, results),
                              count_names(shapes), left_out))
    if several:
        source.remarks.append(f"{path.name}: {several} task(s) have several annotations; the last "
                              f"of each is read.")
    if predicted:
        source.remarks.append(f"{path.name}: {predicted} task(s) have predictions only, which are "
                              f"no labels.")
    return records, []


def _find_names(task):
    """Returns what may be the picture's name: the data that looks like one, the uploaded file."""
    data = task.get("data")
    values = list(data.values()) if isinstance(data, dict) else list(task.values())
    texts = [value for value in values if isinstance(value, str) and value]
    pictures = [text for text in texts if "." in text or "/" in text] or texts
    upload = task.get("file_upload")
    return pictures + ([upload] if isinstance(upload, str) else []) or [str(task.get("id"))]


def _unflatten(region):
    """Returns a region of JSON-MIN as one of the full JSON."""
    kind = next((key for key in region if key.endswith("labels")), "")
    return {"type": kind, "value": region, "original_width": region.get("original_width"),
            "original_height": region.get("original_height")}


def _load(results, size):
    return _read_shapes(results)[0]


def _read_shapes(results):
    """Returns shapes, what is left out, and the size (height, width) that all regions tell."""
    shapes, left_out, size = [], Counter(), None
    names = _names_by_region(results)
    for result in results:
        value, kind = result.get("value"), str(result.get("type", ""))
        if not isinstance(value, dict) or not _has_area(value):
            if isinstance(value, dict) and kind.endswith("labels") and kind != "labels":
                left_out[f"{clean_name(kind)}, which has no area"] += 1
            continue
        own = read_size(result.get("original_height"), result.get("original_width"))
        if own is None:
            raise ContentError("a region lacks original_width and original_height")
        if size not in (None, own):
            raise ContentError("the regions of one picture have different sizes")
        size = own
        if result.get("image_rotation"):
            left_out["drawn on a picture that was turned in Label Studio"] += 1
            continue
        labels = value.get(kind) or value.get("labels") or names.get(result.get("id"))
        name = clean_name(labels[0] if labels else "")
        if not name:
            left_out["without a class name"] += 1
        else:
            shapes.append(_read_shape(name, value, size))
    return shapes, left_out, size


def _names_by_region(results):
    """Returns region id -> names, where shape and class stand in results of their own."""
    return {result["id"]: result["value"].get("labels") or result["value"].get(result.get("type"))
            for result in results if result.get("id") and isinstance(result.get("value"), dict)
            and (result["value"].get("labels") or result["value"].get(result.get("type")))}


def _has_area(value):
    return (any(key in value for key in ("rle", "imageDataURL", "radiusX"))
            or {"x", "y", "width", "height"} <= value.keys()
            or len(value.get("points") or ()) > 2)


def _read_shape(name, value, size):
    height, width = size
    if "rle" in value:
        return mask_shape(name, decode_label_studio(value["rle"], size))
    if "imageDataURL" in value:  # bitmask: "data:image/png;base64,...", clear where nothing is
        mask = read_embedded_mask(base64.b64decode(value["imageDataURL"].partition(",")[2]))
        if mask.shape != size:
            raise ContentError("a bitmask does not have the picture's size")
        return mask_shape(name, mask)

    def number(key, side):
        """Returns a field in per cent of a side as pixels."""
        return read_number(value[key]) * side / 100

    degrees = read_number(value.get("rotation") or 0)
    if "points" in value:
        return polygon(name, [(read_number(x) * width / 100, read_number(y) * height / 100)
                              for x, y in value["points"]])
    left, top = number("x", width), number("y", height)
    if "radiusX" in value:
        return polygon(name, ellipse_outline(left, top, number("radiusX", width),
                                             number("radiusY", height), degrees))
    # A rectangle turns about its left upper corner.
    return polygon(name, box_outline(left, top, left + number("width", width),
                                     top + number("height", height), degrees, (left, top)))
