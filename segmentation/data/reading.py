"""Decodes all pairs of a set, several at a time, in memory or into the cache."""

import functools

import numpy as np

from device.errors import collect_or_raise, list_names
from device.images import (
    FILE_ERRORS,
    PADDING_GRAY,
    PADDING_LABEL,
    FileError,
    decode_image,
    decode_label,
)
from device.tiles import cut_tile
from segmentation.data import cache
from segmentation.parallel import in_parallel


def read_pairs(pairs, image_size, file_errors=None, memory_limit_gb=None, cache_dir=None,
               purpose="pairs", pad=False):
    """Decodes all pairs, several at a time.

    Args: pairs, sequence of Pair, where None is passed over; file_errors, a list to which each
        FileError is added, or None: they are raised. memory_limit_gb, above which the decoded
        arrays are kept in a folder of cache_dir, named by purpose, and without cache_dir nowhere:
        only file_errors and values are found out; None keeps them in memory. pad: False stretches
        each pair to image_size; True leaves it as large as it is, at the top left of image_size,
        with PADDING_GRAY and PADDING_LABEL around it.
    Returns: images uint8 (n, height, width, 3), labels uint8 (n, height, width), and which values
        each label file holds at its own size, bool (n, 256); zeros for what can't be read. Above
        the limit cache.StoredArray or, where there are file_errors or no cache_dir, images and
        labels of zeros that take no memory.
    Raises: InputError that names every file that can't be read or differs in size from its pair, or
        says why a cache can't be written.
    """
    limit = float("inf") if memory_limit_gb is None else memory_limit_gb * cache.BYTES_PER_GB
    if cache.decoded_bytes(len(pairs), image_size) > limit:
        found = []
        read = cache.read_through if cache_dir is not None else cache.check_without_keeping
        arrays = read(pairs, image_size, cache_dir, f"{purpose}_padded" if pad else purpose,
                      functools.partial(_read_into, pad=pad), found)
        _hand_on(found, file_errors)
        return arrays
    height, width = image_size
    images = np.zeros((len(pairs), height, width, 3), np.uint8)
    labels = np.zeros((len(pairs), height, width), np.uint8)
    values = np.zeros((len(pairs), 256), bool)
    _hand_on(_read_into(pairs, image_size, images, labels, values, pad), file_errors)
    return images, labels, values


def read_label_values(label_paths):
    """Returns which values each label file holds, bool (n, 256).

    Raises: InputError where a label can't be read.
    """
    values = in_parallel(lambda index: decode_label(label_paths[index], None)[1],
                         len(label_paths), "Reading labels")
    return np.array(values, bool).reshape(-1, 256)


def _hand_on(found, file_errors):
    if file_errors is None:
        collect_or_raise(list_file_errors(found))
    else:
        file_errors += found


def _read_into(pairs, image_size, images, labels, values, pad=False):
    """Decodes all pairs into the three arrays of read_pairs; returns a list of FileError."""
    own_size = None if pad else image_size

    def place(array, fill):
        """Returns the array at the top left of image_size, with fill around it."""
        return cut_tile(array, 0, 0, image_size, fill) if pad else array

    def read(index):
        """Decodes one pair into its place; returns a list of FileError."""
        image_path, label_path = pairs[index]
        found, size, label_size = [], None, None
        try:
            if image_path is not None:
                image, size = decode_image(image_path, own_size)
                images[index] = place(image, PADDING_GRAY)
        except FileError as error:
            found.append(error)
        try:
            if label_path is not None:
                label, values[index], label_size = decode_label(label_path, own_size)
                labels[index] = place(label, PADDING_LABEL)
        except FileError as error:
            found.append(error)
        if size and label_size and size != label_size:
            found.append(FileError("size", image_path, f"{size[0]}x{size[1]}, label "
                                   f"{label_size[0]}x{label_size[1]}"))
        return found

    return [fault for some in in_parallel(read, len(pairs), "Reading pairs") for fault in some]


def list_file_errors(file_errors):
    """Returns a sentence for each kind of fault and folder: count, first five files, remedy.

    Args: file_errors, list of FileError.
    """
    sentences, file_errors = [], sorted(file_errors, key=lambda fault: fault.path.name)
    for kind, (what, remedy) in FILE_ERRORS.items():
        folders = dict.fromkeys(fault.path.parent for fault in file_errors if fault.kind == kind)
        for folder in folders:
            names = [fault.path.name + (f" ({fault.detail})" if fault.detail else "")
                     for fault in file_errors if fault.kind == kind and fault.path.parent == folder]
            sentences.append(f"{len(names)} file(s) in {folder} {what}: {list_names(names)}; "
                             f"{remedy}.")
    return sentences
