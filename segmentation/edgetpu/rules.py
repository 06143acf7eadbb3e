"""The rules of the check: what the Edge TPU's compiler does with an operation, and why."""

import math

from segmentation.edgetpu.evidence import (
    BILINEAR_MAX_BYTES,
    BILINEAR_MAX_RATIO,
    COMPILED_OP,
    CORAL_OPS,
    EIGHT_BIT,
    KNOWN_CUSTOM_OPS,
    LARGEST_SAFE_CONCATENATION,
    LARGEST_SEEN_ACTIVATION,
    LARGEST_SEEN_BILINEAR,
    LARGEST_SEEN_NEAREST,
    SEEN_TRANSPOSE_CONV,
    SHAPE_INPUT,
    SOFTMAX_MAX_ELEMENTS,
    TF25_MAX_VERSION,
    WEIGHT_INPUTS,
)
from segmentation.edgetpu.repair import can_unfuse, clamp_is_whole_range
from segmentation.edgetpu.tflite_file import Finding, load_schema


def newer_than_the_compiler(op):
    """The compiler's "Didn't find op for builtin opcode ... version ..."."""
    if op.is_custom or can_unfuse(op):
        return None
    highest = TF25_MAX_VERSION.get(op.name)
    if highest is None:
        return "unknown to the compiler, which reads with TF 2.5"
    if op.version > highest:
        return f"version {op.version}; the compiler, reading with TF 2.5, knows {highest} at most"


def fused_without_effect(op):
    """google-coral/edgetpu#845, where the repair takes the activation out."""
    if can_unfuse(op) and clamp_is_whole_range(op):
        return ("version 4, but what is fused clamps nothing: unfuse_activations lowers it, "
                "same bits")


def fused_with_effect(op):
    """google-coral/edgetpu#845, where the repair adds an operation."""
    if can_unfuse(op) and not clamp_is_whole_range(op):
        return "version 4, and what is fused clamps: unfuse_activations puts it behind, same bits"


def unknown_custom_op(op):
    """google-coral/edgetpu#479, #718: the compiler first runs the file in its own interpreter."""
    if op.is_custom and op.name.startswith("Flex"):
        return "a TensorFlow operation (Flex), which the compiler's interpreter does not link"
    if op.is_custom and op.name not in KNOWN_CUSTOM_OPS:
        return "a custom operation that the compiler's interpreter does not know"


def dynamic_dimension(op):
    """The compiler's "dynamic-sized tensors"."""
    if any(tensor is not None and tensor.has_dynamic_shape for tensor in op.inputs + op.outputs):
        return "dynamic-sized tensors: a dimension is not fixed (-1); convert with a batch of 1"


def computes_a_shape(op):
    """The compiler's "dynamic-sized tensors"; what a dynamic batch leaves in the file."""
    is_integer = any(tensor.dtype in ("INT32", "INT64") for tensor in op.outputs)
    if op.name == "SHAPE" or (op.name in ("PACK", "STRIDED_SLICE") and is_integer):
        return "dynamic-sized tensors: it computes a shape; convert with a batch of 1"


def variable_shape(op):
    """The compiler's "dynamic-sized tensors"; what a dynamic batch leaves in the file."""
    shape = op.input(SHAPE_INPUT[op.name]) if op.name in SHAPE_INPUT else None
    if shape is not None and not shape.is_constant:
        return "dynamic-sized tensors: its output shape is not constant; convert with a batch of 1"


def int64_paddings(op):
    """Paddings are expected in int32."""
    paddings = op.input(1)
    if op.name == "PAD" and paddings is not None and paddings.dtype == "INT64":
        return "int64 paddings, which the compiler misreads"


def more_than_three_dimensions(op):
    """coral.ai/docs/edgetpu/models-intro, model requirements."""
    if any(dim > 1 for tensor in op.activations for dim in tensor.shape[:-3]):
        return "unsupported rank: only the three innermost dimensions may be above 1"


