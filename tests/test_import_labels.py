"""import_labels.py on folders as other tools write them: ../shared/data/formats and small ones."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import import_labels
from device.errors import InputError
from device.images import read_label

TRUTH = ["background", "duck", "swan", "flamingo"]
# folder, folder of the pictures (None: the same), whether the classes have their right names
EXACT = [
    ("coco", "images", True), ("coco_supervision", "images", True), ("yolo_seg", "images", True),
    ("cvat_segmentation_mask", "JPEGImages", True), ("cvat_xml", "images", True),
    ("supervisely", None, True), ("label_studio", "images", True), ("via", "images", True),
    ("camvid_rgb", "701_StillsRaw_full", True), ("roboflow_png_mask/train", None, True),
    ("mask_per_class_suffix", "images", True), ("mask_per_class_folder", "images", True),
    ("binary_masks", "images", False), ("binary_masks_rgba", "images", False),
    ("gif_masks", "images", False), ("jpeg_masks", "images", False),
    ("one_folder_png", None, False), ("rgb_antialiased", "images", False),
    ("grey_antialiased", "images", False), ("grey_as_rgb", "images", False),
    ("exif_turned/coco_raw", "images", True), ("exif_turned/labelme", None, True),
    ("exif_turned/mask_raw", "images", False),
]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the script with these constants; returns file stem -> label, and the class names."""
    monkeypatch.setattr(import_labels, "find_output_dir", lambda folder: tmp_path / "output")

    def run_script(source, image_dir=None, **constants):
        label_dir = Path(constants.pop("LABEL_DIR", tmp_path / "imported"))
        constants = {"SOURCE": str(source), "IMAGE_DIR": image_dir and str(image_dir),
                     "LABEL_DIR": str(label_dir), **constants}
        for name, value in constants.items():
            monkeypatch.setattr(import_labels, name, value)
        import_labels.main()
        assert (tmp_path / "output/preview.png").is_file()
        names = (label_dir / "classes.txt").read_text(encoding="utf-8").splitlines()
        return {path.relative_to(label_dir).with_suffix("").as_posix(): read_label(path)
                for path in label_dir.rglob("*.png")}, names

    return run_script


def count_wrong(labels, names, shared, by_name):
    """Returns how many pixels differ from truth: in their class, or only in being background."""
    wrong = 0
    for stem, label in labels.items():
        stem = stem.partition("_jpg.rf.")[0]
        truth = read_label(shared / f"data/formats/truth/labels/{stem}.png")
        if by_name:
            label = np.array([TRUTH.index(name) for name in names])[label]
        else:
            label, truth = label > 0, truth > 0
        wrong += np.count_nonzero(label != truth)
    return wrong


@pytest.mark.parametrize(("folder", "image_dir", "by_name"), EXACT)
def test_a_tools_own_files_give_the_truth_back(folder, image_dir, by_name, run, shared):
    source = shared / "data/formats" / folder
    labels, names = run(source, image_dir and source / image_dir)
    assert len(labels) == (1 if folder.startswith("exif") else 3)
    assert count_wrong(labels, names, shared, by_name) == 0


def test_classes_stay_apart_where_only_values_tell_them(run, shared):
    for folder in ("rgb_antialiased", "grey_as_rgb"):
        labels, names = run(shared / "data/formats" / folder,
                            shared / "data/formats" / folder / "images", OVERWRITE=True)
        assert len(names) == 4
        truth = {stem: read_label(shared / f"data/formats/truth/labels/{stem}.png")
                 for stem in labels}
        pairs = {(int(a), int(b)) for stem in labels
                 for a, b in zip(labels[stem].ravel(), truth[stem].ravel())}
        assert len(pairs) == 4  # each value stands for one class, and each class has one value


def test_all_kinds_of_labelmes_shapes(run, shared):
    labels, names = run(shared / "data/formats/labelme", CLASS_NAMES=TRUTH)
    right = read_label(shared / "data/formats/labelme3_right.png")
    assert names == TRUTH
    assert np.array_equal(labels.pop("mallard-water_00052"), right)
    assert count_wrong(labels, names, shared, True) == 0


def test_a_crowd_is_its_class_or_ignored(run, shared):
    folder = shared / "data/formats/coco_rle"
    labels, names = run(folder, folder / "images")
    assert count_wrong(labels, names, shared, True) == 600
    labels, names = run(folder, folder / "images", CROWD="ignore", OVERWRITE=True)
    corner = labels["mallard-water_00052"][:20, :30]
    assert (corner == 255).all()
    labels["mallard-water_00052"][:20, :30] = 0
    assert count_wrong(labels, names, shared, True) == 0


def test_voc_and_cityscapes(run, shared, tmp_path, capsys):
    folder = shared / "data/formats/voc_palette"
    labels, names = run(folder, folder / "JPEGImages")
    assert names == ["background", "class 1", "class 2", "class 3"]
    for stem, label in labels.items():
        assert np.array_equal(label, read_label(folder / f"SegmentationClass/{stem}.png"))
    folder = shared / "data/formats/cityscapes"
    labels, names = run(folder, folder / "leftImg8bit", LABEL_DIR=tmp_path / "city")
    assert names == ["background", "person", "car", "bicycle"]
    assert "labelids are read; passed over: 3 color, 3 instanceids" in capsys.readouterr().out


