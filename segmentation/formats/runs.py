"""Decodes run lengths: COCO's (plain and compressed), CVAT's and Label Studio's."""

import numpy as np

from segmentation.formats.reading import ContentError


def expand_runs(counts, pixels):
    """Returns a flat bool array of runs that are False, True, False, ... in turn.

    Raises: ContentError where the runs do not make so many pixels.
    """
    counts = np.asarray(counts, np.int64)
    if counts.ndim != 1 or (counts < 0).any() or counts.sum() != pixels:
        raise ContentError(f"the runs of a mask do not make {pixels} pixels")
    return np.repeat(np.arange(len(counts)) % 2 == 1, counts)


def decode_coco_counts(text):
    """Returns the run lengths of COCO's compressed string (cocoapi, maskApi.c, rleFrString).

    Five bits a character, the sixth says that more follow; from the fourth on, each number is the
    difference to the one before the last.
    """
    counts, position = [], 0
    while position < len(text):
        number, shift, more = 0, 0, True
        while more:
            character = ord(text[position]) - 48
            number |= (character & 31) << shift
            more, shift, position = character & 32, shift + 5, position + 1
            if not more and character & 16:
                number |= -1 << shift
        counts.append(number + (counts[-2] if len(counts) > 2 else 0))
    return counts


def decode_coco_mask(counts, size):
    """Returns the mask bool (height, width) of COCO's runs, which go down the columns.

    Args: counts, list or compressed text; size (height, width).
    """
    height, width = size
    if isinstance(counts, (str, bytes)):
        counts = decode_coco_counts(counts if isinstance(counts, str) else counts.decode())
    return expand_runs(counts, height * width).reshape(width, height).T


def decode_label_studio(content, size):
    """Returns the mask bool (height, width) of Label Studio's brush: where its RGBA is not clear.

    The bits are: 32 for the count of values, 5 for their word size, 4 x 4 for the sizes of run
    lengths; then blocks of one value repeated, or of different values (label-studio-converter,
    brush.py).
    Args: content, list of bytes.
    """
    bits = np.unpackbits(np.array(content, np.uint8))
    text = "".join(map(str, bits.tolist()))
    position = 0

    def take(count):
        """Returns the next bits as a number."""
        nonlocal position
        if position + count > len(text):
            raise ContentError("a brush mask is cut off")
        position += count
        return int(text[position - count:position], 2)

    values, word = take(32), take(5) + 1
    sizes = [take(4) + 1 for _ in range(4)]
    if values != size[0] * size[1] * 4:
        raise ContentError(f"a brush mask does not have {size[1]} x {size[0]} pixels")
    result, done = np.zeros(values, np.uint32), 0
    while done < values:
        is_run = take(1)
        length = min(take(sizes[take(2)]) + 1, values - done)
        if is_run:
            result[done:done + length] = take(word)
        else:
            result[done:done + length] = [take(word) for _ in range(length)]
        done += length
    return result.reshape(*size, 4)[..., 3] > 0
