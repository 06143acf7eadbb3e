"""How much of each picture every class covers: areas.csv, JSON lines and alerts."""

import csv
import json
from contextlib import contextmanager
from datetime import datetime

import numpy as np

from device.errors import InputError
from device.model_info import MAX_CLASSES


def count_areas(mask, num_classes):
    """Returns the pixels of each class in a mask uint8 (height, width): int64 (classes,)."""
    return np.bincount(mask.ravel(), minlength=MAX_CLASSES + 1)[:num_classes]


def check_alert(alert, class_names):
    """Raises InputError unless ALERT is None or a dict of class names and shares from 0 to 1."""
    if alert is None:
        return
    if not isinstance(alert, dict) or not all(
            isinstance(share, (int, float)) and 0 <= share <= 1 for share in alert.values()):
        raise InputError(f"ALERT is {alert!r}, but it must be None or class names and shares from "
                         f'0 to 1, like {{"{class_names[-1]}": 0.002}}.')
    unknown = [name for name in alert if name not in class_names]
    if unknown:
        raise InputError(f"ALERT names {', '.join(map(str, unknown))}, but the model's classes are "
                         f"{', '.join(class_names)}.")


def find_alerts(areas, class_names, alert):
    """Returns the names of the classes whose share of the picture is above that in ALERT."""
    total = areas.sum()
    return [name for name, pixels in zip(class_names, areas)
            if alert and name in alert and pixels > alert[name] * total]


def format_alert(name, alerts, areas, class_names, alert):
    """Returns the line that a person reads: which class is above its share, in which picture."""
    shares = [f"{class_name} {areas[class_names.index(class_name)] / areas.sum():.2%} (above "
              f"{alert[class_name]:.2%})" for class_name in alerts]
    return f"ALERT {name}: {', '.join(shares)}"


def format_json_line(name, areas, class_names, alerts):
    """Returns one line of JSON: the time, the picture, pixels and share of each class, alerts."""
    total = int(areas.sum())
    return json.dumps({
        "time": format_now(), "picture": name,
        "pixels": {key: int(pixels) for key, pixels in zip(class_names, areas)},
        "shares": {key: round(int(pixels) / total, 6) for key, pixels in zip(class_names, areas)},
        "alerts": alerts}, ensure_ascii=False)


def format_now():
    """Returns the local time in ISO 8601, with milliseconds and the offset to UTC."""
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


@contextmanager
def open_area_table(path, class_names):
    """Opens areas.csv: a row for each picture, with the pixels and the share of each class.

    Yields: a function of the picture's name and its areas that writes a row at once, so that what
        was measured is kept, whatever happens next.
    """
    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["time", "picture", *(f"{name} pixels" for name in class_names),
                       *(f"{name} share" for name in class_names)])

        def add(name, areas):
            """Writes the row of a picture."""
            shares = (f"{share:.6f}" for share in areas / areas.sum())
            rows.writerow([format_now(), name, *areas, *shares])
            file.flush()

        yield add
