"""Each tool's files as real ones look: several versions, optional fields, odd names."""

import base64
import codecs
import json
import math
import unicodedata

import numpy as np
import pytest
from label_files import (
    FLAT,
    LABELME_MIT,
    OUTLINE,
    SIZE,
    YOLO,
    cityscapes,
    coco,
    count_runs,
    cvat,
    encode_brush,
    label_studio,
    labelme,
    pack_runs,
    png_bytes,
    square,
    supervisely,
    via,
)
from PIL import Image

from device.errors import InputError
from segmentation.formats.yolo import parse_yaml_names

LEFT = [[0, 0], [3, 0], [3, 7], [0, 7]]  # an outline of columns 0 to 3


@pytest.fixture
def import_file(import_from, add_picture, tmp_path):
    """A function that writes one label file and a picture, and imports them: label, class names."""
    def run(name, content, picture="x.png", **constants):
        add_picture(f"images/{picture}", SIZE)
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            text = content if isinstance(content, str) else json.dumps(content)
            path.write_text(text, encoding="utf-8")
        labels, names = import_from(image_dir="images", **constants)
        (label,) = labels.values()
        return label, names

    return run


# ---- encodings and names ---------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_in_any_unicode(encoding, import_file):
    label, names = import_file("x.json", json.dumps(labelme()).encode(encoding))
    assert np.array_equal(label, square()) and names == ["background", "duck"]


def test_xml_and_text_with_marks_and_windows_line_ends(import_file, tmp_path):
    label, _ = import_file("annotations.xml", codecs.BOM_UTF8 + cvat().encode())
    assert np.array_equal(label, square())
    (tmp_path / "source/annotations.xml").unlink()
    for text in (codecs.BOM_UTF8 + YOLO.replace("\n", "\r\n").encode(),
                 codecs.BOM_UTF16_LE + YOLO.encode("utf-16-le")):
        label, names = import_file("x.txt", text)
        assert np.array_equal(label, square()) and names == ["background", "class 0"]


@pytest.mark.parametrize(("name", "picture"), [
    ("images/train/x.png", "x.png"), ("C:\\data\\x.png", "x.png"), ("X.PNG", "x.png"),
    ("http://host/a/my%20bird.jpg?token=1", "my bird.jpg"), ("my%20bird.jpg", "my bird.jpg"),
    ("x_jpg.rf.0123456789abcdef.jpg", "x.jpg"), ("x.jpg", "x_jpg.rf.0a1b2c.jpg"),
    ("0123abcd-x.png", "x.png"), ("x.jpeg", "x.jpg"), ("x.tar.png", "x.tar.png"),
    (unicodedata.normalize("NFD", "c\u00f4t\u00e9.png"), "c\u00f4t\u00e9.png"),
    ("c\u00f4t\u00e9.png", unicodedata.normalize("NFD", "c\u00f4t\u00e9.png"))])
def test_what_tools_call_a_picture(name, picture, import_file):
    content = coco()
    content["images"][0]["file_name"] = name
    label, _ = import_file("annotations.json", content, picture)
    assert np.array_equal(label, square())


def test_pictures_of_one_name_in_two_folders(import_from, add_picture, tmp_path):
    for folder in ("train", "val"):
        add_picture(f"source/{folder}/images/x.png")
        path = tmp_path / f"source/{folder}/labels/x.txt"
        path.parent.mkdir()
        path.write_text(YOLO if folder == "val" else "")
    labels, _ = import_from()
    assert sorted(labels) == ["train/images/x", "val/images/x"]
    assert not labels["train/images/x"].any()  # an empty file says that there is nothing
    assert np.array_equal(labels["val/images/x"], square())


def test_one_name_that_fits_two_folders_alike(import_from, add_picture, tmp_path):
    for folder in ("a", "b"):
        add_picture(f"images/{folder}/x.png")
    (tmp_path / "source").mkdir()
    (tmp_path / "source/coco.json").write_text(json.dumps(coco()))
    with pytest.raises(InputError, match=r"1 label.* fit more than one picture"):
        import_from(image_dir="images")


def test_labels_without_their_picture(import_file, capsys):
    content = coco()
    content["images"].append({"id": 2, "file_name": "gone.png", "height": 8, "width": 12})
    content["annotations"].append({"image_id": 2, "category_id": 3, "segmentation": [FLAT]})
    import_file("annotations.json", content)
    assert "1 label(s) have no picture" in capsys.readouterr().out
    content["images"] = content["images"][1:]
    content["annotations"] = content["annotations"][1:]
    with pytest.raises(InputError, match=r"None of the 1 labels .* gone\.png"):
        import_file("annotations.json", content)


