"""The state of the labeling window: what is chosen, and what the mouse and the keys are doing."""

from dataclasses import dataclass, field

import matplotlib.pyplot as plt

from segmentation.labeling.session import Session

BRUSH_SIZE = 24  # diameter in screen pixels at the start: zoomed in, the brush paints finer
OPACITIES = (0.5, 0.75, 1.0, 0.0, 0.25)  # of the label over the image; a key goes through them


@dataclass
class Window:
    """The figure, what is drawn in it, and what the mouse and the keys are in the middle of."""

    session: Session
    figure: plt.Figure
    axes: plt.Axes = None
    panel: plt.Axes = None
    artists: dict = field(default_factory=dict)
    background: object = None  # the drawn figure without the stroke under way
    rows: list = field(default_factory=list)  # what a click in the panel means: (top, action, key)
    first_row: int = 0  # the first class shown, where not all fit
    tool: str = "polygon"
    value: int = 1  # the class, or the ignore label, that is painted
    opacity: float = OPACITIES[0]
    brush_size: float = BRUSH_SIZE
    points: list = field(default_factory=list)  # of the stroke under way, in image pixels
    dragging: bool = False  # lasso or brush held down
    panning: tuple | None = None  # where the right button went down, and the limits there
    typing: str | None = None  # the new class's name so far
    message: str = ""
    busy: bool = False
    cancelled: bool = False
