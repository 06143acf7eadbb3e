"""Outlines of rotated boxes and ellipses, in pixels."""

import math

ELLIPSE_POINTS = 90  # corners of the outline that stands for an ellipse


def rotate(points, degrees, center):
    """Turns points clockwise, as seen in a picture, about a center."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x0, y0 = center
    return [(x0 + (x - x0) * cosine - (y - y0) * sine, y0 + (x - x0) * sine + (y - y0) * cosine)
            for x, y in points]


def box_outline(left, top, right, bottom, degrees=0.0, center=None):
    """Returns the corners of a box that is turned clockwise about center (None: its own)."""
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    if not degrees:
        return corners
    return rotate(corners, degrees, center or ((left + right) / 2, (top + bottom) / 2))


def ellipse_outline(x, y, radius_x, radius_y, degrees=0.0):
    """Returns the outline of an ellipse that is turned clockwise about its center."""
    angles = [2 * math.pi * step / ELLIPSE_POINTS for step in range(ELLIPSE_POINTS)]
    points = [(x + radius_x * math.cos(angle), y + radius_y * math.sin(angle)) for angle in angles]
    return rotate(points, degrees, (x, y))