# ---- labelme ---------------------------------------------------------------------------------


def test_old_labelme_files(import_file):
    content = labelme(imagePath="..\\other\\wrong.jpg")
    for key in ("imageHeight", "imageWidth", "version", "imageData"):
        del content[key]
    del content["shapes"][0]["shape_type"]
    label, _ = import_file("x.json", content)
    assert np.array_equal(label, square())


def test_labelme_points_to_a_picture_of_another_name(import_file):
    label, _ = import_file("0001.json", labelme(imagePath="../images/x.png"))
    assert np.array_equal(label, square())


def test_labelme_shapes_above_one_another(import_file):
    shapes = [{"label": "duck", "points": OUTLINE, "shape_type": "polygon"},
              {"label": "_background_", "points": LEFT, "shape_type": "polygon"},
              {"label": "__ignore__", "points": [[7, 5], [6, 5]], "shape_type": "rectangle"},
              {"label": 7, "points": [[11, 0]], "shape_type": "point"},
              {"label": "gone", "points": [[1, 1], [2, 2]], "shape_type": "polygon"}]
    label, names = import_file("x.json", labelme(shapes=shapes))
    assert names == ["background", "7", "duck"]
    assert label[5, :8].tolist() == [0, 0, 0, 0, 2, 2, 255, 255]
    assert label[0, 7:].tolist() == [1, 1, 1, 1, 1]  # a point has a radius of 5 pixels


def test_x_anylabelings_boxes(import_file):
    for kind in ("rotation", "rectangle"):
        label, _ = import_file("x.json", labelme(shapes=[
            {"label": "duck", "points": OUTLINE, "shape_type": kind, "direction": 0.0}]))
        assert np.array_equal(label, square())


def test_labelme_says_that_there_is_nothing(import_file, import_from, add_picture, tmp_path):
    add_picture("images/y.png")
    (tmp_path / "source").mkdir()
    (tmp_path / "source/y.json").write_text(json.dumps(labelme()))
    label, _ = import_file("y.json", labelme())
    assert label.any()
    (tmp_path / "source/x.json").write_text(json.dumps(labelme(shapes=[])))
    labels, _ = import_from(image_dir="images")
    assert not labels["x"].any() and labels["y"].any()


def test_a_picture_that_is_only_inside_the_json(import_from, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "source").mkdir()
    picture = png_bytes(np.full((*SIZE, 3), 90, np.uint8))
    content = labelme(imageData=base64.b64encode(picture).decode())
    (tmp_path / "source/x.json").write_text(json.dumps(content))
    labels, _ = import_from(image_dir="images")
    assert np.array_equal(labels["x"], square())
    assert (tmp_path / "images/x.png").read_bytes() == picture


# ---- COCO ------------------------------------------------------------------------------------


@pytest.mark.parametrize("segmentation", [
    [FLAT], FLAT, {"size": [8, 12], "counts": count_runs(square() > 0)},
    {"size": [8, 12], "counts": pack_runs(count_runs(square() > 0))}])
def test_coco_segmentations(segmentation, import_file):
    label, names = import_file("a.json", coco(segmentation, image_id="1"))
    assert np.array_equal(label, square()) and names == ["background", "duck"]


def test_packed_runs_of_any_length(import_file):
    from segmentation.formats.runs import decode_coco_counts

    counts = [0, 5, 1, 70000, 3, 2, 900, 1, 1, 31, 32, 33]
    assert decode_coco_counts(pack_runs(counts)) == counts


def test_coco_parts_and_boxes_without_outline(import_file, capsys):
    content = coco([FLAT, [0, 0, 1, 0, 1, 1, 0, 1]])
    content["annotations"] += [{"image_id": 1, "category_id": 3, "segmentation": nothing}
                               for nothing in (None, [], [[]], [[1, 1, 2, 2]])]
    content["categories"] += [{"id": 0, "name": "birds-xyz"}, {"id": 9, "name": "__ignore__"}]
    label, names = import_file("_annotations.coco.json", content)
    right = square()
    right[:2, :2] = 1
    assert np.array_equal(label, right) and names == ["background", "duck"]
    told = capsys.readouterr().out
    assert "2 annotation(s) are left out: a box without an outline" in told
    assert "2 annotation(s) are left out: an outline of fewer than 3 points" in told
    assert "1 listed class(es) have no annotation and are dropped: birds-xyz" in told


