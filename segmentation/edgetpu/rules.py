"""The rules of the check: what the Edge TPU's compiler does with an operation, why, and whence.

A rule takes an Op and returns None, or (reason, source): source is a key of evidence.json. Rules on
sizes are in sizes.py, what lies behind an operation on the CPU in partition.py.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from segmentation.edgetpu.evidence import (
    COMPILED_OP,
    CORAL_OPS,
    EIGHT_BIT,
    KNOWN_CUSTOM_OPS,
    SHAPE_INPUT,
    TF25_MAX_VERSION,
    WEIGHT_INPUTS,
    find_mapped,
)
from segmentation.edgetpu.partition import find_behind
from segmentation.edgetpu.repair import can_unfuse, clamp_is_whole_range
from segmentation.edgetpu.sizes import (
    as_large_as_left,
    describe_seen,
    large_activation,
    larger_than_seen,
)
from segmentation.edgetpu.tflite_file import Finding, load_schema


def newer_than_the_compiler(op):
    """The compiler's "Didn't find op for builtin opcode ... version ..."."""
    if op.is_custom or can_unfuse(op):
        return None
    highest = TF25_MAX_VERSION.get(op.name)
    if highest is None:
        return "unknown to the compiler, which reads with TF 2.5", "TF 2.5.3"
    if op.version > highest:
        return (f"version {op.version}; the compiler, reading with TF 2.5, knows {highest} at most",
                "TF 2.5.3")


def fused_without_effect(op):
    """A fused activation that the repair takes out."""
    if can_unfuse(op) and clamp_is_whole_range(op):
        return "version 4, with a fused activation that clamps nothing", "edgetpu#845"


def fused_with_effect(op):
    """A fused activation that the repair makes an operation of its own."""
    if can_unfuse(op) and not clamp_is_whole_range(op):
        return "version 4, with a fused activation that clamps", "edgetpu#845"


def unknown_custom_op(op):
    """The compiler first runs the file in its own interpreter, which must know every operation."""
    if op.is_custom and op.name.startswith("Flex"):
        return ("a TensorFlow operation (Flex), which the compiler's interpreter does not link",
                "edgetpu#479")
    if op.is_custom and op.name not in KNOWN_CUSTOM_OPS:
        return "a custom operation that the compiler's interpreter does not know", "edgetpu#479"


def unknown_dimension(op):
    """The compiler's "dynamic-sized tensors": a shape that holds -1 itself."""
    if any(tensor is not None and tensor.has_unknown_size for tensor in op.inputs + op.outputs):
        return "dynamic-sized tensors: a dimension is not known (-1)", "coral.ai"


def variable_shape(op):
    """The compiler's "dynamic-sized tensors": what a dynamic batch leaves in place of a shape."""
    shape = op.input(SHAPE_INPUT[op.name]) if op.name in SHAPE_INPUT else None
    if shape is not None and not shape.is_constant:
        return "dynamic-sized tensors: its output shape is not constant", "coral.ai"


def int64_paddings(op):
    """Paddings are expected in int32."""
    paddings = op.input(1)
    if op.name == "PAD" and paddings is not None and paddings.dtype == "INT64":
        return "int64 paddings, which the compiler misreads", "TF 2.5.3"


def more_than_three_dimensions(op):
    """Model requirements of coral.ai."""
    if any(dim > 1 for tensor in op.activations for dim in tensor.shape[:-3]):
        return "unsupported rank: only the three innermost dimensions may be above 1", "coral.ai"


def float_model_input(op):
    """The QUANTIZE of a model with float input."""
    if op.name == "QUANTIZE" and op.reads_model_input and op.inputs[0].dtype == "FLOAT32":
        return "float input is quantized on the CPU: tolerable", "coral.ai"


def float_model_output(op):
    """The DEQUANTIZE of a model with float output; nothing lies behind it."""
    if op.name == "DEQUANTIZE" and op.writes_model_output and op.activations[0].dtype in EIGHT_BIT:
        return "float output is made on the CPU: tolerable", "movenet"


def is_tolerable(op):
    """The float conversions at the model's two ends, which cost little on the CPU."""
    return bool(float_model_input(op) or float_model_output(op))


def not_eight_bit(op):
    """The compiler's "unsupported data type"; constants and an LSTM's state are not looked at."""
    tensors = [tensor for tensor in op.activations if not tensor.is_state]
    types = sorted({tensor.dtype for tensor in tensors} - set(EIGHT_BIT))
    if types and not not_on_the_list(op) and not is_tolerable(op):
        return (f"unsupported data type {', '.join(types)}: only int8 and uint8 are computed",
                "coral.ai")


