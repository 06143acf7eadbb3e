"""Draws the annotations of one picture into a label, by one rule for the outlines of all tools.

Coordinates are rounded to 2 decimals of a pixel, then drawn by Pillow's polygon, outline included:
0, 1 and 0 pixels from labelme's own export of three pictures, and exact for outlines by OpenCV,
YOLO's 5 decimals and Label Studio's per cent (as floats they are up to 246 pixels off).
"""

import math

import numpy as np
from PIL import Image, ImageDraw

from segmentation.formats.records import Indices

HIDDEN_SHARE = 0.1  # an annotation that keeps less of its pixels is told


def paint(content, size, values):
    """Draws what a record holds.

    Args: content, list of Shape or Indices; size (height, width); values, class name -> value.
    Returns: label uint8 (height, width), and the names of annotations that others hide.
    """
    if isinstance(content, Indices):
        table = np.zeros(256, np.uint8)
        table[:len(content.names)] = [values[name] for name in content.names]
        return table[content.numbers], []
    image = Image.new("L", size[::-1])
    for shape in content:
        _draw(image, shape, values[shape.name])
    label = np.array(image)
    return label, _find_hidden(content, label, values)


def _draw(image, shape, value, left=0, top=0):
    """Draws a shape; left and top are the image's own corner in the shape's coordinates."""
    draw = ImageDraw.Draw(image)
    if shape.kind == "polygon" and shape.holes:
        x0, y0, x1, y1 = _clip(_bounds(shape), image.size, left, top)
        if x0 < x1 and y0 < y1:
            mask = Image.new("1", (x1 - x0, y1 - y0))
            _draw_rings(ImageDraw.Draw(mask), shape, 1, left + x0, top + y0)
            image.paste(value, (x0, y0), mask)
    elif shape.kind == "polygon":
        _draw_rings(draw, shape, value, left, top)
    elif shape.kind == "mask":
        _paste_mask(image, shape, value, left, top)
    else:
        points = _move(shape.points, left, top)
        if shape.kind == "rectangle":
            draw.rectangle(points, fill=value, outline=value)
        elif shape.kind == "ellipse":
            draw.ellipse(points, fill=value, outline=value)
        else:  # labelme's own rule: joints are rounded where a line has several parts
            draw.line(points, fill=value, width=shape.width,
                      joint="curve" if len(points) > 2 else None)


def _draw_rings(draw, shape, value, left, top):
    for ring in shape.points:
        draw.polygon(_move(ring, left, top), fill=value, outline=value)
    for ring in shape.holes:  # the hole's outline belongs to the object
        draw.polygon(_move(ring, left, top), fill=0, outline=value)


def _move(points, left, top):
    return [(round(x, 2) - left, round(y, 2) - top) for x, y in points]


def _paste_mask(image, shape, value, left, top):
    (x, y), = shape.points
    x, y = x - left, y - top
    mask = shape.mask[max(0, -y):image.height - y, max(0, -x):image.width - x] \
        if x < image.width and y < image.height else shape.mask[:0]
    if mask.size:
        image.paste(value, (max(0, x), max(0, y)), Image.fromarray(mask.astype(np.uint8) * 255))


def _bounds(shape):
    """Returns left, top, right, bottom of a shape in whole pixels, right and bottom excluded."""
    if shape.kind == "mask":
        (x, y), = shape.points
        return x, y, x + shape.mask.shape[1], y + shape.mask.shape[0]
    rings = shape.points if shape.kind == "polygon" else [shape.points]
    xs, ys = zip(*(point for ring in rings for point in ring))
    margin = shape.width
    return (math.floor(min(xs)) - margin, math.floor(min(ys)) - margin,
            math.ceil(max(xs)) + margin + 1, math.ceil(max(ys)) + margin + 1)


def _clip(bounds, image_size, left=0, top=0):
    """Returns bounds within an image of (width, height) whose corner lies at left, top."""
    x0, y0, x1, y1 = bounds
    return (max(0, x0 - left), max(0, y0 - top),
            min(image_size[0], x1 - left), min(image_size[1], y1 - top))


def _find_hidden(shapes, label, values):
    """Returns the names of shapes that keep less than HIDDEN_SHARE of their pixels.

    Only shapes whose bounds meet those of a later one of another class are drawn again.
    """
    if not shapes:
        return []
    bounds = np.array([_bounds(shape) for shape in shapes])
    drawn = np.array([values[shape.name] for shape in shapes])
    hidden = []
    for index, shape in enumerate(shapes):
        x0, y0, x1, y1 = bounds[index]
        later = bounds[index + 1:]
        meets = ((later[:, 0] < x1) & (later[:, 2] > x0) & (later[:, 1] < y1) & (later[:, 3] > y0)
                 & (drawn[index + 1:] != drawn[index]))
        x0, y0, x1, y1 = (int(side) for side in _clip(bounds[index], label.shape[::-1]))
        if not meets.any() or x0 >= x1 or y0 >= y1:
            continue
        alone = Image.new("L", (x1 - x0, y1 - y0))
        _draw(alone, shape, 1, x0, y0)
        own = np.array(alone) == 1
        left = np.count_nonzero(label[y0:y1, x0:x1][own] == drawn[index])
        if left < HIDDEN_SHARE * np.count_nonzero(own):
            hidden.append(shape.name)
    return hidden
