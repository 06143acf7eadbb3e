"""Tests of device/model_files.py: which files belong together, by their content."""

import os

import pytest
from small_models import write_compiled

from device.errors import InputError
from device.files import write_json
from device.model_files import find_model_files, hash_file


@pytest.fixture
def model(models, tmp_path):
    """The small int8 model in a folder of its own."""
    path = tmp_path / "model_int8.tflite"
    path.write_bytes((models / "int8.tflite").read_bytes())
    return path


def record(*paths):
    """Writes model.json as tflite_convert.py leaves it."""
    write_json(paths[0].with_name("model.json"), {
        "class_names": ["a", "b", "c"], "class_colors": [[0, 0, 0]] * 3,
        "tflite_sha256": {path.name: hash_file(path) for path in paths}})


def test_a_copy_that_is_older_is_taken(model):
    compiled = write_compiled(model)
    record(model, compiled)
    os.utime(compiled, (0, 0))  # as scp and cp leave it
    for path in (model, compiled, model.parent):
        files = find_model_files(path)
        assert files[:2] == (model, compiled) and "tflite_convert.py compiled it" in files.reason


def test_one_that_was_compiled_elsewhere_is_taken_where_it_fits(model, models):
    compiled = write_compiled(model)
    for recorded in (True, False):
        if recorded:
            record(model)
        files = find_model_files(model)
        assert files.compiled == compiled and "compiled elsewhere" in files.reason
        model.with_name("model.json").unlink(missing_ok=True)
    compiled.write_bytes((models / "other_scale.tflite").read_bytes() + b"edgetpu-custom-op")
    files = find_model_files(model)
    assert files.compiled is None
    assert "compiled from another model than model_int8.tflite" in files.reason
    assert files.reason.count("of scale") == 4  # what it is, what it should be


@pytest.mark.parametrize("recorded, reason", [(True, "damaged copy"), (False, "can't be compared")])
def test_a_damaged_compiled_file_is_not_taken(model, recorded, reason):
    compiled = write_compiled(model)
    if recorded:
        record(model, compiled)
    compiled.write_bytes(compiled.read_bytes()[:-900] + b"edgetpu-custom-op")
    files = find_model_files(model)
    assert files.compiled is None and reason in files.reason


def test_too_small_or_not_compiled(model):
    compiled = write_compiled(model)
    compiled.write_bytes(b"edgetpu-custom-op")
    assert find_model_files(model).compiled is None
    compiled.write_bytes(model.read_bytes())
    assert "is not compiled for the Edge TPU" in find_model_files(model).reason


@pytest.mark.parametrize("compiled", [False, True])
def test_a_damaged_or_foreign_file_is_found_by_its_hash(model, compiled):
    record(model, write_compiled(model)) if compiled else record(model)
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    with pytest.raises(InputError, match=r"SHA-256 differs.*damaged copy or of another training"):
        find_model_files(model)


def test_the_compiled_file_alone(model):
    compiled = write_compiled(model)
    record(model, compiled)
    model.unlink()
    for path in (model, compiled, model.parent):
        files = find_model_files(path)
        assert files[:2] == (None, compiled)
        assert "model_int8.tflite is not beside it" in files.reason
    compiled.write_bytes(compiled.read_bytes() + b"x")
    with pytest.raises(InputError, match="SHA-256 differs"):
        find_model_files(model)


def test_no_file_at_all(model):
    model.unlink()
    for path in (model, model.parent, model.with_name("nowhere")):
        with pytest.raises(InputError, match=r"run tflite_convert.py first.*on a device, copy the "
                                             "whole folder output/device"):
            find_model_files(path)
