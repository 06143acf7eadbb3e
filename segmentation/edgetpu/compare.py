"""Holds a .tflite against its compiled file: what the compiler mapped, and what that teaches.

    python -m segmentation.edgetpu model.tflite model_edgetpu.tflite
"""

import json

from segmentation.edgetpu.evidence import COMPILED_OP, find_mapped
from segmentation.edgetpu.rules import judge_graph
from segmentation.edgetpu.sizes import fits, largest_output
from segmentation.edgetpu.tflite_file import open_file


def compare(model, compiled):
    """Judges the operations of a .tflite and finds them again in its compiled file.

    Args: model, compiled: paths or bytes.
    Returns: list of (Op with its findings, whether the compiler left it on the CPU). An operation
        is left where one outside the compiled operation makes a tensor of the same name.
    Raises: InputError where one of the files is damaged or no .tflite.
    """
    ops, compiled_ops = (open_ops(data) for data in (model, compiled))
    left = {tensor.name for op in compiled_ops if op.name != COMPILED_OP for tensor in op.outputs}
    return [(op, any(tensor.name in left for tensor in op.outputs)) for op in ops]


def open_ops(model):
    """Returns all operations of a .tflite, with their findings."""
    _, _, graphs = open_file(model)
    for graph in graphs:
        judge_graph(graph)
    return [op for graph in graphs for op in graph.ops]


def find_news(compared, source):
    """Returns the rows that evidence.json does not have yet.

    Args: compared, what compare returned; source, a key to be added to "sources".
    Returns: dict mapped, left: rows of operations larger than all seen mapped, and of those left on
        the CPU though the rules called them OK.
    """
    mapped, left = {}, []
    for op, is_left in compared:
        row = describe_op(op, source)
        if is_left and op.verdict in ("OK", "NOTE"):
            left.append({**row, "words": "outside the compiled operation"})
        elif not is_left and not any(fits(op, seen) for seen in find_mapped(op.name)):
            largest = mapped.get(op.name)
            if largest is None or largest_output(op).bytes > largest[0]:
                mapped[op.name] = largest_output(op).bytes, row
    return {"mapped": [row for _, row in mapped.values()], "left": left}


def describe_op(op, source):
    """Returns an operation as a row of evidence.json."""
    return {"operation": op.name, "version": op.version,
            "input": list(op.inputs[0].shape) if op.inputs and op.inputs[0] else None,
            "output": list(largest_output(op).shape), "source": source}


def format_comparison(compared, source):
    """Returns the comparison as text: how often the check was right, and the rows to add."""
    left = [op for op, is_left in compared if is_left]
    false_ok = sum(op.verdict in ("OK", "NOTE") for op in left)
    false_alarm = sum(op.verdict in ("CPU", "REFUSED") for op, is_left in compared if not is_left)
    lines = [f"{len(left)} of {len(compared)} operations were left on the CPU; the check called "
             f"{false_ok} of them OK, and {false_alarm} of those mapped CPU or REFUSED."]
    for name, rows in find_news(compared, source).items():
        if rows:
            lines.append(f'New for "{name}" in segmentation/edgetpu/evidence.json:')
            lines += ["  " + json.dumps(row) for row in rows]
    return "\n".join(lines)
