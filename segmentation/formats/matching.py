"""Brings each record to its picture, and checks that the label's size and direction fit it."""

import io
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from device.errors import InputError, list_names
from device.files import stem_of
from segmentation.formats.pictures import PictureState, read_state
from segmentation.formats.reading import damage_as_sentence, open_embedded
from segmentation.formats.records import Indices, Record
from segmentation.parallel import in_parallel


class Job(NamedTuple):
    """One label to write: picture, its record (None: all background), and where it comes from.

    is_embedded: the picture is only inside the label file, and will be written too.
    """

    picture: Path
    record: Record
    is_embedded: bool = False


def match_records(found, pictures, errors, remarks):
    """Returns a Job for each record whose picture is there.

    Args: pictures, a Pictures; errors, remarks: lists to which sentences are added.
    """
    jobs, lone, unclear = {}, [], []
    for record in found.records:
        paths = [record.picture] if record.picture else pictures.find(record.names, record.path)
        if not paths and record.frame is not None:
            paths = pictures.find_frame(record.frame)
        if len(paths) == 1:
            jobs.setdefault(paths[0], []).append(Job(paths[0], record))
        elif paths:
            unclear.append(f"{record.names[0]} ({' / '.join(str(path) for path in paths[:3])})")
        elif record.read_picture:
            path = pictures.folder / (record.path.stem + _embedded_suffix(record, errors))
            jobs.setdefault(path, []).append(Job(path, record, is_embedded=True))
        else:
            lone.append(record)
    if unclear:
        errors.append(f"{len(unclear)} label(s) fit more than one picture of the same name: "
                      f"{list_names(unclear)}; set SOURCE and IMAGE_DIR to one of the folders.")
    if lone and not jobs and not unclear:
        errors.append(f"None of the {len(lone)} labels has its picture in {pictures.folder} "
                      f"({len(pictures.paths)} pictures): {list_names(_first_names(lone))}; "
                      f"correct IMAGE_DIR.")
    elif lone:
        remarks.append(f"{len(lone)} label(s) have no picture in {pictures.folder} and are left "
                       f"out: {list_names(_first_names(lone))}.")
    return _choose_one(jobs, errors)


def _first_names(records):
    return sorted(str(record.names[0]) for record in records)


def _embedded_suffix(record, errors):
    try:
        with damage_as_sentence(record.path), open_embedded(record.read_picture()) as image:
            return {"JPEG": ".jpg", "MPO": ".jpg"}.get(image.format, f".{image.format.lower()}")
    except InputError as error:
        errors.append(str(error))
        return ".png"


def _choose_one(jobs, errors):
    """Returns one job a picture; several records are an error, unless they say the same."""
    chosen, double = [], []
    for picture, several in sorted(jobs.items()):
        own = [job for job in several if stem_of(job.record.path) == stem_of(picture)]
        several = own if len(own) == 1 else several  # labelme: a copied imagePath, not the name
        filled = [job for job in several if job.record.classes or job.record.left_out] or several
        chosen.append(filled[0])
        if any(not _say_the_same(filled[0].record, job.record) for job in filled[1:]):
            double.append(f"{picture.name} ({', '.join(job.record.path.name for job in several)})")
    if double:
        errors.append(f"{len(double)} picture(s) are labeled more than once, in different ways: "
                      f"{list_names(double)}; set SOURCE to one of the files.")
    return chosen


def _say_the_same(one, other):
    try:
        return one.classes == other.classes and _write_out(one) == _write_out(other)
    except InputError:
        return False


def _write_out(record):
    """Returns all that a record draws, in a form that can be compared."""
    content = record.read(record.size or (1000, 1000))
    if isinstance(content, Indices):
        return content.numbers.tobytes(), content.names
    return [(shape._replace(mask=None), None if shape.mask is None else shape.mask.tobytes())
            for shape in content]


def read_states(jobs, errors):
    """Returns the PictureState of each job's picture, None where it can't be read."""
    def read(index):
        """Reads size and EXIF orientation of one picture; a sentence where that fails."""
        picture, record, is_embedded = jobs[index]
        try:
            if not is_embedded:
                return read_state(picture)
            with Image.open(io.BytesIO(record.read_picture())) as image:
                return PictureState(image.size[::-1], 1)
        except InputError as error:
            return str(error)

    states = in_parallel(read, len(jobs), "Reading pictures' sizes")
    errors += [state for state in states if isinstance(state, str)]
    return [None if isinstance(state, str) else state for state in states]


class Fit(NamedTuple):
    """The size (height, width) to draw a label in, and the EXIF orientation that turns it upright.

    orientation is 1 where the label lies upright already.
    """

    size: tuple
    orientation: int = 1


def fit_labels(jobs, states, labels_turned, errors, remarks):
    """Decides for each label whether it lies as its picture is looked at, or as it is stored.

    The sizes tell it where EXIF exchanges height and width; else labels_turned does.
    Returns: list of Fit, None for those that fit neither.
    """
    fits, misfits, doubtful = [], [], []
    for job, state in zip(jobs, states):
        if state is None:
            fits.append(None)
            continue
        size = job.record.size if job.record else state.upright
        fit = _fit(size, state, labels_turned)
        fits.append(fit)
        if fit is None:
            misfits.append(f"{job.picture.name} ({_format_size(size)}, the picture "
                           f"{_format_size(state.stored)}"
                           f"{', turned by EXIF' if state.orientation > 1 else ''})")
        elif state.orientation > 1 and job.record and (size is None
                                                       or state.stored == state.upright):
            doubtful.append(job.picture.name)
    if misfits:
        errors.append(f"{len(misfits)} label(s) were not drawn on pictures of this size (width x "
                      f"height): {list_names(misfits)}; take the pictures that were labeled.")
    turned = sum(fit.orientation > 1 for fit in fits if fit)
    if turned:
        remarks.append(f"{turned} label(s) lie as the camera stored the picture; they are turned "
                       f"upright with it (EXIF).")
    if doubtful:
        remarks.append(f"{len(doubtful)} picture(s) are turned by EXIF, and the size can't tell "
                       f"whether their labels are too: {list_names(doubtful)}. Look at "
                       f"preview.png; if labels lie wrongly there, set LABELS_TURNED = "
                       f"{not labels_turned}.")
    return fits


def _fit(size, state, labels_turned):
    upright, stored = Fit(state.upright), Fit(state.stored, state.orientation)
    if state.orientation == 1:
        return upright if size in (None, state.stored) else None
    if size is None or state.stored == state.upright == size:
        return stored if labels_turned else upright
    return {state.upright: upright, state.stored: stored}.get(size)


def _format_size(size):
    return f"{size[1]} x {size[0]}"
