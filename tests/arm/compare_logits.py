"""Compares what save_logits.py saved in two systems, bit for bit; exit code 1 where they differ.

    python compare_logits.py NAME HERE.npz THERE.npz
"""

import sys

import numpy as np


def compare(here, there):
    """Counts the values of two dicts of arrays, and those that differ, by kind of array.

    Returns: dict of "logits" and "mask", each (values, values that differ).
    """
    if sorted(here) != sorted(there):
        raise ValueError(f"different arrays: {sorted(here)} and {sorted(there)}")
    counts = {"logits": (0, 0), "mask": (0, 0)}
    for name in here:
        kind = name.rstrip("0123456789")
        values, different = counts[kind]
        counts[kind] = (values + here[name].size,
                        different + int((here[name] != there[name]).sum()))
    return counts


def main():
    """Prints one line and returns the exit code."""
    name, *paths = sys.argv[1:]
    counts = compare(*(dict(np.load(path, allow_pickle=False)) for path in paths))
    is_same = not any(different for _, different in counts.values())
    (logits, other_logits), (pixels, other_pixels) = counts["logits"], counts["mask"]
    print(f"on ARM: {name}: {'identical' if is_same else 'DIFFERENT'}: {other_logits:,} of "
          f"{logits:,} logits and {other_pixels:,} of {pixels:,} mask pixels differ from "
          f"TensorFlow's here")
    return 0 if is_same else 1


if __name__ == "__main__":
    sys.exit(main())
