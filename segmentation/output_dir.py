"""OUTPUT_DIR itself: whether it can be written, who writes to it, and an earlier run's results."""

import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

from device.errors import InputError
from device.files import find_write_error
from segmentation.workers import is_chief

NEEDED_MB = 200  # free in OUTPUT_DIR: the model, twice while it is saved, and the pictures
LOCK_FILE = "run.lock"
LOCKED_BYTE = 1_000_000  # on Windows, beyond the process number, so that others can read that
PREVIOUS_DIR = "previous"
RESULT_FILES = (  # of main.py and of the scripts after it
    "model.keras", "model.json", "history.csv", "*metrics.csv", "curves.png", "predictions*.png",
    "confusion.png", "checkpoint.npz", "model_int8*.tflite", "edgetpu_report.json", "report*.json",
    "report*.png")


def check_output_dir(folder):
    """Makes the folder and tries to write there, so that it is not found out after the training.

    Returns: list of a sentence where it can't be written, or where less than NEEDED_MB are free;
        empty for None, which stands for a constant that is no path.
    """
    if folder is None:
        return []
    error = find_write_error(folder)
    if error:
        return [f"OUTPUT_DIR {folder} can't be written ({error}): choose another folder or make "
                f"room."]
    free = shutil.disk_usage(folder).free // 10**6
    if free < NEEDED_MB:
        return [f"OUTPUT_DIR {folder} has {free} MB free, but {NEEDED_MB} MB are needed: choose "
                f"another folder or make room."]
    return []


@contextmanager
def lock_output_dir(folder):
    """Holds OUTPUT_DIR for this process alone; a lock whose process has ended is taken over.

    The operating system frees the lock when the process ends, however it ends. Nothing is locked
    for None or a folder that can't be written (check_output_dir says so), nor by workers that
    write nothing.
    Raises: InputError where another run is at work there.
    """
    if folder is None or not is_chief() or find_write_error(folder):
        yield
        return
    path = Path(folder) / LOCK_FILE
    with open(path, "a+", encoding="utf-8") as file:
        try:
            _lock(file)
        except (BlockingIOError, PermissionError) as error:
            file.seek(0)
            raise InputError(f"Another run (process {file.read().strip() or 'unknown'}) is writing "
                             f"to OUTPUT_DIR {folder}: wait until it has ended, or set another "
                             f"OUTPUT_DIR.") from error
        except OSError as error:
            print(f"OUTPUT_DIR {folder} can't be locked ({error.strerror}): let no second run "
                  f"write to it.")
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        try:
            yield
        finally:
            if os.name != "nt":  # while the lock is held, so that no other run's file is removed
                path.unlink(missing_ok=True)


def _lock(file):
    """Locks an open file; raises BlockingIOError or PermissionError where another holds it."""
    if os.name == "nt":
        import msvcrt

        file.seek(LOCKED_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def keep_previous_results(output_dir):
    """Moves the results of an earlier run to OUTPUT_DIR/previous/DATE, and says so.

    Called when the first epoch is complete, so that a run which fails before it changes nothing.
    Args: output_dir, Path.
    """
    results = [path for pattern in RESULT_FILES for path in sorted(output_dir.glob(pattern))]
    if not results:
        return
    ended = time.localtime(max(path.stat().st_mtime for path in results))
    folder = output_dir / PREVIOUS_DIR / time.strftime("%Y-%m-%d_%H-%M-%S", ended)
    folder.mkdir(parents=True, exist_ok=True)
    for path in results:
        os.replace(path, folder / path.name)
    megabytes = sum(path.stat().st_size for path in folder.iterdir()) / 10**6
    print(f"The results of the run before are kept in {folder} ({megabytes:.0f} MB).", flush=True)
