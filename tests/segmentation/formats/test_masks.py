"""Label pictures of all kinds, names and folders, made by hand."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from device.errors import InputError

SQUARE = np.zeros((8, 12), np.uint8)
SQUARE[2:6, 3:8] = 1


def two_classes():
    """Returns a label of two squares, classes 1 and 2."""
    label = SQUARE.copy()
    label[3:7, 9:12] = 2
    return label


@pytest.mark.parametrize(("picture", "mask"), [
    ("x.jpg", "x_segmentation.png"), ("x.jpg", "x_L.png"), ("IMG_0001.JPG", "IMG_0001_mask.PNG"),
    ("img_001.png", "mask_001.png"), ("001_sat.jpg", "001_mask.png"),
    ("a b (1).png", "a b (1)_mask.png"),
    ("x.y.z.jpg", "x.y.z.png"), ("frame12.jpg", "frame12-gt.bmp"), ("x.jpg", "gt_x.tif"),
    ("x_leftImg8bit.png", "x_gtFine_labelIds.png"), ("x.png", "label-x.gif"),
    ("caf\u00e9.jpg", "cafe\u0301_mask.png"), ("X.jpg", "x_MASK.png")])
def test_masks_find_their_pictures_by_name(picture, mask, import_from, add_picture, add_mask):
    add_picture(f"images/{picture}")
    add_picture("images/other7.jpg")
    add_mask(f"source/{mask}", SQUARE * 255)
    labels, names = import_from(image_dir="images")
    assert len(names) == 2
    (label,) = labels.values()
    assert np.array_equal(label, SQUARE)


def test_a_number_is_never_found_inside_a_longer_one(import_from, add_picture, add_mask):
    for number in (1, 10, 11):
        add_picture(f"images/img{number}.png")
        add_mask(f"source/img{number}_mask.png", np.full((8, 12), number, np.uint8) * (SQUARE))
    labels, names = import_from(image_dir="images")
    assert names == ["background", "class 1", "class 10", "class 11"]
    assert [int(labels[f"img{number}"].max()) for number in (1, 10, 11)] == [1, 2, 3]


@pytest.mark.parametrize("names", [
    ("x.jpg", "x.png"), ("x.png", "x_mask.png"), ("images/x.png", "masks/x.png"),
    ("a/x.png", "b/x.png"), ("train/x.jpg", "trainannot/x.png"),
    ("x/images/x.png", "x/masks/f3a.png")])
def test_pictures_and_masks_below_one_folder(names, import_from, add_picture, add_mask):
    add_picture(f"source/{names[0]}", (40, 60))
    add_mask(f"source/{names[1]}", np.kron(SQUARE, np.ones((5, 5), np.uint8)) * 255)
    labels, classes = import_from()
    assert len(labels) == 1 and len(classes) == 2
    assert labels["x"].sum() == 20 * 25


def test_clips_with_frames_of_the_same_names(import_from, add_picture, add_mask):
    for clip, value in (("bear", 1), ("swan", 2)):
        for frame in ("00000", "00001"):
            add_picture(f"davis/JPEGImages/480p/{clip}/{frame}.jpg")
            add_mask(f"davis/Annotations/480p/{clip}/{frame}.png", SQUARE * value)
    labels, names = import_from("davis/Annotations", "davis/JPEGImages")
    assert names == ["background", "class 1", "class 2"]
    assert sorted(labels) == ["480p/bear/00000", "480p/bear/00001", "480p/swan/00000",
                              "480p/swan/00001"]
    assert labels["480p/swan/00001"].max() == 2


def test_one_mask_an_object(import_from, add_picture, add_mask):
    add_picture("images/x.png")
    add_picture("images/y.png")
    for number, columns in enumerate((slice(0, 3), slice(5, 8))):
        mask = np.zeros((8, 12), np.uint8)
        mask[:, columns] = 255
        add_mask(f"source/x_{number}.png", mask)
        add_mask(f"source/y_{number}.png", mask)
    labels, names = import_from(image_dir="images")
    assert names == ["background", "object"]
    assert labels["x"][0].tolist() == [1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 0, 0]


def test_one_mask_a_class_and_object(import_from, add_picture, add_mask):
    add_picture("images/x.png")
    add_mask("source/x_Duck_1.png", SQUARE * 255)
    add_mask("source/x_Duck_2.png", SQUARE[:, ::-1] * 255)
    add_mask("source/x_Swan_1.png", SQUARE[::-1] * 0)
    labels, names = import_from(image_dir="images")
    assert names == ["background", "Duck"]
    assert labels["x"].sum() == np.count_nonzero(SQUARE | SQUARE[:, ::-1])


def test_a_class_a_folder_with_one_mask_each(import_from, add_picture, add_mask):
    for name, kind in (("x", "cat"), ("y", "dog")):
        add_picture(f"images/{name}.png")
        add_mask(f"source/{kind}/{name}.png", SQUARE * 255)
    labels, names = import_from(image_dir="images")
    assert names == ["background", "cat", "dog"]
    assert labels["y"].max() == 2


def test_hidden_masks_are_told(import_from, add_picture, add_mask, capsys):
    add_picture("images/x.png")
    add_mask("source/x_a.png", SQUARE * 255)
    add_mask("source/x_b.png", np.full((8, 12), 255, np.uint8))
    labels, _ = import_from(image_dir="images")
    assert (labels["x"] == 2).all()
    told = capsys.readouterr().out
    assert "1 annotation(s) are hidden" in told
    assert "20 pixels of 1 picture(s) belong to several masks" in told


@pytest.mark.parametrize(("name", "array", "mode"), [
    ("x.png", SQUARE * 255, "1"), ("x.png", SQUARE.astype(np.uint16) * 65535, None),
    ("x.bmp", SQUARE * 255, None), ("x.tif", SQUARE.astype(np.int32), None),
    ("x.tif", SQUARE.astype(np.float32), None), ("x.png", SQUARE * 255, "LA"),
    ("x.webp", SQUARE * 255, "RGB"), ("x.pgm", SQUARE, None), ("x.gif", SQUARE * 255, None),
    ("x.png", SQUARE * 255, "P"), ("x.tga", SQUARE * 255, None)])
def test_any_picture_format(name, array, mode, import_from, add_picture, add_mask):
    add_picture("images/x.jpg")
    add_mask(f"source/{name}", array, mode)
    labels, names = import_from(image_dir="images")
    assert names == ["background", "foreground"]
    assert np.array_equal(labels["x"], SQUARE)


def test_alpha_alone_holds_the_mask(import_from, add_picture, add_mask):
    add_picture("images/x.jpg")
    add_mask("source/x.png", np.dstack([np.full((8, 12, 3), 255, np.uint8), SQUARE * 255]))
    labels, _ = import_from(image_dir="images")
    assert np.array_equal(labels["x"], SQUARE)


def test_arrays(import_from, add_picture, tmp_path):
    add_picture("images/x.jpg")
    (tmp_path / "source").mkdir()
    np.save(tmp_path / "source/x.npy", two_classes().astype(np.int64)[..., None])
    labels, names = import_from(image_dir="images")
    assert names == ["background", "class 1", "class 2"]
    assert np.array_equal(labels["x"], two_classes())
    np.save(tmp_path / "source/x.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(InputError, match=r"x\.npy"):
        import_from(image_dir="images")


def test_gray_png_of_two_bits(import_from, add_picture, tmp_path):
    def chunk(kind, content):
        """Returns a chunk of a PNG file."""
        return (struct.pack(">I", len(content)) + kind + content
                + struct.pack(">I", zlib.crc32(kind + content)))

    packed = two_classes().reshape(8, 3, 4) @ np.uint8([64, 16, 4, 1])
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    add_picture("images/x.jpg")
    (tmp_path / "source").mkdir()
    (tmp_path / "source/x.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 12, 8, 2, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    labels, _ = import_from(image_dir="images")
    assert np.array_equal(labels["x"], two_classes())


def test_255_is_ignored_beside_indices_but_a_class_among_levels(import_from, add_picture, add_mask):
    add_picture("images/x.jpg")
    label = two_classes()
    label[0] = 255
    add_mask("source/x.png", label)
    labels, names = import_from(image_dir="images")
    assert names == ["background", "class 1", "class 2"]
    assert (labels["x"][0] == 255).all()
    add_mask("source/x.png", np.uint8([0, 128, 255])[two_classes()])
    labels, names = import_from(image_dir="images")
    assert names == ["background", "class 128", "class 255"]
    assert np.array_equal(labels["x"], two_classes())


def test_class_names_name_numbers(import_from, add_picture, add_mask):
    add_picture("images/x.jpg")
    add_mask("source/x.png", two_classes())
    _, names = import_from(image_dir="images", CLASS_NAMES=["ground", "duck", "swan"])
    assert names == ["ground", "duck", "swan"]
    add_mask("source/x.png", np.uint8([0, 7, 26])[two_classes()])
    labels, names = import_from(image_dir="images", CLASS_NAMES=["ground", "duck", "swan"])
    assert names == ["ground", "duck", "swan"]
    assert np.array_equal(labels["x"], two_classes())
    with pytest.raises(InputError, match=r"class 26, class 7|class 7, class 26"):
        import_from(image_dir="images", CLASS_NAMES=["ground", "duck"])


def test_an_ignore_region_by_merge(import_from, add_picture, add_mask, tmp_path, capsys):
    add_picture("images/x.jpg")
    colors = np.uint8([[0, 128, 0], [255, 0, 0], [9, 9, 200]])
    add_mask("source/x.png", colors[two_classes()])
    (tmp_path / "source/labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\r\nduck:255,0,0::\r\nbackground:0,128,0::\r\n"
        "ignore_region:9,9,200::\r\nunused:1,2,3::\r\n", encoding="utf-8")
    labels, names = import_from(image_dir="images", MERGE={"ignore_region": "ignore"})
    assert names == ["background", "duck"]
    assert labels["x"][5].tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 0, 255, 255, 255]
    import_from(image_dir="images")
    assert 'MERGE = {"ignore_region": "ignore"}' in capsys.readouterr().out


def test_colors_that_the_table_lacks(import_from, add_picture, add_mask, tmp_path):
    add_picture("images/x.jpg")
    colors = np.uint8([[0, 0, 0], [255, 0, 0], [9, 9, 200]])
    add_mask("source/x.png", colors[two_classes()])
    table = tmp_path / "source/class_dict.csv"
    table.write_text("name, r, g, b\nsky,0,0,0\nduck,255,0,0\n")
    with pytest.raises(InputError, match=r"12% .* lacks: 9,9,200"):
        import_from(image_dir="images")
    table.write_text("name,r,g,b\nsky,0,0,0\nduck,255,0,0\nswan,255,0,0\n")
    with pytest.raises(InputError, match="duck and swan the same color"):
        import_from(image_dir="images")


def test_palettes_that_differ_are_read_by_color(import_from, add_picture):
    for name, palette in (("x", [0, 0, 0, 255, 0, 0]), ("y", [255, 0, 0, 0, 0, 0])):
        path = add_picture(f"images/{name}.jpg").parents[1] / f"source/{name}.png"
        path.parent.mkdir(exist_ok=True)
        image = Image.fromarray(SQUARE if name == "x" else 1 - SQUARE, "P")
        image.putpalette(palette)
        image.save(path)
    labels, names = import_from(image_dir="images")
    assert names == ["background", "color 255,0,0"]
    assert np.array_equal(labels["x"], SQUARE) and np.array_equal(labels["y"], SQUARE)


def disk(size=120, scale=8):
    """Returns a label of two disks, classes 1 and 2, in scale times the size, and in its own."""
    rows, columns = np.mgrid[:size * scale, :size * scale] / scale
    label = np.zeros(rows.shape, np.uint8)
    label[(rows - 60) ** 2 + (columns - 30) ** 2 < 400] = 1
    label[(rows - 60) ** 2 + (columns - 85) ** 2 < 400] = 2
    return label, label[scale // 2::scale, scale // 2::scale]


@pytest.mark.parametrize("levels", [
    [0, 128, 255], [[0, 0, 0], [128, 0, 0], [255, 0, 0]], [[0, 0, 0], [255, 0, 0], [0, 255, 0]]])
def test_soft_edges_make_no_ring_of_a_class_between(levels, import_from, add_picture, add_mask):
    fine, hard = disk()
    colors = Image.fromarray(np.uint8(levels)[fine])
    add_picture("images/x.jpg", hard.shape)
    add_mask("source/x.png", colors.resize(hard.shape[::-1], Image.Resampling.BOX))
    labels, names = import_from(image_dir="images")
    assert len(names) == 3
    number = {name: place for place, name in enumerate(names)}
    order = [0, *(number[f"class {level}" if isinstance(level, int)
                         else f"color {','.join(map(str, level))}"] for level in levels[1:])]
    label = np.argsort(order)[labels["x"]]
    ring = (label[:, 64:] == 1).sum()  # round the disk of class 2
    assert ring <= 28  # half-covered pixels whose color is exactly the middle one
    assert (label != hard).mean() < 0.015


def test_a_jpeg_of_colors(import_from, add_picture, add_mask):
    _, hard = disk()
    add_picture("images/x.jpg", hard.shape)
    add_mask("source/x.jpg", np.uint8([[0, 0, 0], [255, 0, 0], [0, 0, 255]])[hard],
             quality=80, subsampling=0)
    labels, names = import_from("source", "images")
    assert len(names) == 3
    for value in range(3):  # which colors the classes are called after, JPEG decides
        found = labels["x"][hard == value]
        assert np.bincount(found).max() > 0.99 * found.size
    assert len({np.bincount(labels["x"][hard == value]).argmax() for value in range(3)}) == 3


def test_photos_are_no_masks(import_from, add_picture):
    for name in ("x", "y"):
        add_picture(f"images/{name}.png", (64, 64))
        add_picture(f"source/{name}.png", (64, 64))
    with pytest.raises(InputError, match=r"photo"):
        import_from(image_dir="images")


def test_more_than_255_classes(import_from, add_picture, add_mask):
    add_picture("images/x.jpg", (80, 320))
    numbers = np.arange(400, dtype=np.uint16).reshape(10, 40)
    add_mask("source/x.png", np.kron(numbers, np.ones((8, 8), np.uint16)))
    with pytest.raises(InputError, match=r"400 different values.* at most 255"):
        import_from(image_dir="images")


def test_a_mask_of_another_size(import_from, add_picture, add_mask):
    add_picture("images/x.jpg", (16, 24))
    add_mask("source/x.png", SQUARE)
    with pytest.raises(InputError, match=r"x\.jpg \(12 x 8, the picture 24 x 16\)"):
        import_from(image_dir="images")


def test_masks_that_fit_no_picture(import_from, add_picture, add_mask, capsys):
    add_picture("images/x.jpg")
    add_mask("source/z9_mask.png", SQUARE)
    with pytest.raises(InputError, match=r"1 label picture.* fit none .* z9_mask\.png"):
        import_from(image_dir="images")
    add_mask("source/x_mask.png", SQUARE)
    import_from(image_dir="images")
    assert "1 mask(s) fit no picture by their names" in capsys.readouterr().out


def test_suffix_chooses_among_several_masks(import_from, add_picture, add_mask):
    add_picture("images/x.jpg")
    add_mask("source/x_mask.png", two_classes())
    add_mask("source/x_depth.png", np.arange(96, dtype=np.uint8).reshape(8, 12))
    with pytest.raises(InputError, match="SUFFIX"):
        import_from(image_dir="images")
    labels, _ = import_from(image_dir="images", SUFFIX="_mask")
    assert np.array_equal(labels["x"], two_classes())


def test_pictures_whose_names_speak_of_masks(import_from, add_picture, add_mask):
    for name in ("face_mask_1", "label_2"):
        add_picture(f"source/images/{name}.jpg")
        add_mask(f"source/annotations/{name}.png", SQUARE)
    labels, _ = import_from(image_dir="source/images")
    assert sorted(labels) == ["face_mask_1", "label_2"]


@pytest.mark.parametrize(("name", "text"), [
    ("labelmap.txt", "sky:0,0,0::\nduck:255,0,0::\nbig: swan:9,9,200:head,tail:\n"),
    ("label_colors.txt", "0 0 0\t\tsky\r\n255 0 0\tduck\r\n9 9 200\tbig: swan\r\n"),
    ("class_dict_seg.csv", "name, r, g, b\nsky, 0, 0, 0\nduck, 255, 0, 0\nbig: swan, 9, 9, 200\n"),
    ("my_colors.csv", "\ufeffR,G,B,Class\n0,0,0,sky\n255,0,0,duck\n9,9,200,big: swan\n"),
    ("dataset_meta.json", '{"label_map": {"0": "sky", "1": "duck", "2": "big: swan"}, '
                          '"segmentation_colors": [[0, 0, 0], [255, 0, 0], [9, 9, 200]]}')])
def test_tables_of_colors(name, text, import_from, add_picture, add_mask, tmp_path):
    add_picture("images/x.jpg")
    add_mask("source/masks/x.png", np.uint8([[0, 0, 0], [255, 0, 0], [9, 9, 200]])[two_classes()])
    (tmp_path / "source" / name).write_text(text, encoding="utf-8", newline="")
    for source in ("source", "source/masks"):
        labels, names = import_from(source, "images")
        assert names == ["sky", "duck", "big: swan"]
        assert np.array_equal(labels["x"], two_classes())


@pytest.mark.parametrize(("name", "text"), [
    ("classes.txt", "sky\nduck\nswan\n"), ("labels.txt", "__ignore__\n_background_\nduck\nswan"),
    ("_classes.csv", "Pixel Value, Class\n0, sky\n1, duck\n2, swan"),
    ("labelmap.csv", "id,name\n2,swan\n1,duck\n0,sky\n")])
def test_tables_of_numbers(name, text, import_from, add_picture, add_mask, tmp_path):
    add_picture("images/x.jpg")
    add_mask("source/x.png", two_classes())
    (tmp_path / "source" / name).write_text(text)
    labels, names = import_from(image_dir="images")
    first = "background" if name == "labels.txt" else "sky"
    assert sorted(names) == sorted([first, "duck", "swan"])
    assert [names[value] for value in labels["x"][[0, 3, 5], [0, 4, 10]]] == [first, "duck", "swan"]


def test_archives_and_csv_of_via_are_refused(import_from, tmp_path, add_picture):
    add_picture("images/x.jpg")
    (tmp_path / "labels.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match="is an archive: unpack it"):
        import_from("labels.zip", "images")
    (tmp_path / "source").mkdir()
    (tmp_path / "source/via.csv").write_text("filename,region_shape_attributes\n")
    with pytest.raises(InputError, match="as CSV, which are not read: export them as JSON"):
        import_from(image_dir="images")


def test_thin_soft_lines_are_one_class(import_from, add_picture, add_mask):
    fine = np.zeros((256, 256), np.uint8)
    for start in range(16, 240, 72):
        fine[start:start + 12] = 255
        fine[:, start:start + 10] = 255
    soft = Image.fromarray(fine).resize((77, 77), Image.Resampling.LANCZOS)
    add_picture("images/x.jpg", (77, 77))
    add_mask("source/x.png", soft)
    labels, names = import_from(image_dir="images")
    assert names == ["background", "foreground"]
    assert np.array_equal(labels["x"], np.asarray(soft) > 127)


def test_index_masks_of_thin_classes_stay_as_they_are(import_from, add_picture, add_mask):
    label = np.zeros((64, 64), np.uint8)
    for number in range(1, 8):  # lines of one pixel, far apart, and a frame that is ignored
        label[number * 8] = number * 4
    label[:, :5] = 255
    add_picture("images/x.jpg", (64, 64))
    add_mask("source/x.png", label)
    labels, names = import_from(image_dir="images")
    assert names == ["background", *(f"class {number * 4}" for number in range(1, 8))]
    assert np.array_equal(labels["x"], np.where(label == 255, 255, label // 4))


def test_masks_for_the_eye_are_passed_over(import_from, add_picture, add_mask, capsys):
    for name in ("x", "y"):
        add_picture(f"images/{name}.jpg")
        add_mask(f"source/{name}.png", two_classes())
        add_mask(f"source/{name}_overlay.png", np.dstack([two_classes() * 90] * 2 + [SQUARE]))
    labels, _ = import_from(image_dir="images")
    assert np.array_equal(labels["y"], two_classes())
    assert "Passed over are the masks whose names end with _overlay" in capsys.readouterr().out


@pytest.mark.parametrize(("picture", "mask"), [
    ("top_1_2_RGB.tif", "top_1_2_label.tif"), ("seq1/Images/000.png", "seq1/Labels/000.png"),
    ("frames/0001.jpg", "frames_mask/0001.png"), ("a/1.jpg", "a/1_seg0.png")])
def test_two_folders_of_the_same_names(picture, mask, import_from, add_picture, add_mask):
    for number in "12":
        add_picture("source/" + picture.replace("1", number), (40, 60))
        add_mask("source/" + mask.replace("1", number),
                 np.kron(SQUARE, np.full((5, 5), int(number), np.uint8)))
    labels, names = import_from()
    assert len(labels) == 2 and names == ["background", "class 1", "class 2"]
    assert [int(label.max()) for _, label in sorted(labels.items())] == [1, 2]
