"""CVAT's XML ("CVAT for images" and "CVAT for video"), of a task, a project or a job."""

from collections import Counter, defaultdict

from segmentation.formats.geometry import box_outline, ellipse_outline
from segmentation.formats.reading import (
    ContentError,
    clean_name,
    read_number,
    read_points,
    read_size,
)
from segmentation.formats.records import Record, count_names, mask_shape, polygon
from segmentation.formats.runs import expand_runs

KIND = "CVAT XML"
SHAPES = ("polygon", "box", "ellipse", "mask", "polyline", "points", "cuboid", "skeleton", "tag")


def recognizes(root):
    """Whether this is CVAT's: <annotations> with a <meta>, images or tracks."""
    return root.tag == "annotations" and any(
        root.find(tag) is not None for tag in ("image", "track", "meta"))


def read(path, root, source):
    """Returns a Record for each picture, and the order of the tool's own list of labels."""
    order = [clean_name(name.text) for name in root.findall("meta//labels/label/name")]
    records = []
    for image in root.findall("image"):
        name, subset = image.get("name"), image.get("subset")
        names = ([f"{subset}/{name}"] if subset else []) + [name]
        records.append(_make_record(path, names, _read_size(image), list(image)))
    records += _read_tracks(path, root)
    return records, order


def _read_size(element):
    return read_size(element.get("height"), element.get("width"))


def _make_record(path, names, size, elements):
    elements = [element for element in elements if element.tag in SHAPES]
    shapes, left_out = _read_shapes(elements)
    return Record(path, names, size, lambda size: _read_shapes(elements)[0], count_names(shapes),
                  left_out)


def _read_tracks(path, root):
    """Returns a Record for each frame of a video; the export has each shape in all its frames."""
    frames = defaultdict(list)
    for track in root.findall("track"):
        for element in track:
            if element.get("outside") != "1" and element.tag in SHAPES:
                element.set("label", track.get("label", ""))
                frames[int(element.get("frame"))].append(element)
    width, height = (root.findtext(f"meta//original_size/{side}") for side in ("width", "height"))
    size, records = read_size(height, width), []
    for number, elements in sorted(frames.items()):
        records.append(_make_record(path, [f"frame_{number:06d}"], size, elements))
        records[-1].frame = number
    return records


def _read_shapes(elements):
    """Returns shapes from below to above: by z_order, then in the file's order."""
    shapes, left_out = [], Counter()
    for element in sorted(elements, key=lambda element: int(element.get("z_order") or 0)):
        name = clean_name(element.get("label"))
        if element.tag == "tag":  # of the whole picture
            continue
        if not name:
            left_out["without a class name"] += 1
        elif element.tag == "mask":
            shapes.append(_read_mask(name, element))
        else:
            outline = _read_outline(element)
            if len(outline) < 3:
                left_out[f"{element.tag}, which has no area"] += 1
            else:
                shapes.append(polygon(name, outline))
    return shapes, left_out


def _read_outline(element):
    """Returns the corners of a shape, [] where it has no area."""
    def number(key):
        """Returns an attribute as a number, 0 where it is missing."""
        return read_number(element.get(key) or 0)

    if element.tag == "polygon":
        return read_points(pair.split(",") for pair in element.get("points").strip(";").split(";"))
    if element.tag == "box":
        return box_outline(*(number(key) for key in ("xtl", "ytl", "xbr", "ybr", "rotation")))
    if element.tag == "ellipse":
        return ellipse_outline(*(number(key) for key in ("cx", "cy", "rx", "ry", "rotation")))
    return []


def _read_mask(name, element):
    """A mask's runs go row by row within its own box, the first one is empty."""
    left, top, width, height = (int(float(element.get(key)))
                                for key in ("left", "top", "width", "height"))
    if read_size(height, width) is None:
        raise ContentError("a mask is empty")
    counts = [int(count) for count in element.get("rle").split(",")]
    return mask_shape(name, expand_runs(counts, height * width).reshape(height, width), left, top)
