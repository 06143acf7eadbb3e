"""Draws masks: class colors, palette PNGs, overlays, grids of pictures with a legend."""

import colorsys

import numpy as np
from PIL import Image, ImageDraw

from device.files import write_whole
from device.fonts import choose_font, load_font
from device.images import resize_label

OVERLAY_OPACITY = 0.55
PICTURE_HEIGHT = 192  # pixels of one picture in a grid
IGNORED_COLOR = (255, 255, 255)  # how pixels of the ignore label are drawn
CLASS_COLORS = (  # black background, then Okabe-Ito: they differ for color-blind eyes too
    (0, 0, 0), (230, 159, 0), (86, 180, 233), (204, 121, 167), (0, 158, 115), (240, 228, 66),
    (0, 114, 178), (213, 94, 0), (170, 68, 153), (153, 153, 51), (136, 34, 85), (51, 34, 136))


def class_colors(num_classes):
    """Returns a color for each class, uint8 (num_classes, 3): the first is black."""
    colors = list(CLASS_COLORS[:num_classes])
    for index in range(len(colors), num_classes):  # the golden angle keeps neighbors apart
        red, green, blue = colorsys.hsv_to_rgb(index * 0.618034 % 1, 0.55 + 0.4 * (index % 2), 0.9)
        colors.append((int(255 * red), int(255 * green), int(255 * blue)))
    return np.array(colors, np.uint8)


def color_mask(mask, colors):
    """Returns class indices uint8 (height, width) in their colors, uint8 (height, width, 3).

    Values beyond the classes (the ignore label) are white.
    """
    table = np.tile(np.array(IGNORED_COLOR, np.uint8), (256, 1))
    table[:len(colors)] = colors
    return table[mask]


def overlay(image, mask, colors, opacity=OVERLAY_OPACITY):
    """Returns an image with a mask over it; class 0 is left clear.

    Args: image uint8 (height, width, 3), mask uint8 (height, width). Returns: uint8 like image.
    """
    covered, blend = mask > 0, image.copy()  # the rest of a picture is most of it
    blend[covered] = (1 - opacity) * image[covered] + opacity * color_mask(mask[covered], colors)
    return blend


def save_mask(path, mask, colors, compress_level=None, values=None, safe=True):
    """Writes a mask as a palette PNG: the pixel is the class's label value, the palette its color.

    Args: mask uint8 (height, width), class indices; colors uint8 (num_classes, 3); compress_level,
        1 (fast) to 9, or None: the smallest file; values, the label value of each class, uint8
        (num_classes,), or None: the indices themselves; safe as for write_whole.
    """
    value_of = np.arange(256, dtype=np.uint8)
    palette = color_mask(value_of, colors)
    if values is not None:
        value_of[:len(values)] = values
        palette[:] = IGNORED_COLOR
        palette[values] = colors
    picture = Image.fromarray(mask if values is None else value_of[mask])
    picture.putpalette(palette.tobytes())
    options = {"optimize": True} if compress_level is None else {"compress_level": compress_level}
    write_whole(path, lambda file: picture.save(file, "PNG", **options), safe)


def draw_overlay(image, mask, class_names, colors, caption=""):
    """Draws an image with its mask over it, and below a caption and a legend of the classes.

    Args: image uint8 (height, width, 3), mask uint8 of any size: it is resized to the image's.
    Returns: RGB PIL image.
    """
    height, width = image.shape[:2]
    legend = _legend(class_names, colors, max(width, 320), caption)
    canvas = Image.new("RGB", (legend.width, height + legend.height), "white")
    covered = overlay(image, resize_label(mask, (height, width)), colors)
    canvas.paste(Image.fromarray(covered), (0, 0))
    canvas.paste(legend, (0, height))
    return canvas


def save_overlay(path, image, mask, class_names, colors):
    """Saves what draw_overlay draws as a JPEG."""
    picture = draw_overlay(image, mask, class_names, colors)
    write_whole(path, lambda file: picture.save(file, "JPEG", quality=90), safe=False)


def save_grid(path, rows, titles, class_names, colors, row_titles=None):
    """Saves a PNG of pictures in rows, with a legend of the classes below.

    Args: rows, list of lists of uint8 arrays (height, width, 3) of one size; titles, one for each
        column; row_titles, None or a text below each row.
    """
    height, width = rows[0][0].shape[:2]
    height, width = PICTURE_HEIGHT, round(width * PICTURE_HEIGHT / height)
    gap, line = 6, 20
    font = load_font()
    row_height = height + gap + (line if row_titles else 0)
    legend = _legend(class_names, colors, len(titles) * (width + gap))
    canvas = Image.new("RGB", (len(titles) * (width + gap) + gap,
                               line + gap + len(rows) * row_height + legend.height), "white")
    draw = ImageDraw.Draw(canvas)
    for column, title in enumerate(titles):
        draw.text((gap + column * (width + gap), 3), title, "black", font)
    for index, row in enumerate(rows):
        top = line + gap + index * row_height
        for column, picture in enumerate(row):
            sharp = Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST)
            canvas.paste(sharp, (gap + column * (width + gap), top))
        if row_titles:
            draw.text((gap, top + height + 1), row_titles[index], "black", font)
    canvas.paste(legend, (gap, canvas.height - legend.height))
    write_whole(path, lambda file: canvas.save(file, "PNG"))


def _legend(class_names, colors, width, caption=""):
    """Draws a caption, and colored squares with the class names, as many lines as they need."""
    font, class_names = choose_font(tuple(class_names))
    square, line, places, left, top = 14, 24, [], 0, 4 + (24 if caption else 0)
    for name in class_names:
        needed = square + 6 + int(font.getlength(name)) + 18
        if left and left + needed > width:
            left, top = 0, top + line
        places.append((left, top))
        left += needed
    legend = Image.new("RGB", (width, top + line), "white")
    draw = ImageDraw.Draw(legend)
    draw.text((0, 3), caption, "black", font)
    for name, color, (left, top) in zip(class_names, colors, places):
        draw.rectangle((left, top, left + square, top + square), tuple(map(int, color)), "black")
        draw.text((left + square + 6, top - 1), name, "black", font)
    return legend
