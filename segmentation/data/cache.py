"""Keeps the decoded pairs of large sets on the disk, so that memory does not grow with the set.

reading.read_pairs comes here where the decoded arrays would take more than MEMORY_LIMIT_GB. A
cache is a folder in CACHE_DIR: an array file for each field of reading.DecodedSet, checks.npy (a
checksum for each record), and manifest.json, which is written last. It may be deleted at any time.
Needs NumPy only.
"""

import hashlib
import json
import math
import os
import shutil
import zlib
from itertools import chain
from pathlib import Path

import numpy as np
import PIL

from device.errors import InputError
from segmentation.data.stored_array import StoredArray, map_exactly
from segmentation.parallel import in_parallel

FORMAT_VERSION = 2  # raise it when the files, or how pictures are decoded, change
BYTES_PER_GB = 10**9
SPARE_BYTES = 10**8  # of the disk, left free for the model and its pictures
MANIFEST_FILE = "manifest.json"
CHECKS_FILE = "checks.npy"


class UnusableError(Exception):
    """A cache can't be used; the message is the reason, and ends the sentence "..., because"."""


def decoded_bytes(count, image_size):
    """Returns how many bytes so many decoded pairs of (height, width) take: RGB and a label."""
    height, width = image_size
    return count * height * width * 4


def read_through(pairs, decoding, cache_dir, purpose, read_into, file_errors):
    """Returns the decoded pairs from their cache, which is made first where it is not there.

    Args:
        pairs, decoding: as for reading.read_pairs; a label may be missing (UNLABELED).
        cache_dir: folder of all caches; a cache in it is named by purpose and by both folders.
        read_into: function (pairs, decoding, *arrays) that decodes into the arrays of a DecodedSet
            and returns a list of what is wrong with files.
        file_errors: list to which that is added; where there is any, no cache is left.
    Returns: the arrays of a DecodedSet, each a StoredArray.
    Raises: InputError where the disk is full or can't be written.
    """
    folder = cache_folder(pairs, cache_dir, purpose)
    signature, image_size = sign(pairs, decoding), decoding.image_size
    gigabytes = decoded_bytes(len(pairs), image_size) / BYTES_PER_GB
    try:
        arrays = open_cache(folder, signature, len(pairs), image_size)
    except UnusableError as reason:
        print(f"Decoding {len(pairs)} pairs into {folder} ({gigabytes:.2f} GB, more than "
              f"MEMORY_LIMIT_GB), because {reason}", flush=True)
        return build_cache(folder, signature, pairs, decoding, read_into, file_errors)
    print(f"Reusing {len(pairs)} decoded pairs in {folder} ({gigabytes:.2f} GB): no file has "
          f"changed", flush=True)
    return arrays


def check_without_keeping(pairs, decoding, read_into, file_errors):
    """Decodes all pairs only to find what is wrong; neither memory nor disk is taken.

    Arguments as for read_through. Returns: the arrays of a DecodedSet, images and labels zeros.
    """
    rest = [np.zeros(shape, dtype) for shape, dtype in list(
        array_shapes(len(pairs), decoding.image_size).values())[2:]]
    file_errors += read_into(pairs, decoding, _Discard(), _Discard(), *rest)
    return _with_zeros(rest, decoding.image_size)


class _Discard:
    """Takes the place of an array whose content nobody needs."""

    def __setitem__(self, index, record):
        """Does not keep the record."""


def _with_zeros(rest, image_size):
    """Returns images and labels of zeros that take no memory, and the rest of a DecodedSet."""
    shapes = list(array_shapes(len(rest[0]), image_size).values())[:2]
    return [np.broadcast_to(dtype(0), shape) for shape, dtype in shapes] + rest


def cache_folder(pairs, cache_dir, purpose):
    """Returns the folder of a cache, named by its purpose and a hash of the pairs' two folders.

    A set whose files have changed keeps its cache folder: the new cache takes the place of the old
    one, and the disk does not fill up.
    """
    return Path(cache_dir) / f"{purpose}_{_hash_folders(pairs.folders[0])}"


def sign(pairs, decoding):
    """Returns a hash of all that a decoded set depends on: files, their state, decoding, versions.

    The state is size, inode, and times of change in nanoseconds. Hashing the files' bytes would
    cost most of the time that the cache saves. No tool can set the inode's time of change (ctime),
    so a file of the same size and with its old modification time put back is still noticed. It is
    taken before decoding: a file that changes meanwhile makes the next start decode again.
    """
    what = FORMAT_VERSION, PIL.__version__, decoding
    signature = hashlib.sha256(repr(what).encode())
    for path in filter(None, chain.from_iterable(map(pairs.files, range(len(pairs))))):
        try:
            state = os.stat(path)
            text = f"{state.st_size} {state.st_ino} {state.st_mtime_ns} {state.st_ctime_ns}"
        except OSError as error:  # decoding says so in a sentence, together with all others
            text = f"{error}"
        signature.update(os.fsencode(f"{path}\0{text}\0"))
    return signature.hexdigest()


