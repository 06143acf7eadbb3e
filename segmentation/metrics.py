"""Confusion matrix, IoU and its interval, and the table that is printed. Plain NumPy."""

import numpy as np

BOOTSTRAP_DRAWS = 1000  # of the validation images, with replacement, for an interval
INTERVAL = (2.5, 97.5)  # percentiles: a 95 % interval
TABLE_CLASSES = 20  # more classes are shown as the most frequent and the worst ones


def confusion_matrix(labels, predictions, num_classes):
    """Counts pixels by true class (row) and predicted class (column).

    Args: labels and predictions, integer arrays of the same shape; pixels whose label is no class,
        such as IGNORED, are left out.
    Returns: int64 (num_classes, num_classes).
    """
    labels, predictions = np.asarray(labels).ravel(), np.asarray(predictions).ravel()
    counted = labels < num_classes
    cells = labels[counted].astype(np.int64) * num_classes + predictions[counted]
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def count_classes(confusion):
    """Returns the correct, true and predicted pixels of each class, int64 (3, num_classes)."""
    return np.stack([np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)])


def iou_of_counts(counts):
    """Computes intersection over union of each class, float64 (..., num_classes), 0..1.

    NaN marks a class that is neither in the labels nor in the predictions: it is left out of
    means, because 0 or 1 would both be wrong.
    Args: counts (..., 3, num_classes), see count_classes.
    """
    correct, true, predicted = (counts[..., index, :] for index in range(3))
    return _ratio(correct, true + predicted - correct)


def _ratio(part, whole):
    """Divides; NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def mean_iou(iou):
    """Averages the IoU over the classes that occur, along the last axis; NaN where none does."""
    occurs = ~np.isnan(iou)
    return _ratio(np.where(occurs, iou, 0).sum(axis=-1), occurs.sum(axis=-1))


def summarize(confusion):
    """Returns the metrics of a confusion matrix as a dict that JSON can hold.

    Keys: mean_iou, mean_iou_without_background (without class 0), and one value a class (None:
    absent): iou, precision (the share of the predicted pixels that are right), recall (the share
    of the true pixels that are found), pixels (true ones), predicted_pixels.
    """
    correct, true, predicted = counts = count_classes(confusion)
    iou = iou_of_counts(counts)
    return {"mean_iou": _or_none(mean_iou(iou)),
            "mean_iou_without_background": _or_none(mean_iou(iou[1:])),
            "iou": [_or_none(value) for value in iou],
            "precision": [_or_none(value) for value in _ratio(correct, predicted)],
            "recall": [_or_none(value) for value in _ratio(correct, true)],
            "pixels": true.tolist(), "predicted_pixels": predicted.tolist()}


def _or_none(value):
    return None if np.isnan(value) else float(value)


def selection_score(metrics):
    """Returns the mean IoU over the classes that the labels hold, by which epochs are compared.

    None where they hold fewer than two: then an epoch that predicts only that one would win.
    """
    held = [iou for iou, pixels in zip(metrics["iou"], metrics["pixels"]) if pixels]
    return float(np.mean(held)) if len(held) > 1 else None


# ---- intervals -------------------------------------------------------------------------------


def bootstrap_mean_iou(counts):
    """Computes the mean IoU of BOOTSTRAP_DRAWS draws of as many images, with replacement.

    The same number of images gives the same draws, so that two models' results can be
    subtracted (Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapters 6 and 13).
    Args: counts int (images, 3, classes), see count_classes.
    Returns: float64 (BOOTSTRAP_DRAWS,).
    """
    random, images = np.random.default_rng(0), len(counts)
    flat = np.asarray(counts, np.float64).reshape(images, -1)
    times = np.concatenate([random.multinomial(images, np.full(images, 1 / images), 100) @ flat
                            for _ in range(BOOTSTRAP_DRAWS // 100)])
    return mean_iou(iou_of_counts(times.reshape(BOOTSTRAP_DRAWS, *counts.shape[1:])))


def interval(values):
    """Returns the 95 % interval of a bootstrap's values, [low, high]; None where none is there."""
    values = values[~np.isnan(values)]
    return np.percentile(values, INTERVAL).tolist() if len(values) else None


# ---- the table -------------------------------------------------------------------------------


def format_iou_table(class_names, columns):
    """Returns a printed table in percent: a row a class, a column a model, and the means.

    One model alone has columns of its IoU at the images' own size, where that was measured (the
    key own_size, see evaluate.measure_own_size), of precision and of recall, too. Of more than
    TABLE_CLASSES classes the most frequent and the worst ones are shown. Below are the intervals of
    mean IoU.
    Args: columns, dict of column title -> what summarize returned, or summarize_pictures.
    """
    first = next(iter(columns.values()))
    cells = {title: (metrics, "iou") for title, metrics in columns.items()}
    means = list(columns.values())
    if len(columns) == 1 and "own_size" in first:
        cells["own size"] = first["own_size"], "iou"
        means.append(first["own_size"])
    if len(columns) == 1 and "precision" in first:
        cells |= {"precision": (first, "precision"), "recall": (first, "recall")}
    shown = choose_classes(first)
    rows = [(class_names[index], [metrics[key][index] for metrics, key in cells.values()])
            for index in shown]
    rows += [(title, [metrics[key] for metrics in means]) for title, key in (
        ("mean IoU without class 0", "mean_iou_without_background"), ("mean IoU", "mean_iou"))]
    width = max(len(name) for name, _ in rows)
    lines = [f"{'IoU':<{width}}" + "".join(f"  {title:>10}" for title in cells)]
    for name, values in rows:
        lines.append(f"{name:<{width}}" + "".join(f"  {_percent(value):>10}" for value in values))
    if len(shown) < len(class_names):
        lines.insert(-2, f"and {len(class_names) - len(shown)} more classes")
    return "\n".join(lines + format_intervals(columns))


def _percent(value):
    return "absent" if value is None else f"{100 * value:.2f} %"


def choose_classes(metrics):
    """Returns the indices of the classes to show: all, or the most frequent and the worst."""
    count = len(metrics["iou"])
    if count <= TABLE_CLASSES:
        return list(range(count))
    occurring = [index for index in range(count) if metrics["iou"][index] is not None]
    half = TABLE_CLASSES // 2
    frequent = sorted(occurring, key=lambda index: -metrics["pixels"][index])[:half]
    worst = sorted(set(occurring) - set(frequent), key=lambda index: metrics["iou"][index])[:half]
    return sorted(frequent + worst)


def format_intervals(columns):
    """Returns lines with the 95 % interval of each model's mean IoU, where it is known."""
    return [f"mean IoU of {title}: 95 % interval {100 * low:.2f} to {100 * high:.2f} %, from "
            f"{metrics['images']} image(s)"
            for title, metrics in columns.items() if metrics.get("mean_iou_interval")
            for low, high in [metrics["mean_iou_interval"]]]
