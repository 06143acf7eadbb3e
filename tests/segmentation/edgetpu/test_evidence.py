"""Tests of evidence.json: every row is whole, and the rules say of it what was seen."""

import json

import numpy as np
import pytest
from tflite_by_hand import activation, constant, operation, tflite, transpose_conv

from segmentation.edgetpu.evidence import (
    CORAL_OPS,
    EVIDENCE,
    TF25_MAX_VERSION,
    find_left,
    find_mapped,
    format_shape,
)
from segmentation.edgetpu.report import check_model

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
OPTIONS = {"CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
           "FULLY_CONNECTED": "FullyConnectedOptions", "CONCATENATION": "ConcatenationOptions"}


def one_operation(name, version, before, after):
    """Bytes of a file of one operation between two shapes, with what else its kind needs."""
    if name == "TRANSPOSE_CONV":
        return transpose_conv(after[1:], version or 3)
    tensors = {"x": activation(*before), "y": activation(*after)}
    inputs = ["x"]
    if name in WEIGHTED:
        kernel = (1, 1, 1, after[-1]) if "DEPTHWISE" in name else (after[-1], 1, 1, before[-1])
        kernel = (after[-1], before[-1]) if name == "FULLY_CONNECTED" else kernel
        tensors["w"] = constant(np.ones(kernel))
        inputs = ["x", "w"]
    elif name in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "MEAN", "RESHAPE", "TILE"):
        sizes = {"MEAN": [1, 2], "RESHAPE": after, "TILE": after}.get(name, after[1:3])
        tensors["size"] = constant(sizes, "INT32")
        inputs = ["x", "size"]
    return tflite([operation(name, inputs, ["y"], version or 1, OPTIONS.get(name))], tensors)


def verdict_of(row):
    """What the check says of the operation of a row."""
    version = row["version"] or min(2, TF25_MAX_VERSION[row["operation"]])
    data = one_operation(row["operation"], version, row["input"], row["output"])
    return check_model(data)["rows"][0]["verdict"]


def shaped(name):
    return [row for row in EVIDENCE[name] if row["input"] and row["output"]
            and None not in row["input"] and row["operation"] in TF25_MAX_VERSION]


def test_every_row_names_a_source_that_is_told():
    for name in ("mapped", "left", "refused", "subgraphs", "builds"):
        assert EVIDENCE[name]
        for row in EVIDENCE[name]:
            assert row["source"] in EVIDENCE["sources"], row
    used = {row["source"] for name in ("mapped", "left", "refused", "subgraphs", "builds")
            for row in EVIDENCE[name]}
    assert set(EVIDENCE["sources"]) - used == {"coral.ai", "TF 2.5.3", "this file"}


@pytest.mark.parametrize("row", shaped("mapped"), ids=str)
def test_what_was_mapped_is_ok(row):
    assert verdict_of(row) == "OK"


@pytest.mark.parametrize("row", shaped("left"), ids=str)
def test_what_was_left_is_not_ok(row):
    assert verdict_of(row) in ("CPU", "RISK")


def test_the_versions_table():
    """Hand-picked lines of the measured table, and its size: 135 operations, 40 of Coral's and its
    second LSTM."""
    expected = {
        "TRANSPOSE_CONV": 3, "CONV_2D": 5, "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 9,
        "QUANTIZE": 2, "EXP": 1, "TILE": 2, "RESIZE_BILINEAR": 4, "CONCATENATION": 3, "PAD": 3,
        "ADD": 3, "MUL": 4, "RELU": 3, "RELU6": 3}
    assert {name: TF25_MAX_VERSION[name] for name in expected} == expected
    assert len(TF25_MAX_VERSION) == 135 and "GELU" not in TF25_MAX_VERSION
    assert len(CORAL_OPS) == 41 and set(TF25_MAX_VERSION) >= CORAL_OPS


def test_rows_are_found_by_kind_largest_first():
    sizes = [np.prod(row["output"]) for row in find_mapped("RESIZE_BILINEAR")]
    assert len(sizes) == 5 and sizes == sorted(sizes, reverse=True)
    assert len(find_left("RESIZE_BILINEAR")) == 5 and find_left("CONV_2D") == []
    assert format_shape([1, 48, 48, 24]) == "48x48x24" and format_shape([7]) == "7"


# --- the logs that lie beside the project --------------------------------------------------------


@pytest.fixture
def logs(shared):
    return json.loads((shared / "data/edgetpu/compiler_logs.json").read_text())


def test_the_largest_mapped_of_each_kind_is_ok(logs):
    for name, row in logs["largest_mapped"].items():
        if name in ("UNIDIRECTIONAL_SEQUENCE_LSTM", "SPLIT"):  # of them the pairs are the test
            continue
        data = one_operation(name, row["version"], row["inputs"][0], row["shape"])
        assert check_model(data)["rows"][0]["verdict"] in ("OK", "NOTE"), name


def test_the_largest_output_of_each_pair_is_no_false_alarm(logs):
    for pair in logs["compiled_pairs"]:
        size, name, shape = pair["largest"]
        if name in pair["left_on_cpu"] or name in pair["preflight_risk"]:
            continue
        data = one_operation(name, 1, [*shape[:-1], 8], shape)
        assert check_model(data)["rows"][0]["verdict"] in ("OK", "NOTE"), (pair["file"], size)


def test_what_pairs_left_by_name_is_left(logs):
    """Kinds that every pair left are never OK; what Coral's demos append refuses no file."""
    for pair in logs["compiled_pairs"]:
        for name, count in pair["left_on_cpu"].items():
            if count == pair["ops"][name] and name not in CORAL_OPS:
                custom = b"" if name not in TF25_MAX_VERSION else None
                data = tflite([operation(name, ["x"], ["y"], custom=custom)],
                              {"x": activation(1, 8), "y": activation(1, 8)})
                assert check_model(data)["rows"][0]["verdict"] == "CPU", (pair["file"], name)


def test_shapes_of_networks_mapped_whole_are_ok(logs):
    for log in logs["logs"]:
        if log.get("cpu") == 0:
            for name, shape in log.get("shapes_by_rebuild", {}).items():
                data = one_operation(name, 2, [*shape[:-1], shape[-1] // 2], shape)
                assert check_model(data)["rows"][0]["verdict"] in ("OK", "NOTE"), (log["id"], name)


def test_what_logs_left_or_refused_is_never_ok(logs):
    by_id = {log["id"]: log for log in logs["logs"]}
    assert "[1,256,128,3] not mapped" in by_id["mean461"]["why"]
    for size, expected in (((256, 128), ("CPU",)), ((64, 128), ("OK",))):
        data = one_operation("MEAN", 2, (1, *size, 3), (1, 1, 1, 3))
        assert check_model(data)["verdict"] in expected
    assert "512x512x32 not mapped, 128x128x32 mapped" in by_id["toy31"]["why"]
    for side, expected in ((512, "CPU"), (128, "OK")):
        half = side // 2
        data = one_operation("RESIZE_BILINEAR", 1, (1, half, half, 32), (1, side, side, 32))
        assert check_model(data)["verdict"] == expected
    assert by_id["tf219_deconv_relu"]["parse_error"] == "TRANSPOSE_CONV version 4"
    assert check_model(transpose_conv((16, 16, 8), 4, fused=1))["verdict"] == "REFUSED"
    for side, channels in ((64, 512), (256, 128), (512, 64)):  # unet_qat_512_686 and two of TF 2.10
        assert check_model(transpose_conv((side, side, channels)))["verdict"] == "RISK"
