"""Checks a .tflite file against what the Edge TPU's compiler takes, without having the compiler.

    python edgetpu_check.py output/model_int8.tflite

Reads the file with TensorFlow's own flatbuffer classes (TensorFlow itself is not started). Prints
a table, one row a kind of operation: name, version, count, largest output, verdict, reason; then
the file's verdict, its parameter bytes, an estimate of what stays on the chip. The same is written
beside the model as edgetpu_report.json. Works on any .tflite, compiled ones too.

Verdicts: REFUSED (the compiler rejects the file), CPU (runs on the host, with all that depends on
it), RISK (unknown limit), NOTE, OK (mapped in comparable evidence). The compiler decides.
Exit code: 1 refused or unreadable, 2 operations left on the processor, 0 no known obstacle.

tflite_convert.py calls check_model, format_report, and make_compilable, which repairs what today's
converter gets wrong every time: TRANSPOSE_CONV version 4.
"""

import contextlib
import copy
import functools
import importlib.util
import json
import math
import struct
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import flatbuffers
import numpy as np

MODEL_PATH = "output/model_int8.tflite"  # checked when no file is named on the command line
REPORT_NAME = "edgetpu_report.json"  # written beside the model
REASON_WIDTH = 72  # columns for the reasons in the printed table

VERDICTS = ("REFUSED", "CPU", "RISK", "NOTE", "OK")  # worst first
EXIT_CODES = {"REFUSED": 1, "CPU": 2, "RISK": 0, "OK": 0}

# What was seen mapped or refused. Sizes in bytes of int8 data; (height, width, channels).
ON_CHIP_PARAMETER_BYTES = 5 * 2**20  # 5.2 MB were cached whole, of 6.1 MB 1.07 MiB were streamed
USB_MS_PER_MB_OUTPUT = 11.5  # one measured stick
LARGEST_SEEN_ACTIVATION = 655_360  # bytes
LARGEST_SAFE_CONCATENATION = 800_000  # bytes; google-coral/edgetpu#309, #512
LARGEST_SEEN_NEAREST = 96 * 96 * 192  # bytes
LARGEST_SEEN_BILINEAR = (48, 48, 24)  # at a ratio of 2 (MoveNet)
BILINEAR_MAX_RATIO = 4
BILINEAR_MAX_BYTES = 5_000_000
SEEN_TRANSPOSE_CONV = (  # the outputs of Coral's U-Net
    (8, 8, 512), (16, 16, 256), (32, 32, 128), (64, 64, 64), (128, 128, 3))
SOFTMAX_MAX_ELEMENTS = 16_000
MAX_TABLES = 100_000  # tensors, operations, ... of a file: more means that a count is damaged

