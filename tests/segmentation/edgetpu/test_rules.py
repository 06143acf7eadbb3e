"""Tests of the rules: every one on a hand-made file, good and bad."""

import json

import numpy as np
import pytest
from tflite_by_hand import (
    IMAGE,
    LINE,
    PLAIN_CONV,
    WEIGHTS,
    activation,
    chain,
    concatenation,
    constant,
    conv,
    mean,
    operation,
    pad,
    resize,
    strided_slice,
    tflite,
    transpose_conv,
    unary,
    verdicts,
)

from segmentation.edgetpu.evidence import CORAL_OPS, TF25_MAX_VERSION
from segmentation.edgetpu.report import check_model, format_report
from segmentation.edgetpu.rules import RULES
from segmentation.edgetpu.tflite_file import read_model, view_graph

# (what, file, verdict, a part of the reason)
CASES = [
    ("conv", PLAIN_CONV, "OK", "coral.ai's list"),
    # op versions
    ("conv version 5", tflite([conv(version=5)], {"x": IMAGE, "y": IMAGE, **WEIGHTS}), "OK",
     "list"),
    ("conv version 6", tflite([conv(version=6)], {"x": IMAGE, "y": IMAGE, **WEIGHTS}), "REFUSED",
     "knows 5 at most"),
    ("quantize version 3", unary("QUANTIZE", LINE, activation(1, 10, dtype="UINT8"), 3), "REFUSED",
     "knows 2 at most"),
    ("tile version 3", unary("TILE", LINE, LINE, 3, extra={"n": constant([1, 1], "INT32")}),
     "REFUSED", "knows 2"),
    ("gelu is unknown", unary("GELU", LINE, LINE), "REFUSED", "unknown to the compiler"),
    ("flex", tflite([operation("FlexErf", ["x"], ["y"], custom=b"x")], {"x": LINE, "y": LINE}),
     "REFUSED", "Flex"),
    ("custom", tflite([operation("Mine", ["x"], ["y"], custom=b"")], {"x": LINE, "y": LINE}),
     "REFUSED", "custom"),
    ("detection post-process", tflite([operation("TFLite_Detection_PostProcess", ["x"], ["y"],
     custom=b"")], {"x": LINE, "y": activation(1, 10, dtype="FLOAT32")}), "CPU", "data type"),
    # transposed convolution version 4
    ("relu without effect", transpose_conv((16, 16, 8), 4, fused=1), "REFUSED", "clamps nothing"),
    ("no activation at 4", transpose_conv((16, 16, 8), 4), "REFUSED", "clamps nothing"),
    ("relu6 clamps", transpose_conv((16, 16, 8), 4, fused=3), "REFUSED", "puts it behind"),
    # dynamic shapes
    ("signature -1", unary("LOGISTIC", activation(1, 10, signature=(-1, 10)), LINE), "REFUSED",
     "batch of 1"),
    ("shape", unary("SHAPE", LINE, activation(2, dtype="INT32"), 1, "ShapeOptions"), "REFUSED",
     "computes a shape"),
    ("strided slice of a shape", strided_slice([1] * 4, "INT32"), "REFUSED", "computes a shape"),
    ("pack of a shape", tflite([operation("PACK", ["x"], ["y"], 1, "PackOptions")], {"x":
     activation(dtype="INT32"), "y": activation(1, dtype="INT32")}), "REFUSED",
     "computes a shape"),
    ("pack of images", tflite([operation("PACK", ["x"], ["y"], 2, "PackOptions")], {"x":
     activation(8, 8, 4), "y": activation(1, 8, 8, 4)}), "OK", "list"),
    ("transpose conv, variable shape", transpose_conv((16, 16, 8), shape=activation(4,
     dtype="INT32")), "REFUSED", "output shape is not constant"),
    ("reshape, variable shape", tflite([operation("RESHAPE", ["x", "s"], ["y"], 1,
     "ReshapeOptions")], {"x": LINE, "s": activation(2, dtype="INT32"), "y": LINE}, ["x", "s"]),
     "REFUSED", "output shape is not constant"),
    ("reshape, constant shape", unary("RESHAPE", LINE, LINE, 1, "ReshapeOptions", {"s":
     constant([1, 10], "INT32")}), "OK", "list"),
    ("reshape, shape in its options", unary("RESHAPE", LINE, LINE, 1, "ReshapeOptions",
     newShape=[1, 10]), "OK", "list"),
    # paddings
    ("pad with int64", pad([[0, 0], [1, 1], [1, 1], [0, 0]], "INT64"), "CPU", "int64 paddings"),
    ("pad with int32", pad([[0, 0], [1, 1], [1, 1], [0, 0]]), "OK", "list"),
    ("pad of the batch", pad([[0, 1], [1, 1], [1, 1], [0, 0]]), "CPU", "pads the batch"),
    # rank and type
    ("batch of 2", unary("LOGISTIC", activation(2, 4, 4, 3), activation(2, 4, 4, 3)), "CPU",
     "unsupported rank"),
    ("rank 5 of ones", unary("LOGISTIC", activation(1, 1, 4, 4, 3), activation(1, 1, 4, 4, 3)),
     "OK", "list"),
    ("int16", unary("LOGISTIC", activation(1, 4, dtype="INT16"), activation(1, 4, dtype="INT16"),
     3), "REFUSED", "unsupported data type INT16"),
    ("float in the middle", tflite([operation("LOGISTIC", ["x"], ["f"]), operation("TANH", ["f"],
     ["y"])], {"x": LINE, "f": activation(1, 10, dtype="FLOAT32"), "y": LINE}), "CPU",
     "unsupported data type FLOAT32"),
    ("uint8", unary("LOGISTIC", activation(1, 4, dtype="UINT8"), activation(1, 4, dtype="UINT8")),
     "OK", "list"),
    ("float input", unary("QUANTIZE", activation(1, 4, dtype="FLOAT32"), activation(1, 4)), "CPU",
     "tolerable"),
    ("float output", unary("DEQUANTIZE", activation(1, 4), activation(1, 4, dtype="FLOAT32"), 2),
     "CPU", "tolerable"),
    ("uint8 to int8", unary("QUANTIZE", activation(1, 4, dtype="UINT8"), activation(1, 4)), "OK",
     "PoseNet"),
    ("variable weights", tflite([conv()], {"x": IMAGE, "y": IMAGE, "w": activation(4, 3, 3, 4),
     "b": WEIGHTS["b"]}, ["x", "w"]), "CPU", "not constant"),
    ("variable bias", tflite([conv()], {"x": IMAGE, "y": IMAGE, "w": WEIGHTS["w"], "b":
     activation(4, dtype="INT32")}, ["x", "b"]), "CPU", "not constant"),
    # the list
    ("arg max", unary("ARG_MAX", LINE, activation(1, dtype="INT64"), 2, extra={"a": constant(1,
     "INT32")}), "CPU", "not among the 40"),
    ("leaky relu", unary("LEAKY_RELU", LINE, LINE, 2), "CPU", "not among the 40"),
    ("hard swish", unary("HARD_SWISH", LINE, LINE), "CPU", "not among the 40"),
    # documented limits
    ("softmax of a line", unary("SOFTMAX", LINE, LINE, 2), "OK", "list"),
    ("softmax of a map", unary("SOFTMAX", activation(1, 4, 4, 3), activation(1, 4, 4, 3), 2),
     "RISK", "one dimension"),
    ("softmax of 16,001", unary("SOFTMAX", activation(1, 16001), activation(1, 16001), 2), "RISK",
     "16,000"),
    ("relu fused into a pool", unary("MAX_POOL_2D", IMAGE, IMAGE, 2, "Pool2DOptions",
     fusedActivationFunction=1), "CPU", "without a fused"),
    ("pool", unary("AVERAGE_POOL_2D", IMAGE, IMAGE, 2, "Pool2DOptions"), "OK", "list"),
    ("concatenation", concatenation(activation(1, 8, 8, 4)), "OK", "list"),
    ("relu fused into a concatenation", concatenation(activation(1, 8, 8, 4), 1), "CPU",
     "without a fused"),
    ("concatenation with zeros", concatenation(constant(np.full((1, 8, 8, 4), 7), zero_point=7)),
     "OK", "list"),
    ("concatenation with ones", concatenation(constant(np.ones((1, 8, 8, 4)))), "CPU", "zeros"),
    ("concatenation with zeros and another", concatenation(constant(np.zeros((1, 8, 8, 4))),
     third=activation(1, 8, 8, 4)), "CPU", "one other"),
    ("unequal dilation", tflite([conv(dilationHFactor=2, dilationWFactor=1)], {"x": IMAGE, "y":
     IMAGE, **WEIGHTS}), "CPU", "dilation"),
    ("equal dilation", tflite([conv(dilationHFactor=2, dilationWFactor=2)], {"x": IMAGE, "y":
     IMAGE, **WEIGHTS}), "OK", "list"),
    ("stride 1", strided_slice([1, 1, 1, 1]), "OK", "list"),
    ("stride 2", strided_slice([1, 2, 2, 1]), "CPU", "strides other than 1"),
    ("mean over the map", mean([1, 2]), "OK", "list"),
    ("mean over the batch", mean([0]), "CPU", "over the batch"),
    ("mean over 4 channels", mean([-1]), "OK", "list"),
    ("mean over 6 channels", mean([-1], 6), "CPU", "multiple of 4"),
    ("transpose", unary("TRANSPOSE", IMAGE, IMAGE, 2, extra={"p": constant([0, 2, 1, 3],
     "INT32")}), "RISK", "axes"),
    # sizes seen
    ("transpose conv 64x64x64", transpose_conv((64, 64, 64)), "OK", "U-Net"),
    ("transpose conv 8x8x512", transpose_conv((8, 8, 512), 2, bias=False), "OK", "U-Net"),
    ("transpose conv 128x128x3", transpose_conv((128, 128, 3)), "OK", "U-Net"),
    ("transpose conv 128x128x4", transpose_conv((128, 128, 4)), "RISK", "larger"),
    ("transpose conv, stride 1", transpose_conv((16, 16, 8), stride=1), "RISK", "stride of 2"),
    ("transpose conv, VALID", transpose_conv((17, 17, 8), padding=1), "RISK", "SAME"),
    ("nearest", resize("RESIZE_NEAREST_NEIGHBOR", (48, 48, 192), (96, 96, 192)), "NOTE",
     "largest proven"),
    ("small nearest", resize("RESIZE_NEAREST_NEIGHBOR", (8, 8, 192), (16, 16, 192)), "OK",
     "96x96x192"),
    ("large nearest", resize("RESIZE_NEAREST_NEIGHBOR", (48, 48, 193), (96, 96, 193)), "RISK",
     "larger"),
    ("nearest, variable size", tflite([operation("RESIZE_NEAREST_NEIGHBOR", ["x", "s"], ["y"], 3)],
     {"x": IMAGE, "y": IMAGE, "s": activation(2, dtype="INT32")}, ["x", "s"]), "REFUSED",
     "not constant"),
    ("bilinear", resize("RESIZE_BILINEAR", (24, 24, 24), (48, 48, 24)), "OK", "by 2"),
    ("larger bilinear", resize("RESIZE_BILINEAR", (24, 24, 25), (48, 48, 25)), "RISK", "beyond"),
    ("bilinear by 4", resize("RESIZE_BILINEAR", (8, 8, 3), (32, 32, 3)), "RISK", "beyond"),
    ("bilinear by 8", resize("RESIZE_BILINEAR", (4, 4, 3), (32, 32, 3)), "CPU", "by more than 4"),
    ("bilinear to 5 MB", resize("RESIZE_BILINEAR", (256, 256, 20), (512, 512, 20)), "CPU", "5 MB"),
    ("bilinear from 1x1", resize("RESIZE_BILINEAR", (1, 1, 8), (4, 4, 8)), "CPU", "from 1x1"),
    ("large concatenation", concatenation(activation(1, 320, 320, 4), shape=(1, 320, 320, 4)),
     "RISK", "800 KB"),
    ("large activation", unary("LOGISTIC", activation(1, 655_361), activation(1, 655_361)), "NOTE",
     "655,360"),
    ("as large as proven", unary("LOGISTIC", activation(1, 655_360), activation(1, 655_360)), "OK",
     "list"),
]


