"""What the scripts share: measuring (confusion matrix, IoU), pictures, and the files they leave.

Plain NumPy and Pillow: predict.py takes this file along to a Coral without TensorFlow.
"""

import colorsys
import json
import os
import re
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from import_data import MAX_CLASSES, InputError, resize_label

MODEL_INFO_FILE = "model.json"
LARGEST_SIDE = 8192  # pixels of a model's input; more in a model.json is damage
# Control characters could write over a terminal, surrogates can't be printed at all.
UNPRINTABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff]")
OVERLAY_OPACITY = 0.55
PICTURE_HEIGHT = 192  # pixels of one picture in a grid
IGNORED_COLOUR = (255, 255, 255)  # how pixels of the ignore label are drawn
CLASS_COLOURS = (  # black background, then Okabe-Ito: they differ for colour-blind eyes too
    (0, 0, 0), (230, 159, 0), (86, 180, 233), (204, 121, 167), (0, 158, 115), (240, 228, 66),
    (0, 114, 178), (213, 94, 0), (170, 68, 153), (153, 153, 51), (136, 34, 85), (102, 204, 238))

# ---- measuring -------------------------------------------------------------------------------


def confusion_matrix(labels, predictions, num_classes, ignore_label=255):
    """Counts pixels by true class (row) and predicted class (column).

    Args: labels and predictions, integer arrays of the same shape; pixels whose label is
        ignore_label are left out.
    Returns: int64 (num_classes, num_classes).
    """
    labels, predictions = np.asarray(labels).ravel(), np.asarray(predictions).ravel()
    counted = labels < num_classes
    if ignore_label is not None:
        counted &= labels != ignore_label
    cells = labels[counted].astype(np.int64) * num_classes + predictions[counted]
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def iou_per_class(confusion):
    """Computes intersection over union of each class, float64 (num_classes,), 0..1.

    NaN marks a class that is neither in the labels nor in the predictions: it is left out of
    means, because 0 or 1 would both be wrong.
    """
    intersection = np.diag(confusion).astype(np.float64)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - intersection
    return np.divide(intersection, union, out=np.full(len(union), np.nan), where=union > 0)


def mean_iou(iou):
    """Means the IoU over the classes that occur; NaN where none does."""
    occurring = iou[~np.isnan(iou)]
    return float(occurring.mean()) if len(occurring) else float("nan")


def summarise(confusion):
    """Returns the metrics of a confusion matrix as a dict that JSON can hold.

    Keys: mean_iou, mean_iou_without_background (without class 0), iou (one a class; None: absent).
    """
    iou = iou_per_class(confusion)
    return {"mean_iou": _or_none(mean_iou(iou)),
            "mean_iou_without_background": _or_none(mean_iou(iou[1:])),
            "iou": [_or_none(value) for value in iou]}


def _or_none(value):
    return None if np.isnan(value) else float(value)


def format_iou_table(class_names, columns):
    """Returns a printed table of IoU in percent: a row a class, a column a model, and the means.

    Args: columns, dict of column title -> what summarise returned.
    """
    def percent(value):
        """Returns an IoU as text."""
        return "absent" if value is None else f"{100 * value:.2f} %"

    rows = [(name, [column["iou"][index] for column in columns.values()])
            for index, name in enumerate(class_names)]
    rows += [(title, [column[key] for column in columns.values()]) for title, key in (
        ("mean IoU without class 0", "mean_iou_without_background"), ("mean IoU", "mean_iou"))]
    width = max(len(name) for name, _ in rows)
    lines = [f"{'IoU':<{width}}" + "".join(f"  {title:>10}" for title in columns)]
    for name, values in rows:
        lines.append(f"{name:<{width}}" + "".join(f"  {percent(value):>10}" for value in values))
    return "\n".join(lines)


# ---- pictures --------------------------------------------------------------------------------


