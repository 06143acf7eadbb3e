"""Runs Google's edgetpu_compiler on a .tflite, where it is installed, and reads its log back.

tflite_convert.py calls find_compiler, compile_model and format_compile_report, or prints
how_to_get_compiler. The compiler is closed and runs on Linux x86-64 only; its last version, 16.0,
is of 2021. The log's format and its messages are those of public logs of versions 14 to 16, most
of them in the issues of google-coral/edgetpu.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from device.model_files import name_compiled

COMPILER = "edgetpu_compiler"
TIME_LIMIT = 300  # seconds; the compiler itself gives up after 180
MAPPED = "Mapped to Edge TPU"
UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
SIZES = {  # key of the result -> the line of the log
    "input_size": "Input size",
    "output_size": "Output size",
    "on_chip_used": "On-chip memory used for caching model parameters",
    "on_chip_remaining": "On-chip memory remaining for caching model parameters",
    "off_chip_used": "Off-chip memory used for streaming uncached model parameters",
}
REASONS = (  # pattern in the log -> what it means; the first that fits, from particular to general
    (r"Didn't find op for builtin opcode '(\w+)' version '(\d+)'",
     "The compiler does not know {0} version {1}, which is newer than TensorFlow 2.5: "
     "python -m segmentation.edgetpu FILE tells which operations are too new and whether they can "
     "be repaired."),
    (r"unresolved custom op: ([\w-]+)",
     "The compiler does not know the operation {0}: is the model compiled already, or not ours?"),
    (r"dynamic-sized tensors",
     "A tensor's size is not fixed: the model needs a batch of 1 and shapes that are constants."),
    (r"large activation",
     "The maps between the layers are too large: make IMAGE_SIZE or DECODER_FILTERS in main.py "
     "smaller and train again."),
    (r"Model not quantized", "The model is not quantized: it has to be int8 throughout."),
    (r"could not be parsed|Invalid model",
     "The compiler can't read the file: is it a whole .tflite?"),
    (r"failed in Tflite interpreter",
     "The compiler's TensorFlow Lite, that of 2021, can't run the model."),
    (r"Internal compiler error",
     "The compiler stopped with an internal error and says no more: a second try, or a smaller "
     "IMAGE_SIZE in main.py, has helped others."),
)


def find_compiler():
    """Returns the path of edgetpu_compiler, or None where it is not on the PATH."""
    return shutil.which(COMPILER)


def how_to_get_compiler():
    """Returns the sentence that says where the compiler runs and how to get there."""
    return (f"{COMPILER} is not on the PATH: install it on Linux x86-64 "
            "(coral.ai/docs/edgetpu/compiler), or in a linux/amd64 container of Debian on any "
            "other machine, or give the model to the hosted notebook compile_for_edgetpu.ipynb "
            "(github.com/google-coral/tutorials), and put the *_edgetpu.tflite beside the model.")


def compile_model(path, time_limit=TIME_LIMIT):
    """Compiles model.tflite to model_edgetpu.tflite beside it, in place of an older one.

    Args: path of the .tflite; time_limit in seconds, after which the compiler is stopped.
    Returns: dict that JSON can hold: success, reason (a sentence where there is no success),
        edgetpu_path (or None), and what parse_log returns.
    """
    path, compiler = Path(path), find_compiler()
    result = {"success": False, "reason": how_to_get_compiler(), "edgetpu_path": None}
    if compiler is None:
        return {**result, **parse_log("")}
    target = name_compiled(path)
    target.unlink(missing_ok=True)  # it belongs to the model that was here before
    print(f"Compiling {path} for the Edge TPU, {time_limit} seconds at most", flush=True)
    # The folder is beside the model: a finished file is moved, a half-written one goes with it.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="compiling_") as folder:
        log, failure = run_compiler([compiler, "-s", "-o", folder, str(path)], time_limit)
        made, operations = Path(folder) / target.name, Path(folder) / f"{target.stem}.log"
        if failure is None and made.is_file() and "Model compiled successfully" in log:
            os.replace(made, target)
            result.update(success=True, reason="", edgetpu_path=str(target))
        else:
            result["reason"] = failure or find_reason(log)
        complete = operations.read_text(errors="replace") if operations.is_file() else ""
    # Some versions print the operations that are left only; all of them are in the log file.
    return {**result, **parse_log(log), "rows": parse_rows(complete) or parse_rows(log)}


def run_compiler(command, time_limit):
    """Runs the compiler, its child processes included, for so many seconds at most.

    Returns: what it printed, and None or a sentence that says why it did not come to its end.
    """
    with tempfile.TemporaryFile() as output:  # a pipe would wait for children that are left
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=subprocess.STDOUT, start_new_session=True)
        except OSError as error:
            return "", f"{COMPILER} can't be started here ({error}): it needs Linux x86-64."
        failure = None
        try:
            process.wait(time_limit)
        except subprocess.TimeoutExpired:
            failure = (f"The compiler was stopped after {time_limit} seconds: make IMAGE_SIZE in "
                       f"main.py smaller, or the time limit longer.")
        finally:
            if process.returncode is None:  # the time limit, or Ctrl-C
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        output.seek(0)
        return output.read().decode(errors="replace"), failure


def parse_log(log):
    """Reads what the compiler prints.

    Returns: dict of compiler_version (None: not told), rows (see parse_rows), and SIZES in bytes
        (None: not told). The log rounds sizes to a hundredth of their unit.
    """
    version = re.search(r"Edge TPU Compiler version ([\d.]+)", log)
    result = {"compiler_version": version and version[1], "rows": parse_rows(log)}
    for key, title in SIZES.items():
        size = re.search(rf"{title}:\s*([\d.]+)\s*([KMG]?i?B)\b", log)
        result[key] = round(float(size[1]) * UNITS[size[2]]) if size else None
    return result


def parse_rows(log):
    """Reads the table of operations.

    Returns: list of dicts operation, count, status (the compiler's words), is_mapped; operations
        that are not mapped come first.
    """
    lines = re.findall(r"^([A-Z][A-Z0-9_]*) +(\d+) +(\S.*?)\s*$", log, re.MULTILINE)
    rows = [{"operation": operation, "count": int(count), "status": status,
             "is_mapped": status == MAPPED} for operation, count, status in lines]
    return sorted(rows, key=lambda row: row["is_mapped"])


def find_reason(log):
    """Returns a sentence that says why the compiler made no file."""
    for pattern, sentence in REASONS:
        found = re.search(pattern, log, re.IGNORECASE)
        if found:
            return sentence.format(*found.groups())
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    last = lines[-1] if lines else "(it printed nothing)"
    return f"The compiler gives no reason; the last line of its log: {last}"


def format_compile_report(result):
    """Returns the printed form of what compile_model returned."""
    if not result["success"]:
        return f"Not compiled for the Edge TPU. {result['reason']}"
    rows = result["rows"]
    total = sum(row["count"] for row in rows)
    mapped = sum(row["count"] for row in rows if row["is_mapped"])
    width = max([len("operation"), *(len(row["operation"]) for row in rows)])
    lines = [f"Edge TPU Compiler {result['compiler_version']}: {mapped} of {total} operations run "
             f"on the Edge TPU", f"{'operation':<{width}}  count  status"]
    lines += [f"{row['operation']:<{width}}  {row['count']:>5}  {row['status']}" for row in rows]
    if any("More than one subgraph" in row["status"] for row in rows):
        lines.append('"More than one subgraph": all that follows an operation left on the '
                     'CPU stays there too.')
    used, left, streamed = (format_size(result[key]) for key in (
        "on_chip_used", "on_chip_remaining", "off_chip_used"))
    lines.append(f"parameters: {used} on the chip ({left} free), {streamed} streamed each time")
    lines.append(f"{result['edgetpu_path']}: {format_size(result['output_size'])}")
    return "\n".join(lines)


def format_size(size):
    """Returns a number of bytes as a person reads it; None: unknown."""
    if size is None:
        return "unknown"
    unit = next(name for name in ("MiB", "KiB", "B") if size >= UNITS[name] or name == "B")
    return f"{size / UNITS[unit]:.2f} {unit}" if unit != "B" else f"{size} bytes"