# Highest version of each builtin operation in TensorFlow 2.5.3's interpreter, measured with one
# minimal model per operation and version. edgetpu_compiler 16.0 parses files with the operations of
# TensorFlow 2.5: five of five public refusals are one above these. What isn't here it doesn't know.
TF25_OPS_BY_MAX_VERSION = {
    1: """
        ADD_N CALL_ONCE CAST CEIL COMPLEX_ABS CONV_3D COS CUMSUM DENSIFY ELU
        EMBEDDING_LOOKUP_SPARSE EXP EXPAND_DIMS FLOOR FLOOR_MOD HARD_SWISH HASHTABLE HASHTABLE_FIND
        HASHTABLE_IMPORT HASHTABLE_LOOKUP HASHTABLE_SIZE IF IMAG L2_POOL_2D
        LOCAL_RESPONSE_NORMALIZATION LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LSH_PROJECTION
        MATRIX_DIAG MATRIX_SET_DIAG NEG NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 ONE_HOT POW
        PRELU RANGE RANK REAL REDUCE_ANY REDUCE_PROD RELU_N1_TO_1 RESHAPE REVERSE_SEQUENCE RFFT2D
        ROUND SCATTER_ND SEGMENT_SUM SELECT_V2 SHAPE SIN SKIP_GRAM SQRT SQUARE UNIQUE WHERE WHILE
        ZEROS_LIKE""",
    2: """
        ARG_MAX ARG_MIN DEPTH_TO_SPACE DIV FAKE_QUANT FLOOR_DIV GREATER GREATER_EQUAL
        L2_NORMALIZATION LEAKY_RELU LESS LESS_EQUAL LOG_SOFTMAX MIRROR_PAD QUANTIZE RSQRT SELECT
        SPACE_TO_DEPTH SPLIT_V SQUARED_DIFFERENCE SQUEEZE SUM TILE TOPK_V2""",
    3: """
        ABS ADD AVERAGE_POOL_2D BATCH_TO_SPACE_ND BIDIRECTIONAL_SEQUENCE_LSTM
        BIDIRECTIONAL_SEQUENCE_RNN BROADCAST_TO CONCATENATION EMBEDDING_LOOKUP EQUAL FILL GATHER_ND
        LOGISTIC MAX_POOL_2D MEAN NOT_EQUAL PACK PAD PADV2 REDUCE_MAX REDUCE_MIN RELU RELU6
        REVERSE_V2 RNN SOFTMAX SPACE_TO_BATCH_ND SPARSE_TO_DENSE TANH TRANSPOSE_CONV
        UNIDIRECTIONAL_SEQUENCE_LSTM UNIDIRECTIONAL_SEQUENCE_RNN""",
    4: """
        BATCH_MATMUL DEQUANTIZE LSTM MAXIMUM MINIMUM MUL RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR
        SPLIT SVDF UNPACK""",
    5: "CONV_2D GATHER SLICE STRIDED_SLICE SUB TRANSPOSE",
    6: "DEPTHWISE_CONV_2D",
    9: "FULLY_CONNECTED",
}
TF25_MAX_VERSION = {
    name: version for version, names in TF25_OPS_BY_MAX_VERSION.items() for name in names.split()}

# The 40 operations of coral.ai/docs/edgetpu/models-intro (its LSTM is the unidirectional one).
CORAL_OPS = frozenset("""
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXPAND_DIMS FULLY_CONNECTED
    L2_NORMALIZATION LOGISTIC LSTM UNIDIRECTIONAL_SEQUENCE_LSTM MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL
    PACK PAD PRELU QUANTIZE REDUCE_MAX REDUCE_MIN RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR
    RESIZE_NEAREST_NEIGHBOR RSQRT SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SQUEEZE STRIDED_SLICE SUB SUM
    SQUARED_DIFFERENCE TANH TRANSPOSE TRANSPOSE_CONV""".split())  # noqa: SIM905

COMPILED_OP = "edgetpu-custom-op"
KNOWN_CUSTOM_OPS = (  # in TF 2.5's own interpreter
    "TFLite_Detection_PostProcess", "AudioSpectrogram", "Mfcc")

# Positions in an operation's list of inputs: weights and bias; a shape.
WEIGHT_INPUTS = {
    "CONV_2D": (1, 2), "DEPTHWISE_CONV_2D": (1, 2), "FULLY_CONNECTED": (1, 2),
    "TRANSPOSE_CONV": (1, 3)}
SHAPE_INPUT = {
    "TRANSPOSE_CONV": 0, "RESHAPE": 1, "RESIZE_BILINEAR": 1, "RESIZE_NEAREST_NEIGHBOR": 1}

EIGHT_BIT = ("INT8", "UINT8")
NUMPY_TYPES = {
    "FLOAT32": np.float32, "FLOAT16": np.float16, "FLOAT64": np.float64, "BOOL": np.bool_,
    "INT8": np.int8, "UINT8": np.uint8, "INT16": np.int16, "UINT16": np.uint16,
    "INT32": np.int32, "UINT32": np.uint32, "INT64": np.int64, "UINT64": np.uint64}
CLAMPS = {"RELU": (0, None), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}  # lowest, highest value
CLAMP_OP_VERSION = {"RELU": 2, "RELU6": 2, "RELU_N1_TO_1": 1}  # as an operation on int8


# --------------------------------------------------------------------------------------------------
# Reading: the flatbuffer, and a plain view of it
# --------------------------------------------------------------------------------------------------


