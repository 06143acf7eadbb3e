"""The rules of the check: what the Edge TPU's compiler does with an operation, and why.

The rules stand in kinds.py and sizes.py; what lies behind an operation on the CPU in partition.py.
"""

from collections.abc import Callable
from typing import NamedTuple

from segmentation.edgetpu.evidence import COMPILED_OP
from segmentation.edgetpu.kinds import (
    concatenates_a_constant,
    float_model_input,
    float_model_output,
    free_dimension,
    fused_activation,
    fused_with_effect,
    fused_without_effect,
    int64_paddings,
    mean_over_batch,
    mean_over_odd_channels,
    more_than_three_dimensions,
    newer_than_the_compiler,
    not_eight_bit,
    not_on_the_list,
    pads_the_batch,
    softmax_on_a_map,
    strided_slice,
    transposes,
    unequal_dilation,
    unknown_custom_op,
    unknown_dimension,
    unseen_transpose_conv,
    variable_shape,
    variable_weights,
)
from segmentation.edgetpu.partition import find_behind
from segmentation.edgetpu.sizes import (
    as_large_as_left,
    describe_seen,
    large_activation,
    larger_than_seen,
)
from segmentation.edgetpu.tflite_file import Finding


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
