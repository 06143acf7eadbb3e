"""The way of a new user, each script in a process of its own: train, convert, test."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
PROJECT = Path(__file__).resolve().parents[2]


def run(code):
    """Runs Python code in a fresh process in the project's folder."""
    return subprocess.run([sys.executable, "-c", code], cwd=PROJECT, text=True,
                          capture_output=True, check=False)


@pytest.fixture(scope="module", params=["frozen encoder", "random encoder"])
def output(request, tmp_path_factory):
    """OUTPUT_DIR of a short training on the sample data."""
    folder, weights = tmp_path_factory.mktemp("output"), None
    if request.param == "frozen encoder":
        weights = str(folder / "some.weights.h5")
        run(f"import keras; keras.applications.MobileNetV2(input_shape=(64, 64, 3), weights=None, "
            f"include_top=False).save_weights({weights!r})")
    result = run(f"import main; main.EPOCHS = 2; main.IMAGE_SIZE = (64, 64); "
                 f"main.ENCODER_WEIGHTS = {weights!r}; main.OUTPUT_DIR = {str(folder)!r}; "
                 f"main.main()")
    assert result.returncode == 0, result.stderr
    assert json.loads((folder / "model.json").read_text())["encoder_frozen"] == bool(weights)
    return folder


def test_convert_and_test_follow_in_fresh_processes(output):
    result = run(f"import main, tflite_convert; main.OUTPUT_DIR = {str(output)!r}; "
                 "tflite_convert.main()")
    assert result.returncode == 0, result.stderr
    assert "every tensor int8" in result.stdout and "zero point -1" in result.stdout
    assert "no known obstacle" in result.stdout
    assert json.loads((output / "edgetpu_report.json").read_text())["exit_code"] == 0

    result = run("import sys, main, tflite_test as t; t.MIN_AGREEMENT = 0; "
                 "t.MAX_MEAN_IOU_DROP = 1; "
                 f"main.OUTPUT_DIR = {str(output)!r}; sys.exit(t.main())")
    assert result.returncode == 0, result.stderr
    report = json.loads((output / "report.json").read_text())
    assert len(report["keras"]["iou"]) == len(report["class_names"]) == 3
    assert len(report["worst_images"]) == 10
    assert (output / "report.png").stat().st_size > 10_000

    result = run("import sys, main, tflite_test as t; t.MIN_AGREEMENT = 1.01; "
                 f"main.OUTPUT_DIR = {str(output)!r}; sys.exit(t.main())")
    assert result.returncode == 1
    assert "FAILED: Keras and int8 agree on" in result.stdout
    assert "by the int8 encoder" in result.stdout and "CONV_2D" in result.stdout
    losses = json.loads((output / "report.json").read_text())["losses"]
    assert len(losses["layers"]) == 10
    assert losses["layers"][0]["error_in_steps"] >= losses["layers"][9]["error_in_steps"] > 0


@pytest.mark.parametrize("script", ["main.py", "tflite_convert.py", "tflite_test.py"])
def test_what_is_missing_is_a_sentence_not_a_traceback(script, tmp_path):
    result = subprocess.run([sys.executable, PROJECT / script], cwd=tmp_path, text=True,
                            capture_output=True, check=False)
    assert result.returncode == 1
    assert "Error: " in result.stderr and "Traceback" not in result.stderr
