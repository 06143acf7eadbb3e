"""Which labels only the model has seen: kept in review.json beside the labels, not in them."""

import json

from device.errors import InputError
from device.files import write_json

REVIEW_FILE = "review.json"  # in the label folder: names of images whose label awaits a review


def read_unreviewed(session):
    """Returns the image paths whose label only the model has seen, a set.

    Raises: InputError where the file is damaged.
    """
    path = session.label_dir / REVIEW_FILE
    try:
        names = set(json.loads(path.read_text(encoding="utf-8"))["to_review"])
    except FileNotFoundError:
        return set()
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise InputError(f"{path} is damaged: remove it; the labels are not touched.") from error
    return {image for image in session.image_paths if image.name in names} & session.labeled


def mark_unreviewed(session, image_path):
    """Notes that the model has labeled an image and nobody has looked at it."""
    session.unreviewed.add(image_path)
    _write(session)


def mark_reviewed(session, image_path):
    """Notes that a person has seen or corrected an image's label."""
    if image_path in session.unreviewed:
        session.unreviewed.discard(image_path)
        _write(session)


def _write(session):
    path = session.label_dir / REVIEW_FILE
    try:
        if session.unreviewed:
            write_json(path, {"to_review": sorted(path.name for path in session.unreviewed)})
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path} can't be written ({error.strerror}): make room or change "
                         f"permissions.") from error
