"""Kinds of label files that are known, but can't be used: what they are, and what to do."""

import re

BOXES = ("{} hold boxes (Pascal VOC XML), and segmentation needs outlines or masks: export "
         "polygons or masks, or set SOURCE to the folder SegmentationClass.")
VIA_3 = "{} are of VIA 3, which is not read: draw in VIA 2, or export from VIA 2."
DATUMARO = ("{} are datumaro's own JSON, which is not read: export them from datumaro as COCO or "
            "as VOC masks.")
COCO_RESULTS = ("{} are COCO results without the list of pictures and classes: export the whole "
                "data set in COCO's format.")
CREATE_ML = "{} hold boxes (CreateML), and segmentation needs outlines or masks."

BRUSH = re.compile(r"^task-\d+-annotation-\d+-by-\d+-tag-")  # Label Studio's "Brush labels to PNG"
VIA_CSV = "{} are VIA's annotations as CSV, which are not read: export them as JSON there."
NAMELESS = ("{} are Label Studio's \"Brush labels to PNG\", whose names lead to no picture: export "
            "JSON there.")


def refuse_json(content):
    """Returns why a JSON file of a known kind can't be used, '' where its kind is unknown."""
    if isinstance(content, dict):
        if {"project", "metadata", "file"} <= content.keys():
            return VIA_3
        if {"items", "categories"} <= content.keys():
            return DATUMARO
    if isinstance(content, list) and content and isinstance(content[0], dict):
        if {"image_id", "category_id"} <= content[0].keys():
            return COCO_RESULTS
        if {"image", "annotations"} <= content[0].keys():
            return CREATE_ML
    return ""


def refuse_xml(root):
    """Returns why an XML file of a known kind can't be used, '' where its kind is unknown."""
    is_voc = root.tag == "annotation" and root.find("object/bndbox") is not None
    return BOXES if is_voc else ""


def refuse_mask(path):
    """Returns why a label picture can't be used, '' where its name may lead to its picture."""
    return NAMELESS if BRUSH.match(path.name) else ""


def refuse_csv(path):
    """Returns why a CSV file can't be used, '' where it is no label file of a known kind."""
    with open(path, "rb") as file:
        return VIA_CSV if b"region_shape_attributes" in file.read(500) else ""
