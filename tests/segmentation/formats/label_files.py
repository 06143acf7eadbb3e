"""One small valid file of each format, of the picture x.png of 8 x 12 pixels, made by hand."""

import base64
import io
import json
import zlib

import numpy as np
from PIL import Image

SIZE = (8, 12)
OUTLINE = [[2, 1], [7, 1], [7, 5], [2, 5]]
FLAT = [number for point in OUTLINE for number in point]


def square():
    """Returns the right label of OUTLINE: 1 in columns 2 to 7, rows 1 to 5."""
    label = np.zeros(SIZE, np.uint8)
    label[1:6, 2:8] = 1
    return label


def png_bytes(array):
    """Returns an array as the bytes of a PNG file."""
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def encode_brush(mask):
    """Returns Label Studio's bytes of a bool mask: RGBA, each pixel's four values as they are."""
    values = np.repeat(mask.ravel(), 4) * 255
    bits = f"{len(values):032b}{7:05b}" + f"{7:04b}" * 4
    for value in values:
        bits += f"0{0:02b}{0:08b}{value:08b}"  # one block of one value
    bits += "0" * (-len(bits) % 8)
    return [int(bits[start:start + 8], 2) for start in range(0, len(bits), 8)]


def count_runs(mask):
    """Returns COCO's runs of a bool mask: down the columns, the first one of zeros."""
    flat = np.concatenate([[False], mask.T.ravel()])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    return np.diff([0, *edges, mask.size]).tolist()


def pack_runs(counts):
    """Returns COCO's compressed text of runs (cocoapi, maskApi.c, rleToString)."""
    text = ""
    for place, count in enumerate(counts):
        number = count - counts[place - 2] if place > 2 else count
        more = True
        while more:
            bits, number = number & 31, number >> 5
            more = number != (-1 if bits & 16 else 0)
            text += chr(48 + (bits | 32 * more))
    return text


def labelme(**changes):
    """Returns labelme's JSON."""
    shape = {"label": "duck", "points": OUTLINE, "shape_type": "polygon", "group_id": None}
    return {"version": "5.0.1", "flags": {}, "shapes": [shape], "imagePath": "x.png",
            "imageData": None, "imageHeight": 8, "imageWidth": 12} | changes


def coco(segmentation=(FLAT,), **changes):
    """Returns COCO's JSON."""
    annotation = {"id": 1, "image_id": 1, "category_id": 3, "segmentation": segmentation,
                  "bbox": [2, 1, 5, 4], "area": 20, "iscrowd": 0}
    return {"images": [{"id": 1, "file_name": "x.png", "height": 8, "width": 12}],
            "categories": [{"id": 3, "name": "duck"}],
            "annotations": [annotation | changes]}


def label_studio(*values):
    """Returns Label Studio's JSON with these values of regions."""
    kinds = {"rle": "brushlabels", "points": "polygonlabels", "radiusX": "ellipselabels"}
    results = []
    for value in values or ({"points": [[x * 100 / 12, y * 100 / 8] for x, y in OUTLINE]},):
        kind = next((kinds[key] for key in kinds if key in value), "rectanglelabels")
        results.append({"id": "a", "type": kind, "original_width": 12, "original_height": 8,
                        "image_rotation": 0, "value": value | {kind: ["duck"]}})
    return [{"id": 1, "data": {"image": "/data/upload/1/0123abcd-x.png"},
             "annotations": [{"id": 1, "was_cancelled": False, "result": results}]}]


def supervisely(**changes):
    """Returns Supervisely's JSON of one object, a bitmap unless changes say otherwise."""
    data = base64.b64encode(zlib.compress(png_bytes(np.full((5, 6), 255, np.uint8)))).decode()
    entry = {"classTitle": "duck", "geometryType": "bitmap",
             "bitmap": {"data": data, "origin": [2, 1]}} | changes
    return {"size": {"height": 8, "width": 12}, "objects": [entry]}


def via(**changes):
    """Returns the region data of VIA of one region, a polygon unless changes say otherwise."""
    shape = {"name": "polygon", "all_points_x": [x for x, _ in OUTLINE],
             "all_points_y": [y for _, y in OUTLINE]}
    region = {"shape_attributes": shape, "region_attributes": {"class": "duck"}} | changes
    return {"x.png99": {"filename": "x.png", "size": 99, "regions": [region],
                        "file_attributes": {}}}


def cityscapes():
    """Returns Cityscapes' polygons JSON."""
    return {"imgHeight": 8, "imgWidth": 12, "objects": [{"label": "car", "polygon": OUTLINE}]}


CVAT_POLYGON = '<polygon label="duck" points="2,1;7,1;7,5;2,5" z_order="0"></polygon>'


def cvat(shapes=CVAT_POLYGON, kind="task"):
    """Returns CVAT's XML for images."""
    return (f'<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version><meta>'
            f"<{kind}><labels><label><name>swan</name></label><label><name>duck</name></label>"
            f'</labels></{kind}></meta><image id="0" name="x.png" width="12" height="8">{shapes}'
            f"</image></annotations>")


LABELME_MIT = ("<annotation><filename>x.png</filename><folder>birds</folder><object><name>duck"
               "</name><deleted>0</deleted><polygon>" + "".join(
                   f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in OUTLINE)
               + "</polygon></object><imagesize><nrows>8</nrows><ncols>12</ncols></imagesize>"
               "</annotation>")
YOLO = "0 " + " ".join(f"{x / 12:.5f} {y / 8:.5f}" for x, y in OUTLINE) + "\n"

FILES = {  # name: content, of every format
    "x.json": json.dumps(labelme()), "coco.json": json.dumps(coco()),
    "rle.json": json.dumps(coco({"size": SIZE, "counts": count_runs(square() > 0)})),
    "packed.json": json.dumps(coco({"size": SIZE,
                                    "counts": pack_runs(count_runs(square() > 0))})),
    "studio.json": json.dumps(label_studio()),
    "brush.json": json.dumps(label_studio({"format": "rle", "rle": encode_brush(square() > 0)})),
    "x.png.json": json.dumps(supervisely()), "via.json": json.dumps(via()),
    "x_gtFine_polygons.json": json.dumps(cityscapes()),
    "masked.json": json.dumps(labelme(shapes=[
        {"label": "duck", "shape_type": "mask", "points": [[2, 1], [7, 5]],
         "mask": base64.b64encode(png_bytes(np.full((5, 6), 255, np.uint8))).decode()}])),
    "annotations.xml": cvat(), "mask.xml": cvat(
        '<mask label="duck" rle="0, 30" left="2" top="1" width="6" height="5"></mask>'),
    "x.xml": LABELME_MIT, "x.txt": YOLO,
}