def float_model_input(op):
    """The QUANTIZE of a model with float input; the one operation that spreads nothing."""
    if op.name == "QUANTIZE" and op.reads_model_input and op.inputs[0].dtype == "FLOAT32":
        return "float input is quantized on the CPU: tolerable; int8 input needs none of it"


def float_model_output(op):
    """The DEQUANTIZE of a model with float output; nothing lies behind it."""
    if op.name == "DEQUANTIZE" and op.writes_model_output and op.activations[0].dtype in EIGHT_BIT:
        return "float output is made on the CPU: tolerable; int8 output needs none of it"


def not_eight_bit(op):
    """The compiler's "unsupported data type"; biases and shapes are constants, not looked at."""
    types = sorted({tensor.dtype for tensor in op.activations} - set(EIGHT_BIT))
    if types and not is_tolerable(op):
        return f"unsupported data type {', '.join(types)}: only int8 and uint8 are computed"


def variable_weights(op):
    """coral.ai/docs/edgetpu/models-intro: parameters are constant at compile time."""
    weights = [op.input(position) for position in WEIGHT_INPUTS.get(op.name, ())]
    if any(tensor is not None and not tensor.is_constant for tensor in weights):
        return "weights or bias are not constant"


def not_on_the_list(op):
    """The compiler's "Operation not supported"."""
    if op.name not in CORAL_OPS and not is_tolerable(op):
        return "operation not supported (not among the 40 of coral.ai)"


def softmax_on_a_map(op):
    """coral.ai/docs/edgetpu/models-intro: 1-D input only."""
    if op.name == "SOFTMAX" and any(math.prod(tensor.shape[:-1]) > 1 for tensor in op.activations):
        return "documented for one dimension only; argmax on the host needs none"


def large_softmax(op):
    """coral.ai/docs/edgetpu/models-intro: at most 16,000 elements."""
    largest = max((math.prod(tensor.shape) for tensor in op.activations), default=0)
    if op.name == "SOFTMAX" and largest > SOFTMAX_MAX_ELEMENTS:
        return f"documented up to {SOFTMAX_MAX_ELEMENTS:,} elements"


def fused_activation(op):
    """coral.ai/docs/edgetpu/models-intro: Concatenation and pools without one."""
    is_pool = op.name in ("MAX_POOL_2D", "AVERAGE_POOL_2D")
    if (is_pool or op.name == "CONCATENATION") and op.option("fusedActivationFunction"):
        return "documented without a fused activation only"


def concatenates_a_constant(op):
    """coral.ai/docs/edgetpu/models-intro: two inputs, and the constant is zero padding."""
    constants = [tensor for tensor in op.inputs if tensor is not None and tensor.values is not None]
    if op.name != "CONCATENATION" or not constants:
        return None
    are_zeros = all((tensor.values == (tensor.zero_point or 0)).all() for tensor in constants)
    if len(op.inputs) > 2 or not are_zeros:
        return "a constant may be concatenated only if it is zeros, and to one other input"


def unequal_dilation(op):
    """coral.ai/docs/edgetpu/models-intro: the same dilation in x and y."""
    is_convolution = op.name in ("CONV_2D", "DEPTHWISE_CONV_2D")
    if is_convolution and op.option("dilationHFactor") != op.option("dilationWFactor"):
        return "dilation differs between height and width"


def strided_slice(op):
    """coral.ai/docs/edgetpu/models-intro: all strides are 1."""
    strides = op.input(3)
    if op.name != "STRIDED_SLICE" or strides is None or strides.values is None:
        return None
    if (strides.values != 1).any():
        return "strides other than 1"


def mean_axes(op):
    """The axes over which a MEAN goes, counted from 0; empty for other operations."""
    axes, rank = op.input(1), len(op.inputs[0].shape) if op.name == "MEAN" else 0
    if not rank or axes is None or axes.values is None or axes.dtype not in ("INT32", "INT64"):
        return set()
    return {int(axis) % rank for axis in axes.values.ravel()}


def mean_over_batch(op):
    """coral.ai/docs/edgetpu/models-intro: no reduction in the batch dimension."""
    if 0 in mean_axes(op):
        return "mean over the batch"


