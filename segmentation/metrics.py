"""Confusion matrix, IoU, and the table that is printed of them. Plain NumPy."""

import numpy as np


def confusion_matrix(labels, predictions, num_classes, ignore_label=255):
    """Counts pixels by true class (row) and predicted class (column).

    Args: labels and predictions, integer arrays of the same shape; pixels whose label is
        ignore_label are left out.
    Returns: int64 (num_classes, num_classes).
    """
    labels, predictions = np.asarray(labels).ravel(), np.asarray(predictions).ravel()
    counted = labels < num_classes
    if ignore_label is not None:
        counted &= labels != ignore_label
    cells = labels[counted].astype(np.int64) * num_classes + predictions[counted]
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def iou_per_class(confusion):
    """Computes intersection over union of each class, float64 (num_classes,), 0..1.

    NaN marks a class that is neither in the labels nor in the predictions: it is left out of
    means, because 0 or 1 would both be wrong.
    """
    intersection = np.diag(confusion).astype(np.float64)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - intersection
    return np.divide(intersection, union, out=np.full(len(union), np.nan), where=union > 0)


def mean_iou(iou):
    """Means the IoU over the classes that occur; NaN where none does."""
    occurring = iou[~np.isnan(iou)]
    return float(occurring.mean()) if len(occurring) else float("nan")


def summarize(confusion):
    """Returns the metrics of a confusion matrix as a dict that JSON can hold.

    Keys: mean_iou, mean_iou_without_background (without class 0), iou (one a class; None: absent).
    """
    iou = iou_per_class(confusion)
    return {"mean_iou": _or_none(mean_iou(iou)),
            "mean_iou_without_background": _or_none(mean_iou(iou[1:])),
            "iou": [_or_none(value) for value in iou]}


def _or_none(value):
    return None if np.isnan(value) else float(value)


def format_iou_table(class_names, columns):
    """Returns a printed table of IoU in percent: a row a class, a column a model, and the means.

    Args: columns, dict of column title -> what summarize returned.
    """
    def percent(value):
        """Returns an IoU as text."""
        return "absent" if value is None else f"{100 * value:.2f} %"

    rows = [(name, [column["iou"][index] for column in columns.values()])
            for index, name in enumerate(class_names)]
    rows += [(title, [column[key] for column in columns.values()]) for title, key in (
        ("mean IoU without class 0", "mean_iou_without_background"), ("mean IoU", "mean_iou"))]
    width = max(len(name) for name, _ in rows)
    lines = [f"{'IoU':<{width}}" + "".join(f"  {title:>10}" for title in columns)]
    for name, values in rows:
        lines.append(f"{name:<{width}}" + "".join(f"  {percent(value):>10}" for value in values))
    return "\n".join(lines)
