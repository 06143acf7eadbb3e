"""Tests of edgetpu_check.py: every rule on a hand-made file, good and bad; repairs compared bit for
bit."""

import json
import subprocess
import sys
from pathlib import Path

import flatbuffers
import numpy as np
import pytest

from segmentation.edgetpu import __main__, evidence, repair, rules, tflite_file
from segmentation.edgetpu.report import check_model, format_report

schema = tflite_file.load_schema()


# --- files made by hand: one or a few operations -------------------------------------------------


def activation(*shape, dtype="INT8", signature=None, zero_point=-128, scale=0.05):
    return {
        "shape": shape,
        "dtype": dtype,
        "signature": signature,
        "zero_point": zero_point,
        "scale": scale,
    }


def constant(values, dtype="INT8", zero_point=0):
    values = np.asarray(values, tflite_file.NUMPY_TYPES[dtype])
    return {
        "shape": values.shape,
        "dtype": dtype,
        "data": values,
        "zero_point": zero_point,
        "scale": 0.05,
    }


def operation(name, inputs, outputs, version=1, options=None, custom=None, **fields):
    """One operation by the names of its tensors; options is the schema's class without its T, with
    its fields."""
    made = None
    if options:
        made = getattr(schema, options + "T")(**fields)
    return {
        "name": name,
        "inputs": inputs,
        "outputs": outputs,
        "version": version,
        "options": made,
        "kind": options,
        "custom": custom,
    }


def tensor_t(name, spec, model):
    tensor = schema.TensorT(
        shape=list(spec["shape"]), type=getattr(schema.TensorType, spec["dtype"]), name=name
    )
    if spec.get("signature"):
        tensor.shapeSignature = list(spec["signature"])
    tensor.quantization = schema.QuantizationParametersT(
        scale=[spec["scale"]], zeroPoint=[spec["zero_point"]]
    )
    if "data" in spec:
        tensor.buffer = len(model.buffers)
        model.buffers.append(schema.BufferT(data=np.frombuffer(spec["data"].tobytes(), np.uint8)))
    return tensor


def operator_t(spec, names, model):
    code = schema.OperatorCodeT(version=spec["version"])
    builtin = "CUSTOM" if spec["custom"] is not None else spec["name"]
    code.builtinCode = getattr(schema.BuiltinOperator, builtin)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    operator = schema.OperatorT(opcodeIndex=len(model.operatorCodes))
    if spec["custom"] is not None:
        code.customCode = spec["name"]
        operator.customOptions = list(spec["custom"])
    operator.inputs = [-1 if name is None else names.index(name) for name in spec["inputs"]]
    operator.outputs = [names.index(name) for name in spec["outputs"]]
    if spec["options"] is not None:
        operator.builtinOptions = spec["options"]
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, spec["kind"])
    model.operatorCodes.append(code)
    return operator


def tflite(operations, tensors, inputs=("x",), outputs=("y",), unused=()):
    """Bytes of a .tflite file of these operations, each with an operator code of its own."""
    model = schema.ModelT(
        version=3, operatorCodes=[], buffers=[schema.BufferT()], description="by hand"
    )
    names = list(tensors)
    graph = schema.SubGraphT(name="main")
    graph.tensors = [tensor_t(name, spec, model) for name, spec in tensors.items()]
    graph.operators = [operator_t(spec, names, model) for spec in operations]
    for name, version in unused:
        model.operatorCodes.append(
            schema.OperatorCodeT(builtinCode=getattr(schema.BuiltinOperator, name), version=version)
        )
    graph.inputs = [names.index(name) for name in inputs]
    graph.outputs = [names.index(name) for name in outputs]
    model.subgraphs = [graph]
    return repair.pack_model(model)


def conv(stride=1, version=3, bias="b", weights="w", output="y", source="x", **fields):
    return operation(
        "CONV_2D",
        [source, weights, bias],
        [output],
        version,
        "Conv2DOptions",
        strideH=stride,
        strideW=stride,
        **fields,
    )


WEIGHTS = {"w": constant(np.ones((4, 3, 3, 4))), "b": constant(np.zeros(4), "INT32")}
IMAGE = activation(1, 16, 16, 4)


def unary(name, before, after, version=1, options=None, extra=None, **fields):
    """A file of one operation x -> y; extra: further constant inputs, by name, in order."""
    extra = extra or {}
    return tflite(
        [operation(name, ["x", *extra], ["y"], version, options, **fields)],
        {"x": before, "y": after, **extra},
    )