def class_colours(num_classes):
    """Returns a colour for each class, uint8 (num_classes, 3): the first is black."""
    colours = list(CLASS_COLOURS[:num_classes])
    for index in range(len(colours), num_classes):  # the golden angle keeps neighbours apart
        red, green, blue = colorsys.hsv_to_rgb(index * 0.618034 % 1, 0.55 + 0.4 * (index % 2), 0.9)
        colours.append((int(255 * red), int(255 * green), int(255 * blue)))
    return np.array(colours, np.uint8)


def colour_mask(mask, colours):
    """Draws class indices uint8 (height, width) in their colours, uint8 (height, width, 3).

    Values beyond the classes (the ignore label) are white.
    """
    table = np.tile(np.array(IGNORED_COLOUR, np.uint8), (256, 1))
    table[:len(colours)] = colours
    return table[mask]


def overlay(image, mask, colours, opacity=OVERLAY_OPACITY):
    """Lays a mask over an image, class 0 left clear.

    Args: image uint8 (height, width, 3), mask uint8 (height, width). Returns: uint8 like image.
    """
    blend = (1 - opacity) * image + opacity * colour_mask(mask, colours)
    return np.where(mask[..., None] > 0, blend, image).astype(np.uint8)


def save_mask(path, mask, colours, compress_level=None):
    """Writes class indices as a palette PNG: the pixel is the index, the palette its colour.

    Args: mask uint8 (height, width), colours uint8 (num_classes, 3); compress_level, 1 (fast) to 9,
        None: the smallest file.
    """
    picture = Image.fromarray(np.ascontiguousarray(mask, np.uint8), "L")
    picture.putpalette(colour_mask(np.arange(256, dtype=np.uint8), colours).tobytes())
    options = {"optimize": True} if compress_level is None else {"compress_level": compress_level}
    write_whole(path, lambda file: picture.save(file, "PNG", **options))


def save_overlay(path, image, mask, class_names, colours):
    """Saves a picture with its mask over it and a legend of the classes below.

    Args: image uint8 (height, width, 3), mask uint8 of any size: it is resized to the image's.
    """
    height, width = image.shape[:2]
    legend = _legend(class_names, colours, max(width, 320), ImageFont.load_default(14))
    canvas = Image.new("RGB", (legend.width, height + legend.height), "white")
    laid = overlay(image, resize_label(mask, (height, width)), colours)
    canvas.paste(Image.fromarray(laid), (0, 0))
    canvas.paste(legend, (0, height))
    write_whole(path, lambda file: canvas.save(file, "JPEG", quality=90))


def save_grid(path, rows, titles, class_names, colours, row_titles=None):
    """Saves pictures side by side, a legend of the classes below.

    Args: rows, list of lists of uint8 arrays (height, width, 3) of one size; titles, one a column;
        row_titles, None or a text under each row.
    """
    height, width = rows[0][0].shape[:2]
    height, width = PICTURE_HEIGHT, round(width * PICTURE_HEIGHT / height)
    gap, line = 6, 20
    font = ImageFont.load_default(14)
    row_height = height + gap + (line if row_titles else 0)
    legend = _legend(class_names, colours, len(titles) * (width + gap), font)
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


def _legend(class_names, colours, width, font):
    """Draws coloured squares with the class names, as many lines as they need."""
    square, line, places, left, top = 14, 24, [], 0, 4
    for name in class_names:
        needed = square + 6 + int(font.getlength(name)) + 18
        if left and left + needed > width:
            left, top = 0, top + line
        places.append((left, top))
        left += needed
    legend = Image.new("RGB", (width, top + line), "white")
    draw = ImageDraw.Draw(legend)
    for name, colour, (left, top) in zip(class_names, colours, places):
        draw.rectangle((left, top, left + square, top + square), tuple(map(int, colour)), "black")
        draw.text((left + square + 6, top - 1), name, "black", font)
    return legend


# ---- files -----------------------------------------------------------------------------------