@dataclass
class Tensor:
    """One tensor; scale and zero point None unless quantised as a whole, values unless constant."""

    name: str
    shape: tuple
    has_dynamic_shape: bool
    dtype: str  # "INT8"
    scale: float | None
    zero_point: int | None
    values: np.ndarray | None
    is_outside: bool  # its bytes lie behind the flatbuffer, where TF 2.5 does not look

    @property
    def is_constant(self):
        """Whether its values stand in the file, or it has none."""
        return self.values is not None or 0 in self.shape

    @property
    def bytes(self):
        """Its size in bytes."""
        return math.prod(self.shape) * np.dtype(NUMPY_TYPES.get(self.dtype, np.int8)).itemsize


class Finding(NamedTuple):
    """What a rule says of an operation or of the file."""

    verdict: str
    reason: str
    confidence: str


@dataclass
class Op:
    """One operation: its tensors (None for an absent input), its options, what the rules found."""

    name: str
    version: int
    is_custom: bool
    input_numbers: list
    output_numbers: list
    inputs: list
    outputs: list
    options: Any
    program_bytes: int  # the program inside a compiled operation
    reads_model_input: bool
    writes_model_output: bool
    findings: list = field(default_factory=list)

    @property
    def activations(self):
        """Its tensors that are computed, inputs first."""
        return [t for t in self.inputs if t is not None and not t.is_constant] + self.outputs

    @property
    def verdict(self):
        """The worst verdict of its findings."""
        return min((finding.verdict for finding in self.findings), key=VERDICTS.index)

    def input(self, position):
        """The input at a position, None where it is absent."""
        return self.inputs[position] if position < len(self.inputs) else None

    def option(self, name, default=None):
        """A field of the operation's options, a default where the file has no such options."""
        return getattr(self.options, name, default)


