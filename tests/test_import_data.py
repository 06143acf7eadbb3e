"""Tests of import_data.py: what main.py and the scripts after it are given."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from small_sets import settings_for, write_pair, write_square_pairs

from device.errors import InputError
from import_data import (
    import_images,
    load_calibration_images,
    load_data,
    load_validation_images,
)

NAMES = ["background", "bird", "plane"]


def info(image_size, **fields):
    """Returns what model.json holds."""
    return {"image_size": image_size, "class_names": NAMES, "ignore_label": 255, **fields}


def write_pairs(folders, *labels):
    for stem, label in zip("abcdef", labels):
        write_pair(folders, stem, label)


# ---- for main.py -----------------------------------------------------------------------------


def test_load_data_returns_what_it_promises(folders):
    write_pairs(folders, [[0, 1]], [[0, 1]], [[0, 1]])
    data = load_data(settings_for(folders, IMAGE_SIZE=(32, 64)))
    assert data["images"].shape == (2, 32, 64, 3) and data["images"].dtype == np.uint8
    assert data["validation_labels"].shape == (1, 32, 64)
    assert data["class_weights"].dtype == np.float32 and data["class_weights"].tolist() == [1, 1]
    names = data["training_names"] + data["validation_names"]
    assert sorted(names) == ["a.png", "b.png", "c.png"]
    assert data["validation_dirs"] == tuple(map(str, folders))
    assert data["class_names"] == ["background", "class 1"]


def test_masks_of_0_and_255_get_their_own_sentence(shared):
    folder = shared / "data/odd/masks_0_255"
    with pytest.raises(InputError, match=r"only 0 and 255.*blackswan_00000\.png.*CLASS_IDS"):
        load_data(settings_for((folder, folder)))


def test_labels_of_one_class_or_none(folders):
    write_pairs(folders, *np.zeros((3, 4, 4)))
    with pytest.raises(InputError, match="class 0 alone"):
        load_data(settings_for(folders))
    write_pairs(folders, *np.full((3, 4, 4), 9))
    with pytest.raises(InputError, match="ignore label 9"):
        load_data(settings_for(folders, IGNORE_LABEL=9))


def test_ignore_label_may_be_any_value_or_none(folders):
    write_pairs(folders, *[[[0, 1, 1, 2]]] * 3)
    options = {"IMAGE_SIZE": (32, 128), "CLASS_WEIGHT_POWER": 1.0}
    weights = load_data(settings_for(folders, IGNORE_LABEL=2, **options))["class_weights"]
    assert np.allclose(weights, [4 / 3, 2 / 3])
    weights = load_data(settings_for(folders, IGNORE_LABEL=None, **options))["class_weights"]
    assert np.allclose(weights, np.divide([4, 2, 4], 10 / 3))


def test_class_names_from_the_label_folder(folders, capsys):
    write_pairs(folders, [[0, 1]], [[0, 1]])
    (folders[1] / "classes.txt").write_text("background\n\nbird\nplane\n", encoding="utf-8")
    data = load_data(settings_for(folders))
    assert data["class_names"] == NAMES and data["class_weights"][2] == 0
    table = capsys.readouterr().out
    assert "bird" in table and "50.000%" in table
    assert "plane" in table and "never occurs" in table


def test_reading_needs_no_tensorflow():
    code = "import sys, import_data, predict; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- for the scripts that run after main.py --------------------------------------------------


def test_import_images_returns_what_it_promises(folders):
    write_pair(folders, "b", np.full((10, 20), 1))
    write_pair(folders, "a", np.zeros((10, 20)), ".bmp")
    images, labels, names = import_images(info((32, 64)), *folders)
    assert names == ["a.bmp", "b.png"]
    assert images.shape == (2, 32, 64, 3) and images.dtype == np.uint8
    assert labels.shape == (2, 32, 64) and labels.dtype == np.uint8
    assert labels[0].max() == 0 and labels[1].min() == 1


def test_values_beyond_the_classes_are_named(folders):
    write_pair(folders, "good", np.eye(4))
    write_pair(folders, "bad", np.full((4, 4), 7))
    with pytest.raises(InputError, match=r"1 label\(s\).*beyond the 3 classes.*7 in bad\.png"):
        import_images(info((32, 32)), *folders)


def test_names_choose_pairs_in_their_order(folders):
    write_pairs(folders, *[np.full((4, 4), value) for value in range(3)])
    labels = import_images(info((4, 4)), *folders, ["c.png", "a.png"])[1]
    assert labels[:, 0, 0].tolist() == [2, 0]
    with pytest.raises(InputError, match=r"gone.*d\.png"):
        import_images(info((4, 4)), *folders, ["d.png"])


def test_validation_images_may_hold_background_and_ignored_pixels_only(folders):
    write_pair(folders, "a", [[0, 255]])
    assert import_images(info((1, 2)), *folders)[1].tolist() == [[[0, 255]]]


def test_exif_rotation_is_applied(shared):
    folder = shared / "data/odd/exif_rotated"
    images, labels, _ = import_images(info((240, 320)), folder / "images", folder / "labels")
    # Upright, the bright sheet of class 1 lies under its label; upside down it does not.
    assert images.shape == (6, 240, 320, 3)
    upright = [images[i][labels[i] > 0].mean() for i in range(3)]
    turned = [images[i][::-1, ::-1][labels[i] > 0].mean() for i in range(3)]
    assert np.abs(np.array(upright) - turned).min() > 1


def write_mixed_pictures(folders):
    """Writes four pictures of 40x60 and one of 70x32, each with a small bird."""
    for index, size in enumerate([(40, 60)] * 4 + [(70, 32)]):
        label = np.zeros(size, np.uint8)
        label[5:8, 10:14] = 1
        write_pair(folders, f"{index}", label)


def test_large_pictures_keep_their_size_and_are_seen_in_tiles(folders, capsys):
    write_mixed_pictures(folders)
    data = load_data(settings_for(folders, IMAGE_SIZE=(32, 32), PICTURE_SIZE="full", SEED=3,
                                  RARE_CROP_SHARE=1.0))
    assert data["images"].shape == (4, 70, 60, 3) and (data["images"][0, 40:] == 128).all()
    crops, labels = data["read_crops"]([0, 1, 2, 3], np.full((4, 5), 0.5))
    assert crops.shape == (4, 32, 32, 3) and (labels == 1).any((1, 2)).all()
    assert data["validation_images"].shape[1:] == (32, 32, 3)
    assert data["validation_labels"].shape == data["validation_images"].shape[:3]
    assert data["calibration_images"].shape == (4, 32, 32, 3)
    assert "seen in tiles of 32x32" in capsys.readouterr().out


def test_pictures_of_a_given_size_are_stretched_to_it(folders):
    write_mixed_pictures(folders)
    data = load_data(settings_for(folders, IMAGE_SIZE=(32, 32), PICTURE_SIZE=(64, 96)))
    assert data["images"].shape == (4, 64, 96, 3) and not (data["labels"] == 255).any()
    assert data["crops_per_picture"] == 6


def test_later_scripts_read_the_same_tiles_and_the_whole_validation_pictures(folders):
    write_mixed_pictures(folders)
    data = load_data(settings_for(folders, IMAGE_SIZE=(32, 32), PICTURE_SIZE="full"))
    info = {"image_dir": folders[0], "label_dir": folders[1], "image_size": (32, 32),
            "picture_size": "full", "class_names": NAMES, "ignore_label": 255,
            "training_images": data["training_names"], "validation_image_dir": folders[0],
            "validation_label_dir": folders[1], "validation_images": data["validation_names"]}
    assert (load_calibration_images(info) == data["calibration_images"]).all()
    images, labels = load_validation_images(info)
    height, width = data["validation_sizes"][0]
    assert images[0].shape == (height, width, 3)
    assert (labels[0] == data["validation_picture_labels"][0, :height, :width]).all()


def test_tiny_objects_are_told(folders, capsys):
    write_mixed_pictures(folders)
    load_data(settings_for(folders, IMAGE_SIZE=(32, 32)))
    assert "the median class 1 is" in capsys.readouterr().out


# ---- values, ranges and splits, from the files to the scripts after main.py ------------------


def test_class_ids_map_values_and_come_back(folders):
    write_pairs(folders, *[[[0, 7], [8, 26]]] * 3)
    data = load_data(settings_for(folders, IMAGE_SIZE=(32, 32),
                                  CLASS_IDS={0: 0, 7: 1, 8: 1, 26: 2}))
    assert data["class_names"] == ["background", "class 7", "class 26"]
    assert data["reading"]["class_ids"] == [[0], [7, 8], [26]]
    assert np.bincount(data["labels"][0].ravel()).tolist() == [256, 512, 256]
    labels = import_images(info((2, 2)) | data["reading"], *folders)[1]
    assert labels[0].tolist() == [[0, 1], [1, 2]]


def test_an_ignored_0_is_no_class(folders, capsys):
    write_pairs(folders, *[[[0, 0], [1, 2]]] * 3)
    (folders[1] / "classes.txt").write_text("void\ncat\ndog\n")
    data = load_data(settings_for(folders, IMAGE_SIZE=(32, 32), IGNORE_LABEL=[0, 255],
                                  CLASS_WEIGHT_POWER=1.0, CLASS_WEIGHTS={"dog": 3}))
    assert data["class_names"] == ["cat", "dog"] and data["class_weights"].tolist() == [1, 3]
    assert np.bincount(data["labels"][0].ravel()).nonzero()[0].tolist() == [0, 1, 255]
    assert "void" not in capsys.readouterr().out


def test_class_weights_of_other_classes_are_refused(folders):
    write_pairs(folders, *[[[0, 1]]] * 3)
    with pytest.raises(InputError, match=r"CLASS_WEIGHTS names bird, but the classes are backgr"):
        load_data(settings_for(folders, CLASS_WEIGHTS={"bird": 2}))


def test_16_bit_images_share_one_range_in_training_and_afterwards(folders):
    values = np.linspace(100, 600, 32 * 32).reshape(32, 32)
    for stem, factor in (("a", 0.5), ("b", 1.0), ("c", 1.0)):
        write_pair(folders, stem, np.eye(32))
        Image.fromarray((values * factor).astype(np.uint16)).save(folders[0] / f"{stem}.png")
    data = load_data(settings_for(folders, IMAGE_SIZE=(32, 32)))
    images = np.concatenate([data["images"], data["validation_images"]])
    names = data["training_names"] + data["validation_names"]
    dark, bright = (images[names.index(name)].astype(int) for name in ("a.png", "b.png"))
    assert bright.max() > 250 and 110 < dark.max() < 130  # brightness still means something
    again, _, names_again = import_images(info((32, 32)) | data["reading"], *folders)
    assert (again[names_again.index("b.png")] == bright).all()


def test_a_list_a_pattern_and_sub_folders_split(folders, tmp_path):
    for stem in ("x_1", "x_2", "y_1", "y_2", "y_3"):
        write_pair(folders, stem, [[0, 1]])
    (tmp_path / "val.txt").write_text("x_2\ny_3\n")
    data = load_data(settings_for(folders, VALIDATION_LIST=str(tmp_path / "val.txt")))
    assert data["validation_names"] == ["x_2.png", "y_3.png"]
    data = load_data(settings_for(folders, SPLIT_BY=r"(.)_\d"))
    assert data["validation_names"] == ["x_1.png", "x_2.png"]
    for folder in folders:
        for clip in "xy":
            (folder / clip).mkdir()
            for path in folder.glob(f"{clip}_*.png"):
                path.rename(folder / clip / path.name)
    data = load_data(settings_for(folders))
    assert data["validation_names"] == ["x/x_1.png", "x/x_2.png"]
    with pytest.raises(InputError, match=r"1 line.*name no image, or several: z"):
        (tmp_path / "val.txt").write_text("z\n")
        load_data(settings_for(folders, VALIDATION_LIST=str(tmp_path / "val.txt")))


def write_unlabeled(folders, *names):
    for number, name in enumerate(names):
        pixels = np.full((32, 32, 3), 10 * number + 50, np.uint8)
        Image.fromarray(pixels).save(folders[0] / f"{name}.png")


def test_images_without_a_label_are_read_too(folders, capsys):
    for stem in ("a_1", "a_2", "b_1", "b_2", "c_1"):
        write_pair(folders, stem, np.eye(32))
    write_unlabeled(folders, "a_3", "b_3", "c_3")
    data = load_data(settings_for(folders, UNLABELED=True, IMAGE_SIZE=(32, 32)))
    assert data["unlabeled_images"][:, 0, 0, 0].tolist() == [50, 60, 70]
    assert len(data["images"]) + len(data["validation_images"]) == 5
    # Those of the validation images' groups are left out.
    data = load_data(settings_for(folders, UNLABELED=True, IMAGE_SIZE=(32, 32),
                                  SPLIT_BY=r"(.)_\d"))
    groups = {name[0] for name in data["validation_names"]}
    expected = [value for value, group in ((50, "a"), (60, "b"), (70, "c")) if group not in groups]
    assert data["unlabeled_images"][:, 0, 0, 0].tolist() == expected and len(expected) < 3
    assert f"{3 - len(expected)} of 3 images without a label do not" in capsys.readouterr().out


def test_images_without_a_label_are_read_through_the_cache_too(folders, capsys):
    write_square_pairs(folders, 4)
    write_unlabeled(folders, "x", "y", "z")
    for message in ("Decoding 3 pairs", "Reusing 3 decoded pairs"):
        data = load_data(settings_for(folders, UNLABELED=True, IMAGE_SIZE=(32, 32),
                                      MEMORY_LIMIT_GB=0))
        assert data["unlabeled_images"][:, 0, 0, 0].tolist() == [50, 60, 70]
        assert message in capsys.readouterr().out


def test_no_image_teaches_where_all_are_of_the_validation_images_groups(folders):
    for stem in ("a_1", "b_1"):
        write_pair(folders, stem, np.eye(32))
    data = load_data(settings_for(folders, SPLIT_BY=r"(.)_\d", IMAGE_SIZE=(32, 32)))
    write_unlabeled(folders, f"{data['validation_names'][0][0]}_2")
    data = load_data(settings_for(folders, UNLABELED=True, SPLIT_BY=r"(.)_\d", IMAGE_SIZE=(32, 32)))
    assert "unlabeled_images" not in data


def test_large_images_without_a_label_are_cut_into_tiles(folders):
    write_square_pairs(folders, 4, (32, 64))
    write_unlabeled(folders, "x", "y")
    data = load_data(settings_for(folders, UNLABELED=True, IMAGE_SIZE=(32, 32),
                                  PICTURE_SIZE=(32, 64)))
    tiles = data["unlabeled_images"]
    assert tiles.shape == (6, 32, 32, 3)  # three a picture: they overlap
    assert tiles[:, 0, 0, 0].tolist() == [50] * 3 + [60] * 3


def test_a_validation_folder_that_is_the_training_folder_is_told(folders, capsys):
    write_square_pairs(folders, 4)
    load_data(settings_for(folders, VALIDATION_IMAGE_DIR=folders[0],
                           VALIDATION_LABEL_DIR=folders[1]))
    assert ("WARNING: 4 of 4 validation images are training images, too (000.png and 000.png, "
            "001.png and 001.png, 002.png and 002.png, ...)") in capsys.readouterr().out


@pytest.mark.parametrize("image_dir, label_dir, constants, count", [
    ("cityscapes/leftImg8bit", "cityscapes/gtFine", {"CLASS_IDS": [0, 24, 26, 33]}, 4),
    ("roboflow_png_mask/train", "roboflow_png_mask/train", {}, 4),
    ("one_folder_png", "one_folder_png", {"CLASS_IDS": [0, 255]}, 2),
    ("binary_masks/images", "binary_masks/masks", {"CLASS_IDS": [0, 255]}, 2),
    ("exif180/images", "exif180/labels", {"LABELS_TURNED": True}, 4),
])
def test_real_folders_are_read_as_they_are(shared, image_dir, label_dir, constants, count):
    """Each holds the three pictures of truth/: the objects have the truth's pixels, to the last."""
    folder, pixels = shared / "data/formats", []
    for dirs, options in (((image_dir, label_dir), constants),
                          (("truth/images", "truth/labels"), {})):
        data = load_data(settings_for([folder / name for name in dirs], IMAGE_SIZE=(160, 256),
                                      **options))
        labels = np.concatenate([data["labels"], data["validation_labels"]])
        pixels.append(sorted(((labels > 0) & (labels < 255)).sum(axis=(1, 2)).tolist()))
        if dirs[0] == image_dir:
            assert len(data["class_names"]) == count
    assert pixels[0] == pixels[1]


