"""Reads a .tflite with TensorFlow's flatbuffer classes: its graphs, operations and tensors."""

import contextlib
import functools
import importlib.util
import math
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from device.errors import InputError
from segmentation.edgetpu.evidence import CORAL_OPS, VERDICTS

MAX_TABLES = 100_000  # tensors, operations, ... of a file: more means that a count is damaged
NUMPY_TYPES = {
    "FLOAT32": np.float32, "FLOAT16": np.float16, "FLOAT64": np.float64, "BOOL": np.bool_,
    "INT8": np.int8, "UINT8": np.uint8, "INT16": np.int16, "UINT16": np.uint16,
    "INT32": np.int32, "UINT32": np.uint32, "INT64": np.int64, "UINT64": np.uint64}


@dataclass
class Tensor:
    """One tensor; scale and zero point None unless quantized as a whole, values unless constant."""

    name: str
    shape: tuple
    has_unknown_size: bool  # its shape holds -1
    free_dimensions: list  # positions that its signature leaves open (-1)
    is_state: bool  # kept from one run to the next, as an LSTM's
    dtype: str  # "INT8"
    scale: float | None
    zero_point: int | None
    values: np.ndarray | None

    @property
    def is_constant(self):
        """Whether its values stand in the file, or it has none."""
        return self.values is not None or 0 in self.shape

    @property
    def bytes(self):
        """Its size in bytes."""
        return math.prod(self.shape) * np.dtype(NUMPY_TYPES.get(self.dtype, np.int8)).itemsize


