"""Checks that every part of a .tflite lies inside the file, before a runtime opens it."""

import math
import struct
from typing import NamedTuple

# Which fields of a .tflite's tables lead to other parts, by their numbers in TensorFlow's schema
# (tensorflow/compiler/mlir/lite/schema/schema.fbs): to a table, to a [list of tables], to a list
# of numbers of so many bytes each, to text. None: the field must not be there, because no file for
# the Edge TPU has it (sparse tensors, constants outside of the tables, foreign operations).
FILE_PARTS = {
    "Model": {1: ["OperatorCode"], 2: ["SubGraph"], 3: "text", 4: ["Buffer"], 5: 4,
              6: ["Metadata"], 7: ["SignatureDef"], 8: None, 9: None},
    "OperatorCode": {1: "text"},
    "SubGraph": {0: ["Tensor"], 1: 4, 2: 4, 3: ["Operator"], 4: "text"},
    "Tensor": {0: 4, 3: "text", 4: "Quantization", 6: None, 7: 4, 9: None, 10: None},
    "Quantization": {0: 4, 1: 4, 2: 4, 3: 8, 5: None},
    "Operator": {1: 4, 2: 4, 4: "Options", 5: 1, 7: 1, 8: 4, 9: None, 12: None},
    "Options": {},
    "ShapeOptions": {0: 4},  # of RESHAPE and SQUEEZE, the two that hold a vector
    "Buffer": {0: 1, 1: None},
    "Metadata": {0: "text"},
    "SignatureDef": {0: ["TensorMap"], 1: ["TensorMap"], 2: "text"},
    "TensorMap": {0: "text"},
}
SHAPE_OPTIONS = (17, 30)  # the schema's numbers of ReshapeOptions and SqueezeOptions
MAX_ELEMENTS = 2**28  # of a tensor; with more its shape is damaged
MAX_PARTS = 100_000  # tables in a file; with more a count is damaged


def check_file(data):
    """Follows every reference in a .tflite and checks that it stays inside the file.

    The runtimes don't check that: a truncated file ends Python with a segmentation fault.
    Args: data, the file's bytes. Raises: ValueError where it is damaged or no .tflite.
    """
    if data[4:8] != b"TFL3":
        raise ValueError("it is empty." if not data else "it is no .tflite file.")
    waiting, count = [("Model", _read_number(data, "I", 0))], 0
    while waiting:
        name, start = waiting.pop()
        count += 1
        if count > MAX_PARTS:
            raise ValueError("it is damaged: too many parts.")
        fields = _list_fields(data, start)
        for field, kind in FILE_PARTS[name].items():
            place = fields[field] if field < len(fields) else None
            if place is not None:
                waiting += _check_field(data, place, kind)
        if name == "Tensor" and fields and fields[0]:
            _check_shape(data, fields[0])
        if (name == "Operator" and len(fields) > 4 and fields[3] and fields[4]
                and _read_number(data, "B", fields[3]) in SHAPE_OPTIONS):
            waiting += _check_field(data, fields[4], "ShapeOptions")


def _check_shape(data, place):
    """Checks a tensor's shape: a damaged one makes the runtime fill the memory or run for hours."""
    start = place + _read_number(data, "I", place)
    sides = struct.unpack_from(f"<{_read_number(data, 'I', start)}i", data, start + 4)
    if math.prod(abs(side) for side in sides) > MAX_ELEMENTS:
        raise ValueError(f"it is damaged: a tensor of the shape {sides[:8]}.")


def _check_inside(data, place, size):
    if not 0 <= place <= len(data) - size:
        raise ValueError(f"it is truncated or damaged: bytes {place} to {place + size} of its "
                         f"{len(data)}.")


def _read_number(data, kind, place):
    """Reads a little-endian number of one of struct's kinds."""
    _check_inside(data, place, struct.calcsize(f"<{kind}"))
    return struct.unpack_from(f"<{kind}", data, place)[0]


def _list_fields(data, start):
    """Returns where the fields of the table at start lie, None for those it leaves out."""
    vtable = start - _read_number(data, "i", start)
    size, length = _read_number(data, "H", vtable), _read_number(data, "H", vtable + 2)
    _check_inside(data, start, length)
    offsets = [_read_number(data, "H", place) for place in range(vtable + 4, vtable + size, 2)]
    if size < 4 or size % 2 or length < 4 or any(0 < offset < 4 or offset >= length
                                                 for offset in offsets):
        raise ValueError(f"it is damaged: the table at byte {start}.")
    return [start + offset if offset else None for offset in offsets]


def _check_field(data, place, kind):
    """Checks what the field at a place leads to; returns the (name, start) of tables behind it."""
    if kind is None:
        raise ValueError("it uses a part of the format that no model for the Edge TPU has.")
    start = place + _read_number(data, "I", place)
    if isinstance(kind, str) and kind != "text":
        return [(kind, start)]
    count = _read_number(data, "I", start)
    size = 4 if isinstance(kind, list) else 1 if kind == "text" else kind
    _check_inside(data, start + 4, count * size)
    if kind == "text":
        data[start + 4:start + 4 + count].decode("utf-8")  # the runtimes do that later, unguarded
        if _read_number(data, "B", start + 4 + count):
            raise ValueError(f"it is damaged: the text at byte {start} has no end.")
    if not isinstance(kind, list):
        return []
    if count > MAX_PARTS:
        raise ValueError("it is damaged: too many parts.")
    places = range(start + 4, start + 4 + 4 * count, 4)
    return [(kind[0], place + _read_number(data, "I", place)) for place in places]


class End(NamedTuple):
    """An input or output of a model; dtype is the schema's number of a TensorType."""

    shape: tuple
    dtype: int
    scale: float
    zero_point: int


def read_ends(data):
    """Reads the inputs, then the outputs of a .tflite that check_file has passed.

    Args: data, the file's bytes. Returns: list of End; scale 0 where it is not quantized.
    Raises: ValueError where the file has no graph.
    """
    _, _, graphs = _list_fields(data, _read_number(data, "I", 0))[:3]
    if not graphs or not _read_vector(data, graphs, "I"):
        raise ValueError("it has no graph.")
    start = graphs + _read_number(data, "I", graphs) + 4
    tensors, inputs, outputs = _list_fields(data, start + _read_number(data, "I", start))[:3]
    start = tensors + _read_number(data, "I", tensors) + 4
    places = [start + 4 * index for field in (inputs, outputs)
              for index in _read_vector(data, field, "i")]
    return [_read_end(data, place + _read_number(data, "I", place)) for place in places]


def _read_end(data, start):
    shape, dtype, _, _, quantization = (_list_fields(data, start) + [None] * 5)[:5]
    fields = (_list_fields(data, quantization + _read_number(data, "I", quantization))
              if quantization else [])
    scales, zero_points = ((fields + [None] * 4)[index] for index in (2, 3))
    return End(_read_vector(data, shape, "i"), _read_number(data, "B", dtype) if dtype else 0,
               (*_read_vector(data, scales, "f"), 0.0)[0],
               (*_read_vector(data, zero_points, "q"), 0)[0])


def _read_vector(data, place, kind):
    """Returns the numbers of the vector to which the field at a place leads; () for no field."""
    if place is None:
        return ()
    start = place + _read_number(data, "I", place)
    return struct.unpack_from(f"<{_read_number(data, 'I', start)}{kind}", data, start + 4)
