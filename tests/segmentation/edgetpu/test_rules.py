"""Tests of the rules (kinds.py, sizes.py, rules.py): each on a hand-made file, good and bad."""

import json

import numpy as np
import pytest
from tflite_by_hand import (
    IMAGE,
    LINE,
    PLAIN_CONV,
    WEIGHTS,
    activation,
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
)

from segmentation.edgetpu.evidence import EVIDENCE
from segmentation.edgetpu.report import check_model, format_report
from segmentation.edgetpu.rules import RULES
from segmentation.edgetpu.tflite_file import read_model, view_graph

# (what, file, verdict, a part of the reason)
CASES = [
    ("conv", PLAIN_CONV, "OK", "seen mapped at this size"),
    # op versions
    ("conv version 5", tflite([conv(version=5)], {"x": IMAGE, "y": IMAGE, **WEIGHTS}), "OK",
     "seen mapped"),
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
     custom=b"")], {"x": LINE, "y": activation(1, 10, dtype="FLOAT32")}), "CPU", "not supported"),
    ("what Coral's own demos append", tflite([operation("PosenetDecoderOp", ["x"], ["y"],
     custom=b"")], {"x": LINE, "y": activation(1, 10, dtype="FLOAT32")}), "CPU", "not supported"),
    # transposed convolution version 4
    ("relu without effect", transpose_conv((16, 16, 8), 4, fused=1), "REFUSED", "clamps nothing"),
    ("no activation at 4", transpose_conv((16, 16, 8), 4), "REFUSED", "clamps nothing"),
    ("relu6 clamps", transpose_conv((16, 16, 8), 4, fused=3), "REFUSED", "activation that clamps"),
    # dynamic shapes
    ("a free batch", unary("LOGISTIC", activation(1, 10, signature=(-1, 10)), LINE), "OK", "seen"),
    ("a free width", unary("LOGISTIC", activation(1, 10, signature=(1, -1)), LINE), "RISK",
     "other than the batch"),
    ("an unknown width", unary("LOGISTIC", activation(1, -1), LINE), "REFUSED", "dynamic-sized"),
    ("shape", unary("SHAPE", LINE, activation(2, dtype="INT32"), 1, "ShapeOptions"), "CPU",
     "not supported"),
    ("integers beside the data", tflite([operation("PACK", ["i"], ["p"], 1, "PackOptions"),
     operation("LOGISTIC", ["x"], ["y"])], {"i": activation(dtype="INT32"), "p": activation(1,
     dtype="INT32"), "x": LINE, "y": LINE}, ["x", "i"], ["y", "p"]), "CPU", "data type INT32"),
    ("pack of images", tflite([operation("PACK", ["x"], ["y"], 2, "PackOptions")], {"x":
     activation(8, 8, 4), "y": activation(1, 8, 8, 4)}), "OK", "list"),
    ("transpose conv, variable shape", transpose_conv((16, 16, 8), shape=activation(4,
     dtype="INT32")), "REFUSED", "output shape is not constant"),
    ("reshape, variable shape", tflite([operation("RESHAPE", ["x", "s"], ["y"], 1,
     "ReshapeOptions")], {"x": LINE, "s": activation(2, dtype="INT32"), "y": LINE}, ["x", "s"]),
     "REFUSED", "output shape is not constant"),
    ("reshape, constant shape", unary("RESHAPE", LINE, LINE, 1, "ReshapeOptions", {"s":
     constant([1, 10], "INT32")}), "OK", "seen mapped"),
    ("reshape, shape in its options", unary("RESHAPE", LINE, LINE, 1, "ReshapeOptions",
     newShape=[1, 10]), "OK", "seen mapped"),
    # paddings
    ("pad with int64", pad([[0, 0], [1, 1], [1, 1], [0, 0]], "INT64"), "CPU", "int64 paddings"),
    ("pad with int32", pad([[0, 0], [1, 1], [1, 1], [0, 0]]), "OK", "seen mapped"),
    ("pad of the batch", pad([[0, 1], [1, 1], [1, 1], [0, 0]]), "CPU", "pads the batch"),
    # rank and type
    ("batch of 2", unary("LOGISTIC", activation(2, 4, 4, 3), activation(2, 4, 4, 3)), "CPU",
     "unsupported rank"),
    ("rank 5 of ones", unary("LOGISTIC", activation(1, 1, 4, 4, 3), activation(1, 1, 4, 4, 3)),
     "OK", "seen mapped"),
    ("int16", unary("LOGISTIC", activation(1, 4, dtype="INT16"), activation(1, 4, dtype="INT16"),
     3), "REFUSED", "unsupported data type INT16"),
    ("float in the middle", tflite([operation("LOGISTIC", ["x"], ["f"]), operation("TANH", ["f"],
     ["y"])], {"x": LINE, "f": activation(1, 10, dtype="FLOAT32"), "y": LINE}), "CPU",
     "unsupported data type FLOAT32"),
    ("uint8", unary("LOGISTIC", activation(1, 4, dtype="UINT8"), activation(1, 4, dtype="UINT8")),
     "OK", "seen mapped"),
    ("float input", unary("QUANTIZE", activation(1, 4, dtype="FLOAT32"), activation(1, 4)), "CPU",
     "tolerable"),
    ("float output", unary("DEQUANTIZE", activation(1, 4), activation(1, 4, dtype="FLOAT32"), 2),
     "CPU", "tolerable"),
    ("uint8 to int8", unary("QUANTIZE", activation(1, 4, dtype="UINT8"), activation(1, 4)), "OK",
     "721x1281x3"),
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
    ("softmax of a line", unary("SOFTMAX", LINE, LINE, 2), "OK", "seen mapped"),
    ("softmax of a map", unary("SOFTMAX", activation(1, 4, 4, 3), activation(1, 4, 4, 3), 2),
     "RISK", "one dimension"),
    ("softmax of 16,384", unary("SOFTMAX", activation(1, 16384), activation(1, 16384), 2), "OK",
     "seen mapped"),
    ("softmax of 16,385", unary("SOFTMAX", activation(1, 16385), activation(1, 16385), 2), "RISK",
     "beyond the largest"),
    ("relu fused into a pool", unary("MAX_POOL_2D", IMAGE, IMAGE, 2, "Pool2DOptions",
     fusedActivationFunction=1), "CPU", "without a fused"),
    ("pool", unary("AVERAGE_POOL_2D", IMAGE, IMAGE, 2, "Pool2DOptions"), "OK", "seen mapped"),
    ("concatenation", concatenation(activation(1, 8, 8, 4)), "OK", "seen mapped"),
    ("relu fused into a concatenation", concatenation(activation(1, 8, 8, 4), 1), "CPU",
     "without a fused"),
    ("concatenation with zeros", concatenation(constant(np.full((1, 8, 8, 4), 7), zero_point=7)),
     "OK", "seen mapped"),
    ("concatenation with ones", concatenation(constant(np.ones((1, 8, 8, 4)))), "CPU", "zeros"),
    ("concatenation with zeros and another", concatenation(constant(np.zeros((1, 8, 8, 4))),
     third=activation(1, 8, 8, 4)), "CPU", "one other"),
    ("unequal dilation", tflite([conv(dilationHFactor=2, dilationWFactor=1)], {"x": IMAGE, "y":
     IMAGE, **WEIGHTS}), "CPU", "dilation"),
    ("equal dilation", tflite([conv(dilationHFactor=2, dilationWFactor=2)], {"x": IMAGE, "y":
     IMAGE, **WEIGHTS}), "OK", "seen mapped"),
    ("stride 1", strided_slice([1, 1, 1, 1]), "OK", "list"),
    ("stride 2", strided_slice([1, 2, 2, 1]), "CPU", "strides other than 1"),
    ("mean over the map", mean([1, 2]), "OK", "seen mapped"),
    ("mean over the batch", mean([0]), "CPU", "over the batch"),
    ("mean over 4 channels", mean([-1]), "OK", "seen mapped"),
    ("mean over 6 channels", mean([-1], 6), "CPU", "multiple of 4"),
    ("transpose", unary("TRANSPOSE", IMAGE, IMAGE, 2, extra={"p": constant([0, 2, 1, 3],
     "INT32")}), "RISK", "axes"),
    # sizes seen
    ("mean over 64x128", mean([1, 2], 3, (64, 128)), "OK", "64x128x3"),
    ("mean over 128x128", mean([1, 2], 4, (128, 128)), "RISK", "beyond"),
    ("mean over 256x128", mean([1, 2], 4, (256, 128)), "CPU", "256x128x3 to 1x1x3 was left"),
    ("tile from 1x1", unary("TILE", activation(1, 1, 1, 128), activation(1, 33, 33, 128),
     extra={"n": constant([1, 33, 33, 1], "INT32")}), "OK", "1x1x128 to 33x33x128"),
    ("tile of a map", unary("TILE", activation(1, 2, 2, 4), activation(1, 4, 4, 4),
     extra={"n": constant([1, 2, 2, 1], "INT32")}), "RISK", "beyond"),
    ("transpose conv 64x64x64", transpose_conv((64, 64, 64)), "OK", "64x64x64"),
    ("transpose conv 8x8x512", transpose_conv((8, 8, 512), 2, bias=False), "OK", "8x8x512"),
    ("transpose conv 128x128x3", transpose_conv((128, 128, 3)), "OK", "128x128x3"),
    ("transpose conv 128x128x4", transpose_conv((128, 128, 4)), "RISK", "64x64x64 and 128x128x3"),
    ("transpose conv, stride 1", transpose_conv((16, 16, 8), stride=1), "RISK", "stride of 2"),
    ("transpose conv, VALID", transpose_conv((17, 17, 8), padding=1), "RISK", "SAME"),
    ("nearest", resize("RESIZE_NEAREST_NEIGHBOR", (48, 48, 192), (96, 96, 192)), "OK", "96x96x192"),
    ("large nearest", resize("RESIZE_NEAREST_NEIGHBOR", (48, 48, 193), (96, 96, 193)), "RISK",
     "beyond the largest seen mapped (96x96x192)"),
    ("nearest, variable size", tflite([operation("RESIZE_NEAREST_NEIGHBOR", ["x", "s"], ["y"], 3)],
     {"x": IMAGE, "y": IMAGE, "s": activation(2, dtype="INT32")}, ["x", "s"]), "REFUSED",
     "not constant"),
    ("bilinear", resize("RESIZE_BILINEAR", (24, 24, 24), (48, 48, 24)), "OK", "seen mapped"),
    ("bilinear by 1", resize("RESIZE_BILINEAR", (33, 33, 19), (33, 33, 19)), "OK", "seen mapped"),
    ("larger bilinear", resize("RESIZE_BILINEAR", (64, 64, 33), (128, 128, 33)), "RISK", "beyond"),
    ("bilinear by 4", resize("RESIZE_BILINEAR", (8, 8, 3), (32, 32, 3)), "RISK", "beyond"),
    ("bilinear to 5 MB", resize("RESIZE_BILINEAR", (256, 256, 20), (512, 512, 20)), "CPU",
     "33x33x19 to 513x513x19 was left"),
    ("bilinear to 4.98 MB", resize("RESIZE_BILINEAR", (256, 256, 19), (512, 512, 19)), "RISK",
     "beyond"),
    ("bilinear from 1x1", resize("RESIZE_BILINEAR", (1, 1, 8), (4, 4, 8)), "CPU", "1x1x256"),
    ("concatenation of 1,089,536 bytes", concatenation(activation(1, 224, 152, 16),
     shape=(1, 224, 152, 16)), "OK", "224x152x32"),
    ("concatenation of 1,095,424 bytes", concatenation(activation(1, 223, 153, 16),
     shape=(1, 224, 153, 16)), "RISK", "beyond"),
    ("large activation", unary("LOGISTIC", activation(1, 1_638_401), activation(1, 1_638_401)),
     "NOTE", "1,638,400"),
    ("as large as seen", unary("LOGISTIC", activation(1, 1_638_400), activation(1, 1_638_400)),
     "OK", "320x320x16"),
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
    assert found["source"] in EVIDENCE["sources"]
    json.dumps(report, allow_nan=False)
    text = " ".join(format_report(report).split())  # without the line breaks
    assert report["sentence"] in text and "will map" not in text


