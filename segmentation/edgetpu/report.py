"""Checks a .tflite by the rules, and prints what was found."""

import textwrap

from segmentation.edgetpu.estimate import (
    CACHE_BYTES,
    CHANNELS_AT_ONCE,
    count_macs,
    estimate_time,
    format_estimate,
)
from segmentation.edgetpu.evidence import COMPILED_OP, EIGHT_BIT, TF25_MAX_VERSION, VERDICTS
from segmentation.edgetpu.kinds import is_tolerable
from segmentation.edgetpu.repair import unfuse_activations
from segmentation.edgetpu.rules import judge_compiled_graph, judge_graph
from segmentation.edgetpu.sizes import largest_output
from segmentation.edgetpu.tflite_file import Finding, buffer_bytes, op_name, open_file

WIDTH = 100  # columns of the printed report
EXIT_CODES = {"REFUSED": 1, "CPU": 2, "RISK": 0, "OK": 0}


def judge_file(model, graphs):
    """Returns the findings that belong to the file and to no single operation of it."""
    findings = []
    used = {op.opcodeIndex for graph in model.subgraphs for op in graph.operators or []}
    for number, code in enumerate(model.operatorCodes or []):
        name, is_custom = op_name(code)
        is_known = is_custom or code.version <= TF25_MAX_VERSION.get(name, 0)
        if number not in used and not is_known:
            reason = f"lists {name} version {code.version}, unknown to TF 2.5 (nothing uses it)"
            findings.append(Finding("REFUSED", reason, "TF 2.5.3"))
    ops = [op for graph in graphs for op in graph.ops]
    activation_types = {tensor.dtype for op in ops for tensor in op.activations}
    if activation_types and not activation_types & set(EIGHT_BIT):
        reason = "model not quantized: nothing in it is int8 or uint8"
        findings.append(Finding("REFUSED", reason, "edgetpu#168"))
    return findings


def count_parameter_bytes(model):
    """Returns the bytes of all constants that tensors use, each buffer counted once."""
    used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors or []}
    constants = [buffer_bytes(model.buffers[number]) for number in used]
    return sum(len(constant) for constant in constants if constant is not None)


def table_rows(ops):
    """Returns one row a kind of operation (name, version, verdict), the worst verdict first."""
    kinds = {}
    for op in ops:
        kinds.setdefault((op.name, op.version, op.verdict), []).append(op)
    rows = [table_row(*kind, members) for kind, members in kinds.items()]
    return sorted(rows, key=lambda row: VERDICTS.index(row["verdict"]))


def table_row(name, version, verdict, ops):
    """Returns the row of one kind of operation, all its distinct findings in it."""
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
    """Returns the file's verdict as one sentence."""
    if not ops:
        return "there are no operations in this file."
    if verdict == "REFUSED":
        names = ", ".join(dict.fromkeys(op.name for op in ops if op.verdict == "REFUSED"))
        found = [finding for op in ops for finding in op.findings] + findings
        reasons = [finding.reason for finding in found if finding.verdict == "REFUSED"]
        repair = " It can be repaired by unfuse_activations." if is_repairable else ""
        return f"the compiler rejects this file: {names or 'as a whole'} ({reasons[0]}).{repair}"
    at_risk = sum(op.verdict == "RISK" for op in ops)
    if verdict == "CPU":
        left = [op for op in ops if op.verdict == "CPU"]
        names = ", ".join(dict.fromkeys(op.name for op in left))
        hint = " Tolerable: conversions from and to float." if all(map(is_tolerable, left)) else ""
        state = "compiled; " if is_compiled else ""
        more = f"; {at_risk} more may too" if at_risk else ""
        return f"{state}{len(left)} of {len(ops)} operations stay on the CPU: {names}{more}.{hint}"
    if is_compiled:
        return "compiled; no operation is left on the CPU."
    if verdict == "RISK":
        return f"no known obstacle, but {at_risk} of {len(ops)} operations may stay on the CPU."
    return "no known obstacle; the decision is the compiler's."


