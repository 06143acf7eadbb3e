"""What is known of the Edge TPU's compiler: evidence.json, a row a fact, each with its source.

The lists of evidence.json:
    sources           key -> where a fact comes from; every other row names one as "source"
    mapped            operations seen mapped: version, input, output (shapes; null: not told)
    left              operations seen left on the CPU, with the log's words
    refused           files that the compiler refused, with the log's words
    subgraphs         what the logs show of operations behind one on the CPU
    builds            whole models timed on a USB stick: bytes, multiply-accumulates (macs, and
                      padded_macs with output channels rounded up to 64), milliseconds
    tf25_max_version  highest version -> the builtin operations that TensorFlow 2.5.3 knows so far
    coral_ops         the operations on coral.ai's list (its LSTM is the unidirectional one)
docs/edgetpu.md says how to add a log.
"""

import json
import math
from pathlib import Path

from device.model_files import COMPILED_OPERATION

EVIDENCE = json.loads(Path(__file__).with_name("evidence.json").read_text(encoding="utf-8"))

VERDICTS = ("REFUSED", "CPU", "RISK", "NOTE", "OK")  # worst first
# edgetpu_compiler 16.0 parses files with the operations of TensorFlow 2.5: five of five public
# refusals are one version above these. What isn't here it doesn't know.
TF25_MAX_VERSION = {
    name: int(version) for version, names in EVIDENCE["tf25_max_version"].items() for name in names}
CORAL_OPS = frozenset(EVIDENCE["coral_ops"])
COMPILED_OP = COMPILED_OPERATION.decode()
KNOWN_CUSTOM_OPS = {  # in TF 2.5's own interpreter, and what was seen left on the CPU
    "AudioSpectrogram", "Mfcc",
    *(row["operation"] for row in EVIDENCE["left"] if row.get("custom"))}
# Positions in an operation's list of inputs: weights and bias; a shape.
WEIGHT_INPUTS = {
    "CONV_2D": (1, 2), "DEPTHWISE_CONV_2D": (1, 2), "FULLY_CONNECTED": (1, 2),
    "TRANSPOSE_CONV": (1, 3)}
SHAPE_INPUT = {
    "TRANSPOSE_CONV": 0, "RESHAPE": 1, "RESIZE_BILINEAR": 1, "RESIZE_NEAREST_NEIGHBOR": 1,
    "TILE": 1, "BROADCAST_TO": 1, "FILL": 0, "PAD": 1, "SLICE": 2}
EIGHT_BIT = ("INT8", "UINT8")


def find_mapped(name):
    """Returns the rows of an operation that was seen mapped with a known output, largest first."""
    rows = [row for row in EVIDENCE["mapped"] if row["operation"] == name and row["output"]]
    return sorted(rows, key=lambda row: -math.prod(row["output"]))


def find_left(name):
    """Returns the rows of an operation that was seen left on the CPU, with known shapes."""
    return [row for row in EVIDENCE["left"] if row["operation"] == name and row["output"]]


def format_shape(shape):
    """Returns a shape as 48x48x24, without the batch."""
    return "x".join(map(str, shape[1:] or shape))