def test_every_rule_has_a_case():
    """Each rule speaks at least once above: a rule nobody tried is a rule nobody knows."""
    silent = {rule.check.__name__ for rule in RULES}
    for _, data, _, _ in CASES:
        model = read_model(data)
        graph = view_graph(model.subgraphs[0], model)
        silent -= {rule.check.__name__ for rule in RULES for op in graph.ops if rule.check(op)}
    assert silent == set()


@pytest.mark.parametrize(
    "data, remedy",
    [
        (transpose_conv((128, 160, 3)), "the head: IMAGE_SIZE in main.py up to (128, 128)"),
        (resize("RESIZE_NEAREST_NEIGHBOR", (80, 80, 192), (160, 160, 192)), "DECODER_FILTERS"),
        (unary("ARG_MAX", LINE, activation(1, dtype="INT64"), 2), "end the model at the logits"),
        (unary("DEQUANTIZE", LINE, activation(1, 10, dtype="FLOAT32"), 2), "OUTPUT_TYPE int8"),
        (transpose_conv((16, 16, 8), 4, fused=1), "unfuse_activations"),
    ],
)
def test_the_remedy_names_the_constant(data, remedy):
    assert remedy in format_report(check_model(data))


def test_a_transposed_convolution_inside_is_the_decoders():
    tensors = {"x": activation(1, 64, 64, 4), "t": activation(1, 128, 128, 64),
               "y": activation(1, 128, 128, 64), "shape": constant([1, 128, 128, 64], "INT32"),
               "w": constant(np.ones((64, 3, 3, 4)))}
    data = tflite([operation("TRANSPOSE_CONV", ["shape", "w", "x"], ["t"], 2,
                             "TransposeConvOptions", strideH=2, strideW=2),
                   operation("RELU", ["t"], ["y"])], tensors)
    assert "-> DECODER_FILTERS in pairs (main.py) resizes instead" in format_report(
        check_model(data))