def test_a_picture_of_boxes_only_is_never_called_background(import_from, add_picture, tmp_path):
    add_picture("images/x.png")
    add_picture("images/y.png")
    add_picture("images/z.png")
    content = coco()
    content["images"].append({"id": 2, "file_name": "y.png", "height": 8, "width": 12})
    content["annotations"].append({"image_id": 2, "category_id": 3, "bbox": [0, 0, 4, 4]})
    (tmp_path / "source").mkdir()
    (tmp_path / "source/coco.json").write_text(json.dumps(content))
    assert sorted(import_from(image_dir="images", EMPTY="background")[0]) == ["x", "z"]
    assert sorted(import_from(image_dir="images")[0]) == ["x"]


def test_panoptic_segments(import_from, add_picture, tmp_path):
    add_picture("images/x.jpg")
    ids = np.where(square() > 0, 70000, 0)
    ids[0] = 9
    color = np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=-1).astype(np.uint8)
    folder = tmp_path / "source/panoptic_val"
    folder.mkdir(parents=True)
    Image.fromarray(color).save(folder / "x.png")
    segments = [{"id": 70000, "category_id": 3, "iscrowd": 0},
                {"id": 9, "category_id": 5, "iscrowd": 1}]
    content = coco() | {"categories": [{"id": 5, "name": "sky"}, {"id": 3, "name": "duck"}],
                        "annotations": [{"image_id": 1, "file_name": "x.png",
                                         "segments_info": segments}]}
    content["images"][0]["file_name"] = "x.jpg"
    (tmp_path / "source/panoptic_val.json").write_text(json.dumps(content))
    labels, names = import_from(image_dir="images")
    right = square() * 2
    right[0] = 1
    assert names == ["background", "sky", "duck"] and np.array_equal(labels["x"], right)


def test_two_files_of_one_picture(import_from, add_picture, tmp_path):
    add_picture("images/x.png")
    (tmp_path / "source").mkdir()
    for name in ("train.json", "all.json"):
        (tmp_path / f"source/{name}").write_text(json.dumps(coco()))
    labels, _ = import_from(image_dir="images")  # they say the same
    assert np.array_equal(labels["x"], square())
    (tmp_path / "source/all.json").write_text(json.dumps(coco([[0, 0, 3, 0, 3, 3]])))
    with pytest.raises(InputError, match=r"labeled more than once.* x\.png"):
        import_from(image_dir="images")
    assert import_from("source/train.json", "images")[0]


def test_hidden_annotations_are_told(import_file, capsys):
    content = coco([[3, 2, 5, 2, 5, 4, 3, 4]])
    content["categories"].append({"id": 4, "name": "pond"})
    content["annotations"].append({"image_id": 1, "category_id": 4, "segmentation": [FLAT]})
    label, _ = import_file("a.json", content)
    assert np.array_equal(label, 2 * square())
    assert "1 annotation(s) are hidden to more than nine tenths by later ones: duck (1)" \
        in capsys.readouterr().out


# ---- CVAT ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["task", "project", "job"])
def test_cvat_of_a_task_a_project_a_job(kind, import_file):
    label, names = import_file("annotations.xml", cvat(kind=kind))
    assert np.array_equal(label, square()) and names == ["background", "duck"]


def test_cvat_mask_runs_go_by_rows_in_their_box(import_file):
    rows = [1, 2, 6, 1, 2]  # 3 wide, 4 high: .XX ... ... X..
    shape = f'<mask label="duck" rle="{", ".join(map(str, rows))}" left="4" top="2" width="3" ' \
            'height="4"/>'
    label, _ = import_file("annotations.xml", cvat(shape))
    right = np.zeros(SIZE, np.uint8)
    right[2, 5:7] = 1
    right[5, 4] = 1
    assert np.array_equal(label, right)


def test_cvat_tracks(import_from, add_picture, tmp_path):
    for number in range(3):
        add_picture(f"images/clip_{number:04}.png")
    polygon = '<polygon frame="{}" outside="{}" keyframe="1" points="2,1;7,1;7,5;2,5" ' \
              'z_order="0"/>'
    (tmp_path / "source").mkdir()
    (tmp_path / "source/annotations.xml").write_text(
        "<annotations><meta><task><original_size><width>12</width><height>8</height>"
        '</original_size></task></meta><track id="0" label="duck">'
        + polygon.format(0, 0) + polygon.format(1, 1) + polygon.format(2, 0)
        + "</track></annotations>")
    labels, names = import_from(image_dir="images")
    assert names == ["background", "duck"] and sorted(labels) == ["clip_0000", "clip_0002"]
    assert np.array_equal(labels["clip_0002"], square())