def variable_weights(op):
    """Model requirements of coral.ai: parameters are constant at compile time."""
    weights = [op.input(position) for position in WEIGHT_INPUTS.get(op.name, ())]
    if any(tensor is not None and not tensor.is_constant for tensor in weights):
        return "weights or bias are not constant", "coral.ai"


def not_on_the_list(op):
    """The compiler's "Operation not supported"; TILE is on no list, but was mapped."""
    if op.name not in CORAL_OPS and not find_mapped(op.name) and not is_tolerable(op):
        return "operation not supported (not among the 40 of coral.ai)", "coral.ai"


def free_dimension(op):
    """A free batch was taken as 1 (dense_256 and others); of other dimensions nothing is known."""
    if any(tensor is not None and any(place > 0 for place in tensor.free_dimensions)
           for tensor in op.inputs + op.outputs):
        return "a dimension other than the batch is left open (-1) and taken as it stands", "dense"


def softmax_on_a_map(op):
    """Documented for one dimension; one log has it mapped on a map, with shapes unknown."""
    if op.name == "SOFTMAX" and any(math.prod(tensor.shape[:-1]) > 1 for tensor in op.activations):
        return "documented for one dimension; one log has it mapped over a map", "yolov8n 224"


def fused_activation(op):
    """Concatenation and pools are documented without one."""
    is_pool = op.name in ("MAX_POOL_2D", "AVERAGE_POOL_2D")
    if (is_pool or op.name == "CONCATENATION") and op.option("fusedActivationFunction"):
        return "documented without a fused activation only", "coral.ai"


def concatenates_a_constant(op):
    """Documented with two inputs, where the constant is zero padding."""
    constants = [tensor for tensor in op.inputs if tensor is not None and tensor.values is not None]
    if op.name != "CONCATENATION" or not constants:
        return None
    are_zeros = all((tensor.values == (tensor.zero_point or 0)).all() for tensor in constants)
    if len(op.inputs) > 2 or not are_zeros:
        return "a constant may be concatenated only if it is zeros, and to one other input", \
            "coral.ai"


def unequal_dilation(op):
    """Documented with the same dilation in x and y."""
    is_convolution = op.name in ("CONV_2D", "DEPTHWISE_CONV_2D")
    if is_convolution and op.option("dilationHFactor") != op.option("dilationWFactor"):
        return "dilation differs between height and width", "coral.ai"


def strided_slice(op):
    """Documented with strides of 1."""
    strides = op.input(3)
    if op.name != "STRIDED_SLICE" or strides is None or strides.values is None:
        return None
    if (strides.values != 1).any():
        return "strides other than 1", "coral.ai"


def mean_axes(op):
    """The axes over which a MEAN goes, counted from 0; empty for other operations."""
    axes, rank = op.input(1), len(op.inputs[0].shape) if op.name == "MEAN" else 0
    if not rank or axes is None or axes.values is None or axes.dtype not in ("INT32", "INT64"):
        return set()
    return {int(axis) % rank for axis in axes.values.ravel()}


def mean_over_batch(op):
    """Documented without a reduction in the batch dimension."""
    if 0 in mean_axes(op):
        return "mean over the batch", "coral.ai"


def mean_over_odd_channels(op):
    """Documented for channels that are a multiple of 4."""
    axes = mean_axes(op)
    if axes and len(op.input(0).shape) - 1 in axes and op.input(0).shape[-1] % 4:
        return "mean over channels that are not a multiple of 4", "coral.ai"


def pads_the_batch(op):
    """Documented without padding in the batch dimension."""
    paddings = op.input(1)
    if op.name != "PAD" or paddings is None or paddings.values is None:
        return None
    if paddings.values.ravel()[:2].any():
        return "pads the batch", "coral.ai"


def transposes(op):
    """A limit that is documented nowhere."""
    if op.name == "TRANSPOSE":
        return "logs show it mapped and left on the CPU: only some axes are mapped", "yolov9t 192"


def unseen_transpose_conv(op):
    """The evidence is Coral's U-Net, and that has no other kind."""
    kind = (op.option("padding"), op.option("strideH"), op.option("strideW"))
    if op.name == "TRANSPOSE_CONV" and kind != (load_schema().Padding.SAME, 2, 2):
        return "seen mapped with a stride of 2 and SAME padding only", "Coral's U-Net"