def test_two_remedies_for_one_reason():
    """The tutorial's decoder: one reason, and what to do inside and at the head."""
    tensors = {"x": activation(1, 64, 64, 4), "t": activation(1, 128, 128, 64),
               "y": activation(1, 256, 256, 3)}
    operations = []
    for name, source, target, shape in (("a", "x", "t", (128, 128, 64)),
                                        ("b", "t", "y", (256, 256, 3))):
        tensors[f"shape_{name}"] = constant([1, *shape], "INT32")
        tensors[f"w_{name}"] = constant(np.ones((shape[-1], 3, 3, tensors[source]["shape"][-1])))
        operations.append(operation("TRANSPOSE_CONV", [f"shape_{name}", f"w_{name}", source],
                                    [target], 2, "TransposeConvOptions", strideH=2, strideW=2))
    lines = format_report(check_model(tflite(operations, tensors))).splitlines()
    assert lines[1:5] == [
        "  2 TRANSPOSE_CONV version 2, output up to 128x128x64",
        "      RISK: beyond the largest seen mapped (64x64x64 and 128x128x3) [Coral's U-Net]",
        "      -> DECODER_FILTERS in pairs (main.py) resizes instead",
        "      -> the head: IMAGE_SIZE in main.py up to (128, 128) is as large as was mapped"]
