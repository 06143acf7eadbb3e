"""Tests of the repair: outputs compared bit for bit with TFLite's reference kernels."""

import numpy as np
import pytest
from converted_models import convert
from tflite_by_hand import (
    PLAIN_CONV,
    transpose_conv,
)

from segmentation.edgetpu.repair import clamp_is_whole_range, pack_model, unfuse_activations
from segmentation.edgetpu.report import check_model
from segmentation.edgetpu.tflite_file import fused_name, load_schema, read_model, view_graph

schema = load_schema()


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
    model = read_model(data)
    graph = view_graph(model.subgraphs[0], model)
    return [(op.name, op.version, fused_name(op)) for op in graph.ops]


def edited(data, edit):
    """The file after edit(model, graph of its first subgraph)."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    edit(model, model.subgraphs[0])
    return pack_model(model)


@pytest.mark.slow
def test_todays_converter_is_refused_and_the_repair_is_exact(unet):
    before = check_model(unet)
    assert before["verdict"] == "REFUSED" and before["repairable"]
    repaired = unfuse_activations(unet)
    assert check_model(repaired)["verdict"] == "OK"
    assert_same_bits(unet, repaired)


def test_the_repair_adds_an_operation_only_where_the_clamp_works(unet):
    fused = [op[2] for op in op_list(unet) if op[0] == "TRANSPOSE_CONV"]
    assert sorted(fused) == ["NONE", "RELU", "RELU", "RELU6", "RELU6"]
    repaired = op_list(unfuse_activations(unet))
    transposed = sorted(op[1:] for op in repaired if op[0] == "TRANSPOSE_CONV")
    assert transposed == [(2, "NONE")] * 3 + [(3, "NONE")] * 2  # without and with a bias
    assert sorted(op[:2] for op in repaired if op[0] in ("RELU", "RELU6")) == [
        ("RELU", 2),
        ("RELU6", 2),
    ]
    assert len(repaired) == len(op_list(unet)) + 2


def test_the_repair_is_done_once_and_leaves_other_files_alone(unet):
    repaired = unfuse_activations(unet)
    assert unfuse_activations(repaired) == repaired
    assert unfuse_activations(PLAIN_CONV) == PLAIN_CONV


def test_the_repair_keeps_tensors_signatures_and_alignment(unet):
    repaired = unfuse_activations(unet)
    old, new = (read_model(data) for data in (unet, repaired))
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
    after = unfuse_activations(before)
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
    model = read_model(data)
    (op,) = view_graph(model.subgraphs[0], model).ops
    op.outputs[0].scale, op.outputs[0].zero_point = float(np.float32(scale)), zero_point
    assert clamp_is_whole_range(op) == whole


def test_without_a_bias_the_version_is_2():
    data = transpose_conv((16, 16, 8), 4, fused=1, bias=False)
    assert op_list(unfuse_activations(data)) == [("TRANSPOSE_CONV", 2, "NONE")]


def test_float_files_are_not_touched():
    data = edited(
        transpose_conv((16, 16, 8), 4, fused=1),
        lambda model, graph: [
            setattr(tensor, "type", schema.TensorType.FLOAT32) for tensor in graph.tensors[:2]
        ],
    )
    assert unfuse_activations(data) == data
    assert check_model(data)["verdict"] == "REFUSED"


@pytest.mark.slow
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