@functools.cache
def load_schema():
    """TensorFlow's generated flatbuffer classes: that one file, not the four seconds around it."""
    name = "tensorflow.lite.python.schema_py_generated"
    if name in sys.modules:
        return sys.modules[name]
    package = importlib.util.find_spec("tensorflow")
    if package is None:
        raise ModuleNotFoundError("TensorFlow is missing: its classes read .tflite files.")
    path = Path(package.submodule_search_locations[0], "lite", "python", "schema_py_generated.py")
    spec = importlib.util.spec_from_file_location("tflite_schema", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def enum_names(enum):
    """Number -> name of one of the schema's enumerations ("BuiltinOperator", "TensorType", ...)."""
    members = vars(getattr(load_schema(), enum))
    return {value: name for name, value in members.items() if isinstance(value, int)}


def read_bytes(model):
    """The file's bytes, from a path or from bytes.

    Raises FileNotFoundError, or ValueError for what is empty or no .tflite.
    """
    if isinstance(model, (bytes, bytearray, memoryview)):
        data, name = bytes(model), "the model"
    else:
        data = Path(model).read_bytes() if Path(model).is_file() else None
        name = str(model)
    if data is None:
        raise FileNotFoundError(f"{name}: there is no such file.")
    if not data:
        raise ValueError(f"{name} is empty: convert the model again.")
    if data[4:8] != b"TFL3":
        raise ValueError(f"{name} is not a .tflite file: it has {data[4:8]!r} in place of b'TFL3'.")
    return data


@contextlib.contextmanager
def damage_as_value_error():
    """Whatever a damaged flatbuffer makes the readers raise becomes one ValueError."""
    errors = (struct.error, LookupError, ValueError, TypeError, AttributeError, OverflowError,
              MemoryError)
    try:
        yield
    except errors as error:
        damaged = f"The .tflite file is truncated or damaged ({error}): convert the model again."
        raise ValueError(damaged) from error


def read_model(data):
    """The flatbuffer as ModelT. A damaged count of parts is found before it takes minutes."""
    root = load_schema().Model.GetRootAs(data, 0)
    if root.Version() != 3:
        raise ValueError(f"schema version {root.Version()}, not 3")
    count = root.SubgraphsLength() + root.OperatorCodesLength() + root.BuffersLength()
    if count <= MAX_TABLES:
        subgraphs = [root.Subgraphs(number) for number in range(root.SubgraphsLength())]
        count += sum(graph.TensorsLength() + graph.OperatorsLength() for graph in subgraphs)
    if count > MAX_TABLES:
        raise ValueError(f"it claims to hold {count} parts")
    model = load_schema().ModelT.InitFromObj(root)
    if not model.subgraphs or not model.buffers:
        raise ValueError("no graph in it")
    return model


def item(items, number):
    """items[number]; unlike Python's own, a negative number is an error."""
    if not 0 <= number < len(items):
        raise ValueError(f"number {number} of {len(items)}")
    return items[number]


def numbers(vector):
    """A vector of the flatbuffer as a list of Python's ints; absent is empty."""
    return [] if vector is None else [int(value) for value in vector]


def text(value):
    """A string of the flatbuffer, which holds bytes; absent is empty."""
    return value if isinstance(value, str) else (value or b"").decode("utf-8", errors="replace")


def lies_outside(buffer):
    """Whether a buffer's bytes lie behind the flatbuffer, where converters put them above 2 GB."""
    has_own = buffer.data is not None and len(buffer.data) > 0
    return not has_own and buffer.offset > 1 and buffer.size > 0


def buffer_bytes(buffer, data):
    """A buffer's bytes as a uint8 array, wherever they lie; None for that of an activation."""
    if lies_outside(buffer):
        if buffer.offset + buffer.size > len(data):
            raise ValueError("a constant ends behind the file")
        return np.frombuffer(data, np.uint8, buffer.size, buffer.offset)
    if buffer.data is None or not len(buffer.data):
        return None
    return np.asarray(buffer.data, np.uint8)


def view_tensor(tensor, model, data):
    """TensorT -> Tensor. Raises ValueError where a constant's bytes don't fill its shape."""
    dims = numbers(tensor.shape)
    shape = tuple(1 if dim < 0 else dim for dim in dims)
    dtype = enum_names("TensorType").get(tensor.type, f"TYPE_{tensor.type}")
    buffer = item(model.buffers, tensor.buffer)
    values = buffer_bytes(buffer, data)
    if values is not None and dtype in NUMPY_TYPES and tensor.sparsity is None:
        values = values.view(NUMPY_TYPES[dtype]).reshape(shape)
    quantization = tensor.quantization
    scales = [] if quantization is None or quantization.scale is None else quantization.scale
    zero_points = numbers(None if quantization is None else quantization.zeroPoint) or [0]
    return Tensor(
        name=text(tensor.name),
        shape=shape,
        has_dynamic_shape=min(dims + numbers(tensor.shapeSignature), default=0) < 0,
        dtype=dtype,
        scale=float(scales[0]) if len(scales) == 1 else None,
        zero_point=zero_points[0] if len(scales) == 1 else None,
        values=values,
        is_outside=lies_outside(buffer),
    )


def op_name(code):
    """OperatorCodeT -> (name, whether it is custom). Old files have only the deprecated number."""
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = enum_names("BuiltinOperator").get(number, f"BUILTIN_{number}")
    if name == "CUSTOM":
        return text(code.customCode) or name, True
    return name, False


def view_op(operator, tensors, graph, model):
    """OperatorT -> Op, without findings."""
    code = item(model.operatorCodes, operator.opcodeIndex)
    name, is_custom = op_name(code)
    input_numbers, output_numbers = numbers(operator.inputs), numbers(operator.outputs)
    inputs = [None if number == -1 else item(tensors, number) for number in input_numbers]
    moving = {number for number, tensor in zip(input_numbers, inputs)
              if tensor is not None and not tensor.is_constant}
    outputs = [item(tensors, number) for number in output_numbers]
    if name in CORAL_OPS and (not outputs or not inputs or inputs[0] is None):
        raise ValueError(f"{name} without input or output")
    program = 0 if operator.customOptions is None else len(operator.customOptions)
    return Op(
        name=name,
        version=code.version,
        is_custom=is_custom,
        input_numbers=input_numbers,
        output_numbers=output_numbers,
        inputs=inputs,
        outputs=outputs,
        options=operator.builtinOptions,
        program_bytes=max(program, operator.largeCustomOptionsSize),
        reads_model_input=bool(moving) and moving <= set(numbers(graph.inputs)),
        writes_model_output=bool(set(output_numbers) & set(numbers(graph.outputs))),
    )


@dataclass
class Graph:
    """One subgraph: its operations in the order in which they run, its inputs and outputs."""

    ops: list
    inputs: list
    outputs: list


def view_graph(graph, model, data):
    """SubGraphT -> Graph."""
    tensors = [view_tensor(tensor, model, data) for tensor in graph.tensors or []]
    return Graph(
        ops=[view_op(operator, tensors, graph, model) for operator in graph.operators or []],
        inputs=[item(tensors, number) for number in numbers(graph.inputs)],
        outputs=[item(tensors, number) for number in numbers(graph.outputs)],
    )


# --------------------------------------------------------------------------------------------------
# The rules for one operation: each gives the reason why it applies, or None
# --------------------------------------------------------------------------------------------------


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
        return "version 4, but what is fused clamps nothing: make_compilable lowers it, same bits"


def fused_with_effect(op):
    """google-coral/edgetpu#845, where the repair adds an operation."""
    if can_unfuse(op) and not clamp_is_whole_range(op):
        return "version 4, and what is fused clamps: make_compilable puts it behind, same bits"


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


def bytes_outside(op):
    """TF 2.5's schema ends before Buffer.offset and Buffer.size."""
    if any(tensor is not None and tensor.is_outside for tensor in op.inputs):
        return "constants behind the flatbuffer (Buffer.offset), which TF 2.5 reads as not constant"


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
        return "float input is quantised on the processor: tolerable; int8 input needs none of it"


def float_model_output(op):
    """The DEQUANTIZE of a model with float output; nothing lies behind it."""
    if op.name == "DEQUANTIZE" and op.writes_model_output and op.activations[0].dtype in EIGHT_BIT:
        return "float output is made on the processor: tolerable; int8 output needs none of it"


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
    (bytes_outside, "REFUSED", "medium"),
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
    """The float conversions at the model's two ends, which cost little on the processor."""
    return bool(float_model_input(op) or float_model_output(op))


# --------------------------------------------------------------------------------------------------
# From rules to a report
# --------------------------------------------------------------------------------------------------


def judge_graph(graph):
    """Writes the findings of every operation of a graph that is not compiled yet."""
    for op in graph.ops:
        found = [Finding(verdict, rule(op), confidence) for rule, verdict, confidence in RULES]
        op.findings = [finding for finding in found if finding.reason]
    spread_processor(graph.ops)
    for op in graph.ops:
        op.findings = op.findings or [EVIDENCE.get(op.name, LISTED)]


def spread_processor(ops):
    """What depends on an operation on the processor runs there too, but for a leading QUANTIZE."""
    on_processor = {}  # tensor number -> the operation that began it
    for op in ops:
        begun = [on_processor[number] for number in op.input_numbers if number in on_processor]
        if begun:
            reason = f"behind {begun[0]}, which runs on the processor: one partition only"
            op.findings.append(Finding("CPU", reason, "high"))
        is_left = any(finding.verdict == "CPU" for finding in op.findings)
        if is_left and not float_model_input(op):
            on_processor.update(dict.fromkeys(op.output_numbers, begun[0] if begun else op.name))


def judge_compiled_graph(graph):
    """Writes the findings of a compiled graph: the compiled operation's place, and what is left."""
    for op in graph.ops:
        if op.name == COMPILED_OP:
            first, last = (", ".join(tensor.name for tensor in tensors if tensor is not None)
                           for tensors in (op.inputs, op.outputs))
            place = f"compiled: what lies between {first} and {last}"
            op.findings = [Finding("OK", f"{place}; the file does not list it", "high")]
        else:
            op.findings = [Finding("CPU", "left on the processor by the compiler", "high")]


def judge_file(model, graphs):
    """Findings that belong to the file and to no single operation of it."""
    findings = []
    used = {op.opcodeIndex for graph in model.subgraphs for op in graph.operators or []}
    for number, code in enumerate(model.operatorCodes or []):
        name, is_custom = op_name(code)
        is_known = is_custom or code.version <= TF25_MAX_VERSION.get(name, 0)
        if number not in used and not is_known:
            reason = f"lists {name} version {code.version}, unknown to TF 2.5 (nothing uses it)"
            findings.append(Finding("REFUSED", reason, "high"))
    moving = {tensor.dtype for graph in graphs for op in graph.ops for tensor in op.activations}
    if moving and not moving & set(EIGHT_BIT):
        reason = "model not quantized: nothing in it is int8 or uint8"  # edgetpu#168, #313
        findings.append(Finding("REFUSED", reason, "high"))
    return findings


def size_notes(parameter_bytes, outputs):
    """Notes on what size costs: parameters beyond the chip's memory, output bytes over USB."""
    notes = []
    if parameter_bytes > ON_CHIP_PARAMETER_BYTES:
        reason = "parameters above about 5 MiB are partly streamed at every image: slower"
        notes.append(Finding("NOTE", reason, "medium"))
    output_bytes = sum(tensor.bytes for tensor in outputs)
    milliseconds = output_bytes / 1e6 * USB_MS_PER_MB_OUTPUT
    reason = f"{output_bytes:,} bytes of output: about {milliseconds:.1f} ms over USB (one stick)"
    return [*notes, Finding("NOTE", reason, "low")]


def parameter_bytes_of(model, data):
    """Bytes of all constants that tensors use, each buffer counted once."""
    used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors or []}
    constants = [buffer_bytes(model.buffers[number], data) for number in used]
    return sum(len(constant) for constant in constants if constant is not None)


