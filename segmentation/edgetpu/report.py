"""Checks a .tflite by the rules, and prints what was found."""

import textwrap

from segmentation.edgetpu.evidence import (
    COMPILED_OP,
    EIGHT_BIT,
    ON_CHIP_PARAMETER_BYTES,
    TF25_MAX_VERSION,
    USB_MS_PER_MB_OUTPUT,
    VERDICTS,
)
from segmentation.edgetpu.repair import unfuse_activations
from segmentation.edgetpu.rules import (
    is_tolerable,
    judge_compiled_graph,
    judge_graph,
    largest_output,
)
from segmentation.edgetpu.tflite_file import (
    Finding,
    buffer_bytes,
    damage_as_input_error,
    op_name,
    read_bytes,
    read_model,
    view_graph,
)

REASON_WIDTH = 72  # columns for the reasons in the printed table
EXIT_CODES = {"REFUSED": 1, "CPU": 2, "RISK": 0, "OK": 0}


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
    ops = [op for graph in graphs for op in graph.ops]
    activation_types = {tensor.dtype for op in ops for tensor in op.activations}
    if activation_types and not activation_types & set(EIGHT_BIT):
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


def count_parameter_bytes(model):
    """Returns the bytes of all constants that tensors use, each buffer counted once."""
    used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors or []}
    constants = [buffer_bytes(model.buffers[number]) for number in used]
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
        repair = " It can be repaired by unfuse_activations." if is_repairable else ""
        return f"the compiler rejects this file: {names or 'as a whole'} ({reasons[0]}).{repair}"
    if verdict == "CPU":
        left = [op for op in ops if op.verdict == "CPU"]
        names = ", ".join(dict.fromkeys(op.name for op in left))
        hint = " Tolerable: conversions from and to float." if all(map(is_tolerable, left)) else ""
        state = "compiled; " if is_compiled else ""
        count = f"{len(left)} of {len(ops)} operations"
        return f"{state}{count} stay on the CPU: {names}.{hint}"
    if is_compiled:
        return "compiled; no operation is left on the CPU."
    if verdict == "RISK":
        count = sum(op.verdict == "RISK" for op in ops)
        return f"no known obstacle, but {count} of {len(ops)} operations exceed what was mapped."
    return "no known obstacle; the decision is the compiler's."


def check_model(model):
    """Checks a .tflite file for the Edge TPU.

    model: path of the file, or its bytes.
    Returns a dictionary for json.dump: "verdict" (REFUSED, CPU, RISK or OK), "exit_code",
    "sentence", "repairable" (unfuse_activations lifts the refusal), "compiled", "rows" (a dict
    a kind of operation), "findings" (on the whole file), "operations", "operations_on_cpu",
    "inputs", "outputs", "parameter_bytes", "on_chip_bytes_estimate" and "streamed_bytes_estimate"
    (both None for a compiled file).
    Raises: InputError where there is no such file, or it is empty, damaged or no .tflite.
    """
    data = read_bytes(model)
    with damage_as_input_error():
        flat = read_model(data)
        graphs = [view_graph(graph, flat) for graph in flat.subgraphs]
        parameter_bytes = count_parameter_bytes(flat)
    ops = [op for graph in graphs for op in graph.ops]
    is_compiled = any(op.name == COMPILED_OP for op in ops)
    for graph in graphs:
        (judge_compiled_graph if is_compiled else judge_graph)(graph)
    findings = [] if is_compiled else judge_file(flat, graphs)
    verdict = file_verdict(ops, findings)
    is_repairable = verdict == "REFUSED" and is_repaired_by_unfusing(data)
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
        "operations_on_cpu": sum(op.verdict == "CPU" for op in ops),
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


def is_repaired_by_unfusing(data):
    """Whether unfuse_activations turns a refused file into one that is not; found by doing it."""
    repaired = unfuse_activations(data)
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