def test_cvats_shapes_lie_by_z_order(run, shared):
    folder = shared / "data/formats/cvat_xml_shapes"
    labels, names = run(folder, folder / "images")
    label = labels["blackswan_00034"]
    assert names == ["background", "duck", "swan"]
    assert label[60, 90] == 2 and label[25, 45] == 1  # the box, z 5, lies above the polygon, z 0
    assert label[110, 200] == 2 and label[110, 221] == 0  # the ellipse, 20 wide
    assert label[66, 211] == 1 and label[41, 219] == 0  # the box turned clockwise by 30 degrees
    assert label[5, 10] == 0  # a polyline has no area


def test_labelmes_json_coco_and_voc_agree(run, shared):
    folder = shared / "data/formats/labelme_voc2011"
    images = folder / "data_annotated"
    by_kind = [run(source, images, OVERWRITE=True)
               for source in (images, folder / "voc_export", folder / "coco_export")]
    (json, names), (voc, voc_names), (coco, coco_names) = by_kind
    assert names == voc_names == coco_names
    for stem in json:
        assert np.count_nonzero(json[stem] != voc[stem]) <= 2  # Pillow's versions differ by one
        known = json[stem] != 255  # COCO has no __ignore__, and joins the parts of a group
        assert np.count_nonzero((json[stem] != coco[stem])[known]) <= 0.001 * known.sum()


def test_half_turned_pictures_need_labels_turned(run, shared, capsys):
    folder = shared / "data/formats/exif180"
    labels, names = run(folder / "labels", folder / "images")
    assert "3 picture(s) are turned by EXIF" in capsys.readouterr().out
    assert count_wrong(labels, names, shared, False) > 1000
    labels, names = run(folder / "labels", folder / "images", LABELS_TURNED=True, OVERWRITE=True)
    assert count_wrong(labels, names, shared, False) == 0


@pytest.fixture
def mask_folders(folders):
    """A picture and its 0/255 mask x_mask.png, 4 x 6 pixels."""
    image_dir, source = folders
    Image.new("RGB", (6, 4), "white").save(image_dir / "x.png")
    mask = np.zeros((4, 6), np.uint8)
    mask[1:3, 2:5] = 255
    Image.fromarray(mask).save(source / "x_mask.png")
    return image_dir, source


def test_nothing_is_overwritten_unasked(run, mask_folders):
    image_dir, source = mask_folders
    run(source, image_dir)
    with pytest.raises(InputError, match=r"1 label\(s\) exist already .*x.png; set OVERWRITE"):
        run(source, image_dir)
    labels, _ = run(source, image_dir, OVERWRITE=True)
    assert labels["x"].sum() == 6


def test_what_is_to_be_set_in_main_is_printed(run, mask_folders, capsys):
    image_dir, source = mask_folders
    shutil.copy(source / "x_mask.png", image_dir)
    run(image_dir)
    told = capsys.readouterr().out
    assert f'IMAGE_DIR = "{image_dir.as_posix()}"' in told and "LABEL_DIR = " in told
    assert "SKIP_UNLABELED = True  # 1 of the images there have no label: x_mask.png" in told


def test_the_images_own_folder_is_printed_where_masks_lie_beside_it(run, mask_folders, capsys):
    image_dir, _ = mask_folders
    run(image_dir.parent, LABEL_DIR=image_dir.parents[1] / "imported")
    told = capsys.readouterr().out
    assert f'IMAGE_DIR = "{image_dir.as_posix()}"' in told and "SKIP_UNLABELED" not in told


def test_originals_are_never_replaced(run, mask_folders):
    image_dir, source = mask_folders
    shutil.move(source / "x_mask.png", source / "x.png")
    before = {path: path.read_bytes() for path in (*image_dir.iterdir(), *source.iterdir())}
    for label_dir in (image_dir, source):
        with pytest.raises(InputError):
            run(source, image_dir, LABEL_DIR=label_dir, OVERWRITE=True)
    assert {path: path.read_bytes()
            for path in (*image_dir.iterdir(), *source.iterdir())} == before


def test_labels_of_other_classes_are_not_mixed_with_these(run, mask_folders, tmp_path):
    image_dir, source = mask_folders
    label_dir = tmp_path / "imported"
    label_dir.mkdir()
    Image.new("L", (6, 4)).save(label_dir / "older.png")
    (label_dir / "classes.txt").write_text("background\nsky\n")
    with pytest.raises(InputError, match=r"1 other label.* of the classes background, sky"):
        run(source, image_dir, OVERWRITE=True)


def test_a_fault_in_one_file_leaves_nothing_half_written(run, mask_folders, tmp_path):
    image_dir, source = mask_folders
    Image.new("RGB", (6, 4), "white").save(image_dir / "y.png")
    (source / "y_mask.png").write_bytes((source / "x_mask.png").read_bytes()[:40])
    (image_dir / "z.png").write_bytes(b"")
    shutil.copy(source / "x_mask.png", source / "z_mask.png")
    with pytest.raises(InputError, match=r"y_mask\.png") as error:
        run(source, image_dir, LABEL_DIR=tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert str(error.value).count("\n") == 0


def test_wrong_constants_come_together(run, tmp_path):
    with pytest.raises(InputError) as error:
        run(tmp_path, EMPTY="zero", MERGE=["a"], CLASS_NAMES="duck")
    assert [line.split()[0] for line in str(error.value).splitlines()] == [
        "CLASS_NAMES", "MERGE", "EMPTY"]


def test_a_missing_source_and_one_without_labels(run, tmp_path, folders):
    with pytest.raises(InputError, match=r"SOURCE .* does not exist"):
        run(tmp_path / "nowhere")
    with pytest.raises(InputError, match="No labels in"):
        run(folders[1], folders[0])