def table_rows(ops):
    """One row a kind of operation (name, version, verdict), the worst verdict first."""
    kinds = {}
    for op in ops:
        kinds.setdefault((op.name, op.version, op.verdict), []).append(op)
    rows = [table_row(*kind, members) for kind, members in kinds.items()]
    return sorted(rows, key=lambda row: VERDICTS.index(row["verdict"]))


def table_row(name, version, verdict, ops):
    """The row of one kind of operation, all its distinct reasons in it."""
    outputs = [largest_output(op) for op in ops if op.outputs]
    largest = max(outputs, key=lambda tensor: tensor.bytes, default=None)
    findings = dict.fromkeys(finding for op in ops for finding in op.findings)
    return {
        "name": name,
        "version": version,
        "count": len(ops),
        "largest_output": list(largest.shape) if largest else [],
        "largest_output_bytes": largest.bytes if largest else 0,
        "verdict": verdict,
        "reasons": as_dicts(sorted(findings, key=lambda found: VERDICTS.index(found.verdict))),
        "first_output": outputs[0].name if outputs else "",
        "program_bytes": sum(op.program_bytes for op in ops if op.name == COMPILED_OP),
    }


def as_dicts(findings):
    """Returns findings as dicts that JSON can hold."""
    return [finding._asdict() for finding in findings]