def mean_over_odd_channels(op):
    """coral.ai/docs/edgetpu/models-intro: reduced channels are a multiple of 4."""
    axes = mean_axes(op)
    if axes and len(op.input(0).shape) - 1 in axes and op.input(0).shape[-1] % 4:
        return "mean over channels that are not a multiple of 4"


def pads_the_batch(op):
    """coral.ai/docs/edgetpu/models-intro: no padding in the batch dimension."""
    paddings = op.input(1)
    if op.name != "PAD" or paddings is None or paddings.values is None:
        return None
    if paddings.values.ravel()[:2].any():
        return "pads the batch"


def transposes(op):
    """A limit that is documented nowhere."""
    if op.name == "TRANSPOSE":
        return "only some axes are mapped"


def unseen_transpose_conv(op):
    """The evidence is Coral's U-Net, and that has no other kind."""
    kind = (op.option("padding"), op.option("strideH"), op.option("strideW"))
    if op.name == "TRANSPOSE_CONV" and kind != (load_schema().Padding.SAME, 2, 2):
        return "seen mapped with a stride of 2 and SAME padding only"


def large_transpose_conv(op):
    """At 512 px 3 of 4, 1 of 2 and 0 of 2 were mapped in public logs."""
    if op.name != "TRANSPOSE_CONV":
        return None
    if not any(is_within(largest_output(op), seen) for seen in SEEN_TRANSPOSE_CONV):
        return "larger than in Coral's 128x128 U-Net (64x64x64, 128x128x3); above, logs show both"


def large_nearest(op):
    """96x96x192 is the largest seen mapped."""
    if op.name == "RESIZE_NEAREST_NEIGHBOR" and largest_output(op).bytes > LARGEST_SEEN_NEAREST:
        return "larger than the largest seen mapped (96x96x192)"


def resize_ratios(op):
    """Output by input height and width of an operation on images; (1, 1) for other shapes."""
    shapes = op.inputs[0].shape, op.outputs[0].shape
    if any(len(shape) != 4 or 0 in shape for shape in shapes):
        return 1, 1
    return shapes[1][1] / shapes[0][1], shapes[1][2] / shapes[0][2]


def extreme_bilinear(op):
    """coral.ai/docs/edgetpu/models-intro: left out at some sizes to avoid loss in precision."""
    if op.name != "RESIZE_BILINEAR":
        return None
    if op.inputs[0].shape[1:3] == (1, 1) and max(resize_ratios(op)) > 1:
        return "bilinear from 1x1"
    is_large = largest_output(op).bytes >= BILINEAR_MAX_BYTES
    if is_large or max(resize_ratios(op)) > BILINEAR_MAX_RATIO:
        return "bilinear by more than 4, or to 5 MB and more"


def large_bilinear(op):
    """MoveNet shows what is mapped."""
    if op.name != "RESIZE_BILINEAR" or extreme_bilinear(op):
        return None
    if resize_ratios(op) != (2, 2) or not is_within(largest_output(op), LARGEST_SEEN_BILINEAR):
        return "beyond what was seen mapped (by 2, to 48x48x24)"


def large_concatenation(op):
    """google-coral/edgetpu#309, #512."""
    if op.name == "CONCATENATION" and largest_output(op).bytes > LARGEST_SAFE_CONCATENATION:
        return "more than 800 KB: such were refused or left out (google-coral/edgetpu#309, #512)"


def large_activation(op):
    """655,360 bytes is the largest proven."""
    if op.outputs and largest_output(op).bytes > LARGEST_SEEN_ACTIVATION:
        return f"an activation above {LARGEST_SEEN_ACTIVATION:,} bytes, the largest proven"


