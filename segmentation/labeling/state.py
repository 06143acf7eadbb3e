"""The state of the labeling window: what is chosen, and what the mouse and the keys are doing."""

from collections.abc import Callable
from dataclasses import dataclass, field

import matplotlib.pyplot as plt
import numpy as np

from device.errors import InputError
from segmentation.labeling.session import Session

BRUSH_SIZE = 24  # diameter in screen pixels at the start: zoomed in, the brush paints finer
# How the label lies over the image; a key goes through them: (name, opacity, outline alone).
LOOKS = (("50 %", 0.5, False), ("75 %", 0.75, False), ("100 %", 1.0, False),
         ("outline", 1.0, True), ("hidden", 0.0, False), ("25 %", 0.25, False))
EXPOSURES = (1.0, 1.5, 2.2)  # how much brighter the image is shown; a key goes through them


class NotNowError(InputError):
    """What was asked for can't be done now, and nothing is wrong: no alarm."""


@dataclass
class Prompt:
    """A line that is being typed in the status line."""

    text: str
    accept: Callable  # accept(window, typed) when Enter is pressed
    typed: str = ""


@dataclass
class Question:
    """A question in the status line, answered by a key; Esc leaves everything as it is."""

    text: str
    answers: dict  # key -> function(window)


@dataclass
class Floating:
    """The label of another image that is dragged into place before it is painted."""

    label: np.ndarray
    origin: str  # the name of its image
    down: int = 0
    right: int = 0


@dataclass
class Shown:
    """What of the picture is on the screen: the crop of the image, and it with the label over."""

    key: tuple = ()  # image, view and brightness of the crop
    columns: tuple = ()
    rows: tuple = ()
    image: np.ndarray | None = None  # uint8 (height, width, 4), of the visible part of the image
    pixels: np.ndarray | None = None  # uint8 (height, width, 4), of the whole view
    state: tuple = ()  # all that pixels show
    coarse: bool = False  # drawn with fewer pixels while the view moves


@dataclass
class Window:
    """The figure, what is drawn in it, and what the mouse and the keys are in the middle of."""

    session: Session
    figure: plt.Figure
    axes: plt.Axes = None  # of the picture
    panel: plt.Axes = None
    bar: plt.Axes = None
    status: plt.Axes = None
    artists: dict = field(default_factory=dict)
    shown: Shown = field(default_factory=Shown)
    drawn: dict = field(default_factory=dict)  # what panel, bar and status show
    is_drawn: bool = False  # whether the figure was drawn as a whole
    preview_box: tuple | None = None  # where the stroke under way is drawn, in screen pixels
    timer: object = None  # draws a view sharply that was drawn quickly
    saving_timer: object = None  # sees whether the label is saved
    is_saving_slow: bool = False  # whether that takes so long that it is said
    rows: list = field(default_factory=list)  # what a click in the panel means: (top, action, key)
    buttons: list = field(default_factory=list)  # and in the bar: (left, right, action)
    first_row: int = 0  # the first class shown, where not all fit
    scale: float = 1.0  # image pixels that a screen pixel shows
    center: tuple = (0.0, 0.0)  # of the view, in image pixels
    is_fitted: bool = True  # the picture is shown as a whole, whatever the window's size
    tool: str = "polygon"
    value: int = 1  # the class, or the ignore label, that is painted
    last_value: int = 1  # the class painted before the eraser was taken
    snaps: bool = False  # whether a lasso snaps to the object
    lock: bool = False  # whether only background is painted over
    look: int = 0  # index into LOOKS
    exposure: int = 0  # index into EXPOSURES
    is_hidden: bool = False  # while a key is held
    brush_size: float = BRUSH_SIZE
    points: list = field(default_factory=list)  # of the stroke under way, in image pixels
    dragging: bool = False  # lasso or brush held down
    held: tuple | None = None  # a button that moves something: x and y of the mouse, move(dx, dy)
    floating: Floating | None = None
    prompt: Prompt | None = None
    question: Question | None = None
    pointer: tuple | None = None  # where the mouse is, in image pixels
    message: str = ""
    is_alarm: bool = False  # whether the message is an error
    marked_background: object = None  # the image that was declared background last
    busy: bool = False
    cancelled: bool = False


def check_nothing_under_way(window):
    """Raises NotNowError while corners or a copied label are not painted: they are never lost."""
    if window.points:
        raise NotNowError(f"A {window.tool} is under way: Enter finishes it, Esc drops it.")
    if window.floating is not None:
        raise NotNowError("A copied label is not in place yet: Enter keeps it, Esc drops it.")