def verdict_sentence(verdict, ops, findings, is_compiled, is_repairable):
    """The file's verdict as one sentence."""
    if not ops:
        return "there are no operations in this file."
    if verdict == "REFUSED":
        names = ", ".join(dict.fromkeys(op.name for op in ops if op.verdict == "REFUSED"))
        found = [finding for op in ops for finding in op.findings] + findings
        reasons = [finding.reason for finding in found if finding.verdict == "REFUSED"]
        repair = " It can be repaired by make_compilable." if is_repairable else ""
        return f"the compiler rejects this file: {names or 'as a whole'} ({reasons[0]}).{repair}"
    if verdict == "CPU":
        left = [op for op in ops if op.verdict == "CPU"]
        names = ", ".join(dict.fromkeys(op.name for op in left))
        hint = " Tolerable: conversions from and to float." if all(map(is_tolerable, left)) else ""
        state = "compiled; " if is_compiled else ""
        count = f"{len(left)} of {len(ops)} operations"
        return f"{state}{count} stay on the processor: {names}.{hint}"
    if is_compiled:
        return "compiled; no operation is left on the processor."
    if verdict == "RISK":
        count = sum(op.verdict == "RISK" for op in ops)
        return f"no known obstacle, but {count} of {len(ops)} operations exceed what was mapped."
    return "no known obstacle; the decision is the compiler's."


