"""Finds the model's files, and decides by their content whether they belong together.

Dates say nothing: scp and cp give a copy the time of copying. tflite_convert.py leaves in
model.json the SHA-256 of the .tflite and of the file that was compiled from it.
"""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

from device.errors import InputError
from device.model_info import MODEL_INFO_FILE, TFLITE_FILE, read_model_info
from device.tflite_file import check_file, read_ends

COMPILED_SUFFIX = "_edgetpu"  # edgetpu_compiler adds it to the file's stem
COMPILED_OPERATION = b"edgetpu-custom-op"  # stands in every file that edgetpu_compiler writes
HASHES_FIELD = "tflite_sha256"  # of model.json: file name -> SHA-256 in hexadecimal digits
COPY_ALL = "copy the whole folder output/device that tflite_convert.py makes"


class ModelFiles(NamedTuple):
    """The .tflite for the CPU and the one compiled for the Edge TPU, or None, and why."""

    plain: Any
    compiled: Any
    reason: str  # how it is known that the two belong together, or why there is no compiled file


def hash_file(path):
    """Returns the SHA-256 of a file in hexadecimal digits."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def name_compiled(path):
    """Returns the path that edgetpu_compiler gives to the file that it makes of a .tflite."""
    return path.with_name(f"{path.stem}{COMPILED_SUFFIX}.tflite")


def find_model_files(path):
    """Finds the .tflite and what was compiled from it.

    Args: path of a folder with model_int8.tflite, or of a .tflite, compiled or not.
    Returns: ModelFiles, one of whose paths is there.
    Raises: InputError where there is no model, or a file is damaged or of another training.
    """
    path = Path(path)
    if path.suffix != ".tflite":
        path = path / TFLITE_FILE
    if path.is_file() and is_compiled(path):
        stem = path.stem[:-len(COMPILED_SUFFIX)] if path.stem.endswith(COMPILED_SUFFIX) else None
        plain, compiled = path.with_name(f"{stem}.tflite") if stem else None, path
    else:
        plain, compiled = path, name_compiled(path)
    has_plain = plain is not None and plain.is_file() and not is_compiled(plain)
    if not has_plain and not compiled.is_file():
        raise InputError(f"There is no {path}: run tflite_convert.py first, or correct MODEL_PATH; "
                         f"on a device, {COPY_ALL}.")
    hashes = read_hashes(path.parent)
    if has_plain:
        _check_hash(plain, hashes)
    if not compiled.is_file():
        return ModelFiles(plain, None, f"There is no {compiled.name} beside it, which the Edge "
                                       f"TPU needs.")
    if not has_plain:
        _check_hash(compiled, hashes)
        return ModelFiles(None, compiled, f"{name_plain(compiled)} is not beside it: it can't run "
                                          f"on the CPU.")
    is_right, reason = judge_compiled(plain, compiled, hashes)
    return ModelFiles(plain, compiled if is_right else None, reason)


def name_plain(compiled):
    """Returns the name of the .tflite that a compiled file was made of."""
    return compiled.name.replace(f"{COMPILED_SUFFIX}.tflite", ".tflite")


def is_compiled(path):
    """Returns whether a .tflite was compiled for the Edge TPU."""
    return COMPILED_OPERATION in path.read_bytes()


def read_hashes(folder):
    """Returns the SHA-256 of each file that tflite_convert.py left beside model.json, as a dict."""
    if not (folder / MODEL_INFO_FILE).is_file():
        return {}
    return read_model_info(folder, needed=()).get(HASHES_FIELD, {})


def _check_hash(path, hashes):
    """Raises InputError where a file is not the one that tflite_convert.py wrote."""
    if path.name in hashes and hash_file(path) != hashes[path.name]:
        raise InputError(f"{path} is not the file that {MODEL_INFO_FILE} beside it was written "
                         f"for (its SHA-256 differs): it is a damaged copy or of another training; "
                         f"{COPY_ALL} again, or run tflite_convert.py again.")


def judge_compiled(plain, compiled, hashes):
    """Decides whether a compiled file was made from a .tflite.

    Returns: whether it was, as far as can be known, and a sentence that says how that is known.
    """
    if not is_compiled(compiled):
        return False, f"{compiled.name} is not compiled for the Edge TPU."
    if compiled.name in hashes:
        if hash_file(compiled) == hashes[compiled.name]:
            return True, f"tflite_convert.py compiled it from {plain.name}."
        return False, (f"{compiled.name} is not the file that tflite_convert.py compiled (its "
                       f"SHA-256 differs): it is a damaged copy or of another model; copy it "
                       f"again, or run tflite_convert.py again.")
    try:
        ends, compiled_ends = (_read_checked_ends(path) for path in (plain, compiled))
    except ValueError as error:
        return False, f"{compiled.name} can't be compared with {plain.name}: {error}"
    # The compiler packs the constants again: the file keeps about its size.
    if compiled.stat().st_size < plain.stat().st_size // 4:
        return False, f"{compiled.name} is too small to be made from {plain.name}."
    if ends != compiled_ends:
        return False, (f"{compiled.name} was compiled from another model than {plain.name}: its "
                       f"input and output are {describe_ends(compiled_ends)}, not "
                       f"{describe_ends(ends)}; compile it again.")
    return True, (f"It was compiled elsewhere; its input and output, with their scales, are those "
                  f"of {plain.name}.")


def _read_checked_ends(path):
    data = path.read_bytes()
    check_file(data)
    return read_ends(data)


def describe_ends(ends):
    """Returns inputs and outputs as a person reads them."""
    return " and ".join(f"{list(end.shape)} of scale {end.scale:.6g}, zero point {end.zero_point}"
                        for end in ends)