class Rule(NamedTuple):
    """A rule, its verdict, and what the project's user changes against it."""

    check: Callable  # Op -> None or (reason, source)
    verdict: str
    remedy: str = ""


SMALLER = "a smaller IMAGE_SIZE or DECODER_FILTERS in main.py"
CONVERT = "convert with tflite_convert.py, which fixes the batch at 1"
REPAIR = "unfuse_activations repairs it with the same output, as tflite_convert.py does"
HEAD = "end the model at the logits: predict.py takes the largest on the host"
RULES = (  # the worst verdict first
    Rule(newer_than_the_compiler, "REFUSED"),
    Rule(fused_without_effect, "REFUSED", REPAIR),
    Rule(fused_with_effect, "REFUSED", REPAIR),
    Rule(unknown_custom_op, "REFUSED"),
    Rule(unknown_dimension, "REFUSED", CONVERT),
    Rule(variable_shape, "REFUSED", CONVERT),
    Rule(int64_paddings, "CPU"),
    Rule(more_than_three_dimensions, "CPU"),
    Rule(float_model_input, "CPU", "INPUT_TYPE int8 in tflite_convert.py"),
    Rule(float_model_output, "CPU", "OUTPUT_TYPE int8 in tflite_convert.py"),
    Rule(not_eight_bit, "CPU"),
    Rule(variable_weights, "CPU"),
    Rule(not_on_the_list, "CPU"),
    Rule(fused_activation, "CPU"),
    Rule(concatenates_a_constant, "CPU"),
    Rule(unequal_dilation, "CPU"),
    Rule(strided_slice, "CPU"),
    Rule(mean_over_batch, "CPU"),
    Rule(mean_over_odd_channels, "CPU"),
    Rule(pads_the_batch, "CPU"),
    Rule(as_large_as_left, "CPU", SMALLER),
    Rule(free_dimension, "RISK", CONVERT),
    Rule(softmax_on_a_map, "RISK", HEAD),
    Rule(transposes, "RISK"),
    Rule(unseen_transpose_conv, "RISK"),
    Rule(larger_than_seen, "RISK", SMALLER),
    Rule(large_activation, "NOTE"),
)
BEHIND = Finding(
    "RISK", "behind an operation on the CPU: by default the compiler maps one part of the graph, "
    "the first, and leaves this too (so in MoveNet and DeepLab); with its option -a logs show more "
    "of it mapped, and slower", "edgetpu#317")


def judge_graph(graph):
    """Writes the findings of every operation of a graph that is not compiled yet."""
    for op in graph.ops:
        op.findings = apply_rules(op)
    left = {place for place, op in enumerate(graph.ops) if op.findings and op.verdict == "CPU"}
    for place in find_behind(graph.ops, left):
        op = graph.ops[place]
        op.findings = [found for found in op.findings if found.verdict != "NOTE"] + [BEHIND]
    for op in graph.ops:
        op.findings = op.findings or [Finding("OK", *describe_seen(op))]


def apply_rules(op):
    """Returns the findings of the worst verdict that the rules have on an operation."""
    findings = []
    for rule in RULES:
        found = rule.check(op)
        if found and (not findings or findings[0].verdict == rule.verdict):
            findings.append(Finding(rule.verdict, *found, find_remedy(op, rule)))
    return findings


def find_remedy(op, rule):
    """Returns a rule's remedy; for what stands at the model's end, or is not ours, its own."""
    if rule.check is not_on_the_list and op.name in ("ARG_MAX", "SOFTMAX"):
        return HEAD
    if rule.check is larger_than_seen and op.name == "TRANSPOSE_CONV":
        if op.writes_model_output:
            return "the head: IMAGE_SIZE in main.py up to (128, 128) is as large as was mapped"
        return "DECODER_FILTERS in pairs (main.py) resizes instead"
    return rule.remedy


def judge_compiled_graph(graph):
    """Writes the findings of a compiled graph: the compiled operation's place, and what is left."""
    for op in graph.ops:
        if op.name == COMPILED_OP:
            first, last = (", ".join(tensor.name for tensor in tensors if tensor is not None)
                           for tensors in (op.inputs, op.outputs))
            place = f"compiled: what lies between {first} and {last}"
            op.findings = [Finding("OK", f"{place}; the file does not list it", "this file")]
        else:
            op.findings = [Finding("CPU", "left on the CPU by the compiler", "this file")]