def check_model(model):
    """Checks a .tflite file for the Edge TPU.

    model: path of the file, or its bytes.
    Returns a dictionary for json.dump: "verdict" (REFUSED, CPU, RISK or OK), "exit_code",
    "sentence", "repairable" (make_compilable lifts the refusal), "compiled", "rows" (a dictionary a
    kind of operation), "findings" (on the whole file), "operations", "operations_on_processor",
    "inputs", "outputs", "parameter_bytes", "on_chip_bytes_estimate" and "streamed_bytes_estimate"
    (both None for a compiled file).
    Raises FileNotFoundError, or ValueError when the file is empty, truncated or no .tflite.
    """
    data = read_bytes(model)
    with damage_as_value_error():
        flat = read_model(data)
        graphs = [view_graph(graph, flat, data) for graph in flat.subgraphs]
        parameter_bytes = parameter_bytes_of(flat, data)
    ops = [op for graph in graphs for op in graph.ops]
    is_compiled = any(op.name == COMPILED_OP for op in ops)
    for graph in graphs:
        (judge_compiled_graph if is_compiled else judge_graph)(graph)
    findings = [] if is_compiled else judge_file(flat, graphs)
    verdict = file_verdict(ops, findings)
    is_repairable = verdict == "REFUSED" and is_repaired_by_make_compilable(data)
    on_chip = None if is_compiled else min(parameter_bytes, ON_CHIP_PARAMETER_BYTES)
    return {
        "file": None if isinstance(model, (bytes, bytearray, memoryview)) else str(model),
        "verdict": verdict,
        "exit_code": EXIT_CODES[verdict],
        "sentence": verdict_sentence(verdict, ops, findings, is_compiled, is_repairable),
        "repairable": is_repairable,
        "compiled": is_compiled,
        "rows": table_rows(ops),
        "findings": as_dicts(findings + size_notes(parameter_bytes, graphs[0].outputs)),
        "operations": len(ops),
        "operations_on_processor": sum(op.verdict == "CPU" for op in ops),
        "inputs": [describe(tensor) for tensor in graphs[0].inputs],
        "outputs": [describe(tensor) for tensor in graphs[0].outputs],
        "parameter_bytes": parameter_bytes,
        "on_chip_bytes_estimate": on_chip,
        "streamed_bytes_estimate": None if is_compiled else parameter_bytes - on_chip,
    }


def file_verdict(ops, findings):
    """The worst verdict of operations and file; a NOTE leaves a file OK."""
    verdicts = {found.verdict for found in findings} | {op.verdict for op in ops}
    return min(verdicts - {"NOTE"}, key=VERDICTS.index, default="OK")


def is_repaired_by_make_compilable(data):
    """Whether make_compilable turns a refused file into one that is not; found by doing it."""
    if len(data) >= 2**31:  # flatbuffers' limit for writing
        return False
    repaired = make_compilable(data)
    return repaired != data and check_model(repaired)["verdict"] != "REFUSED"