@pytest.mark.parametrize(
    "data, verdict, reason", [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_rule(data, verdict, reason):
    report = check_model(data)
    row = next(
        row for row in report["rows"] if any(reason in found["reason"] for found in row["reasons"])
    )
    found = next(found for found in row["reasons"] if reason in found["reason"])
    if verdict != "REFUSED":
        assert (row["verdict"], found["verdict"]) == (verdict, verdict)
    assert report["verdict"] == ("OK" if verdict == "NOTE" else verdict)
    assert report["exit_code"] == {"REFUSED": 1, "CPU": 2}.get(verdict, 0)
    assert found["confidence"] in ("low", "medium", "medium-high", "high")
    json.dumps(report, allow_nan=False)
    text = format_report(report)
    assert report["sentence"] in text and "will map" not in text


def test_every_rule_has_a_case():
    """Each rule speaks at least once above: a rule nobody tried is a rule nobody knows."""
    silent = {rule.__name__ for rule, _, _ in RULES}
    for _, data, _, _ in CASES:
        model = read_model(data)
        graph = view_graph(model.subgraphs[0], model)
        silent -= {rule.__name__ for rule, _, _ in RULES for op in graph.ops if rule(op)}
    assert silent == set()


def test_the_versions_table():
    """Hand-picked lines of the measured table, and its size: 135 operations, 40 of Coral's and its
    second LSTM."""
    expected = {
        "TRANSPOSE_CONV": 3,
        "CONV_2D": 5,
        "DEPTHWISE_CONV_2D": 6,
        "FULLY_CONNECTED": 9,
        "QUANTIZE": 2,
        "EXP": 1,
        "TILE": 2,
        "RESIZE_BILINEAR": 4,
        "CONCATENATION": 3,
        "PAD": 3,
        "ADD": 3,
        "MUL": 4,
        "RELU": 3,
        "RELU6": 3,
    }
    assert {name: TF25_MAX_VERSION[name] for name in expected} == expected
    assert len(TF25_MAX_VERSION) == 135
    assert "GELU" not in TF25_MAX_VERSION
    assert len(CORAL_OPS) == 41 and set(TF25_MAX_VERSION) >= CORAL_OPS


def test_all_behind_an_operation_on_the_cpu_runs_there():
    report = check_model(chain("RELU", "HARD_SWISH", "LOGISTIC", "TANH", types=["INT8"] * 5))
    assert verdicts(report) == {"RELU": "OK", "HARD_SWISH": "CPU", "LOGISTIC": "CPU", "TANH": "CPU"}
    assert report["operations_on_cpu"] == 3 and report["verdict"] == "CPU"
    row = next(row for row in report["rows"] if row["name"] == "TANH")
    assert (
        "behind HARD_SWISH" in row["reasons"][0]["reason"]
        and "one partition" in row["reasons"][0]["reason"]
    )


def test_a_branch_beside_the_cpu_stays():
    tensors = {name: activation(1, 8) for name in ("x", "left", "right", "y")}
    operations = [
        operation("HARD_SWISH", ["x"], ["left"]),
        operation("TANH", ["x"], ["right"]),
        operation("ADD", ["left", "right"], ["y"]),
    ]
    report = check_model(tflite(operations, tensors))
    assert verdicts(report) == {"HARD_SWISH": "CPU", "TANH": "OK", "ADD": "CPU"}


def test_a_leading_quantize_spreads_nothing_and_is_tolerable():
    types = ["FLOAT32", "INT8", "INT8", "FLOAT32"]
    report = check_model(chain("QUANTIZE", "RELU", "DEQUANTIZE", types=types))
    assert verdicts(report) == {"QUANTIZE": "CPU", "RELU": "OK", "DEQUANTIZE": "CPU"}
    assert report["exit_code"] == 2 and "Tolerable" in report["sentence"]
    inner = check_model(
        chain(
            "RELU",
            "DEQUANTIZE",
            "QUANTIZE",
            "TANH",
            types=["INT8", "INT8", "FLOAT32", "INT8", "INT8"],
        )
    )
    assert verdicts(inner) == {"RELU": "OK", "DEQUANTIZE": "CPU", "QUANTIZE": "CPU", "TANH": "CPU"}
    assert "Tolerable" not in inner["sentence"]
