"""Decodes all pairs of a set, several at a time, in memory or into the cache."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from device.errors import collect_or_raise, list_names
from device.images import (
    FILE_ERRORS,
    PADDING_GRAY,
    PADDING_LABEL,
    SIDEWAYS,
    FileError,
    decode_image,
    decode_label,
)
from device.tiles import cut_tile
from segmentation.data import cache
from segmentation.data.stored_array import StoredArray
from segmentation.parallel import in_parallel


class Decoding(NamedTuple):
    """How files become arrays. A cache is made anew where any of it has changed."""

    image_size: tuple  # (height, width) of the arrays
    value_table: tuple = tuple(range(256))  # class index of each label value, or IGNORED
    intensity_range: Any = None  # (low, high) of pixels with more than 8 bits; see intensity.py
    labels_turned: bool = False  # whether labels are to be turned by the EXIF of their images
    pad: bool = False  # False stretches a pair to image_size; True leaves it as large as it is, at
    # the top left of image_size, with PADDING_GRAY and PADDING_LABEL around it


class DecodedSet(NamedTuple):
    """Arrays of the pairs of a set; above the limit of memory each is a StoredArray.

    images uint8 (n, height, width, 3); labels uint8 (n, height, width), class indices and IGNORED;
    value_counts uint32 (n, 256), how many pixels each label file has of each value, at its own
    size; sizes int32 (n, 2), the images' own height and width; orientations uint8 (n,), the EXIF
    orientation that was undone. Zeros for what can't be read.
    """

    images: Any
    labels: Any
    value_counts: Any
    sizes: Any
    orientations: Any


def read_pairs(pairs, decoding, file_errors=None, memory_limit_gb=None, cache_dir=None,
               purpose="pairs"):
    """Decodes all pairs, several at a time.

    Args:
        pairs: sequence of Pair, where None is passed over.
        decoding: Decoding.
        file_errors: list to which each FileError is added, or None: they are raised.
        memory_limit_gb: above it the decoded arrays are kept in a folder of cache_dir, named by
            purpose, and without cache_dir nowhere: only file_errors and value_counts are found out.
            None keeps them in memory.
    Returns: DecodedSet. Above the limit, where there are file_errors or no cache_dir, its images
        and labels are zeros that take no memory.
    Raises: InputError that names every file that can't be read or differs in size from its pair, or
        says why a cache can't be written.
    """
    found = []
    needed = cache.decoded_bytes(len(pairs), decoding.image_size)
    if memory_limit_gb is None or needed <= memory_limit_gb * cache.BYTES_PER_GB:
        arrays = DecodedSet(*(np.zeros(shape, dtype) for shape, dtype in cache.array_shapes(
            len(pairs), decoding.image_size).values()))
        found += _read_into(pairs, decoding, *arrays)
    elif cache_dir is None:
        arrays = cache.check_without_keeping(pairs, decoding, _read_into, found)
    else:
        purpose = f"{purpose}_padded" if decoding.pad else purpose
        arrays = cache.read_through(pairs, decoding, cache_dir, purpose, _read_into, found)
    if file_errors is None:
        collect_or_raise(list_file_errors(found))
    else:
        file_errors += found
    return DecodedSet(*arrays)


def split_set(decoded, training, validation):
    """Splits a DecodedSet into two by positions, without a second copy of it in memory.

    Args: training, validation: lists of positions which together are all. Arrays in memory are
        sorted in place, so decoded itself can't be used afterwards.
    Returns: DecodedSet of the training and of the validation positions.
    """
    parts = [_split_records(array, training, validation) for array in decoded]
    return tuple(DecodedSet(*arrays) for arrays in zip(*parts))


def choose_records(array, positions):
    """Returns the records of an array or a StoredArray at these positions."""
    return array.select(positions) if isinstance(array, StoredArray) else array[positions]


def _split_records(array, first, second):
    if isinstance(array, StoredArray):
        return array.select(first), array.select(second)
    source = [*first, *second]  # of each place, the position of the record that belongs there
    for start in range(len(source)):
        place, record = start, array[start].copy()
        while source[place] != start:  # along the circle of records that take each other's places
            array[place] = array[source[place]]
            source[place], place = place, source[place]
        array[place], source[place] = record, place
    return array[:len(first)], array[len(first):]


def make_label_reader(pairs, decoding, orientations):
    """Returns a function of a pair's position that reads its label at the label's own size.

    Args: orientations uint8 (n,), of the DecodedSet.
    Returns: function int -> uint8 (height, width), class indices and IGNORED.
    """
    table = np.uint8(decoding.value_table)

    def read_own_label(index):
        """Returns the label of the pair at a position."""
        turned = int(orientations[index]) if decoding.labels_turned else 1
        return table[decode_label(pairs[index].label_path, None, turned).indices]

    return read_own_label


def read_label_values(label_paths):
    """Returns which values each label file holds, bool (n, 256).

    Raises: InputError where a label can't be read.
    """
    counts = in_parallel(lambda index: decode_label(label_paths[index], None).counts,
                         len(label_paths), "Reading labels")
    return np.reshape(counts, (-1, 256)) > 0


def _read_into(pairs, decoding, images, labels, value_counts, sizes, orientations):
    """Decodes all pairs into the arrays of a DecodedSet; returns a list of FileError."""
    table, palettes, known = np.uint8(decoding.value_table), [()] * len(pairs), {}

    own_size = None if decoding.pad else decoding.image_size

    def place(array, fill):
        """Returns the array at the top left of image_size, with fill around it."""
        return cut_tile(array, 0, 0, decoding.image_size, fill) if decoding.pad else array

    def read(index):
        """Decodes one pair into its place; returns a list of FileError."""
        image_path, label_path = pairs[index]
        found, image, label = [], None, None
        try:
            if image_path is not None:
                image = decode_image(image_path, own_size, decoding.intensity_range)
                images[index] = place(image.pixels, PADDING_GRAY)
                sizes[index], orientations[index] = image.size[::-1], image.orientation
        except FileError as error:
            found.append(error)
        turned = image.orientation if image and decoding.labels_turned else 1
        try:
            if label_path is not None:
                label = decode_label(label_path, own_size, turned)
                labels[index] = place(table[label.indices], PADDING_LABEL)
                value_counts[index] = label.counts
        except FileError as error:
            found.append(error)
        if image and label and image.size != label.size:
            found.append(_describe_sizes(image_path, image, label, decoding.labels_turned))
        if label and label.colors is not None:
            colors = _used_colors(label)
            palettes[index] = known.setdefault(colors, colors)  # most files share one
        return found

    found = [error for some in in_parallel(read, len(pairs), "Reading pairs") for error in some]
    return found + _compare_palettes(pairs, palettes)


def _describe_sizes(path, image, label, labels_turned):
    """Returns the FileError of a label that does not fit its image."""
    is_turned = image.orientation in SIDEWAYS and label.size == image.size[::-1]
    kind = "turned" if is_turned and not labels_turned else "size"
    return FileError(kind, path, f"{image.size[0]}x{image.size[1]}, label "
                                 f"{label.size[0]}x{label.size[1]}")


def _used_colors(label):
    """Returns (index, color) of all indices of a palette label; empty where two have one color."""
    used = [int(index) for index in np.flatnonzero(label.counts) if index < len(label.colors)]
    colors = [tuple(label.colors[index].tolist()) for index in used]
    return tuple(zip(used, colors)) if len(set(colors)) == len(colors) else ()


def _compare_palettes(pairs, palettes):
    """Returns a FileError for each file in which a color has another index than in a file before.

    Programs that save colored masks with a palette number the colors anew in each file.
    Args: palettes, for each pair what _used_colors returned.
    """
    found, first = [], {}
    for number, palette in enumerate(palettes):
        for index, color in palette:
            before, other = first.setdefault(color, (index, number))
            if before != index:
                detail = f"color {color} is {index}, but {before} in {pairs.label_names[other]}"
                found.append(FileError("colors", pairs[number].label_path, detail))
                break
    return found


def list_file_errors(file_errors):
    """Returns a sentence for each kind of error and folder: count, first five files, remedy.

    Args: file_errors, list of FileError.
    """
    sentences, file_errors = [], sorted(file_errors, key=lambda error: Path(error.path).name)
    for kind, (what, remedy) in FILE_ERRORS.items():
        folders = dict.fromkeys(error.path.parent for error in file_errors if error.kind == kind)
        for folder in folders:
            names = [error.path.name + (f" ({error.detail})" if error.detail else "")
                     for error in file_errors if error.kind == kind and error.path.parent == folder]
            sentences.append(f"{len(names)} file(s) in {folder} {what}: {list_names(names)}; "
                             f"{remedy}.")
    return sentences