@pytest.mark.parametrize("start", [
    "<!DOCTYPE a [<!ENTITY b 'duck'>]>", '<!DOCTYPE a SYSTEM "file:///etc/passwd">'])
def test_entities_are_refused(start, import_file):
    text = cvat().split("?>\n")[1].replace('label="duck"', 'label="&b;"')
    for encoding in ("utf-8", "utf-16"):
        with pytest.raises(InputError, match="DOCTYPE"):
            import_file("a.xml", (start + text).encode(encoding))


def test_the_old_labelme_of_mit(import_file):
    label, _ = import_file("x.xml", LABELME_MIT)
    assert np.array_equal(label, square())


# ---- YOLO ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [
    "names: [duck, 'big swan']\nnc: 2", "names:\n  0: duck\n  1: big swan\nnc: 2",
    "train: x\r\nnames:\r\n- duck  # a comment\r\n- \"big swan\"\r\nnc: 2\r\n",
    "names: {0: duck, 1: 'big swan'}", "names: [\n  'duck',\n  'big swan'\n]\n",
    "nc: 2\nnames:\n\n  - duck\n  - big swan\nroboflow:\n  workspace: a",
    "'names':\n    0: duck\n    1: big swan\n"])
def test_names_of_data_yaml(text):
    assert parse_yaml_names(text) == ["duck", "big swan"]


def test_yolo_boxes_alone_and_among_outlines(import_file, capsys):
    box = "0 0.5 0.5 0.25 0.25\n"
    with pytest.raises(InputError, match="left out: a box without an outline"):
        import_file("x.txt", box)
    label, _ = import_file("x.txt", box + YOLO)
    assert np.array_equal(label, square())
    assert "1 annotation(s) are left out: a box without an outline" in capsys.readouterr().out


def test_long_wrong_lines_take_no_time(import_file):
    with pytest.raises(InputError, match="line 2, is not a class and pairs"):
        import_file("x.txt", YOLO + "0 " + "1000 " * 2000 + "x")


@pytest.mark.parametrize(("line", "sentence"), [
    ("0 0.1 0.1 0.2 0.2 0.3", "line 2, is not a class and pairs"),
    ("0 10 10 200 10 200 100", "line 2, holds 200"),
    ("4 0.1 0.1 0.2 0.2 0.3 0.3", "line 2, has class 4, but there are 1 names")])
