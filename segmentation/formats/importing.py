"""The story of an import: finds labels, brings them to pictures, draws, and writes them whole."""

import os
from collections import Counter
from pathlib import Path

from device.errors import InputError, collect_or_raise, list_names
from device.files import is_image_name
from device.model_info import IGNORED
from segmentation.data.classes import CLASS_NAMES_FILE
from segmentation.evenly import choose_evenly
from segmentation.formats.classes import number_classes
from segmentation.formats.detect import find_labels
from segmentation.formats.mask_names import split_pool
from segmentation.formats.matching import Job, fit_labels, match_records, read_states
from segmentation.formats.pictures import Pictures, list_files
from segmentation.formats.source import Source
from segmentation.formats.writing import check_targets, choose_targets, write_all
from segmentation.label_sheet import save_label_sheet

PREVIEW_COLUMNS, PREVIEW_ROWS = 4, 3


def import_labels(options, preview_path):
    """Reads the labels of another tool and writes them as main.py reads them.

    Args: options, import_labels.py's constants as an object; preview_path, where the picture to
        look at is written.
    Returns: list of the labels' paths.
    Raises: InputError of all that was found to be wrong, before anything is written.
    """
    errors, remarks = [], []
    _check_folders(options)
    source = Source(options.source, options.label_dir, options.crowd)
    image_dir = Path(options.image_dir or source.folder)
    all_pictures = _list_pictures(image_dir, options.label_dir)
    found, pictures = find_labels(source, all_pictures, options, errors)
    jobs = match_records(found, pictures, errors, remarks) if found.records else []
    matched = jobs
    jobs = _apply_empty(jobs, pictures, options.empty)
    states = read_states(jobs, errors)
    counts = Counter()
    for job in jobs:
        counts.update(job.record.classes if job.record else {})
    found.has_background |= any(job.record is None for job in jobs)
    classes = number_classes(found, counts, options.class_names, options.merge, errors, remarks)
    fits = fit_labels(jobs, states, options.labels_turned, errors, remarks)
    targets = choose_targets(jobs, image_dir, Path(options.label_dir), errors)
    check_targets(targets, jobs, source, classes, options, errors)
    if not errors and (not jobs or len(classes.names) < 2):
        errors.append(_nothing_found(found, matched))
    collect_or_raise(errors)

    print(_summarize(found, jobs, pictures, classes, counts))
    hidden = write_all(jobs, fits, targets, classes, Path(options.label_dir))
    remarks += found.remarks + _tell_left_out(matched) + _tell_hidden(hidden)
    remarks += _tell_overlaps(found.overlaps)
    _save_preview(preview_path, jobs, targets, classes.names)
    for remark in remarks:
        print(remark)
    _print_end(jobs, targets, all_pictures, options.label_dir, preview_path)
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
             if is_image_name(path.name)]
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


def _save_preview(path, jobs, targets, class_names):
    """Writes the picture that shows whether an import is right: images spread over the set."""
    pairs = [(job.picture, target) for job, target in zip(jobs, targets)]
    labeled = [pair for job, pair in zip(jobs, pairs) if job.record and job.record.classes] or pairs
    chosen = choose_evenly(len(labeled), PREVIEW_COLUMNS * PREVIEW_ROWS)
    save_label_sheet(path, [labeled[place] for place in chosen], class_names, PREVIEW_COLUMNS)


# ---- what is said ----------------------------------------------------------------------------


def _summarize(found, jobs, pictures, classes, counts):
    names = Counter()
    for name, count in counts.items():
        value = classes.values[name]
        names["ignored" if value == IGNORED else classes.names[value]] += count
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


def _tell_overlaps(overlaps):
    pictures = sorted(picture.name for picture, pixels in overlaps.items() if pixels)
    return [f"{sum(overlaps.values()):,} pixels of {len(pictures)} picture(s) belong to several "
            f"masks; the class whose name comes later lies above: {list_names(pictures)}."
            ] if pictures else []


def _print_end(jobs, targets, pictures, label_dir, preview_path):
    """Prints what to look at, and what to set in main.py."""
    labeled, image_dir = {job.picture for job in jobs}, pictures.folder
    unlabeled = [path for path in pictures.paths if path not in labeled]
    if unlabeled and {path.parent for path in targets} == {Path(label_dir)}:
        # The images' own folder, where masks lie elsewhere beneath IMAGE_DIR.
        image_dir = Path(os.path.commonpath([path.parent for path in labeled]))
        unlabeled = [path for path in unlabeled if image_dir in path.parents]
    print(f"{len(targets)} labels and {CLASS_NAMES_FILE} are in {label_dir}. Look at "
          f"{preview_path}, then set in main.py:")
    print(f'IMAGE_DIR = "{image_dir.as_posix()}"\nLABEL_DIR = "{Path(label_dir).as_posix()}"')
    if unlabeled:
        print(f"SKIP_UNLABELED = True  # {len(unlabeled)} of the images there have no label: "
              f"{list_names(path.name for path in unlabeled)}")
