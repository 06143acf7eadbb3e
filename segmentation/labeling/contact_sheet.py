"""Saves all labels of a folder in a few pictures, to be looked through at a glance.

    python -m segmentation.labeling.contact_sheet IMAGES LABELS [OUTPUT]
"""

import sys

from device.errors import InputError, run_script
from segmentation.label_sheet import save_label_sheet
from segmentation.labeling.opening import open_session
from segmentation.labeling.session import label_path_of

COLUMNS, ROWS = 5, 4  # images on a sheet


def save_contact_sheets(session):
    """Saves contact_sheet_01.png, ... with every labeled image and its label over it.

    Returns: the paths of the pictures, in session.output_dir.
    Raises: InputError where there is no label, or where a picture can't be written.
    """
    labeled = [path for path in session.image_paths if path in session.labeled]
    if not labeled:
        raise InputError("There is no label yet.")
    paths = []
    for number, start in enumerate(range(0, len(labeled), COLUMNS * ROWS), 1):
        pairs = [(path, label_path_of(session, path))
                 for path in labeled[start:start + COLUMNS * ROWS]]
        path = session.output_dir / f"contact_sheet_{number:02}.png"
        try:
            save_label_sheet(path, pairs, session.class_names, COLUMNS, session.intensity_range)
        except OSError as error:
            raise InputError(f"{path} can't be written ({error.strerror}): make room.") from error
        paths.append(path)
    return paths


def main():
    """Saves the sheets of the folders named on the command line."""
    if len(sys.argv) not in (3, 4):
        raise InputError(__doc__.strip())
    session = open_session(*sys.argv[1:3], output_dir=(*sys.argv, ".")[3])
    for path in save_contact_sheets(session):
        print(path)


if __name__ == "__main__":
    run_script(main)
