"""The XML of MIT's old LabelMe, one file a picture, which CVAT writes too ("LabelMe 3.0")."""

from collections import Counter

from segmentation.formats.reading import clean_name, read_number, read_size
from segmentation.formats.records import Record, count_names, polygon

KIND = "LabelMe XML (MIT)"


def recognizes(root):
    """Whether this is LabelMe's: <annotation> whose objects have polygons (VOC's have boxes)."""
    return root.tag == "annotation" and root.find("object/polygon") is not None


def read(path, root, source):
    """Returns the one Record of a file; it tells no order of classes."""
    folder, name = root.findtext("folder", "").strip(), root.findtext("filename", "").strip()
    size = read_size(root.findtext("imagesize/nrows"), root.findtext("imagesize/ncols"))
    shapes, left_out = _read_shapes(root)
    names = [f"{folder}/{name}", path.stem] if name else [path.stem]
    return [Record(path, names, size, lambda size: _read_shapes(root)[0],
                   count_names(shapes), left_out)], []


def _read_shapes(root):
    shapes, left_out = [], Counter()
    for element in root.findall("object"):
        if element.findtext("deleted", "0").strip() == "1":
            continue
        name = clean_name(element.findtext("name"))
        points = [(read_number(point.findtext("x")), read_number(point.findtext("y")))
                  for point in element.findall("polygon/pt")]
        if not name or len(points) < 3:
            left_out["without a name, or with an outline of fewer than 3 points"] += 1
        else:
            shapes.append(polygon(name, points))
    return shapes, left_out
