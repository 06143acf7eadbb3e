"""The story of an import: finds labels, brings them to pictures, draws, and writes them whole."""

import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np

from device.drawing import class_colors, save_mask
from device.errors import InputError, collect_or_raise, list_names
from device.files import split_suffix, write_whole
from segmentation.data.classes import CLASS_NAMES_FILE, read_class_names
from segmentation.formats.classes import IGNORE_VALUE, number_classes
from segmentation.formats.detect import find_labels
from segmentation.formats.mask_names import split_pool
from segmentation.formats.matching import Job, fit_labels, match_records, read_states
from segmentation.formats.painting import paint
from segmentation.formats.pictures import Pictures, is_picture, list_files, turn_upright
from segmentation.formats.preview import save_preview
from segmentation.formats.source import Source
from segmentation.parallel import in_parallel

PART_FOLDER = ".import_labels.part"  # in LABEL_DIR: what is written until all is complete
COMPRESSION = 3  # of PNG, 1 to 9


def import_labels(options, preview_path):
    """Reads the labels of another tool and writes them as main.py reads them.

    Args: options, import_labels.py's constants as an object; preview_path, where the picture to
        look at is written.
    Returns: list of the labels' paths.
    Raises: InputError of all that was found to be wrong, before anything is written.
    """
    findings, remarks = [], []
    _check_folders(options)
    source = Source(options.source, options.label_dir, options.crowd)
    image_dir = Path(options.image_dir or source.folder)
    all_pictures = _list_pictures(image_dir, options.label_dir)
    found, pictures = find_labels(source, all_pictures, options, findings)
    jobs = match_records(found, pictures, findings, remarks) if found.records else []
    matched = jobs
    jobs = _apply_empty(jobs, pictures, options.empty)
    states = read_states(jobs, findings)
    counts = Counter()
    for job in jobs:
        counts.update(job.record.classes if job.record else {})
    found.has_background |= any(job.record is None for job in jobs)
    classes = number_classes(found, counts, options.class_names, options.merge, findings, remarks)
    fits = fit_labels(jobs, states, options.labels_turned, findings, remarks)
    targets = _choose_targets(jobs, image_dir, Path(options.label_dir), findings)
    _check_targets(targets, jobs, source, classes, options, findings)
    if not findings and len(classes.names) < 2 and not options.class_names:
        findings.append(_nothing_found(found, matched))
    collect_or_raise(findings)

    print(_summarize(found, jobs, pictures, classes, counts))
    hidden = _write_all(jobs, fits, targets, classes, Path(options.label_dir))
    remarks += found.remarks + _tell_left_out(matched) + _tell_hidden(hidden)
    save_preview(preview_path, jobs, targets, classes.names)
    for remark in remarks:
        print(remark)
    labeled = {job.picture for job in jobs}
    unlabeled = [path.name for path in all_pictures.paths if path not in labeled]
    _print_end(len(targets), unlabeled, image_dir, options, preview_path)
    return targets


def _check_folders(options):
    """Raises InputError where labels would be written among the originals."""
    label_dir = Path(options.label_dir).resolve()
    for name in ("source", "image_dir"):
        if getattr(options, name) and Path(getattr(options, name)).resolve() == label_dir:
            raise InputError(f"LABEL_DIR is the same folder as {name.upper()}: set it to another "
                             f"one, so that the originals stay as they are.")


def _list_pictures(image_dir, label_dir):
    if not image_dir.is_dir():
        raise InputError(f"The folder {image_dir} does not exist: set IMAGE_DIR to the folder of "
                         f"the pictures.")
    paths = [path for path in list_files(image_dir, (Path(label_dir).resolve(),))
             if is_picture(path)]
    return Pictures(image_dir, paths)


def _apply_empty(jobs, pictures, empty):
    """Returns the jobs that are written by EMPTY's rule, sorted by picture."""
    kept = [job for job in jobs if job.record.classes or job.record.is_background]
    # Where all annotations were left out there is something, so it can't be background.
    unknown = {job.picture for job in jobs if job.record.left_out and not job.record.classes}
    labeled = {job.picture for job in kept}
    if empty == "background":
        # Label pictures among the pictures, which another kind of labels goes with, are none.
        candidates, _ = split_pool(pictures.paths, pictures.paths, look_inside=False)
        kept += [Job(path, None) for path in candidates if path not in labeled | unknown]
    return sorted(kept, key=lambda job: job.picture)


# ---- where labels go -------------------------------------------------------------------------


def _choose_targets(jobs, image_dir, label_dir, findings):
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
        findings.append(f"{len(doubles)} label(s) would belong to two pictures that differ only by "
                        f"their suffix: {list_names(doubles)}; keep one picture of each.")
    return targets


