"""Shows the view while it is zoomed or moved: a large one quickly first, then sharply."""

from segmentation.labeling.display import show_view, view_size
from segmentation.labeling.screen import refresh
from segmentation.labeling.strokes import redraw_preview, show_preview

COARSE_PIXELS = 1_500_000  # a larger view is drawn coarsely, and alone, while it moves
SHARPEN_AFTER = 200  # milliseconds without a move


def redraw_moved(window):
    """Shows the picture after it was zoomed or moved, and the stroke under way over it."""
    height, width = view_size(window)
    window.shown.coarse = height * width > COARSE_PIXELS
    _redraw(window)
    if window.shown.coarse:
        if window.timer is None:
            window.timer = window.figure.canvas.new_timer(SHARPEN_AFTER)
            window.timer.single_shot = True
            window.timer.add_callback(sharpen, window)
        window.timer.stop()
        window.timer.start()


def sharpen(window):
    """Draws a view sharply that was drawn quickly while it moved, and what else has changed."""
    if window.shown.coarse:
        window.shown.coarse = False
        _redraw(window)


def _redraw(window):
    show_view(window)
    if window.points:
        redraw_preview(window)
    else:
        window.preview_box = None
        show_preview(window)
    if not window.shown.coarse:
        refresh(window)