def write_whole(path, write):
    """Writes a file beside its place and renames it, so that no half-written file is ever seen.

    Args: path; write, a function that is given the open binary file.
    """
    path = Path(path)
    beside = path.with_name(path.name + ".part")
    with open(beside, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def write_json(path, content):
    """Writes a dict as readable JSON."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    write_whole(path, lambda file: file.write(text.encode("utf-8")))


def read_model_info(folder, needed=("class_names", "class_colours", "image_size")):
    """Reads model.json, which main.py leaves beside the model, and checks it field by field.

    Args: needed, names of the fields that must be there; others are checked where they are.
    Returns: dict with class_names, class_colours, image_size, ignore_label and more (see main.py).
    Raises: InputError where the file is missing, can't be read, or holds what main.py never writes.
    """
    path = Path(folder) / MODEL_INFO_FILE
    if not path.is_file():
        raise InputError(f"There is no {path}: run main.py first, or correct OUTPUT_DIR.")
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise InputError(f"{path} can't be read as JSON ({error}): train again.") from error
    if not isinstance(info, dict):
        raise InputError(f"{path} holds {_shorten(info)}, but not the fields of a model: train "
                         f"again.")
    missing = [name for name in needed if name not in info]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}: train again.")
    for name, (find_wrong, form) in MODEL_INFO_FORMS.items():
        wrong = find_wrong(info[name]) if name in info else []
        if wrong:
            raise InputError(f"{path}: {name} holds {_shorten(wrong[0])}, but needed is {form}: "
                             f"train again.")
    names, colours = info.get("class_names"), info.get("class_colours")
    if names and colours and len(names) != len(colours):
        raise InputError(f"{path}: class_names holds {len(names)} classes and class_colours "
                         f"{len(colours)} colours: train again.")
    return info


def _shorten(value):
    """Returns a value as one short line of JSON, whatever characters are in it."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:40]} ... ({len(text)} characters)"


def _is_text(value):
    return isinstance(value, str) and value.strip() != "" and not UNPRINTABLE.search(value)


def _is_file_name(value):
    return _is_text(value) and not set(value) & set("/\\") and value not in (".", "..")


def _is_integer(value, lowest, highest):
    return type(value) is int and lowest <= value <= highest  # True and False are int as well


def _is_colour(value):
    return (isinstance(value, list) and len(value) == 3
            and all(_is_integer(channel, 0, 255) for channel in value))


def _is_side(value):
    return _is_integer(value, 32, LARGEST_SIDE) and value % 32 == 0


def _is_channels(value):
    values = value if isinstance(value, list) and len(value) == 2 else [value]
    return all(_is_integer(number, 1, 65536) for number in values)


def _one(is_sound):
    """Makes a function that returns a list of the value itself where it is not sound."""
    return lambda value: [] if is_sound(value) else [value]


def _many(is_sound, fewest, most=None):
    """Makes a function that returns a list's entries that are not sound, or the misfit itself."""
    def find_wrong(values):
        """Returns the entries that are not sound, or the misfit itself."""
        if (not isinstance(values, list) or len(values) < fewest
                or (most is not None and len(values) > most)):
            return [values]
        return [value for value in values if not is_sound(value)]

    return find_wrong


_FOLDER = _one(_is_text), "the path of a folder"
_FILE_NAMES = _many(_is_file_name, 1), "a list of plain file names that lead to no other folder"
MODEL_INFO_FORMS = {  # field: what finds the wrong parts of its value, what it must be
    "class_names": (_many(_is_text, 2, MAX_CLASSES), f"a list of 2 to {MAX_CLASSES} names"),
    "class_colours": (_many(_is_colour, 2, MAX_CLASSES),
                      "a list of colours, three integers from 0 to 255 each"),
    "image_size": (_many(_is_side, 2, 2),
                   f"height and width, multiples of 32 from 32 to {LARGEST_SIDE}"),
    "ignore_label": (_one(lambda value: value is None or _is_integer(value, 0, 255)),
                     "null or an integer from 0 to 255"),
    "decoder_filters": (_many(_is_channels, 4, 4),
                        "a list of four numbers of channels, or of four pairs of them"),
    "encoder_frozen": (_one(lambda value: isinstance(value, bool)), "true or false"),
    "image_dir": _FOLDER, "label_dir": _FOLDER,
    "validation_image_dir": _FOLDER, "validation_label_dir": _FOLDER,
    "training_images": _FILE_NAMES, "validation_images": _FILE_NAMES,
}
