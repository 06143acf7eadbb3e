"""Measures predictions picture by picture, for intervals, metrics.csv and the worst pictures."""

import numpy as np

from device.files import write_table
from segmentation.metrics import (
    bootstrap_mean_iou,
    confusion_matrix,
    count_classes,
    interval,
    iou_of_counts,
    mean_iou,
    summarize,
)
from segmentation.regions import largest_region


class PictureMetrics:
    """What is measured of each picture. add() a label and its prediction, then summarize().

    counts, list of the correct, true and predicted pixels of each class, int64 (3, classes);
    false_regions, list of the pixels of the largest region of each class that the label does not
    hold but the prediction does, int64 (classes,); confusion, of all pictures together.
    """

    def __init__(self, num_classes):
        self.num_classes = num_classes
        self.confusion = np.zeros((num_classes, num_classes), np.int64)
        self.counts, self.false_regions = [], []

    def add(self, label, mask):
        """Measures one picture, label and predicted mask, uint8 (height, width).

        Returns: its mean IoU over the classes that occur in it; NaN where nothing counts.
        """
        confusion = confusion_matrix(label, mask, self.num_classes)
        self.confusion += confusion
        counts = count_classes(confusion)
        regions = np.zeros(self.num_classes, np.int64)
        for index in np.flatnonzero((counts[1] == 0) & (counts[2] > 0)):
            regions[index] = largest_region((mask == index) & (label < self.num_classes))
        self.counts.append(counts)
        self.false_regions.append(regions)
        return float(mean_iou(iou_of_counts(counts)))

    def summarize(self):
        """Returns metrics.summarize of all pictures, and what only single pictures show.

        Further keys: images (their number), mean_iou_interval, and one value a class:
        false_positive_pictures (that lack the class, but where it is predicted) and
        largest_false_region (pixels, in them).
        """
        regions = np.array(self.false_regions)
        return {**summarize(self.confusion), "images": len(self.counts),
                "mean_iou_interval": interval(self.draw_mean_iou()),
                "false_positive_pictures": (regions > 0).sum(axis=0).tolist(),
                "largest_false_region": regions.max(axis=0).tolist()}

    def draw_mean_iou(self):
        """Returns the bootstrap of mean IoU; see metrics.bootstrap_mean_iou."""
        return bootstrap_mean_iou(np.array(self.counts))

    def mean_ious(self):
        """Returns the mean IoU of each picture, over the classes that occur in it."""
        return mean_iou(iou_of_counts(np.array(self.counts)))


def write_picture_metrics(path, names, class_names, pictures):
    """Writes metrics.csv: a row a picture; empty where a class is not in it.

    Columns: image, pixels that count, mean_iou, and of each class its iou, its true pixels, and
    the largest false region where the picture lacks the class.
    """
    rows = []
    for name, counts, regions, score in zip(names, pictures.counts, pictures.false_regions,
                                            pictures.mean_ious()):
        row = {"image": name, "pixels": int(counts[1].sum()), "mean_iou": _number(score)}
        for index, iou in enumerate(iou_of_counts(counts)):
            title = class_names[index]
            row |= {f"iou {title}": _number(iou), f"pixels {title}": int(counts[1, index]),
                    f"false region {title}": int(regions[index]) or ""}
        rows.append(row)
    write_table(path, rows)


def write_class_metrics(path, class_names, metrics):
    """Writes class_metrics.csv: a row a class, with what PictureMetrics.summarize says of it."""
    columns = ("pixels", "predicted_pixels", "iou", "precision", "recall",
               "false_positive_pictures", "largest_false_region")
    write_table(path, [{"class": name, **{column: metrics[column][index] for column in columns}}
                       for index, name in enumerate(class_names)])


def _number(value):
    return "" if np.isnan(value) else round(float(value), 6)
