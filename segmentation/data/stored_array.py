"""An array on the disk of which only what is asked for comes into memory; see cache.py. NumPy."""

import copy
import io
import math
import os
import threading
import zlib
from pathlib import Path

import numpy as np

from device.errors import InputError

BLOCK_BYTES = 2**22  # read at a time where a whole file is gone through


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
            self.mapped = map_exactly(path, shape, dtype)
        self.shape, self.dtype = self.mapped.shape, self.mapped.dtype
        self.ndim, self.size = self.mapped.ndim, self.mapped.size
        self.record_bytes = self.mapped[:1].nbytes
        self.file = open(path, "r+b" if make else "rb", buffering=0)  # noqa: SIM115
        self.lock = threading.Lock()
        # Of each record: what nobody writes, as the label of an image without one, stays 0.
        self.checks = np.full(len(self), zlib.crc32(bytes(self.record_bytes)), np.uint32)
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
            for place, row in enumerate(chosen.tolist()):
                records[place] = self._read_rows(row, 1)[0]
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


def map_exactly(path, shape, dtype):
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