def describe(tensor):
    """Returns a tensor's name, shape and dtype as a dict that JSON can hold."""
    return {"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype}


def format_report(report):
    """The report of check_model as text: the table, the file's verdict and its bytes."""
    columns = "{:<24}{:>7}{:>7}  {:<18}{:<9}"
    head = columns.format("operation", "version", "count", "largest output", "verdict") + "reason"
    lines = [head, "-" * len(head)]
    for row in report["rows"]:
        size = "x".join(map(str, row["largest_output"]))
        left = columns.format(row["name"], row["version"], row["count"], size, row["verdict"])
        reasons = "; ".join(f"{why['reason']} [{why['confidence']}]" for why in row["reasons"])
        lines += textwrap.wrap(reasons, len(left) + REASON_WIDTH, initial_indent=left,
                               subsequent_indent=" " * len(left))
    lines += ["", f"{report['verdict']}: {report['sentence']}"]
    lines += [f"{why['verdict']}: {why['reason']} [{why['confidence']}]"
              for why in report["findings"]]
    lines += [f"Parameters: {report['parameter_bytes']:,} bytes.{memory_text(report)}",
              "In brackets: how sure each reason is."]
    return "\n".join(lines)


def memory_text(report):
    """Where the parameters lie: the estimate, or the size of the compiled program."""
    if report["compiled"]:
        program = sum(row["program_bytes"] for row in report["rows"])
        return f" Compiled programs, parameters included: {program:,} bytes."
    on_chip, streamed = report["on_chip_bytes_estimate"], report["streamed_bytes_estimate"]
    return f" Estimate: {on_chip:,} stay on the chip, {streamed:,} are streamed at every image."


# --------------------------------------------------------------------------------------------------
# Repairing: TRANSPOSE_CONV version 4 back to what TF 2.5 knows
# --------------------------------------------------------------------------------------------------


def fused_name(op):
    """Name of the activation fused into an operation ("NONE", "RELU", ...)."""
    return enum_names("ActivationFunctionType").get(op.option("fusedActivationFunction", 0), "?")


def can_unfuse(op):
    """Whether make_compilable can lower an operation: an int8 TRANSPOSE_CONV above version 3."""
    if op.name != "TRANSPOSE_CONV" or op.version <= TF25_MAX_VERSION[op.name]:
        return False
    output = op.outputs[0]
    is_known = fused_name(op) == "NONE" or fused_name(op) in CLAMPS
    return is_known and output.dtype == "INT8" and output.scale is not None and output.scale > 0


def quantised(value, scale, zero_point):
    """A real value in quantised units, rounded as TFLite does: float32, halves away from zero."""
    steps = float(np.float32(value) / np.float32(scale))
    return zero_point + int(math.copysign(math.floor(abs(steps) + 0.5), steps))


def clamp_is_whole_range(op):
    """Whether an operation's fused activation lets every int8 value through.

    RELU does with a zero point of -128; RELU6 if, besides, 6 lies at or above 127
    (CalculateActivationRangeQuantized in tensorflow/lite/kernels/kernel_util.cc).
    """
    lowest, highest = CLAMPS.get(fused_name(op), (None, None))
    scale, zero_point = op.outputs[0].scale, op.outputs[0].zero_point
    is_open_below = lowest is None or quantised(lowest, scale, zero_point) <= -128
    is_open_above = highest is None or quantised(highest, scale, zero_point) >= 127
    return is_open_below and is_open_above


def make_compilable(data):
    """Lowers every int8 TRANSPOSE_CONV version 4 to what TF 2.5, and so the compiler, knows.

    A fused activation whose clamp is the whole int8 range is taken out; any other becomes an
    operation of its own behind the transposed convolution, on a tensor of the same quantisation, as
    TF 2.5's converter wrote it. Outputs stay the same bit for bit with TFLite's reference kernels.
    Operator codes that nothing uses are dropped, constants behind the flatbuffer are taken in.

    data: bytes of a .tflite file, or its path. Returns the new bytes; the same where nothing is to
    be done. Raises ValueError when the file is damaged or no .tflite.
    """
    data = read_bytes(data)
    with damage_as_value_error():
        model = read_model(data)
        views = [view_graph(graph, model, data) for graph in model.subgraphs]
        lowered = [unfuse_graph(graph, view, model) for graph, view in zip(model.subgraphs, views)]
        taken_in = [take_in(buffer, data) for buffer in model.buffers]
        dropped = drop_unused_codes(model)
        return pack_model(model) if any(lowered) or any(taken_in) or dropped else data


def unfuse_graph(graph, view, model):
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
    before.name = text(before.name) + "/before_activation"
    before.buffer = 0  # TFLite's empty buffer
    activation = load_schema().OperatorT()
    activation.opcodeIndex = code_index(model, name, CLAMP_OP_VERSION[name])
    activation.inputs, activation.outputs = [len(graph.tensors)], numbers(operator.outputs)
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


def take_in(buffer, data):
    """Moves a constant from behind the flatbuffer into its buffer; returns whether it lay there."""
    if not lies_outside(buffer):
        return False
    buffer.data, buffer.offset, buffer.size = buffer_bytes(buffer, data), 0, 0
    return True


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


# --------------------------------------------------------------------------------------------------


def main(arguments=None):
    """Checks the named file or MODEL_PATH, prints and writes the report; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    path = Path(arguments[0] if arguments else MODEL_PATH)
    try:
        report = check_model(path)
    except (OSError, ValueError, ModuleNotFoundError) as error:
        print(error)
        return 1
    print(f"{path}\n\n{format_report(report)}")
    report_path = path.with_name(REPORT_NAME)
    report_path.write_text(json.dumps(report, indent=2) + "\n")
    print(f"Written to {report_path}.")
    return report["exit_code"]


if __name__ == "__main__":
    sys.exit(main())
