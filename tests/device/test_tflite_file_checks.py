"""Tests of device/tflite_file.py: damaged files are found before a runtime opens them."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from device import tflite, tflite_file
from device.errors import InputError

TESTS = Path(__file__).resolve().parents[1]


def damage(data, draw):
    """A .tflite cut, or with a few bytes or one whole number (offset, count, index) changed."""
    data, kind = bytearray(data), draw.randrange(3)
    if kind == 0:
        del data[draw.randrange(len(data)):]
    elif kind == 1:
        for _ in range(draw.randint(1, 5)):
            data[draw.randrange(len(data))] = draw.randrange(256)
    else:
        place = draw.randrange(0, len(data) - 4, 4)
        number = draw.choice((0, 1, 2, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1))
        data[place:place + 4] = number.to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize("name", ["int8", "layers", "float32", "half"])
def test_damaged_files_are_checked_without_a_traceback(models, name):
    data, draw, refused = (models / f"{name}.tflite").read_bytes(), random.Random(0), 0
    for _ in range(1000):
        try:
            tflite_file.check_file(damage(data, draw))
        except ValueError:
            refused += 1
    assert 400 < refused < 900  # the rest changes numbers only


@pytest.mark.slow
def test_damaged_files_end_in_a_sentence(models, tmp_path):
    """In a process of its own, since what is not found beforehand ends Python by a signal."""
    code = """if True:
        import random, sys
        from device import errors, tflite
        from test_tflite_file_checks import damage
        sound, draw, refused = open(sys.argv[1], "rb").read(), random.Random(1), 0
        for _ in range(300):
            with open(sys.argv[2], "wb") as file:
                file.write(damage(sound, draw))
            try:
                tflite.model_shape(tflite.open_model(sys.argv[2]))
            except errors.InputError:
                refused += 1
        print(refused)"""
    command = [sys.executable, "-c", code, models / "int8.tflite", tmp_path / "damaged.tflite"]
    run = subprocess.run(command, capture_output=True, text=True, env={
        **os.environ, "PYTHONPATH": os.pathsep.join(str(folder) for folder in
                                                      (TESTS.parent, TESTS, TESTS / "device"))})
    assert run.returncode == 0, (run.returncode, run.stderr[-2000:])
    assert int(run.stdout) > 100


@pytest.mark.parametrize("data, sentence", [
    (b"", "it is empty"), (b"no model", "it is no .tflite file"),
    (bytes(np.random.default_rng(0).bytes(1000)), "it is no .tflite file"),
    (b"\x1c\0\0\0TFL3", "truncated or damaged"), (b"\xff\xff\xff\xffTFL3" * 9, "truncated or dam"),
    (b"\x08\0\0\0TFL3" + b"\0" * 90, "the table at byte 8")])
def test_what_is_no_tflite(tmp_path, data, sentence):
    path = tmp_path / "a.tflite"
    path.write_bytes(data)
    with pytest.raises(InputError, match=f"can't be opened as a .tflite model: .*{sentence}"):
        tflite.open_model(path)


def test_every_truncation_is_found(models):
    data = (models / "int8.tflite").read_bytes()
    tflite_file.check_file(data)
    for length in range(0, len(data) - 16, 7):
        with pytest.raises(ValueError):
            tflite_file.check_file(data[:length])



def test_inputs_and_outputs_are_what_the_runtime_says(models):
    for path in models.iterdir():
        interpreter = tflite.open_model(path)
        details = interpreter.get_input_details() + interpreter.get_output_details()
        ends = tflite_file.read_ends(path.read_bytes())
        assert [(end.shape, (end.scale, end.zero_point)) for end in ends] == [
            (tuple(detail["shape"]), detail["quantization"]) for detail in details], path.name
        assert len({end.dtype for end in ends}) == 1