def check_model(model):
    """Checks a .tflite file for the Edge TPU.

    Args: model, path of the file, or its bytes.
    Returns: dict that JSON can hold: verdict (REFUSED, CPU, RISK or OK), exit_code, sentence,
        repairable (unfuse_activations lifts the refusal), compiled, rows (a dict a kind of
        operation), findings (on the whole file), operations, operations_on_cpu, inputs, outputs,
        parameter_bytes, macs; and, None for a compiled file, on_chip_bytes_estimate,
        streamed_bytes_estimate and time_estimate (see estimate.estimate_time).
    Raises: InputError where there is no such file, or it is empty, damaged or no .tflite.
    """
    data, flat, graphs = open_file(model)
    parameter_bytes = count_parameter_bytes(flat)
    ops = [op for graph in graphs for op in graph.ops]
    is_compiled = any(op.name == COMPILED_OP for op in ops)
    for graph in graphs:
        (judge_compiled_graph if is_compiled else judge_graph)(graph)
    findings = [] if is_compiled else judge_file(flat, graphs)
    verdict = file_verdict(ops, findings)
    is_repairable = verdict == "REFUSED" and is_repaired_by_unfusing(data)
    sizes = {"file_bytes": len(data), "padded_macs": count_macs(ops, CHANNELS_AT_ONCE),
             "input_bytes": sum(tensor.bytes for tensor in graphs[0].inputs),
             "output_bytes": sum(tensor.bytes for tensor in graphs[0].outputs),
             "operations": len(ops)}
    on_chip = None if is_compiled else min(parameter_bytes, CACHE_BYTES)
    return {
        "file": None if isinstance(model, (bytes, bytearray, memoryview)) else str(model),
        "verdict": verdict,
        "exit_code": EXIT_CODES[verdict],
        "sentence": verdict_sentence(verdict, ops, findings, is_compiled, is_repairable),
        "repairable": is_repairable,
        "compiled": is_compiled,
        "rows": table_rows(ops),
        "findings": as_dicts(findings),
        "operations": len(ops),
        "operations_on_cpu": sum(op.verdict == "CPU" for op in ops),
        "inputs": [describe(tensor) for tensor in graphs[0].inputs],
        "outputs": [describe(tensor) for tensor in graphs[0].outputs],
        "parameter_bytes": parameter_bytes,
        "macs": count_macs(ops),
        "on_chip_bytes_estimate": on_chip,
        "streamed_bytes_estimate": None if is_compiled else parameter_bytes - on_chip,
        "time_estimate": None if is_compiled else estimate_time(sizes),
    }


def file_verdict(ops, findings):
    """Returns the worst verdict of operations and file; a NOTE leaves a file OK."""
    verdicts = {found.verdict for found in findings} | {op.verdict for op in ops}
    return min(verdicts - {"NOTE"}, key=VERDICTS.index, default="OK")


def is_repaired_by_unfusing(data):
    """Returns whether unfuse_activations turns a refused file into one that is not; does it."""
    repaired = unfuse_activations(data)
    return repaired != data and check_model(repaired)["verdict"] != "REFUSED"


def describe(tensor):
    """Returns a tensor's name, shape and dtype as a dict that JSON can hold."""
    return {"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype}


def format_report(report):
    """Returns check_model's report as text: what is not OK with its remedy, the rest in a line.

    In brackets stands the source of each finding, a key of evidence.json.
    """
    lines = wrap(f"{report['verdict']}: {report['sentence']}")
    groups = {}
    for row in report["rows"]:
        found = tuple(tuple(why.values()) for why in row["reasons"])
        if row["verdict"] not in ("OK", "NOTE") or row["name"] == COMPILED_OP:
            groups.setdefault(found, []).append(row)
    for rows in groups.values():
        lines += format_group(rows)
    lines += [f"{why['verdict']}: {why['reason']} [{why['source']}]" for why in report["findings"]]
    for verdict, title in (("NOTE", "No known limit, but larger than any seen mapped"),
                           ("OK", "OK, seen mapped at their size or on coral.ai's list")):
        rows = [row for row in report["rows"]
                if row["verdict"] == verdict and row["name"] != COMPILED_OP]
        kinds = ", ".join(f"{row['count']} {row['name']}" for row in rows)
        sources = ", ".join(dict.fromkeys(why["source"] for row in rows for why in row["reasons"]))
        lines += wrap(f"{title}: {kinds} [{sources}]") if rows else []
    lines += wrap(memory_text(report))
    if report["verdict"] in ("RISK", "OK") and report["time_estimate"]:
        lines.append(format_estimate(report["time_estimate"]))
    return "\n".join(lines)


def format_group(rows):
    """Returns the lines of kinds of operations with the same findings: why, and what to change."""
    heads = [f"{row['count']} {row['name']} version {row['version']}" for row in rows]
    if len(rows) == 1 and rows[0]["largest_output"]:
        size = rows[0]["largest_output"]
        heads[0] += f", output up to {'x'.join(map(str, size[1:] or size))}"
    lines = wrap(", ".join(heads), 2)
    reasons = (f"{why['verdict']}: {why['reason']} [{why['source']}]" for why in rows[0]["reasons"])
    for reason in dict.fromkeys(reasons):
        lines += wrap(reason, 6)
    for remedy in dict.fromkeys(why["remedy"] for why in rows[0]["reasons"] if why["remedy"]):
        lines += wrap(f"-> {remedy}", 6)
    return lines


def wrap(text, indent=0):
    """Returns a paragraph as lines of at most WIDTH columns, the first indented by 2 less."""
    return textwrap.wrap(text, WIDTH, initial_indent=" " * indent,
                         subsequent_indent=" " * (indent + 2))


def memory_text(report):
    """Returns where the parameters lie: the estimate, or the size of the compiled program."""
    if report["compiled"]:
        program = sum(row["program_bytes"] for row in report["rows"])
        return f"Compiled programs, parameters included: {program:,} bytes."
    parameters, streamed = report["parameter_bytes"], report["streamed_bytes_estimate"]
    if not streamed:
        return f"Parameters: {parameters:,} bytes, all of which should stay on the chip."
    return (f"Parameters: {parameters:,} bytes, of which about {streamed:,} are streamed at every "
            f"image: slower (up to 5.85 MB were seen to stay on the chip).")
