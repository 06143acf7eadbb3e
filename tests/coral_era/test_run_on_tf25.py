"""Tests of run_on_tf25.py without the old TensorFlow: what is compared, what is skipped, what the
exit code says."""

import sys

import numpy as np
import pytest
import run_on_tf25
from PIL import Image


@pytest.fixture
def images(tmp_path):
    """25 images of one color each, red rising by 10, in a folder and a subfolder."""
    (tmp_path / "more").mkdir()
    for number in range(25):
        folder = tmp_path / "more" if number >= 20 else tmp_path
        Image.new("RGB", (8, 4), (number * 10, 128, 0)).save(folder / f"image{number:02d}.png")
    return tmp_path


def test_int8_is_the_pixel_minus_128(images):
    int8, uint8 = (run_on_tf25.read_images(images, 2, 6, dtype) for dtype in ("INT8", "UINT8"))
    assert int8.shape == (20, 2, 6, 3) and int8.dtype == np.int8 and uint8.dtype == np.uint8
    assert int8[0, 0, 0].tolist() == [-128, 0, -128] and uint8[0, 0, 0].tolist() == [0, 128, 0]
    assert int8[-1, 0, 0, 0] == 240 - 128  # the last image of the folder is among the chosen


def test_no_python_of_that_age_is_a_reason_to_skip(images, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PYENV_ROOT", str(images))
    monkeypatch.setenv("XDG_CACHE_HOME", str(images / "cache"))
    monkeypatch.setattr(run_on_tf25, "model_input", lambda path: (4, 8, "INT8"))
    assert run_on_tf25.main(["model.tflite", str(images)]) == 0
    line = capsys.readouterr().out
    assert line.startswith("coral era: skipped: no Python 3.9") and line.count("\n") == 1


def test_packages_that_do_not_install_are_a_reason_to_skip(images, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(images / "cache"))
    monkeypatch.setattr(run_on_tf25, "model_input", lambda path: (4, 8, "INT8"))
    monkeypatch.setattr(run_on_tf25, "find_old_python", lambda: sys.executable)
    monkeypatch.setattr(run_on_tf25, "make_venv", lambda python, folder: ["false"])
    assert run_on_tf25.main(["model.tflite", str(images)]) == 0
    assert "can't be installed" in capsys.readouterr().out
    assert not list((images / "cache").rglob(run_on_tf25.READY_NAME))


@pytest.mark.parametrize("difference, code, word", [(0, 0, "identical"), (1, 1, "DIFFERENT")])
def test_exit_codes(images, monkeypatch, capsys, difference, code, word):
    outputs = iter([np.zeros((20, 5), np.int8), np.full((20, 5), difference, np.int8)])
    monkeypatch.setattr(run_on_tf25, "model_input", lambda path: (4, 8, "INT8"))
    monkeypatch.setattr(run_on_tf25, "old_environment", lambda: "python")
    monkeypatch.setattr(run_on_tf25, "run_under", lambda *arguments: next(outputs))
    assert run_on_tf25.main(["model.tflite", str(images)]) == code
    assert capsys.readouterr().out.startswith(
        f"coral era: {word}: 20 images, 100 output values, {100 * difference}"
    )


def test_a_model_that_does_not_load_is_different(images, monkeypatch, capsys):
    def refuse(*arguments):
        raise ValueError("Didn't find op for builtin opcode 'TRANSPOSE_CONV' version '4'")

    monkeypatch.setattr(run_on_tf25, "model_input", lambda path: (4, 8, "INT8"))
    monkeypatch.setattr(run_on_tf25, "old_environment", lambda: "python")
    monkeypatch.setattr(run_on_tf25, "run_under", refuse)
    assert run_on_tf25.main(["model.tflite", str(images)]) == 1
    assert "TRANSPOSE_CONV" in capsys.readouterr().out


def test_nothing_to_compare(images, capsys):
    assert run_on_tf25.main([str(images / "none.tflite"), str(images)]) == 2
    (images / "text.tflite").write_text("this is no model")
    assert run_on_tf25.main([str(images / "text.tflite"), str(images)]) == 2
    assert "not a .tflite" in capsys.readouterr().out


def test_the_last_words_are_the_error():
    text = "Traceback\n  File x\nValueError: Didn't find op\nAre you old?\nRegistration failed.\n"
    assert (
        run_on_tf25.last_words(text)
        == "ValueError: Didn't find op Are you old? Registration failed."
    )
    assert run_on_tf25.last_words("") == "no message"