def _hash_folders(paths):
    folders = "\n".join(str(Path(path).resolve()) for path in paths)
    return hashlib.sha256(os.fsencode(folders)).hexdigest()[:8]


def array_shapes(count, image_size):
    """Returns file name -> shape and dtype, in the order of a DecodedSet."""
    height, width = image_size
    return {"images.npy": ((count, height, width, 3), np.uint8),
            "labels.npy": ((count, height, width), np.uint8),
            "value_counts.npy": ((count, 256), np.uint32),
            "sizes.npy": ((count, 2), np.int32),
            "orientations.npy": ((count,), np.uint8)}


def open_cache(folder, signature, count, image_size, check=True):
    """Opens a cache and, with check, compares each record with its checksum.

    Returns: list of StoredArray. Raises: UnusableError for every way in which it can't be trusted.
    """
    if not folder.is_dir():
        raise UnusableError("there is no cache of them yet")
    shapes = array_shapes(count, image_size)
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        class_counts = np.array(manifest["class_counts"], np.int64)
        if manifest["signature"] != signature:
            raise UnusableError("files, constants or versions have changed since it was made")
        checks = np.array(map_exactly(folder / CHECKS_FILE, (len(shapes), count), np.uint32))
        whole = zlib.crc32(checks.tobytes() + class_counts.tobytes()) == manifest["checks"]
        arrays = [StoredArray(folder / name, *shape) for name, shape in shapes.items()]
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise UnusableError(f"the cache is not whole ({error})") from error
    if not whole:
        raise UnusableError("the cache is damaged")
    arrays[1].class_counts = class_counts
    for array, record_checks in zip(arrays, checks):
        array.checks = record_checks
        if check:
            _check_records(array)
    return arrays


def _check_records(array):
    blocks = array.blocks()

    def is_whole(index):
        """Whether all records of a block have their checksums."""
        positions = blocks[index]
        records = array[positions.start:positions.stop]
        return all(zlib.crc32(record) == check for record, check in zip(
            records, array.checks[positions.start:positions.stop].tolist()))

    if not all(in_parallel(is_whole, len(blocks), "Checking the cache, part")):
        raise UnusableError(f"{Path(array.file.name).name} in it is damaged")


def build_cache(folder, signature, pairs, decoding, read_into, file_errors):
    """Decodes all pairs into a new cache, beside its place first, and takes the old one's place.

    Arguments, result and errors as for read_through; with file_errors nothing is left, and images
    and labels are zeros. Nothing is forced onto the disk (fsync): each record is compared with its
    checksum when the cache is opened the next time.
    """
    part = folder.with_name(folder.name + ".part")  # left there by a run that was killed
    shapes = array_shapes(len(pairs), decoding.image_size)
    try:
        _remove(folder)
        _remove(part)
        part.mkdir(parents=True)
        _check_space(part, shapes)
        arrays = [StoredArray(part / name, *shape, make=True) for name, shape in shapes.items()]
        arrays[1].class_counts = np.zeros(256, np.int64)
        try:
            found = read_into(pairs, decoding, *arrays)
            if found:
                file_errors += found
                return _with_zeros([array[:] for array in arrays[2:]], decoding.image_size)
        finally:
            for array in arrays:
                array.close()
        _write_manifest(part, signature, arrays)
        os.replace(part, folder)
        return open_cache(folder, signature, len(pairs), decoding.image_size, check=False)
    except OSError as error:
        raise InputError(_disk_sentence(folder.parent, shapes, error.strerror)) from error
    finally:
        _remove(part)


def _write_manifest(folder, signature, arrays):
    checks, counts = np.stack([array.checks for array in arrays]), arrays[1].class_counts
    np.save(folder / CHECKS_FILE, checks, allow_pickle=False)
    manifest = {"format": FORMAT_VERSION, "signature": signature,
                "checks": zlib.crc32(checks.tobytes() + counts.tobytes()),
                "class_counts": counts.tolist()}
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")


def _check_space(folder, shapes):
    free = shutil.disk_usage(folder).free
    if free < _needed_bytes(shapes) + SPARE_BYTES:
        raise InputError(_disk_sentence(folder.parent, shapes,
                                        f"only {free / BYTES_PER_GB:.2f} GB are free"))


def _needed_bytes(shapes):
    return sum(math.prod(shape) for shape, _ in shapes.values())


def _disk_sentence(cache_dir, shapes, reason):
    needed = (_needed_bytes(shapes) + SPARE_BYTES) / BYTES_PER_GB
    return (f"The decoded pairs need {needed:.2f} GB in {cache_dir}, which can't be written "
            f"({reason}): make room, set CACHE_DIR to another disk, or raise MEMORY_LIMIT_GB above "
            f"{needed:.2f} to keep them in memory.")


def _remove(folder):
    if folder.exists():
        shutil.rmtree(folder)
