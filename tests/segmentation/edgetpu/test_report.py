"""Tests of the report: the table, the verdict on the file, the written report, the command."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tflite_by_hand import (
    IMAGE,
    LINE,
    PLAIN_CONV,
    WEIGHTS,
    activation,
    chain,
    constant,
    conv,
    operation,
    tflite,
    transpose_conv,
    verdicts,
)

from segmentation.edgetpu import __main__
from segmentation.edgetpu.estimate import format_estimate
from segmentation.edgetpu.repair import unfuse_activations
from segmentation.edgetpu.report import check_model, format_report


def test_a_float_model_is_not_quantized():
    report = check_model(chain("RELU", "TANH", types=["FLOAT32"] * 3))
    assert report["verdict"] == "REFUSED" and "not quantized" in report["sentence"]
    assert set(verdicts(report).values()) == {"CPU"} and not report["repairable"]


def test_an_unused_operator_code_is_refused_and_dropped():
    data = tflite(
        [operation("RELU", ["x"], ["y"], 2)], {"x": LINE, "y": LINE}, unused=[("TRANSPOSE_CONV", 4)]
    )
    report = check_model(data)
    assert (
        report["verdict"] == "REFUSED"
        and report["repairable"]
        and "TRANSPOSE_CONV" in report["sentence"]
    )
    assert check_model(unfuse_activations(data))["verdict"] == "OK"


def test_repairable_is_said_only_if_all_is():
    assert check_model(transpose_conv((16, 16, 8), 4, fused=1))["repairable"]
    for data in (
        tflite([conv(version=6)], {"x": IMAGE, "y": IMAGE, **WEIGHTS}),
        PLAIN_CONV,
        transpose_conv((16, 16, 8), 4, shape=activation(4, dtype="INT32")),
        transpose_conv((16, 16, 8), 5, fused=4),
    ):
        assert not check_model(data)["repairable"]


def test_parameters_and_what_stays_on_chip():
    report = check_model(PLAIN_CONV)
    assert report["parameter_bytes"] == 4 * 3 * 3 * 4 + 4 * 4  # int8 weights and int32 biases
    assert (report["on_chip_bytes_estimate"], report["streamed_bytes_estimate"]) == (160, 0)
    assert "Parameters: 160 bytes, all of which should stay" in format_report(report)
    weights = constant(np.ones((1, 7_000_000)))
    data = tflite(
        [operation("FULLY_CONNECTED", ["x", "w"], ["y"], 4, "FullyConnectedOptions")],
        {"x": activation(1, 7_000_000), "w": weights, "y": activation(1, 1)},
    )
    report = check_model(data)
    assert report["streamed_bytes_estimate"] == 7_000_000 - 6 * 2**20
    assert "about 708,544 are streamed at every image" in format_report(report)


def test_the_estimate_is_one_line_of_what_could_be_mapped():
    mapped = check_model(PLAIN_CONV)
    assert mapped["macs"] == 16 * 16 * 4 * 3 * 3 * 4
    assert format_estimate(mapped["time_estimate"]) in " ".join(format_report(mapped).split())
    left = check_model(chain("HARD_SWISH", types=["INT8"] * 2))
    assert left["time_estimate"] and "Estimate" not in format_report(left)


def test_what_is_not_ok_stands_first_and_all_others_in_a_line():
    lines = format_report(check_model(chain("RELU", "HARD_SWISH", "FLOOR_DIV", "TANH", "LOGISTIC",
                                            types=["INT8"] * 6))).splitlines()
    assert lines[0].startswith("CPU: 2 of 5 operations stay on the CPU: HARD_SWISH, FLOOR_DIV")
    assert lines[1:3] == ["  1 HARD_SWISH version 1, 1 FLOOR_DIV version 1",
                          "      CPU: operation not supported (not among the 40 of coral.ai) "
                          "[coral.ai]"]
    assert lines[3] == "  1 TANH version 1, 1 LOGISTIC version 1"
    assert lines[-2] == ("OK, seen mapped at their size or on coral.ai's list: 1 RELU [coral.ai]")
    assert max(map(len, lines)) <= 100


def test_rows_count_kinds_and_show_the_largest_output():
    sizes = [(1, 8), (1, 12), (1, 10)]
    tensors = {f"t{i}": activation(*size) for i, size in enumerate(sizes)}
    report = check_model(
        tflite(
            [operation("LOGISTIC", ["t0"], ["t1"]), operation("LOGISTIC", ["t1"], ["t2"])],
            tensors,
            ["t0"],
            ["t2"],
        )
    )
    (row,) = report["rows"]
    assert (row["name"], row["version"], row["count"], row["largest_output"]) == (
        "LOGISTIC",
        1,
        2,
        [1, 12],
    )
    assert (row["largest_output_bytes"], row["first_output"]) == (12, "t1")
    assert report["inputs"] == [{"name": "t0", "shape": [1, 8], "dtype": "INT8"}]


def test_a_compiled_file_tells_what_is_inside_and_what_is_left():
    tensors = {
        "image": activation(1, 8, dtype="FLOAT32"),
        "x": LINE,
        "logits": LINE,
        "y": activation(1, dtype="INT64"),
        "axis": constant(1, "INT32"),
    }
    compiled = operation("edgetpu-custom-op", ["x"], ["logits"], custom=bytes(1234))
    before, after = (
        operation("QUANTIZE", ["image"], ["x"]),
        operation("ARG_MAX", ["logits", "axis"], ["y"], 2),
    )
    report = check_model(tflite([before, compiled, after], tensors, ["image"]))
    assert report["compiled"] and report["verdict"] == "CPU" and report["exit_code"] == 2
    assert report["sentence"] == "compiled; 2 of 3 operations stay on the CPU: QUANTIZE, ARG_MAX."
    text = format_report(report)
    assert (
        "what lies between x and logits" in text
        and "1,234 bytes" in text
        and "left on the CPU" in text
    )
    whole = check_model(tflite([compiled], tensors, ["x"], ["logits"]))
    assert (whole["verdict"], whole["exit_code"]) == ("OK", 0)


@pytest.mark.parametrize(
    "data, code",
    [
        (PLAIN_CONV, 0),
        (chain("HARD_SWISH", types=["INT8"] * 2), 2),
        (transpose_conv((16, 16, 8), 4, fused=1), 1),
    ],
    ids=["ok", "cpu", "refused"],
)
def test_exit_codes_and_the_written_report(tmp_path, capsys, data, code):
    path = tmp_path / "model_int8.tflite"
    path.write_bytes(data)
    assert __main__.main([str(path)]) == code
    report = json.loads((tmp_path / "edgetpu_report.json").read_text())
    assert report["exit_code"] == code and report["file"] == str(path)
    assert report["sentence"] in " ".join(capsys.readouterr().out.split())


def test_the_command_does_not_start_tensorflow(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(PLAIN_CONV)
    script = ("import sys; from segmentation.edgetpu import __main__; __main__.main(sys.argv[1:]); "
              "print('tensorflow' in sys.modules)")
    run = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        cwd=Path(__main__.__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.splitlines()[-1] == "False" and "no known obstacle" in run.stdout


def test_the_command_runs_and_says_what_is_wrong_in_one_line(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "segmentation.edgetpu", str(tmp_path / "none.tflite")],
        cwd=Path(__main__.__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1 and run.stdout == ""
    assert run.stderr == f"Error: {tmp_path / 'none.tflite'}: there is no such file.\n"
