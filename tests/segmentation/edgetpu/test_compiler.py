"""Tests of the compiler's run and log, with a stand-in that prints logs as the real one does."""

import json
import time

import pytest

from segmentation.edgetpu.compiler import (
    compile_model,
    find_compiler,
    format_compile_report,
    how_to_get_compiler,
    parse_rows,
)

START = """Edge TPU Compiler version 16.0.384591198
Started a compilation timeout timer of 180 seconds.
"""
FAILED = "Compilation child process completed within timeout period.\nCompilation failed! \n"
SUCCEEDED = "Compilation child process completed within timeout period.\nCompilation succeeded! \n"
SUMMARY = """
Model compiled successfully in 1524 ms.

Input model: model_int8.tflite
Input size: 3.42MiB
Output model: model_int8_edgetpu.tflite
Output size: 3.61MiB
On-chip memory used for caching model parameters: 3.38MiB
On-chip memory remaining for caching model parameters: 512.00KiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 1
Total number of operations: 72
Operation log: model_int8_edgetpu.log
"""
PARTLY = """
Model successfully compiled but not all operations are supported by the Edge TPU. A percentage of \
the model will instead run on the CPU, which is slower. If possible, consider updating your model \
to use only operations supported by the Edge TPU. For details, visit g.co/coral/model-reqs.
Number of operations that will run on Edge TPU: 67
Number of operations that will run on CPU: 5
"""
UNMAPPED = """
Operator                       Count      Status

TRANSPOSE_CONV                 1          Operation is otherwise supported, but not mapped due to \
some unspecified limitation
TRANSPOSE_CONV                 2          More than one subgraph is not supported
CONCATENATION                  2          More than one subgraph is not supported
"""
MAPPED = """
Operator                       Count      Status

CONV_2D                        36         Mapped to Edge TPU
DEPTHWISE_CONV_2D              17         Mapped to Edge TPU
PAD                            4          Mapped to Edge TPU
ADD                            10         Mapped to Edge TPU
TRANSPOSE_CONV                 5          Mapped to Edge TPU
"""
REFUSALS = {
    "Didn't find op": (
        "Edge TPU Compiler version 16.0.384591198\n"
        "ERROR: Didn't find op for builtin opcode 'TRANSPOSE_CONV' version '4'. An older version "
        "of this builtin might be supported. Are you using an old TFLite binary with a newer "
        "model?\n\nERROR: Registration failed.\n\n"
        "Invalid model: model_int8.tflite\nModel could not be parsed\n",
        "does not know TRANSPOSE_CONV version 4"),
    "dynamic tensors": (
        START + "ERROR: Attempting to use a delegate that only supports static-sized tensors with "
        "a graph that has dynamic-sized tensors.\nCompilation failed: Model failed in Tflite "
        "interpreter. Please ensure model can be loaded/run in Tflite interpreter.\n" + FAILED,
        "size is not fixed"),
    "large activations": (
        START + "ERROR: Restored original execution plan after delegate application failure.\n"
        "Compilation failed: Compilation failed due to large activation tensors in model.\n"
        + FAILED, "make IMAGE_SIZE or DECODER_FILTERS"),
    "its own time limit": (
        START + "Compilation timeout. This is usually caused by large activations.\n"
        "Compilation failed! \n", "make IMAGE_SIZE or DECODER_FILTERS"),
    "internal error": (
        "Edge TPU Compiler version 15.0.340273435\n\nInternal compiler error. Aborting! \n",
        "internal error"),
    "not quantized": (
        "Edge TPU Compiler version 15.0.340273435\nInvalid model: model_int8.tflite\n"
        "Model not quantized\n", "not quantized"),
    "custom operation": (
        START + "ERROR: Encountered unresolved custom op: Atan.\nERROR: Node number 1 (Atan) "
        "failed to prepare.\n\nCompilation failed: Model failed in Tflite interpreter. Please "
        "ensure model can be loaded/run in Tflite interpreter.\n" + FAILED, "operation Atan:"),
    "not a model": (
        "Edge TPU Compiler version 16.0.384591198\nInvalid model: model_int8.tflite\n"
        "Model could not be parsed\n", "can't read the file"),
    "no reason": (START + FAILED, "gives no reason; the last line of its log: Compilation failed!"),
    "silence": ("", "printed nothing"),
}


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model_int8.tflite"
    path.write_bytes(b"model")
    return path


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """Puts a stand-in compiler on the PATH: call it with what it prints, writes and does."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def make(log="", writes=True, operations=None, then=""):
        (folder / "log").write_text(log)
        lines = ["#!/bin/sh", f'echo "$@" > {folder}/arguments', f"cat {folder}/log",
                 "name=$(basename $4 .tflite)"]
        if writes:
            lines.append('echo "compiled from $(cat $4)" > $3/${name}_edgetpu.tflite')
        if operations is not None:
            (folder / "operations").write_text(operations)
            lines.append(f"cp {folder}/operations $3/${{name}}_edgetpu.log")
        (folder / "edgetpu_compiler").write_text("\n".join([*lines, then]) + "\n")
        (folder / "edgetpu_compiler").chmod(0o755)
        return folder

    return make


def test_all_operations_mapped(compiler, model):
    folder = compiler(START + SUMMARY + MAPPED + SUCCEEDED)
    result = compile_model(model)
    assert result["success"] and result["reason"] == ""
    assert result["edgetpu_path"] == str(model.with_name("model_int8_edgetpu.tflite"))
    assert "compiled from model" in model.with_name("model_int8_edgetpu.tflite").read_text()
    assert result["compiler_version"] == "16.0.384591198"
    assert (result["input_size"], result["output_size"]) == (3586130, 3785359)
    assert (result["on_chip_used"], result["on_chip_remaining"], result["off_chip_used"]) == (
        round(3.38 * 2**20), 512 * 1024, 0)
    assert result["rows"][0] == {"operation": "CONV_2D", "count": 36,
                                 "status": "Mapped to Edge TPU", "is_mapped": True}
    assert json.loads(json.dumps(result)) == result
    arguments = (folder / "arguments").read_text().split()
    assert arguments[:2] == ["-s", "-o"] and arguments[3] == str(model)
    assert sorted(path.name for path in model.parent.iterdir()) == [
        "bin", "model_int8.tflite", "model_int8_edgetpu.tflite"]
    report = format_compile_report(result)
    assert "72 of 72 operations run on the Edge TPU" in report
    assert "3.38 MiB on the chip (512.00 KiB free), 0 bytes streamed" in report
    assert "subgraph" not in report


def test_partly_mapped_shows_what_is_left_first(compiler, model):
    compiler(START + SUMMARY + PARTLY + UNMAPPED + MAPPED.partition("Status")[2] + SUCCEEDED)
    result = compile_model(model)
    assert result["success"]
    assert [row["is_mapped"] for row in result["rows"]] == [False] * 3 + [True] * 5
    assert result["rows"][0]["status"].endswith("not mapped due to some unspecified limitation")
    report = format_compile_report(result)
    assert "72 of 77 operations" in report
    assert "TRANSPOSE_CONV         2  More than one subgraph is not supported" in report
    assert "follows an operation left on the CPU" in report


def test_rows_come_from_the_log_file_where_the_output_is_shortened(compiler, model):
    shortened = UNMAPPED + "... All other operators were mapped successfully. See the log.\n"
    compiler(START + SUMMARY + PARTLY + shortened + SUCCEEDED,
             operations="Edge TPU Compiler version 16.0.384591198\nInput: model_int8.tflite\n"
                        + UNMAPPED + MAPPED)
    assert len(compile_model(model)["rows"]) == 8
    compiler(START + SUMMARY + PARTLY + shortened + SUCCEEDED)
    assert len(compile_model(model)["rows"]) == 3


@pytest.mark.parametrize("log, reason", REFUSALS.values(), ids=REFUSALS)
def test_refusals_are_sentences(compiler, model, log, reason):
    old = model.with_name("model_int8_edgetpu.tflite")
    old.write_bytes(b"of the model before")
    compiler(log, writes=False)
    result = compile_model(model)
    assert not result["success"] and result["edgetpu_path"] is None
    assert reason in result["reason"]
    assert not old.exists(), "it would be taken for the new model"
    assert result["rows"] == [] and result["on_chip_used"] is None
    assert json.loads(json.dumps(result)) == result
    assert format_compile_report(result) == f"Not compiled for the Edge TPU. {result['reason']}"


def test_a_log_of_success_without_a_file_is_no_success(compiler, model):
    compiler(START + SUMMARY + MAPPED + SUCCEEDED, writes=False)
    assert not compile_model(model)["success"]


def test_a_half_written_file_is_not_left(compiler, model):
    compiler(START, then="kill -9 $$")
    assert not compile_model(model)["success"]
    assert sorted(path.name for path in model.parent.iterdir()) == ["bin", "model_int8.tflite"]


def test_time_limit_stops_the_compiler_and_its_children(compiler, model):
    folder = compiler(START, writes=False, then=(
        "(while true; do echo >> $(dirname $0)/beats; sleep 0.05; done) & sleep 30"))
    start = time.monotonic()
    result = compile_model(model, time_limit=0.5)
    assert time.monotonic() - start < 10
    assert not result["success"] and "stopped after 0.5 seconds" in result["reason"]
    assert result["compiler_version"] == "16.0.384591198"
    beats = (folder / "beats").stat().st_size
    time.sleep(0.3)
    assert (folder / "beats").stat().st_size == beats > 0


def test_a_compiler_for_another_machine(compiler, model):
    (compiler() / "edgetpu_compiler").write_bytes(b"\x7fELF of another machine")
    result = compile_model(model)
    assert not result["success"] and "needs Linux x86-64" in result["reason"]


def test_not_on_the_path(tmp_path, model, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    older = model.with_name("model_int8_edgetpu.tflite")
    older.write_bytes(b"compiled elsewhere")
    assert find_compiler() is None
    result = compile_model(model)
    assert not result["success"] and older.exists()
    assert result["reason"] == how_to_get_compiler()
    for way in ("Linux x86-64", "container", "notebook"):
        assert way in result["reason"]


@pytest.mark.parametrize("text, rows", [
    ("", []),
    ("Operator                       Count      Status\n", []),
    ("PAD  4  Mapped to Edge TPU\r\n", [("PAD", 4, True)]),
    ("Node 1 (ADD) failed\nADD 3\n", []),
])
def test_rows(text, rows):
    assert [(row["operation"], row["count"], row["is_mapped"])
            for row in parse_rows(text)] == rows
