"""The rules on sizes: an operation against the largest seen mapped and what was left on the CPU.

Each rule takes an Op and returns None or (reason, source), as those of kinds.py.
"""

import math

from segmentation.edgetpu.evidence import find_left, find_mapped, format_shape

# Operations whose limit is somewhere near what was seen; of the others none is known.
LIMITED = ("CONCATENATION", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "MEAN", "SOFTMAX", "TILE",
           "TRANSPOSE_CONV")


def largest_output(op):
    """Returns the largest of the operation's outputs, in bytes."""
    return max(op.outputs, key=lambda tensor: tensor.bytes)


def is_within(shape, limit):
    """Returns whether a shape is nowhere above another of the same rank (None: any size)."""
    return len(shape) == len(limit) and all(
        most is None or size <= most for size, most in zip(shape, limit))


def pixels(shape):
    """Returns height times width of an image's shape (1, height, width, channels)."""
    return math.prod(shape[1:3])


def resize_ratio(before, after):
    """Returns the larger of the ratios in height and width between two images' shapes."""
    if len(before) != 4 or len(after) != 4 or 0 in (*before, *after):
        return 1.0
    return max(after[1] / before[1], after[2] / before[2])


def fits(op, row):
    """Returns whether an operation is no larger than one that was seen, by its kind's measure."""
    before, after = op.inputs[0].shape if op.inputs[0] else (), largest_output(op).shape
    if op.name == "MEAN":
        return len(before) != 4 or pixels(before) <= pixels(row["input"])
    if op.name == "TRANSPOSE_CONV":
        return is_within(after, row["output"])
    if op.name == "RESIZE_BILINEAR":
        return (resize_ratio(before, after) <= resize_ratio(row["input"], row["output"])
                and is_within(after, row["output"]))
    if op.name == "TILE":
        return is_within(before, row["input"]) and is_within(after, row["output"])
    return math.prod(after) <= math.prod(row["output"])


def as_large_as_left(op):
    """A MEAN or a RESIZE_BILINEAR no smaller than those that were left on the CPU for it."""
    before, after = op.inputs[0].shape if op.inputs[0] else (), largest_output(op).shape
    rows = find_left(op.name)
    if op.name == "RESIZE_BILINEAR":
        from_point = pixels(before) == 1 and resize_ratio(before, after) > 1
        rows = [row for row in rows if (pixels(row["input"]) == 1) == from_point]
        smallest = min(math.prod(row["output"]) for row in rows)
        is_left = from_point or (math.prod(after) >= smallest and pixels(after) >= min(
            pixels(row["output"]) for row in rows))
    else:
        is_left = op.name == "MEAN" and len(before) == 4 and any(
            is_within(row["input"][1:3], before[1:3]) for row in rows)
    if is_left:
        seen = min(rows, key=lambda row: math.prod(row["output"]))
        return f"{describe_row(seen)} was left on the CPU", seen["source"]


def larger_than_seen(op):
    """An operation whose kind has a limit, beyond all that were seen mapped."""
    rows = find_mapped(op.name)
    if op.name not in LIMITED or not rows or any(fits(op, row) for row in rows):
        return None
    widest = max(rows, key=lambda row: pixels(row["output"]))
    seen = " and ".join(dict.fromkeys((describe_row(rows[0]), describe_row(widest))))
    return f"beyond the largest seen mapped ({seen})", rows[0]["source"]


def describe_row(row):
    """Returns a row's sizes as a person reads them: 24x24x24 to 48x48x24."""
    if row["operation"] in ("RESIZE_BILINEAR", "MEAN", "TILE"):
        return format_shape(row["input"]) + " to " + format_shape(row["output"])
    return format_shape(row["output"])


def large_activation(op):
    """An operation of a kind without a known limit, larger than all that were seen mapped."""
    rows = find_mapped(op.name)
    if op.name in LIMITED or not rows or any(fits(op, row) for row in rows):
        return None
    bytes_seen = math.prod(rows[0]["output"])
    return (f"no limit is known; the largest seen mapped is {format_shape(rows[0]['output'])} "
            f"({bytes_seen:,} bytes)", rows[0]["source"])


def describe_seen(op):
    """Returns (reason, source) of an operation that no rule speaks of."""
    rows = [row for row in find_mapped(op.name) if fits(op, row)]
    if not rows:
        return "on coral.ai's list", "coral.ai"
    return f"seen mapped at this size or larger ({describe_row(rows[0])})", rows[0]["source"]
