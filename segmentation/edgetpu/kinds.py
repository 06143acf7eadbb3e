"""The rules on kinds of operations: their versions, shapes, data types and documented limits.

Each rule takes an Op and returns None or (reason, source), source being a key of evidence.json.
"""

import math

from segmentation.edgetpu.evidence import (
    CORAL_OPS,
    EIGHT_BIT,
    KNOWN_CUSTOM_OPS,
    SHAPE_INPUT,
    TF25_MAX_VERSION,
    WEIGHT_INPUTS,
    find_mapped,
)
from segmentation.edgetpu.repair import can_unfuse, clamp_is_whole_range
from segmentation.edgetpu.tflite_file import load_schema


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
