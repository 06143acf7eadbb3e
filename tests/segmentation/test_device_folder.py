"""Tests of segmentation/device_folder.py: what goes to the device."""

import json

import pytest
from PIL import Image

from device.files import write_json
from device.model_files import find_model_files
from segmentation.device_folder import record_hashes, write_device_folder


@pytest.fixture
def output_dir(models, tmp_path):
    """OUTPUT_DIR as tflite_convert.py leaves it, with two of three validation images there."""
    folder = tmp_path / "output"
    folder.mkdir()
    (folder / "model_int8.tflite").write_bytes((models / "int8.tflite").read_bytes())
    for name in ("a.png", "b.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    write_json(folder / "model.json", {
        "class_names": ["a", "b", "c"], "class_colors": [[0, 0, 0]] * 3, "something_new": 1,
        "validation_image_dir": str(tmp_path), "validation_images": ["a.png", "b.png", "c.png"]})
    return folder


def test_all_that_a_device_needs(output_dir):
    record_hashes(output_dir, compiled=False)
    folder = write_device_folder(output_dir)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {name for name in names if not name.startswith("device/")} == {
        "predict.py", "model.json", "model_int8.tflite", "requirements.txt", "README.md",
        "images/a.png", "images/b.png"}
    assert {"device/segmenter.py", "device/__init__.py"} <= names
    assert not any("pycache" in name or name.endswith(".part") for name in names)
    info = json.loads((folder / "model.json").read_text())
    assert info["something_new"] == 1 and len(info["tflite_sha256"]) == 1
    assert find_model_files(folder).plain == folder / "model_int8.tflite"


def test_over_an_earlier_one(output_dir):
    compiled = output_dir / "model_int8_edgetpu.tflite"
    compiled.write_bytes((output_dir / "model_int8.tflite").read_bytes() + b"edgetpu-custom-op")
    record_hashes(output_dir, compiled=True)
    folder = write_device_folder(output_dir)
    assert "tflite_convert.py compiled it" in find_model_files(folder).reason
    (folder / "predictions").mkdir()
    compiled.unlink()
    record_hashes(output_dir, compiled=False)
    write_device_folder(output_dir)
    assert find_model_files(folder).compiled is None  # the one of the earlier model has gone
    assert (folder / "predictions").is_dir()  # what a person made there is kept
