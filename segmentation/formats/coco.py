"""COCO's JSON, many pictures a file: polygons, run lengths, and panoptic PNGs beside it."""

from collections import Counter, defaultdict
from functools import partial

import numpy as np

from device.images import open_image
from segmentation.data.classes import IGNORED_NAME
from segmentation.formats.reading import (
    ContentError,
    FormatError,
    clean_name,
    read_flat_points,
    read_size,
)
from segmentation.formats.records import (
    Indices,
    Record,
    Shape,
    count_names,
    mask_shape,
)
from segmentation.formats.runs import decode_coco_mask

KIND = "COCO JSON"
BOX_ONLY = "a box without an outline"
TOO_FEW = "an outline of fewer than 3 points"


def recognizes(content):
    """Whether this is COCO's: lists of images, annotations and categories."""
    return isinstance(content, dict) and all(
        isinstance(content.get(key), list) for key in ("images", "annotations", "categories"))


def read(path, content, source):
    """Returns a Record for each picture, annotations in the file's order, and all categories."""
    names = {category["id"]: clean_name(category["name"]) or f"class {category['id']}"
             for category in content["categories"]}
    by_image = defaultdict(list)
    for annotation in content["annotations"]:
        by_image[str(annotation["image_id"])].append(annotation)  # may be number or text
    records = []
    for image in content["images"]:
        size = read_size(image.get("height"), image.get("width"))
        annotations = by_image.pop(str(image["id"]), [])
        file_names = [str(image[key]) for key in ("file_name", "coco_url", "flickr_url")
                      if image.get(key)]
        if not file_names:
            raise ContentError(f"picture {image['id']} has no file_name")
        if any("segments_info" in annotation for annotation in annotations):
            records.append(_read_panoptic(path, annotations, names, file_names, size, source))
            continue
        shapes, left_out = _read_shapes(path, annotations, names, size, source.crowd)
        load = partial(_load, path, annotations, names, size, source.crowd)
        records.append(Record(path, file_names, size, load, count_names(shapes), left_out))
    if by_image:
        raise FormatError(f"{path}: {sum(map(len, by_image.values()))} annotation(s) belong to "
                          f"pictures that the file does not list; export it again.")
    return records, list(names.values())


def _load(path, annotations, names, image_size, crowd, size):
    return _read_shapes(path, annotations, names, image_size or size, crowd)[0]


def _read_shapes(path, annotations, names, size, crowd):
    shapes, left_out = [], Counter()
    for annotation in annotations:
        name = _find_name(path, annotation["category_id"], names)
        if crowd == "ignore" and annotation.get("iscrowd"):
            name = IGNORED_NAME
        segmentation = annotation.get("segmentation")
        if not segmentation:
            left_out[BOX_ONLY] += 1
        elif isinstance(segmentation, dict):
            mask_size = read_size(*segmentation["size"])
            if size is not None and mask_size != size:
                raise FormatError(f"{path}: a mask of {mask_size[1]} x {mask_size[0]} pixels lies "
                                  f"in a picture of {size[1]} x {size[0]}; export it again.")
            shapes.append(mask_shape(name, decode_coco_mask(segmentation["counts"], mask_size)))
        else:
            if not isinstance(segmentation[0], list):  # VIA's export: one outline, not a list
                segmentation = [segmentation]
            rings = [read_flat_points(ring) for ring in segmentation if len(ring) >= 6]
            if rings:
                shapes.append(Shape(name, "polygon", rings))
            else:
                left_out[TOO_FEW] += 1
    return shapes, left_out


def _find_name(path, category_id, names):
    if category_id not in names:
        raise FormatError(f"{path}: category {category_id} is used, but not listed; export it "
                          f"again.")
    return names[category_id]


# ---- panoptic --------------------------------------------------------------------------------


def _read_panoptic(path, annotations, names, file_names, size, source):
    """Returns the Record of a picture whose segments are the colors of a PNG."""
    (annotation,) = annotations
    png = source.find_file(annotation["file_name"], path)
    if png is None:
        raise FormatError(f"{path}: there is no {annotation['file_name']} of its segments in "
                          f"{source.folder}; put it there.")
    with open_image(png) as file:
        png_size = file.size[::-1]
    if size not in (None, png_size):
        raise FormatError(f"{png} has {png_size[1]} x {png_size[0]} pixels, but {path.name} says "
                          f"{size[1]} x {size[0]}; export both again.")
    segments = {}
    for segment in annotation["segments_info"]:
        name = _find_name(path, segment["category_id"], names)
        ignored = source.crowd == "ignore" and segment.get("iscrowd")
        segments[int(segment["id"])] = IGNORED_NAME if ignored else name
    source.used.add(png)
    return Record(path, [*file_names, png.stem], size, partial(_load_panoptic, png, segments),
                  Counter(segments.values()))


def _load_panoptic(path, segments, size):
    """The id of a segment is R + 256 G + 65536 B; 0 belongs to none."""
    with open_image(path) as file:
        color = np.asarray(file.convert("RGB"), np.int32)
    ids = color @ np.array([1, 256, 65536], np.int32)
    known = np.array(sorted(segments), np.int32)
    order = ["background", *dict.fromkeys(segments.values())]
    if len(order) > 256:
        raise FormatError(f"{path} holds more than 255 classes.")
    if not len(known):
        return Indices(np.zeros(ids.shape, np.uint8), order)
    place = np.clip(np.searchsorted(known, ids), 0, len(known) - 1)
    found = known[place] == ids
    if (~found & (ids != 0)).any():
        raise FormatError(f"{path} holds segments that its JSON does not list; export it again.")
    numbers = np.array([order.index(segments[int(number)]) for number in known], np.uint8)
    return Indices(np.where(found, numbers[place], 0).astype(np.uint8), order)