class Finding(NamedTuple):
    """What a rule says of an operation or of the file; source is a key of evidence.json."""

    verdict: str
    reason: str
    source: str
    remedy: str = ""


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
    """Returns TensorFlow's flatbuffer classes, without the 4 seconds of importing the rest."""
    name = "tensorflow.lite.python.schema_py_generated"
    if name in sys.modules:
        return sys.modules[name]
    package = importlib.util.find_spec("tensorflow")
    if package is None:
        raise InputError("TensorFlow is missing: its classes read .tflite files.")
    path = Path(package.submodule_search_locations[0], "lite", "python", "schema_py_generated.py")
    spec = importlib.util.spec_from_file_location("tflite_schema", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def enum_names(enum):
    """Returns number -> name of an enumeration of the schema ("BuiltinOperator", ...)."""
    members = vars(getattr(load_schema(), enum))
    return {value: name for name, value in members.items() if isinstance(value, int)}


def read_bytes(model):
    """Returns the bytes of a .tflite, from a path or from bytes.

    Raises: InputError where there is no such file, or it is empty or no .tflite.
    """
    if isinstance(model, (bytes, bytearray, memoryview)):
        data, name = bytes(model), "the model"
    else:
        data = Path(model).read_bytes() if Path(model).is_file() else None
        name = str(model)
    if data is None:
        raise InputError(f"{name}: there is no such file.")
    if not data:
        raise InputError(f"{name} is empty: convert the model again.")
    if data[4:8] != b"TFL3":
        raise InputError(f"{name} is not a .tflite file: it has {data[4:8]!r} in place of b'TFL3'.")
    return data


@contextlib.contextmanager
def damage_as_input_error():
    """Turns whatever a damaged flatbuffer makes the readers raise into one InputError."""
    errors = (struct.error, LookupError, ValueError, TypeError, AttributeError, OverflowError,
              MemoryError)
    try:
        yield
    except InputError:
        raise
    except errors as error:
        raise InputError(f"The .tflite file is truncated or damaged ({error}): convert the model "
                         f"again.") from error


def read_model(data):
    """Returns the file as ModelT; a damaged count of parts is found before it takes minutes."""
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
    if any(buffer.offset > 1 for buffer in model.buffers):
        raise InputError("The constants of this .tflite stand behind the model, where the Edge "
                         "TPU's compiler does not look (ai-edge-quantizer writes them so): write "
                         "the file again with its constants inside.")
    return model


def entry(items, number):
    """Returns items[number]; unlike in a list, a negative number is an error."""
    if not 0 <= number < len(items):
        raise ValueError(f"number {number} of {len(items)}")
    return items[number]


def to_ints(vector):
    """Returns a vector of the flatbuffer as a list of ints; absent: an empty one."""
    return [] if vector is None else [int(value) for value in vector]


def to_text(value):
    """Returns a string of the flatbuffer, which holds bytes; absent: an empty one."""
    return value if isinstance(value, str) else (value or b"").decode("utf-8", errors="replace")


def buffer_bytes(buffer):
    """Returns a buffer's bytes as a uint8 array; None for that of an activation."""
    if buffer.data is None or not len(buffer.data):
        return None
    return np.asarray(buffer.data, np.uint8)


def view_tensor(tensor, model):
    """Returns TensorT as a Tensor.

    Raises: ValueError where a constant's bytes don't fill its shape.
    """
    dims = to_ints(tensor.shape)
    shape = tuple(1 if dim < 0 else dim for dim in dims)
    dtype = enum_names("TensorType").get(tensor.type, f"TYPE_{tensor.type}")
    buffer = entry(model.buffers, tensor.buffer)
    values = buffer_bytes(buffer)
    if values is not None and dtype in NUMPY_TYPES and tensor.sparsity is None:
        values = values.view(NUMPY_TYPES[dtype]).reshape(shape)
    quantization = tensor.quantization
    scales = [] if quantization is None or quantization.scale is None else quantization.scale
    zero_points = to_ints(None if quantization is None else quantization.zeroPoint) or [0]
    return Tensor(
        name=to_text(tensor.name),
        shape=shape,
        has_unknown_size=min(dims, default=0) < 0,
        free_dimensions=[place for place, dim in enumerate(to_ints(tensor.shapeSignature))
                         if dim < 0],
        is_state=bool(tensor.isVariable),
        dtype=dtype,
        scale=float(scales[0]) if len(scales) == 1 else None,
        zero_point=zero_points[0] if len(scales) == 1 else None,
        values=values,
    )


def op_name(code):
    """Returns an OperatorCodeT's (name, whether it is custom).

    Old files have the deprecated number only, newer ones both; the larger one counts.
    """
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = enum_names("BuiltinOperator").get(number, f"BUILTIN_{number}")
    if name == "CUSTOM":
        return to_text(code.customCode) or name, True
    return name, False


def view_op(operator, tensors, graph, model):
    """Returns an OperatorT as an Op, without findings."""
    code = entry(model.operatorCodes, operator.opcodeIndex)
    name, is_custom = op_name(code)
    input_numbers, output_numbers = to_ints(operator.inputs), to_ints(operator.outputs)
    inputs = [None if number == -1 else entry(tensors, number) for number in input_numbers]
    computed = {number for number, tensor in zip(input_numbers, inputs)
                if tensor is not None and not tensor.is_constant}
    outputs = [entry(tensors, number) for number in output_numbers]
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
        program_bytes=program,
        reads_model_input=bool(computed) and computed <= set(to_ints(graph.inputs)),
        writes_model_output=bool(set(output_numbers) & set(to_ints(graph.outputs))),
    )


@dataclass
class Graph:
    """One subgraph: its operations in the order in which they run, its inputs and outputs."""

    ops: list
    inputs: list
    outputs: list


def view_graph(graph, model):
    """Returns a SubGraphT as a Graph."""
    tensors = [view_tensor(tensor, model) for tensor in graph.tensors or []]
    return Graph(
        ops=[view_op(operator, tensors, graph, model) for operator in graph.operators or []],
        inputs=[entry(tensors, number) for number in to_ints(graph.inputs)],
        outputs=[entry(tensors, number) for number in to_ints(graph.outputs)],
    )


def open_file(model):
    """Reads a .tflite, from a path or from bytes.

    Returns: its bytes, its ModelT, and a Graph for each subgraph.
    Raises: InputError where there is no such file, or it is empty, damaged or no .tflite.
    """
    data = read_bytes(model)
    with damage_as_input_error():
        flat = read_model(data)
        return data, flat, [view_graph(graph, flat) for graph in flat.subgraphs]


def fused_name(op):
    """Returns the name of the activation fused into an operation ("NONE", "RELU", ...)."""
    return enum_names("ActivationFunctionType").get(op.option("fusedActivationFunction", 0), "?")