def test_wrong_yolo_lines_are_named(line, sentence, import_file, tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source/data.yaml").write_text("names: [duck]")
    with pytest.raises(InputError, match=sentence):
        import_file("x.txt", YOLO + line)


# ---- Label Studio ----------------------------------------------------------------------------


def per_cent(x, y):
    """Returns pixels of a picture of SIZE in per cent."""
    return x * 100 / SIZE[1], y * 100 / SIZE[0]


def test_label_studios_shapes(import_file):
    left, top = per_cent(2, 1)
    width, height = per_cent(5, 4)
    box = {"x": left, "y": top, "width": width, "height": height, "rotation": 0}
    brush = {"format": "rle", "rle": encode_brush(square() > 0)}
    for value in (box, brush):
        label, names = import_file("p.json", label_studio(value))
        assert np.array_equal(label, square()) and names == ["background", "duck"]
    x, y = per_cent(6, 4)
    radius_x, radius_y = per_cent(3, 2)
    label, _ = import_file("p.json", label_studio(
        {"x": x, "y": y, "radiusX": radius_x, "radiusY": radius_y, "rotation": 0}))
    assert label[4].tolist() == [0] * 3 + [1] * 7 + [0] * 2
    assert label[:, 6].tolist() == [0, 0, 1, 1, 1, 1, 1, 0]


def test_label_studios_bitmask(import_file):
    clear = png_bytes(np.dstack([square() * 0] * 3 + [square() * 255]))
    value = {"format": "png", "bitmasklabels": ["duck"],
             "imageDataURL": "data:image/png;base64," + base64.b64encode(clear).decode()}
    content = label_studio(value)
    content[0]["annotations"][0]["result"][0]["type"] = "bitmasklabels"
    label, names = import_file("p.json", content)
    assert np.array_equal(label, square()) and names == ["background", "duck"]


def test_label_studio_turns_a_box_about_its_corner(import_file):
    left, top = per_cent(6, 1)
    width, height = per_cent(4, 3)
    label, _ = import_file("p.json", label_studio(
        {"x": left, "y": top, "width": width, "height": height, "rotation": 90}))
    right = np.zeros(SIZE, np.uint8)
    right[1:6, 3:7] = 1  # downward and to the left of the corner (6, 1)
    assert np.array_equal(label, right)


def test_the_last_annotation_that_was_not_cancelled(import_file, capsys):
    content = label_studio()
    whole = content[0]["annotations"][0]
    wrong = json.loads(json.dumps(whole))
    wrong["result"][0]["value"]["points"] = [[0, 0], [9, 0], [9, 9]]
    content[0]["annotations"] = [wrong, whole, wrong | {"was_cancelled": True}]
    label, _ = import_file("p.json", content)
    assert np.array_equal(label, square())
    assert "1 task(s) have several annotations" in capsys.readouterr().out


def test_label_studios_short_json(import_file):
    region = label_studio()[0]["annotations"][0]["result"][0]["value"]
    region |= {"original_width": 12, "original_height": 8}
    label, _ = import_file("p.json", [{"id": 1, "image": "/data/upload/1/0123abcd-x.png",
                                       "tag": [region]}])
    assert np.array_equal(label, square())


@pytest.mark.parametrize("address", [
    "/data/local-files/?d=birds%2Fx.png", "s3://bucket/birds/x.png", "https://h/x.png?a=b"])
def test_label_studios_addresses(address, import_file):
    content = label_studio()
    content[0]["data"] = {"text": "a note", "image": address}
    label, _ = import_file("p.json", content)
    assert np.array_equal(label, square())


# ---- Supervisely, VIA, Cityscapes ------------------------------------------------------------


def test_superviselys_shapes(import_file):
    bare = {"data": base64.b64encode(png_bytes(np.full((5, 6), 255, np.uint8))).decode(),
            "origin": [2, 1]}
    for changes in ({}, {"bitmap": bare},
                    {"geometryType": "rectangle", "points": {"exterior": [[7, 5], [2, 1]],
                                                             "interior": []}},
                    {"geometryType": None, "bitmap": None,
                     "points": {"exterior": OUTLINE, "interior": []}}):
        label, _ = import_file("ds0/ann/x.png.json", supervisely(**changes))
        assert np.array_equal(label, square()), changes


def test_a_hole_keeps_its_outline_and_shows_what_is_below(import_file):
    content = supervisely(geometryType="polygon", points={
        "exterior": [[0, 0], [9, 0], [9, 7], [0, 7]],
        "interior": [[[2, 2], [6, 2], [6, 5], [2, 5]]]})
    content["objects"].insert(0, {"classTitle": "pond", "geometryType": "polygon",
                                  "points": {"exterior": LEFT, "interior": []}})
    label, names = import_file("x.png.json", content)
    assert names == ["background", "duck", "pond"]
    assert label[3].tolist() == [1, 1, 1, 2, 0, 0, 1, 1, 1, 1, 0, 0]


@pytest.mark.parametrize(("shape", "right"), [
    ({"name": "rect", "x": 2, "y": 1, "width": 5, "height": 4}, square()),
    ({"name": "circle", "cx": 6, "cy": 4, "r": 2}, None),
    ({"name": "ellipse", "cx": 6, "cy": 4, "rx": 2, "ry": 3, "theta": math.pi / 2}, None)])
def test_vias_regions(shape, right, import_file):
    label, _ = import_file("via.json", via(shape_attributes=shape))
    if right is not None:
        assert np.array_equal(label, right)
    else:
        wide = 3 if shape["name"] == "ellipse" else 2  # turned by a right angle
        assert label[4].tolist() == [int(abs(x - 6) <= wide) for x in range(12)]


def test_vias_attribute_is_chosen_and_told(import_file, capsys):
    content = via(region_attributes={"quality": {"good": True, "sharp": False}, "class": "duck"})
    label, names = import_file("via.json", {
        "_via_settings": {}, "_via_img_metadata": content,
        "_via_attributes": {"region": {"class": {"options": {"swan": "", "duck": ""}}}}})
    assert names == ["background", "duck"] and np.array_equal(label, square())
    assert "the class is taken from the attribute class, not from quality" \
        in capsys.readouterr().out
    content["x.png99"]["regions"] = {"0": content["x.png99"]["regions"][0]}  # VIA 1
    content["x.png99"]["regions"]["0"]["region_attributes"] = {}
    _, names = import_file("via.json", content)
    assert names == ["background", "object"]


def test_cityscapes_groups_and_deleted_objects(import_file):
    content = cityscapes()
    content["objects"][0]["label"] = "cargroup"
    content["objects"].append({"label": "person", "polygon": LEFT, "deleted": 1})
    label, names = import_file("x_gtFine_polygons.json", content, "x_leftImg8bit.png")
    assert names == ["background", "car"] and np.array_equal(label, square())


# ---- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "content", "sentence"), [
    ("p.json", {"project": {}, "config": {}, "attribute": {}, "file": {}, "metadata": {},
                "view": {}}, "VIA 3"),
    ("d.json", {"info": {}, "categories": {}, "items": []}, "datumaro's own JSON"),
    ("r.json", [{"image_id": 1, "category_id": 3, "segmentation": [], "score": 0.5}],
     "COCO results"),
    ("c.json", [{"image": "x.png", "annotations": [{"label": "duck", "coordinates": {}}]}],
     "CreateML"),
    ("x.xml", "<annotation><object><name>a</name><bndbox><xmin>1</xmin></bndbox></object>"
              "</annotation>", "hold boxes .Pascal VOC XML"),
    ("package.json", {"name": "x"}, "No labels in"), ("readme.txt", "hello", "No labels in")])
