"""Repairs what today's converter gets wrong for the Edge TPU: TRANSPOSE_CONV version 4."""

import copy
import functools
import math

import flatbuffers
import numpy as np

from segmentation.edgetpu.evidence import TF25_MAX_VERSION
from segmentation.edgetpu.tflite_file import (
    damage_as_input_error,
    fused_name,
    load_schema,
    op_name,
    open_file,
    to_ints,
    to_text,
)

CLAMPS = {"RELU": (0, None), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}  # lowest, highest value
CLAMP_OP_VERSION = {"RELU": 2, "RELU6": 2, "RELU_N1_TO_1": 1}  # as an operation on int8


def can_unfuse(op):
    """Whether unfuse_activations can lower an operation: an int8 TRANSPOSE_CONV above version 3."""
    if op.name != "TRANSPOSE_CONV" or op.version <= TF25_MAX_VERSION[op.name]:
        return False
    output = op.outputs[0]
    is_known = fused_name(op) == "NONE" or fused_name(op) in CLAMPS
    return is_known and output.dtype == "INT8" and output.scale is not None and output.scale > 0


def to_steps(value, scale, zero_point):
    """Returns a value in quantization steps, rounded as TFLite does: float32, half away from 0."""
    steps = float(np.float32(value) / np.float32(scale))
    return zero_point + int(math.copysign(math.floor(abs(steps) + 0.5), steps))


def clamp_is_whole_range(op):
    """Whether an operation's fused activation lets every int8 value through.

    RELU does with a zero point of -128; RELU6 if, besides, 6 lies at or above 127
    (CalculateActivationRangeQuantized in tensorflow/lite/kernels/kernel_util.cc).
    """
    lowest, highest = CLAMPS.get(fused_name(op), (None, None))
    scale, zero_point = op.outputs[0].scale, op.outputs[0].zero_point
    is_open_below = lowest is None or to_steps(lowest, scale, zero_point) <= -128
    is_open_above = highest is None or to_steps(highest, scale, zero_point) >= 127
    return is_open_below and is_open_above


def unfuse_activations(data):
    """Lowers every int8 TRANSPOSE_CONV version 4 to what TF 2.5, and so the compiler, knows.

    A fused activation whose clamp is the whole int8 range is taken out; any other becomes an
    operation of its own behind the transposed convolution, on a tensor of the same quantization, as
    TF 2.5's converter wrote it. Outputs stay the same bit for bit with TFLite's reference kernels.
    Operator codes that nothing uses are dropped.

    Args: data, bytes of a .tflite file, or its path.
    Returns: the new bytes, or the same where nothing is to be done.
    Raises: InputError where the file is damaged or no .tflite.
    """
    data, model, views = open_file(data)
    with damage_as_input_error():
        lowered = [unfuse_subgraph(graph, view, model)
                   for graph, view in zip(model.subgraphs, views)]
        dropped = drop_unused_codes(model)
        return pack_model(model) if any(lowered) or dropped else data


def unfuse_subgraph(graph, view, model):
    """Lowers the transposed convolutions of one SubGraphT in place; returns how many."""
    operators, count = [], 0
    for operator, op in zip(graph.operators or [], view.ops):
        operators.append(operator)
        if not can_unfuse(op):
            continue
        if not clamp_is_whole_range(op):
            operators.append(add_activation(operator, fused_name(op), graph, model))
        operator.builtinOptions.fusedActivationFunction = load_schema().ActivationFunctionType.NONE
        operator.builtinOptions.quantizedBiasType = 0  # unknown to TF 2.5, whose biases are int32
        version = 2 if op.input(3) is None else 3  # without and with a bias
        operator.opcodeIndex = code_index(model, "TRANSPOSE_CONV", version)
        count += 1
    graph.operators = operators
    return count


def add_activation(operator, name, graph, model):
    """A RELU, RELU6 or RELU_N1_TO_1 that takes over an operator's output, on a new tensor."""
    before = copy.copy(graph.tensors[operator.outputs[0]])
    before.name = to_text(before.name) + "/before_activation"
    before.buffer = 0  # TFLite's empty buffer
    activation = load_schema().OperatorT()
    activation.opcodeIndex = code_index(model, name, CLAMP_OP_VERSION[name])
    activation.inputs, activation.outputs = [len(graph.tensors)], to_ints(operator.outputs)
    operator.outputs = [len(graph.tensors)]
    graph.tensors.append(before)
    return activation


def code_index(model, name, version):
    """Number of a builtin's operator code at a version, added to the model where missing."""
    for number, code in enumerate(model.operatorCodes):
        if op_name(code) == (name, False) and code.version == version:
            return number
    code = load_schema().OperatorCodeT()
    code.builtinCode = getattr(load_schema().BuiltinOperator, name)
    code.deprecatedBuiltinCode = code.builtinCode  # the old field ends at 127; these are below
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def drop_unused_codes(model):
    """Removes operator codes without an operator, as TF 2.5 looks up each; returns how many."""
    operators = [operator for graph in model.subgraphs for operator in graph.operators or []]
    used = sorted({operator.opcodeIndex for operator in operators})
    dropped = len(model.operatorCodes or []) - len(used)
    for operator in operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)
    model.operatorCodes = [model.operatorCodes[number] for number in used]
    return dropped


def pack_model(model):
    """ModelT -> bytes, constants aligned to 16 bytes, which the schema asks and Pack does not."""
    for buffer in model.buffers:
        buffer.Pack = functools.partial(pack_buffer, buffer)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def pack_buffer(buffer, builder):
    """BufferT.Pack with force_align: 16 (tensorflow/compiler/mlir/lite/schema/schema.fbs)."""
    schema = load_schema()
    vector = None
    if buffer.data is not None:
        content = np.asarray(buffer.data, np.uint8).tobytes()
        builder.StartVector(1, len(content), 16)
        builder.head -= len(content)
        builder.Bytes[builder.head : builder.head + len(content)] = content
        vector = builder.EndVector()
    schema.BufferStart(builder)
    if vector is not None:
        schema.BufferAddData(builder, vector)
    return schema.BufferEnd(builder)