@pytest.mark.parametrize("image_dir, label_dir, says", [
    ("binary_masks/images", "binary_masks/masks", "hold only 0 and 255"),
    ("grey_antialiased/images", "grey_antialiased/masks", r"soft edges.*import_labels\.py"),
    ("camvid_rgb/701_StillsRaw_full", "camvid_rgb/LabeledApproved_full",
     r"one channel of class indices.*color mode RGB.*import_labels\.py"),
    ("jpeg_masks/images", "jpeg_masks/masks", r"are not PNG.*import_labels\.py"),
    ("gif_masks/images", "gif_masks/masks", r"No labels in .*3 of a kind that is not read.*_mask"),
    ("labelme", "labelme", r"No labels in .*3 file\(s\) of another tool.*import_labels\.py"),
    ("coco/images", "coco", r"1 file\(s\) of another tool: instances_default\.json"),
    ("yolo_seg/images", "yolo_seg/labels", r"3 file\(s\) of another tool: .*\.txt"),
    ("mask_per_class_suffix/images", "mask_per_class_suffix/masks", "several labels, named"),
    ("mask_per_class_folder/images", "mask_per_class_folder/masks", "labels in several sub-folder"),
    ("exif_turned/mask_raw/images", "exif_turned/mask_raw/labels", "LABELS_TURNED = True"),
])
def test_real_folders_of_other_kinds_are_named(shared, image_dir, label_dir, says):
    folder = shared / "data/formats"
    with pytest.raises(InputError, match=says):
        load_data(settings_for((folder / image_dir, folder / label_dir)))


def test_validation_labels_are_read_at_their_own_size(folders):
    write_pairs(folders, [[0, 7, 7]], [[7, 0, 9]], [[7, 0, 0]])
    data = load_data(settings_for(folders, IMAGE_SIZE=(32, 32), CLASS_IDS=[0, 7],
                                  OTHER_IDS="ignore"))
    label = data["read_own_label"](0)
    assert label.shape == (1, 3) and set(label.ravel()) <= {0, 1, 255}