def _check_targets(targets, jobs, source, classes, options, findings):
    """Adds a sentence where writing would replace originals, or labels against OVERWRITE."""
    originals = source.used | {job.picture.resolve() for job in jobs}
    names_file = Path(options.label_dir) / CLASS_NAMES_FILE
    hit = [path for path in (*targets, names_file) if path.resolve() in originals]
    if hit:
        findings.append(f"{len(hit)} label(s) would replace originals: {list_names(hit)}; set "
                        f"LABEL_DIR to another folder.")
        return
    existing = [path for path in targets if path.exists()]
    if existing and not options.overwrite:
        findings.append(f"{len(existing)} label(s) exist already in {options.label_dir}: "
                        f"{list_names(path.name for path in existing)}; set OVERWRITE = True, or "
                        f"LABEL_DIR to another folder.")
    others = set(Path(options.label_dir).rglob("*.png")) - set(targets)
    before = read_class_names(options.label_dir) if names_file.is_file() else None
    if others and before is not None and before != classes.names:
        findings.append(f"{options.label_dir} holds {len(others)} other label(s) of the classes "
                        f"{', '.join(before)}, and these labels have {', '.join(classes.names)}: "
                        f"set CLASS_NAMES to one list for all, or LABEL_DIR to another folder.")
    elif names_file.exists() and not others and not existing and not options.overwrite \
            and before != classes.names:
        findings.append(f"{names_file} exists already and names other classes: set OVERWRITE = "
                        f"True, or LABEL_DIR to another folder.")


# ---- writing ---------------------------------------------------------------------------------


def _write_all(jobs, fits, targets, classes, label_dir):
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
        text = "\n".join(classes.names) + "\n"
        for name, target in zip(names, targets):
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(part / name, target)
        write_whole(label_dir / CLASS_NAMES_FILE, lambda file: file.write(text.encode()))
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
    content = job.record.load(fit.size)
    label, hidden = paint(content, fit.size, values)
    if label.shape != fit.size:
        raise InputError(f"{job.record.path} has {label.shape[1]} x {label.shape[0]} pixels, but "
                         f"{job.picture.name} has {fit.size[1]} x {fit.size[0]}: take the picture "
                         f"that was labeled.")
    if fit.orientation > 1:
        label = turn_upright(label, fit.orientation)
    return label, hidden


def _remove(folder):
    if folder.exists():
        shutil.rmtree(folder)


# ---- what is said ----------------------------------------------------------------------------


def _summarize(found, jobs, pictures, classes, counts):
    names = Counter()
    for name, count in counts.items():
        value = classes.values[name]
        names["ignored" if value == IGNORE_VALUE else classes.names[value]] += count
    parts = [f"{name} ({names[name]})" if names[name] else name for name in classes.names]
    parts += [f"ignored ({names['ignored']})"] if names["ignored"] else []
    return (f"{found.kind}: {len(found.files)} file(s) for {len(jobs)} of {len(pictures.paths)} "
            f"pictures, {len(classes.names)} classes: {', '.join(parts)}")


def _nothing_found(found, jobs):
    left_out = _count_left_out(jobs)
    reason = f" (left out: {', '.join(sorted(left_out))})" if left_out else ""
    return (f"{found.kind}: {len(found.files)} file(s) hold no outline, mask or area of a "
            f"class{reason}; export polygons or masks, which segmentation needs.")


def _count_left_out(jobs):
    left_out = Counter()
    for job in jobs:
        left_out.update(job.record.left_out if job.record else {})
    return left_out


def _tell_left_out(jobs):
    return [f"{count} annotation(s) are left out: {reason}."
            for reason, count in sorted(_count_left_out(jobs).items())]


def _tell_hidden(hidden):
    names = Counter(name for one in hidden for name in one)
    if not names:
        return []
    listed = ", ".join(f"{name} ({count})" for name, count in sorted(names.items()))
    return [f"WARNING: {sum(names.values())} annotation(s) are hidden to more than nine tenths by "
            f"later ones: {listed}. Look at them in the tool that drew them."]


def _print_end(count, unlabeled, image_dir, options, preview_path):
    print(f"{count} labels and {CLASS_NAMES_FILE} are in {options.label_dir}. Look at "
          f"{preview_path}, then set in main.py:")
    print(f'IMAGE_DIR = "{image_dir.as_posix()}"\nLABEL_DIR = '
          f'"{Path(options.label_dir).as_posix()}"')
    if unlabeled:
        print(f"SKIP_UNLABELED = True  # {len(unlabeled)} of the pictures there have no label: "
              f"{list_names(unlabeled)}")