def transpose_conv(
    output, version=3, stride=2, padding=0, shape=None, fused=0, source=None, bias=True
):
    """A file of one transposed convolution to an output of (height, width, channels)."""
    height, width, channels = output
    source = source or activation(1, height // stride, width // stride, 4)
    tensors = {
        "x": source,
        "y": activation(1, height, width, channels),
        "shape": shape or constant([1, height, width, channels], "INT32"),
        "w": constant(np.ones((channels, 3, 3, 4))),
        "b": constant(np.zeros(channels), "INT32"),
    }
    names = ["shape", "w", "x"] + ["b"] * bias
    return tflite(
        [
            operation(
                "TRANSPOSE_CONV",
                names,
                ["y"],
                version,
                "TransposeConvOptions",
                padding=padding,
                strideH=stride,
                strideW=stride,
                fusedActivationFunction=fused,
            )
        ],
        tensors,
        inputs=["x"] + (["shape"] if shape else []),
    )


def resize(name, before, after, size=None, version=3):
    size = size or constant(after[:2], "INT32")
    options = "ResizeBilinearOptions" if "BILINEAR" in name else "ResizeNearestNeighborOptions"
    return unary(
        name,
        activation(1, *before),
        activation(1, *after),
        version,
        options,
        {"size": size},
        halfPixelCenters=True,
    )


def concatenation(other, fused=0, shape=(1, 8, 8, 4), third=None):
    tensors = {"x": activation(*shape), "y": activation(*shape[:3], shape[3] * 2), "other": other}
    names = ["x", "other"] + (["third"] if third else [])
    if third:
        tensors["third"] = third
    inputs = [name for name in names if "data" not in tensors[name]]
    return tflite(
        [
            operation(
                "CONCATENATION",
                names,
                ["y"],
                2,
                "ConcatenationOptions",
                axis=3,
                fusedActivationFunction=fused,
            )
        ],
        tensors,
        inputs=inputs,
    )


def mean(axes, channels=4):
    return unary(
        "MEAN",
        activation(1, 8, 8, channels),
        activation(1, 8, 8, channels),
        2,
        "ReducerOptions",
        {"axes": constant(axes, "INT32")},
        keepDims=True,
    )


def pad(paddings, dtype="INT32"):
    return unary(
        "PAD",
        activation(1, 8, 8, 4),
        activation(1, 10, 10, 4),
        2,
        "PadOptions",
        {"paddings": constant(paddings, dtype)},
    )


def strided_slice(strides, dtype="INT8"):
    ends = {
        name: constant(values, "INT32") for name, values in (("begin", [0] * 4), ("end", [8] * 4))
    }
    return unary(
        "STRIDED_SLICE",
        activation(1, 8, 8, 4, dtype=dtype),
        activation(1, 4, 4, 4, dtype=dtype),
        2,
        "StridedSliceOptions",
        {**ends, "strides": constant(strides, "INT32")},
    )


def outside(data):
    """The same file with its constants behind the flatbuffer, as converters write files above 2
    GB."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    tail = b""
    for buffer in model.buffers:
        if buffer.data is not None:
            buffer.tail = len(tail), len(buffer.data)
            tail += bytes(buffer.data)
            buffer.data, buffer.offset, buffer.size = (
                None,
                2**40,
                2**40,
            )  # placeholders of the final width
    for _ in range(2):  # once for the length, once with the true offsets
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        packed = bytes(builder.Output())
        for buffer in model.buffers:
            if hasattr(buffer, "tail"):
                buffer.offset, buffer.size = len(packed) + buffer.tail[0], buffer.tail[1]
    return packed + tail


PLAIN_CONV = tflite([conv()], {"x": IMAGE, "y": IMAGE, **WEIGHTS})
LINE = activation(1, 10)

# (what, file, verdict, a part of the reason)
CASES = [
    ("conv", PLAIN_CONV, "OK", "coral.ai's list"),
    # op versions
    (
        "conv version 5",
        tflite([conv(version=5)], {"x": IMAGE, "y": IMAGE, **WEIGHTS}),
        "OK",
        "list",
    ),
    (
        "conv version 6",
        tflite([conv(version=6)], {"x": IMAGE, "y": IMAGE, **WEIGHTS}),
        "REFUSED",
        "knows 5 at most",
    ),
    (
        "quantize version 3",
        unary("QUANTIZE", LINE, activation(1, 10, dtype="UINT8"), 3),
        "REFUSED",
        "knows 2 at most",
    ),
    (
        "tile version 3",
        unary("TILE", LINE, LINE, 3, extra={"n": constant([1, 1], "INT32")}),
        "REFUSED",
        "knows 2",
    ),
    ("gelu is unknown", unary("GELU", LINE, LINE), "REFUSED", "unknown to the compiler"),
    (
        "flex",
        tflite([operation("FlexErf", ["x"], ["y"], custom=b"x")], {"x": LINE, "y": LINE}),
        "REFUSED",
        "Flex",
    ),
    (
        "custom",
        tflite([operation("Mine", ["x"], ["y"], custom=b"")], {"x": LINE, "y": LINE}),
        "REFUSED",
        "custom",
    ),
    (
        "detection post-process",
        tflite(
            [operation("TFLite_Detection_PostProcess", ["x"], ["y"], custom=b"")],
            {"x": LINE, "y": activation(1, 10, dtype="FLOAT32")},
        ),
        "CPU",
        "data type",
    ),
    # transposed convolution version 4
    ("relu without effect", transpose_conv((16, 16, 8), 4, fused=1), "REFUSED", "clamps nothing"),
    ("no activation at 4", transpose_conv((16, 16, 8), 4), "REFUSED", "clamps nothing"),
    ("relu6 clamps", transpose_conv((16, 16, 8), 4, fused=3), "REFUSED", "puts it behind"),
    # dynamic shapes
    (
        "signature -1",
        unary("LOGISTIC", activation(1, 10, signature=(-1, 10)), LINE),
        "REFUSED",
        "batch of 1",
    ),
    (
        "shape",
        unary("SHAPE", LINE, activation(2, dtype="INT32"), 1, "ShapeOptions"),
        "REFUSED",
        "computes a shape",
    ),
    ("strided slice of a shape", strided_slice([1] * 4, "INT32"), "REFUSED", "computes a shape"),
    (
        "pack of a shape",
        tflite(
            [operation("PACK", ["x"], ["y"], 1, "PackOptions")],
            {"x": activation(dtype="INT32"), "y": activation(1, dtype="INT32")},
        ),
        "REFUSED",
        "computes a shape",
    ),
    (
        "pack of images",
        tflite(
            [operation("PACK", ["x"], ["y"], 2, "PackOptions")],
            {"x": activation(8, 8, 4), "y": activation(1, 8, 8, 4)},
        ),
        "OK",
        "list",
    ),
    (
        "transpose conv, variable shape",
        transpose_conv((16, 16, 8), shape=activation(4, dtype="INT32")),
        "REFUSED",
        "output shape is not constant",
    ),
    (
        "reshape, variable shape",
        tflite(
            [operation("RESHAPE", ["x", "s"], ["y"], 1, "ReshapeOptions")],
            {"x": LINE, "s": activation(2, dtype="INT32"), "y": LINE},
            ["x", "s"],
        ),
        "REFUSED",
        "output shape is not constant",
    ),
    (
        "reshape, constant shape",
        unary("RESHAPE", LINE, LINE, 1, "ReshapeOptions", {"s": constant([1, 10], "INT32")}),
        "OK",
        "list",
    ),
    (
        "reshape, shape in its options",
        unary("RESHAPE", LINE, LINE, 1, "ReshapeOptions", newShape=[1, 10]),
        "OK",
        "list",
    ),
    # where constants lie
    ("constants behind the flatbuffer", outside(PLAIN_CONV), "REFUSED", "behind the flatbuffer"),
    ("pad with int64", pad([[0, 0], [1, 1], [1, 1], [0, 0]], "INT64"), "CPU", "int64 paddings"),
    ("pad with int32", pad([[0, 0], [1, 1], [1, 1], [0, 0]]), "OK", "list"),
    ("pad of the batch", pad([[0, 1], [1, 1], [1, 1], [0, 0]]), "CPU", "pads the batch"),
    # rank and type
    (
        "batch of 2",
        unary("LOGISTIC", activation(2, 4, 4, 3), activation(2, 4, 4, 3)),
        "CPU",
        "unsupported rank",
    ),
    (
        "rank 5 of ones",
        unary("LOGISTIC", activation(1, 1, 4, 4, 3), activation(1, 1, 4, 4, 3)),
        "OK",
        "list",
    ),
    (
        "int16",
        unary("LOGISTIC", activation(1, 4, dtype="INT16"), activation(1, 4, dtype="INT16"), 3),
        "REFUSED",
        "unsupported data type INT16",
    ),
    (
        "float in the middle",
        tflite(
            [operation("LOGISTIC", ["x"], ["f"]), operation("TANH", ["f"], ["y"])],
            {"x": LINE, "f": activation(1, 10, dtype="FLOAT32"), "y": LINE},
        ),
        "CPU",
        "unsupported data type FLOAT32",
    ),
    (
        "uint8",
        unary("LOGISTIC", activation(1, 4, dtype="UINT8"), activation(1, 4, dtype="UINT8")),
        "OK",
        "list",
    ),
    (
        "float input",
        unary("QUANTIZE", activation(1, 4, dtype="FLOAT32"), activation(1, 4)),
        "CPU",
        "tolerable",
    ),
    (
        "float output",
        unary("DEQUANTIZE", activation(1, 4), activation(1, 4, dtype="FLOAT32"), 2),
        "CPU",
        "tolerable",
    ),
    (
        "uint8 to int8",
        unary("QUANTIZE", activation(1, 4, dtype="UINT8"), activation(1, 4)),
        "OK",
        "PoseNet",
    ),
    (
        "variable weights",
        tflite(
            [conv()],
            {"x": IMAGE, "y": IMAGE, "w": activation(4, 3, 3, 4), "b": WEIGHTS["b"]},
            ["x", "w"],
        ),
        "CPU",
        "not constant",
    ),
    (
        "variable bias",
        tflite(
            [conv()],
            {"x": IMAGE, "y": IMAGE, "w": WEIGHTS["w"], "b": activation(4, dtype="INT32")},
            ["x", "b"],
        ),
        "CPU",
        "not constant",
    ),
    # the list
    (
        "arg max",
        unary("ARG_MAX", LINE, activation(1, dtype="INT64"), 2, extra={"a": constant(1, "INT32")}),
        "CPU",
        "not among the 40",
    ),
    ("leaky relu", unary("LEAKY_RELU", LINE, LINE, 2), "CPU", "not among the 40"),
    ("hard swish", unary("HARD_SWISH", LINE, LINE), "CPU", "not among the 40"),
    # documented limits
    ("softmax of a line", unary("SOFTMAX", LINE, LINE, 2), "OK", "list"),
    (
        "softmax of a map",
        unary("SOFTMAX", activation(1, 4, 4, 3), activation(1, 4, 4, 3), 2),
        "RISK",
        "one dimension",
    ),
    (
        "softmax of 16,001",
        unary("SOFTMAX", activation(1, 16001), activation(1, 16001), 2),
        "RISK",
        "16,000",
    ),
    (
        "relu fused into a pool",
        unary("MAX_POOL_2D", IMAGE, IMAGE, 2, "Pool2DOptions", fusedActivationFunction=1),
        "CPU",
        "without a fused",
    ),
    ("pool", unary("AVERAGE_POOL_2D", IMAGE, IMAGE, 2, "Pool2DOptions"), "OK", "list"),
    ("concatenation", concatenation(activation(1, 8, 8, 4)), "OK", "list"),
    (
        "relu fused into a concatenation",
        concatenation(activation(1, 8, 8, 4), 1),
        "CPU",
        "without a fused",
    ),
    (
        "concatenation with zeros",
        concatenation(constant(np.full((1, 8, 8, 4), 7), zero_point=7)),
        "OK",
        "list",
    ),
    ("concatenation with ones", concatenation(constant(np.ones((1, 8, 8, 4)))), "CPU", "zeros"),
    (
        "concatenation with zeros and another",
        concatenation(constant(np.zeros((1, 8, 8, 4))), third=activation(1, 8, 8, 4)),
        "CPU",
        "one other",
    ),
    (
        "unequal dilation",
        tflite([conv(dilationHFactor=2, dilationWFactor=1)], {"x": IMAGE, "y": IMAGE, **WEIGHTS}),
        "CPU",
        "dilation",
    ),
    (
        "equal dilation",
        tflite([conv(dilationHFactor=2, dilationWFactor=2)], {"x": IMAGE, "y": IMAGE, **WEIGHTS}),
        "OK",
        "list",
    ),
    ("stride 1", strided_slice([1, 1, 1, 1]), "OK", "list"),
    ("stride 2", strided_slice([1, 2, 2, 1]), "CPU", "strides other than 1"),
    ("mean over the map", mean([1, 2]), "OK", "list"),
    ("mean over the batch", mean([0]), "CPU", "over the batch"),
    ("mean over 4 channels", mean([-1]), "OK", "list"),
    ("mean over 6 channels", mean([-1], 6), "CPU", "multiple of 4"),
    (
        "transpose",
        unary("TRANSPOSE", IMAGE, IMAGE, 2, extra={"p": constant([0, 2, 1, 3], "INT32")}),
        "RISK",
        "axes",
    ),
    # sizes seen
    ("transpose conv 64x64x64", transpose_conv((64, 64, 64)), "OK", "U-Net"),
    ("transpose conv 8x8x512", transpose_conv((8, 8, 512), 2, bias=False), "OK", "U-Net"),
    ("transpose conv 128x128x3", transpose_conv((128, 128, 3)), "OK", "U-Net"),
    ("transpose conv 128x128x4", transpose_conv((128, 128, 4)), "RISK", "larger"),
    ("transpose conv, stride 1", transpose_conv((16, 16, 8), stride=1), "RISK", "stride of 2"),
    ("transpose conv, VALID", transpose_conv((17, 17, 8), padding=1), "RISK", "SAME"),
    (
        "nearest",
        resize("RESIZE_NEAREST_NEIGHBOR", (48, 48, 192), (96, 96, 192)),
        "NOTE",
        "largest proven",
    ),
    (
        "small nearest",
        resize("RESIZE_NEAREST_NEIGHBOR", (8, 8, 192), (16, 16, 192)),
        "OK",
        "96x96x192",
    ),
    (
        "large nearest",
        resize("RESIZE_NEAREST_NEIGHBOR", (48, 48, 193), (96, 96, 193)),
        "RISK",
        "larger",
    ),
    (
        "nearest, variable size",
        tflite(
            [operation("RESIZE_NEAREST_NEIGHBOR", ["x", "s"], ["y"], 3)],
            {"x": IMAGE, "y": IMAGE, "s": activation(2, dtype="INT32")},
            ["x", "s"],
        ),
        "REFUSED",
        "not constant",
    ),
    ("bilinear", resize("RESIZE_BILINEAR", (24, 24, 24), (48, 48, 24)), "OK", "by 2"),
    ("larger bilinear", resize("RESIZE_BILINEAR", (24, 24, 25), (48, 48, 25)), "RISK", "beyond"),
    ("bilinear by 4", resize("RESIZE_BILINEAR", (8, 8, 3), (32, 32, 3)), "RISK", "beyond"),
    ("bilinear by 8", resize("RESIZE_BILINEAR", (4, 4, 3), (32, 32, 3)), "CPU", "by more than 4"),
    ("bilinear to 5 MB", resize("RESIZE_BILINEAR", (256, 256, 20), (512, 512, 20)), "CPU", "5 MB"),
    ("bilinear from 1x1", resize("RESIZE_BILINEAR", (1, 1, 8), (4, 4, 8)), "CPU", "from 1x1"),
    (
        "large concatenation",
        concatenation(activation(1, 320, 320, 4), shape=(1, 320, 320, 4)),
        "RISK",
        "800 KB",
    ),
    (
        "large activation",
        unary("LOGISTIC", activation(1, 655_361), activation(1, 655_361)),
        "NOTE",
        "655,360",
    ),
    (
        "as large as proven",
        unary("LOGISTIC", activation(1, 655_360), activation(1, 655_360)),
        "OK",
        "list",
    ),
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
    silent = {rule.__name__ for rule, _, _ in rules.RULES}
    for _, data, _, _ in CASES:
        model = tflite_file.read_model(data)
        graph = tflite_file.view_graph(model.subgraphs[0], model, data)
        silent -= {
            rule.__name__ for rule, _, _ in rules.RULES for op in graph.ops if rule(op)
        }
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
    assert {name: evidence.TF25_MAX_VERSION[name] for name in expected} == expected
    assert len(evidence.TF25_MAX_VERSION) == 135
    assert "GELU" not in evidence.TF25_MAX_VERSION
    assert (
        len(evidence.CORAL_OPS) == 41
        and set(evidence.TF25_MAX_VERSION) >= evidence.CORAL_OPS
    )


# --- what belongs to the whole file --------------------------------------------------------------


def chain(*names, types):
    """A file of operations in a row; types: the data type of every tensor, from the input on."""
    tensors = {f"t{i}": activation(1, 8, dtype=dtype) for i, dtype in enumerate(types)}
    operations = [operation(name, [f"t{i}"], [f"t{i + 1}"]) for i, name in enumerate(names)]
    return tflite(operations, tensors, ["t0"], [f"t{len(names)}"])


def verdicts(report):
    return {row["name"]: row["verdict"] for row in report["rows"]}


def test_all_behind_an_operation_on_the_processor_runs_there():
    report = check_model(
        chain("RELU", "HARD_SWISH", "LOGISTIC", "TANH", types=["INT8"] * 5)
    )
    assert verdicts(report) == {"RELU": "OK", "HARD_SWISH": "CPU", "LOGISTIC": "CPU", "TANH": "CPU"}
    assert report["operations_on_processor"] == 3 and report["verdict"] == "CPU"
    row = next(row for row in report["rows"] if row["name"] == "TANH")
    assert (
        "behind HARD_SWISH" in row["reasons"][0]["reason"]
        and "one partition" in row["reasons"][0]["reason"]
    )


def test_a_branch_beside_the_processor_stays():
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
    assert check_model(repair.unfuse_activations(data))["verdict"] == "OK"


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
    assert not any("5 MiB" in finding["reason"] for finding in report["findings"])
    weights = constant(np.ones((1, 6_000_000)))
    data = tflite(
        [operation("FULLY_CONNECTED", ["x", "w"], ["y"], 4, "FullyConnectedOptions")],
        {"x": activation(1, 6_000_000), "w": weights, "y": activation(1, 1)},
    )
    report = check_model(data)
    assert report["streamed_bytes_estimate"] == 6_000_000 - 5 * 2**20
    assert any("5 MiB" in finding["reason"] for finding in report["findings"])


def test_output_bytes_are_noted():
    report = check_model(
        unary("RELU", activation(1, 1000, 200), activation(1, 1000, 200), 2)
    )
    note = report["findings"][0]
    assert (note["verdict"], report["verdict"]) == ("NOTE", "OK")
    assert note["reason"].startswith("200,000 bytes of output: about 2.3 ms")


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
    assert (
        report["sentence"]
        == "compiled; 2 of 3 operations stay on the CPU: QUANTIZE, ARG_MAX."
    )
    text = format_report(report)
    assert (
        "what lies between x and logits" in text
        and "1,234 bytes" in text
        and "left on the CPU" in text
    )
    whole = check_model(tflite([compiled], tensors, ["x"], ["logits"]))
    assert (whole["verdict"], whole["exit_code"]) == ("OK", 0)


# --- files that are no models --------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, word",
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n" * 9, "not a .tflite"),
        (b"TFL", "not a .tflite"),
        (PLAIN_CONV[:40], "truncated"),
        (PLAIN_CONV[: len(PLAIN_CONV) // 2], "truncated"),
        (None, "no such file"),
    ],
)
def test_what_is_no_model_is_one_sentence(tmp_path, capsys, content, word):
    path = tmp_path / "model.tflite"
    if content is not None:
        path.write_bytes(content)
    assert __main__.main([str(path)]) == 1
    printed = capsys.readouterr().out
    assert word in printed and len(printed.strip().splitlines()) == 1
    assert not (tmp_path / __main__.REPORT_NAME).exists()


def test_truncated_and_flipped_files_never_trace_back(unet):
    """300 seeded damages: a ValueError or a report that json takes, nothing else; the same for the
    repair."""
    random = np.random.default_rng(3)
    for number in range(300):
        data = bytearray(unet)
        if number % 3 == 0:
            data = data[: random.integers(1, len(data))]
        else:  # in the first and last 8 kB lies the structure, between them mostly weights
            for place in random.integers(0, 8192, random.integers(1, 6)):
                data[place * random.choice([-1, 1])] = random.integers(0, 256)
        try:
            json.dumps(check_model(bytes(data)), allow_nan=False)
            repair.unfuse_activations(bytes(data))
        except ValueError as error:
            assert "tflite" in str(error)


# --- the script ----------------------------------------------------------------------------------


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
    assert report["sentence"] in capsys.readouterr().out


def test_the_command_does_not_start_tensorflow(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(PLAIN_CONV)
    script = (
        "import sys\n"
        "from segmentation.edgetpu import __main__\n"
        "__main__.main(sys.argv[1:])\n"
        "print('tensorflow' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        cwd=Path(evidence.__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.splitlines()[-1] == "False" and "no known obstacle" in run.stdout


# --- the repair ----------------------------------------------------------------------------------


def convert(model, size):
    """Keras model -> int8 .tflite with a fixed batch, calibrated with seeded noise."""
    import tensorflow as tf

    fixed_input = tf.keras.Input((size, size, 3), batch_size=1)
    converter = tf.lite.TFLiteConverter.from_keras_model(
        tf.keras.Model(fixed_input, model(fixed_input))
    )
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (8, 1, size, size, 3)).astype(np.float32)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image] for image in images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


@pytest.fixture(scope="module")
def unet():
    """A small U-Net with every kind of end that a transposed convolution can have.

    Its branches: ReLU alone (zero point -128), ReLU6 that reaches 6 (no effect), ReLU and ReLU6
    concatenated with values below 0 (the shared zero point is above -128), and none.
    """
    tf = pytest.importorskip("tensorflow")
    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(1)

    def up(x, activation, gain=1.0, offset=0.0):
        x = layers.Conv2DTranspose(8, 3, strides=2, padding="same", use_bias=False)(x)
        normalized = layers.BatchNormalization(
            gamma_initializer=tf.keras.initializers.Constant(gain),
            beta_initializer=tf.keras.initializers.RandomNormal(stddev=offset)
            if offset
            else "zeros",
        )(x)  # an offset of zeros leaves the transposed convolution without a bias
        return activation(normalized)

    inputs = tf.keras.Input((32, 32, 3))
    skip = layers.Conv2D(8, 3, strides=2, padding="same")(inputs)
    bottom = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(skip)
    parts = [
        up(bottom, layers.ReLU()),
        up(bottom, layers.ReLU(6.0), gain=100.0, offset=1.0),
        layers.Concatenate()([up(bottom, layers.ReLU(), offset=1.0), skip]),
        layers.Concatenate()([up(bottom, layers.ReLU(6.0), gain=100.0), skip]),
    ]
    parts = [layers.Conv2D(8, 1)(part) for part in parts]
    logits = layers.Conv2DTranspose(3, 3, strides=2, padding="same")(layers.Add()(parts))
    return convert(tf.keras.Model(inputs, logits), 32)


def run_reference(data, seed=0, count=4):
    """Outputs of TFLite's reference kernels on seeded int8 images, all tensors of the graph's
    outputs."""
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(
        model_content=data,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    random = np.random.default_rng(seed)
    results = []
    for _ in range(count):
        for detail in interpreter.get_input_details():
            values = random.integers(-128, 128, detail["shape"])
            interpreter.set_tensor(detail["index"], values.astype(detail["dtype"]))
        interpreter.invoke()
        results += [
            interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()
        ]
    return results


def assert_same_bits(before, after):
    for one, other in zip(run_reference(before), run_reference(after)):
        assert one.dtype == other.dtype and np.array_equal(one, other)


def op_list(data):
    """(name, version, fused activation) of every operation, in order."""
    model = tflite_file.read_model(data)
    graph = tflite_file.view_graph(model.subgraphs[0], model, data)
    return [(op.name, op.version, tflite_file.fused_name(op)) for op in graph.ops]


def edited(data, edit):
    """The file after edit(model, graph of its first subgraph)."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    edit(model, model.subgraphs[0])
    return repair.pack_model(model)


def test_todays_converter_is_refused_and_the_repair_is_exact(unet):
    before = check_model(unet)
    assert before["verdict"] == "REFUSED" and before["repairable"]
    repaired = repair.unfuse_activations(unet)
    assert check_model(repaired)["verdict"] == "OK"
    assert_same_bits(unet, repaired)


def test_the_repair_adds_an_operation_only_where_the_clamp_works(unet):
    fused = [op[2] for op in op_list(unet) if op[0] == "TRANSPOSE_CONV"]
    assert sorted(fused) == ["NONE", "RELU", "RELU", "RELU6", "RELU6"]
    repaired = op_list(repair.unfuse_activations(unet))
    transposed = sorted(op[1:] for op in repaired if op[0] == "TRANSPOSE_CONV")
    assert transposed == [(2, "NONE")] * 3 + [(3, "NONE")] * 2  # without and with a bias
    assert sorted(op[:2] for op in repaired if op[0] in ("RELU", "RELU6")) == [
        ("RELU", 2),
        ("RELU6", 2),
    ]
    assert len(repaired) == len(op_list(unet)) + 2


def test_the_repair_is_done_once_and_leaves_other_files_alone(unet):
    repaired = repair.unfuse_activations(unet)
    assert repair.unfuse_activations(repaired) == repaired
    assert repair.unfuse_activations(PLAIN_CONV) == PLAIN_CONV


def test_the_repair_keeps_tensors_signatures_and_alignment(unet):
    repaired = repair.unfuse_activations(unet)
    old, new = (tflite_file.read_model(data) for data in (unet, repaired))
    for before, after in zip(old.subgraphs[0].tensors, new.subgraphs[0].tensors):
        assert (before.name, before.type, list(before.shape)) == (
            after.name,
            after.type,
            list(after.shape),
        )
    assert len(new.signatureDefs or []) == len(old.signatureDefs or [])
    assert [bytes(b.data) if b.data is not None else b"" for b in new.buffers] == [
        bytes(b.data) if b.data is not None else b"" for b in old.buffers
    ]
    start = np.frombuffer(repaired, np.uint8).ctypes.data
    for buffer in new.buffers:
        if buffer.data is not None:
            assert (np.asarray(buffer.data).ctypes.data - start) % 16 == 0


@pytest.mark.parametrize("activation_name", ["RELU", "RELU6", "RELU_N1_TO_1"])
@pytest.mark.parametrize(
    "zero_point, scale", [(-128, 0.05), (-127, 0.02), (-100, 0.0234), (0, 0.0301), (100, 0.01)]
)
def test_any_clamp_is_repaired_bit_for_bit(unet, activation_name, zero_point, scale):
    """The first transposed convolution with other activations and other quantizations written into
    the file."""

    def edit(model, graph):
        first = next(
            op
            for op in graph.operators
            if isinstance(op.builtinOptions, schema.TransposeConvOptionsT)
        )
        first.builtinOptions.fusedActivationFunction = getattr(
            schema.ActivationFunctionType, activation_name
        )
        quantization = graph.tensors[first.outputs[0]].quantization
        quantization.scale, quantization.zeroPoint = np.float32([scale]), np.int64([zero_point])
        graph.outputs = [int(first.outputs[0])]
        model.signatureDefs = None

    before = edited(unet, edit)
    after = repair.unfuse_activations(before)
    assert check_model(after)["verdict"] != "REFUSED"
    assert_same_bits(before, after)
    assert len(np.unique(run_reference(before))) > 1


@pytest.mark.parametrize(
    "name, zero_point, scale, whole",
    [
        ("NONE", 5, 0.1, True),
        ("RELU", -128, 0.1, True),
        ("RELU", -127, 0.1, False),
        ("RELU6", -128, 6 / 255, True),
        ("RELU6", -128, 6 / 254.6, True),
        ("RELU6", -128, 6 / 254.4, False),
        ("RELU6", -127, 6 / 300, False),
        ("RELU_N1_TO_1", 0, 1 / 127, False),
        ("RELU_N1_TO_1", 0, 1 / 128, True),
    ],
)
def test_when_a_clamp_is_the_whole_range(name, zero_point, scale, whole):
    """By hand: 6 / (6/254.6) = 254.6 steps, rounded to 255; -128 + 255 = 127. With 254.4 it is
    126."""
    fused = getattr(schema.ActivationFunctionType, name)
    data = edited(transpose_conv((16, 16, 8), 4, fused=fused), lambda model, graph: None)
    model = tflite_file.read_model(data)
    (op,) = tflite_file.view_graph(model.subgraphs[0], model, data).ops
    op.outputs[0].scale, op.outputs[0].zero_point = float(np.float32(scale)), zero_point
    assert repair.clamp_is_whole_range(op) == whole


def test_without_a_bias_the_version_is_2():
    data = transpose_conv((16, 16, 8), 4, fused=1, bias=False)
    assert op_list(repair.unfuse_activations(data)) == [("TRANSPOSE_CONV", 2, "NONE")]


def test_float_files_are_not_touched():
    data = edited(
        transpose_conv((16, 16, 8), 4, fused=1),
        lambda model, graph: [
            setattr(tensor, "type", schema.TensorType.FLOAT32) for tensor in graph.tensors[:2]
        ],
    )
    assert repair.unfuse_activations(data) == data
    assert check_model(data)["verdict"] == "REFUSED"


def test_constants_behind_the_flatbuffer_are_taken_in():
    data = outside(PLAIN_CONV)
    assert check_model(data)["repairable"]
    repaired = repair.unfuse_activations(data)
    assert check_model(repaired)["verdict"] == "OK"
    assert check_model(repaired)["parameter_bytes"] == 160


def test_other_decoders_have_no_operation_above_tf25():
    """What today's converter writes for resizes: every version is known to TF 2.5."""
    tf = pytest.importorskip("tensorflow")
    layers = tf.keras.layers
    inputs = tf.keras.Input((32, 32, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(inputs)
    x = layers.DepthwiseConv2D(3, padding="same")(
        layers.Resizing(32, 32, interpolation="nearest")(x)
    )
    x = layers.UpSampling2D(interpolation="bilinear")(layers.Conv2D(3, 1)(x))
    report = check_model(convert(tf.keras.Model(inputs, x), 32))
    assert {row["name"] for row in report["rows"]} >= {
        "RESIZE_NEAREST_NEIGHBOR",
        "RESIZE_BILINEAR",
        "DEPTHWISE_CONV_2D",
    }
    assert report["verdict"] in ("OK", "RISK")
    nearest = layers.UpSampling2D(interpolation="nearest")(layers.Conv2D(8, 3)(inputs))
    refused = check_model(convert(tf.keras.Model(inputs, nearest), 32))
    assert refused["verdict"] == "REFUSED" and "TILE" in refused["sentence"]
