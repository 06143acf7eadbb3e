"""Precision and recall of each class by its bias, to choose CLASS_BIAS by. Plain NumPy."""

import numpy as np

from segmentation.metrics import choose_classes

BIASES = (-4, -2, -1, 0, 1, 2, 4)  # in logits: 1 makes a class e times as likely against another


def count_by_bias(logits, label):
    """Counts the pixels of each class that are predicted, and rightly so, with each of BIASES.

    Args: logits float (height, width, classes), real ones; label uint8 (height, width).
    Returns: int64 (classes, biases, 2): right and predicted pixels.
    """
    counted = label < logits.shape[-1]
    logits, label = logits[counted], label[counted]
    counts = np.zeros((logits.shape[-1], len(BIASES), 2), np.int64)
    if not len(label):
        return counts
    first = logits.argmax(-1)
    second, largest = np.sort(logits, axis=-1)[:, -2:].T
    for index in range(logits.shape[-1]):
        margin = logits[:, index] - np.where(first == index, second, largest)
        true = label == index
        for place, bias in enumerate(BIASES):
            predicted = margin > -bias
            counts[index, place] = (predicted & true).sum(), predicted.sum()
    return counts


def format_bias_table(class_names, counts, metrics):
    """Returns the table: a row a class, precision and recall in percent for each bias.

    Args: counts of count_by_bias, summed over images; metrics of metrics.summarize.
    """
    shown = [index for index in choose_classes(metrics) if metrics["pixels"][index]]
    width = max([len(class_names[index]) for index in shown], default=0)
    lines = ["Precision / recall in percent by CLASS_BIAS, one class at a time:",
             " " * width + "".join(f"{bias:>+15}" for bias in BIASES)]
    for index in shown:
        cells = [f"{100 * right / max(1, predicted):.1f} / "
                 f"{100 * right / metrics['pixels'][index]:.1f}"
                 for right, predicted in counts[index]]
        lines.append(f"{class_names[index]:<{width}}" + "".join(f"{cell:>15}" for cell in cells))
    return "\n".join(lines)