RULES = (  # rule, verdict, confidence
    (newer_than_the_compiler, "REFUSED", "high"),
    (fused_without_effect, "REFUSED", "high"),
    (fused_with_effect, "REFUSED", "high"),
    (unknown_custom_op, "REFUSED", "medium"),
    (dynamic_dimension, "REFUSED", "high"),
    (computes_a_shape, "REFUSED", "high"),
    (variable_shape, "REFUSED", "high"),
    (int64_paddings, "CPU", "medium"),
    (more_than_three_dimensions, "CPU", "high"),
    (float_model_input, "CPU", "high"),
    (float_model_output, "CPU", "high"),
    (not_eight_bit, "CPU", "high"),
    (variable_weights, "CPU", "high"),
    (not_on_the_list, "CPU", "high"),
    (fused_activation, "CPU", "medium"),
    (concatenates_a_constant, "CPU", "medium"),
    (unequal_dilation, "CPU", "medium"),
    (strided_slice, "CPU", "medium"),
    (mean_over_batch, "CPU", "medium"),
    (mean_over_odd_channels, "CPU", "medium"),
    (pads_the_batch, "CPU", "medium"),
    (extreme_bilinear, "CPU", "medium"),
    (softmax_on_a_map, "RISK", "medium"),
    (large_softmax, "RISK", "medium"),
    (transposes, "RISK", "medium"),
    (unseen_transpose_conv, "RISK", "medium"),
    (large_transpose_conv, "RISK", "medium"),
    (large_nearest, "RISK", "medium"),
    (large_bilinear, "RISK", "medium"),
    (large_concatenation, "RISK", "low"),
    (large_activation, "NOTE", "low"),
)
# What is said where no rule applies.
EVIDENCE = {
    "TRANSPOSE_CONV": Finding("OK", "within Coral's 128x128 U-Net, fully mapped", "medium-high"),
    "RESIZE_NEAREST_NEIGHBOR": Finding("OK", "up to 96x96x192 seen mapped", "medium-high"),
    "RESIZE_BILINEAR": Finding("OK", "by 2, up to 48x48x24 seen mapped", "medium"),
    "QUANTIZE": Finding("OK", "between 8-bit types (seen mapped in PoseNet)", "high"),
}
LISTED = Finding("OK", "on coral.ai's list", "medium-high")


def is_within(tensor, largest):
    """Whether an image-shaped tensor is nowhere above (height, width, channels)."""
    shape = tensor.shape
    return len(shape) == 4 and all(dim <= limit for dim, limit in zip(shape[1:], largest))


def largest_output(op):
    """The largest of the operation's outputs, in bytes."""
    return max(op.outputs, key=lambda tensor: tensor.bytes)


def is_tolerable(op):
    """The float conversions at the model's two ends, which cost little on the CPU."""
    return bool(float_model_input(op) or float_model_output(op))


def judge_graph(graph):
    """Writes the findings of every operation of a graph that is not compiled yet."""
    for op in graph.ops:
        found = [Finding(verdict, rule(op), confidence) for rule, verdict, confidence in RULES]
        op.findings = [finding for finding in found if finding.reason]
    mark_cpu_dependents(graph.ops)
    for op in graph.ops:
        op.findings = op.findings or [EVIDENCE.get(op.name, LISTED)]


def mark_cpu_dependents(ops):
    """What depends on an operation on the CPU runs there too, but for a leading QUANTIZE."""
    on_cpu = {}  # tensor number -> name of the first operation on the CPU before it
    for op in ops:
        first = [on_cpu[number] for number in op.input_numbers if number in on_cpu]
        if first:
            reason = f"behind {first[0]}, which runs on the CPU: one partition only"
            op.findings.append(Finding("CPU", reason, "high"))
        is_left = any(finding.verdict == "CPU" for finding in op.findings)
        if is_left and not float_model_input(op):
            on_cpu.update(dict.fromkeys(op.output_numbers, first[0] if first else op.name))


def judge_compiled_graph(graph):
    """Writes the findings of a compiled graph: the compiled operation's place, and what is left."""
    for op in graph.ops:
        if op.name == COMPILED_OP:
            first, last = (", ".join(tensor.name for tensor in tensors if tensor is not None)
                           for tensors in (op.inputs, op.outputs))
            place = f"compiled: what lies between {first} and {last}"
            op.findings = [Finding("OK", f"{place}; the file does not list it", "high")]
        else:
            op.findings = [Finding("CPU", "left on the CPU by the compiler", "high")]