def test_kinds_that_cant_be_used_are_named(name, content, sentence, import_file):
    with pytest.raises(InputError, match=sentence):
        import_file(name, content)


# ---- classes ---------------------------------------------------------------------------------


def test_merge_joins_drops_and_ignores(import_file, capsys):
    shapes = [{"label": name, "points": [[x, 0], [x + 1, 0], [x + 1, 7], [x, 7]]}
              for x, name in zip(range(0, 12, 2), ("car", "Car", "tree", "dirt", "sky", "van"))]
    label, names = import_file("x.json", labelme(shapes=shapes), MERGE={
        "van": "car", "tree": "background", "dirt": "ignore", "truck": "car"})
    assert names == ["background", "Car", "car", "sky"]
    assert label[0, ::2].tolist() == [2, 1, 0, 255, 3, 2]
    told = capsys.readouterr().out
    assert "Car, car differ only by upper and lower case" in told
    assert "MERGE names what no label holds: truck" in told


def test_class_names_give_the_order(import_file):
    shapes = [{"label": "duck", "points": OUTLINE}, {"label": "swan", "points": LEFT}]
    label, names = import_file("x.json", labelme(shapes=shapes),
                               CLASS_NAMES=["ground", "swan", "goose", "duck"])
    assert names == ["ground", "swan", "goose", "duck"] and label[3, 0] == 1 and label[3, 6] == 3
    with pytest.raises(InputError, match=r"1 class.* that CLASS_NAMES lacks: swan"):
        import_file("x.json", labelme(shapes=shapes), CLASS_NAMES=["ground", "duck"])
    with pytest.raises(InputError, match=r"begins with duck, which is annotated"):
        import_file("x.json", labelme(shapes=shapes), CLASS_NAMES=["duck", "swan"])


def test_too_many_classes(import_file):
    shapes = [{"label": f"c{number}", "points": OUTLINE} for number in range(255)]
    with pytest.raises(InputError, match="256 classes, but at most 255"):
        import_file("x.json", labelme(shapes=shapes))


def test_a_picture_of_another_size(import_file):
    with pytest.raises(InputError, match=r"x\.png \(24 x 16, the picture 12 x 8\)"):
        import_file("x.json", labelme(imageHeight=16, imageWidth=24))


def test_turned_pictures(import_file, add_picture, import_from, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    add_picture("images/x.jpg", (12, 8), exif=exif)  # looked at, it is 8 high and 12 wide
    (tmp_path / "source").mkdir()
    path = tmp_path / "source/x.json"
    path.write_text(json.dumps(labelme(imagePath="x.jpg")))
    assert np.array_equal(import_from(image_dir="images")[0]["x"], square())
    # Orientation 6 is turned clockwise to be looked at: (x, y) was stored at (y, 11 - x).
    path.write_text(json.dumps(labelme(imagePath="x.jpg", imageHeight=12, imageWidth=8, shapes=[
        {"label": "duck", "points": [[y, 11 - x] for x, y in OUTLINE]}])))
    turned = import_from(image_dir="images")[0]["x"]
    assert np.array_equal(turned, square())


