"""Keeps the decoded pairs of large sets on the disk, so that memory does not grow with the set.

reading.read_pairs comes here where the decoded arrays would take more than MEMORY_LIMIT_GB. A
cache is a folder in CACHE_DIR: an array file for each field of reading.DecodedSet, checks.npy (a
checksum for each record), and manifest.json, which is written last. It may be deleted at any time.
Needs NumPy only.
"""

import copy
import hashlib
import io
import json
import math
import os
import shutil
import threading
import zlib
from itertools import chain
from pathlib import Path

import numpy as np
import PIL

from device.errors import InputError
from segmentation.parallel import in_parallel

FORMAT_VERSION = 2  # raise it when the files, or how pictures are decoded, change
BYTES_PER_GB = 10**9
BLOCK_BYTES = 2**22  # read at a time where a whole file is gone through
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
        pairs, decoding: as for reading.read_pairs, but neither file of a pair is missing.
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
    for path in chain.from_iterable(map(pairs.files, range(len(pairs)))):
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


class StoredArray:
    """An array in a .npy file of which only the records that are asked for come into memory.

    array[index] along the first axis (number, slice, index array) reads them by plain file reads:
    mapped pages would count as memory of the process, and a file that is cut behind our back would
    end it by a signal. So does array[number, slice, ...], which reads only the lines of the slice.
    All other uses (np.asarray, other axes) go through a memory map.
    """

    def __init__(self, path, shape, dtype, make=False):
        """Opens the file, which must be of this shape and dtype, or makes it, to be written."""
        if make:
            self.mapped = np.lib.format.open_memmap(path, "w+", dtype, shape)
        else:
            self.mapped = _map_exactly(path, shape, dtype)
        self.shape, self.dtype = self.mapped.shape, self.mapped.dtype
        self.ndim, self.size = self.mapped.ndim, self.mapped.size
        self.record_bytes = self.mapped[:1].nbytes
        self.file = open(path, "r+b" if make else "rb", buffering=0)  # noqa: SIM115
        self.lock = threading.Lock()
        self.checks = np.zeros(len(self), np.uint32)  # of each record
        self.class_counts = None  # int64 (256,), pixels of each class index; labels only
        self.rows = slice(None)  # of the file that this array serves: all, or those of select

    def __len__(self):
        return self.shape[0]

    def __iter__(self):
        for positions in self.blocks():
            yield from self[positions.start:positions.stop]

    def __getitem__(self, index):
        if isinstance(index, (int, np.integer)):
            return self._read(range(len(self))[index], 1)[0]
        if isinstance(index, slice) and index.step in (None, 1):
            start, stop, _ = index.indices(len(self))
            return self._read(start, max(0, stop - start))
        if isinstance(index, tuple) and len(index) > 1 and isinstance(
                index[0], (int, np.integer)) and isinstance(index[1], slice):
            return self._read_lines(*index)
        if isinstance(index, tuple) or index is None or index is Ellipsis:
            return np.array(self.mapped[self.rows][index])
        positions = np.arange(len(self))[index]
        records = np.empty((*positions.shape, *self.shape[1:]), self.dtype)
        for place, position in np.ndenumerate(positions):
            records[place] = self._read(int(position), 1)[0]
        return records

    def __setitem__(self, index, record):
        record = np.asarray(record, self.dtype, order="C")
        if record.shape != self.shape[1:]:
            raise ValueError(f"a record of shape {record.shape} does not fit {self.shape[1:]}")
        counts = 0 if self.class_counts is None else np.bincount(record.ravel(), minlength=256)
        rest = memoryview(record.reshape(-1).view(np.uint8))
        self.checks[index] = zlib.crc32(rest)
        with self.lock:
            if self.class_counts is not None:
                self.class_counts += counts
            self.file.seek(self.mapped.offset + index * self.record_bytes)
            while rest:  # one call may write a part, as it does on a disk that has just got full
                rest = rest[self.file.write(rest):]

    def __array__(self, dtype=None, copy=None):
        array = self.mapped[self.rows]
        return np.array(array, dtype, copy=copy) if copy else np.asarray(array, dtype)

    def select(self, rows):
        """Returns the records of these positions as an array of its own, on the same file."""
        chosen = copy.copy(self)
        chosen.rows = np.arange(len(self.mapped))[self.rows][np.asarray(rows, int)]
        chosen.shape = (len(rows), *self.shape[1:])
        chosen.size, chosen.class_counts = math.prod(chosen.shape), None
        return chosen

    def blocks(self):
        """Returns ranges of positions, each of BLOCK_BYTES or one record, that make the whole."""
        step = max(1, BLOCK_BYTES // self.record_bytes)
        return [range(start, min(start + step, len(self))) for start in range(0, len(self), step)]

    def close(self):
        """Closes the file; the array can't be used any more."""
        self.file.close()
        del self.mapped

    def _read(self, start, count):
        """Reads so many records from a position on."""
        if isinstance(self.rows, np.ndarray):
            chosen = self.rows[start:start + count]
            records = np.empty((len(chosen), *self.shape[1:]), self.dtype)
            for record, row in zip(records, chosen.tolist()):
                record[...] = self._read_rows(row, 1)[0]
            return records
        return self._read_rows(start, count)

    def _read_lines(self, index, lines, *others):
        """Reads array[index, lines, ...], lines being a slice: of a large picture these alone."""
        index = range(len(self))[index]
        row = int(self.rows[index]) if isinstance(self.rows, np.ndarray) else index
        start, stop, step = lines.indices(self.shape[1])
        if step != 1:
            return self._read_rows(row, 1)[0][(lines, *others)]
        line_bytes = self.record_bytes // self.shape[1]
        read = self._read_bytes(row * self.record_bytes + start * line_bytes,
                                (max(0, stop - start), *self.shape[2:]))
        return np.array(read[(slice(None), *others)])

    def _read_rows(self, start, count):
        return self._read_bytes(start * self.record_bytes, (count, *self.shape[1:]))

    def _read_bytes(self, offset, shape):
        """Reads an array of this shape that lies so many bytes behind the file's header."""
        records = np.empty(shape, self.dtype)
        rest = memoryview(records.reshape(-1).view(np.uint8))
        with self.lock:
            self.file.seek(self.mapped.offset + offset)
            while rest:
                read = self.file.readinto(rest)
                if not read:
                    raise InputError(f"{self.file.name} was cut while it was in use: start again, "
                                     f"and it is made anew.")
                rest = rest[read:]
        return records


def _map_exactly(path, shape, dtype):
    """Maps a .npy file whose header must be, to the byte, that of this shape and dtype.

    NumPy's own reader ends a damaged header with errors of many kinds.
    Raises: ValueError where the file is another one, or of another size.
    """
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {
        "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False,
        "shape": shape})
    header = header.getvalue()
    with open(path, "rb") as file:
        found = file.read(len(header))
    expected_bytes = len(header) + math.prod(shape) * np.dtype(dtype).itemsize
    if found != header or os.path.getsize(path) != expected_bytes:
        raise ValueError(f"{Path(path).name} is damaged or of other pairs")
    return np.memmap(path, dtype, "r", len(header), shape)


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
        checks = np.array(_map_exactly(folder / CHECKS_FILE, (len(shapes), count), np.uint32))
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
