"""Where labels go, what must not be replaced, and how they are written: all, or none."""

import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from device.drawing import class_colors, save_mask
from device.errors import InputError, collect_or_raise, list_names
from device.files import split_suffix, write_whole
from device.images import turn_upright
from segmentation.data.classes import CLASS_NAMES_FILE, read_class_names, write_class_names
from segmentation.formats.painting import paint
from segmentation.parallel import in_parallel

PART_FOLDER = ".import_labels.part"  # in LABEL_DIR: what is written until all is complete
COMPRESSION = 3  # of PNG, 1 to 9


def choose_targets(jobs, image_dir, label_dir, errors):
    """Returns each label's path: the picture's stem, in its sub-folder where stems repeat."""
    stems = Counter(split_suffix(job.picture.name)[0] for job in jobs)
    repeats = any(count > 1 for count in stems.values())
    targets = []
    for job in jobs:
        name = split_suffix(job.picture.name)[0] + ".png"
        folder = job.picture.parent.relative_to(image_dir) if repeats else Path()
        targets.append(label_dir / folder / name)
    doubles = [str(path) for path, count in Counter(targets).items() if count > 1]
    if doubles:
        errors.append(f"{len(doubles)} label(s) would belong to two pictures that differ only by "
                      f"their suffix: {list_names(doubles)}; keep one picture of each.")
    return targets


def check_targets(targets, jobs, source, classes, options, errors):
    """Adds a sentence where writing would replace originals, or labels against OVERWRITE."""
    originals = source.used | {job.picture.resolve() for job in jobs}
    names_file = Path(options.label_dir) / CLASS_NAMES_FILE
    hit = [path for path in (*targets, names_file) if path.resolve() in originals]
    if hit:
        errors.append(f"{len(hit)} label(s) would replace originals: {list_names(hit)}; set "
                      f"LABEL_DIR to another folder.")
        return
    existing = [path for path in targets if path.exists()]
    if existing and not options.overwrite:
        errors.append(f"{len(existing)} label(s) exist already in {options.label_dir}: "
                      f"{list_names(path.name for path in existing)}; set OVERWRITE = True, or "
                      f"LABEL_DIR to another folder.")
    others = set(Path(options.label_dir).rglob("*.png")) - set(targets)
    before = read_class_names(options.label_dir) if names_file.is_file() else None
    if others and before is not None and before != classes.names:
        errors.append(f"{options.label_dir} holds {len(others)} other label(s) of the classes "
                      f"{', '.join(before)}, and these labels have {', '.join(classes.names)}: "
                      f"set CLASS_NAMES to one list for all, or LABEL_DIR to another folder.")
    elif names_file.exists() and not others and not existing and not options.overwrite \
            and before != classes.names:
        errors.append(f"{names_file} exists already and names other classes: set OVERWRITE = "
                      f"True, or LABEL_DIR to another folder.")


def write_all(jobs, fits, targets, classes, label_dir):
    """Draws and writes all labels beside their places, and moves them there when all are complete.

    Returns: list of the names of hidden annotations of each job.
    Raises: InputError where a label can't be drawn or written; then nothing is left.
    """
    part = label_dir / PART_FOLDER
    colors = class_colors(len(classes.names))
    names = [target.relative_to(label_dir) for target in targets]

    def write(index):
        """Draws one label; returns the names of hidden annotations, or a sentence on its fault."""
        job, fit = jobs[index], fits[index]
        try:
            label, hidden = _draw(job, fit, classes.values)
        except InputError as error:
            return str(error)
        path = part / names[index]
        path.parent.mkdir(parents=True, exist_ok=True)
        save_mask(path, label, colors, COMPRESSION)
        return hidden

    try:
        _remove(part)
        part.mkdir(parents=True)
        results = in_parallel(write, len(jobs), "Drawing labels")
        collect_or_raise([result for result in results if isinstance(result, str)])
        for job in jobs:
            if job.is_embedded:
                content = job.record.read_picture()
                write_whole(job.picture, lambda file, content=content: file.write(content))
        for name, target in zip(names, targets):
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(part / name, target)
        write_class_names(label_dir, classes.names)
    except OSError as error:
        raise InputError(f"{label_dir} can't be written ({error.strerror}): make room, or set "
                         f"LABEL_DIR to another folder.") from error
    finally:
        _remove(part)
    return results


def _draw(job, fit, values):
    """Returns a picture's label as it is looked at, uint8 (height, width), and what is hidden."""
    if job.record is None:
        return np.zeros(fit.size, np.uint8), []
    content = job.record.read(fit.size)
    label, hidden = paint(content, fit.size, values)
    if label.shape != fit.size:
        raise InputError(f"{job.record.path} has {label.shape[1]} x {label.shape[0]} pixels, but "
                         f"{job.picture.name} has {fit.size[1]} x {fit.size[0]}: take the picture "
                         f"that was labeled.")
    return np.array(turn_upright(Image.fromarray(label), fit.orientation)), hidden


def _remove(folder):
    if folder.exists():
        shutil.rmtree(folder)
