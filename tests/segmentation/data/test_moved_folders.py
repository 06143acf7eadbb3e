"""Tests of moved_folders.py: folders that were moved, or of another system."""

import pytest
from small_sets import read_constants, write_pair

from device.errors import InputError
from segmentation.data.moved_folders import find_moved_folders


def test_images_that_were_moved_are_found_in_main_s_folders(folders, tmp_path, capsys):
    for stem in "abc":
        write_pair(folders, stem, [[0, 1]])
    model = {"image_dir": "/gone/images", "label_dir": "/gone/labels",
             "training_images": ["a.png", "b.png"], "validation_image_dir": "D:\\images",
             "validation_label_dir": "D:\\labels", "validation_images": ["c.png"]}
    constants = read_constants() | {"IMAGE_DIR": str(folders[0]), "LABEL_DIR": str(folders[1])}
    found = find_moved_folders(model, constants)
    assert [found[key] for key in ("image_dir", "label_dir")] == [str(path) for path in folders]
    assert found["validation_image_dir"] == str(folders[0])
    assert "/gone/images, which model.json names, is not there" in capsys.readouterr().out
    assert find_moved_folders(found, read_constants()) == found
    with pytest.raises(InputError, match=r"which model.json names, is not there, and main.py's "
                                         r"folders do not hold the 2 images that it names \(a\."):
        find_moved_folders(model, read_constants())


def test_folders_of_the_other_system_are_read(folders, monkeypatch):
    write_pair(folders, "a", [[0, 1]])
    monkeypatch.chdir(folders[0].parent)
    (folders[0].parent / "set").mkdir()
    for folder in folders:
        folder.rename(folder.parent / "set" / folder.name)
    model = {"image_dir": "set\\images", "label_dir": "set\\labels", "training_images": ["a.png"]}
    assert find_moved_folders(model, read_constants())["image_dir"] == "set/images"


# ---- folders as other tools leave them -------------------------------------------------------
