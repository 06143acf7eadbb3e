"""What every reader gives: a record a picture, which holds shapes or ready class numbers."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segmentation.formats.reading import damage_as_sentence


class Shape(NamedTuple):
    """One annotation, drawn over those before it.

    kind: "polygon" (rings, whose union it is, and holes), "rectangle" (two corners), "ellipse"
        (two corners), "line" (points, of width pixels), or "mask" (bool array with its corner).
    points: list of (x, y) in pixels; of a polygon, a list of such lists, one a ring.
    """

    name: str
    kind: str
    points: list
    holes: list = ()
    width: int = 1
    mask: np.ndarray = None


def polygon(name, points):
    """Returns the Shape of one outline."""
    return Shape(name, "polygon", [points])


def mask_shape(name, mask, left=0, top=0):
    """Returns the Shape of a bool array whose corner lies at these pixels."""
    return Shape(name, "mask", [(left, top)], mask=mask)


class Indices(NamedTuple):
    """A whole picture's labels: numbers (height, width), and the name of each number."""

    numbers: np.ndarray
    names: list


@dataclass
class Record:
    """What a label file tells about one picture.

    names: how the picture may be called, the likeliest first, with or without folders and suffix.
    size: (height, width) that the label was drawn on, or None where the file does not say.
    load: function (height, width of the picture) -> list of Shape, or Indices.
    classes: how many annotations of each class there are.
    left_out: why annotations are left out, and how many.
    is_background: whether a label without annotations says that there is nothing in the picture.
    picture: its path, where a reader knows it already.
    frame: the number of a video's frame, with which the picture's name ends.
    read_picture: function () -> bytes of the picture that the label file holds inside, or None.
    """

    path: Path
    names: list
    size: tuple
    load: Callable
    classes: Counter
    left_out: Counter = field(default_factory=Counter)
    is_background: bool = False
    picture: Path = None
    frame: int = None
    read_picture: Callable = None

    def read(self, size):
        """Returns what load gives for a picture of (height, width).

        Raises: FormatError, which names the file, where it is damaged.
        """
        with damage_as_sentence(self.path):
            return self.load(size)


@dataclass
class Found:
    """All records of one kind of label.

    class_order: names in the order of the tool's own list, where it has one.
    has_background: whether pixels without annotation are background.
    remarks: sentences on what was decided.
    overlaps: picture -> how many pixels belong to several of its masks; known once it is drawn.
    """

    kind: str
    files: list
    records: list
    class_order: list = field(default_factory=list)
    has_background: bool = True
    remarks: list = field(default_factory=list)
    overlaps: dict = field(default_factory=dict)


def count_names(shapes):
    """Returns how many annotations of each class there are."""
    return Counter(shape.name for shape in shapes)
