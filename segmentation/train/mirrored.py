"""Classes that differ by left and right, which mirrored training images confuse. Plain NumPy."""

import re

import numpy as np

CONFUSED_SHARE = 0.2  # of each class's pixels taken for the other: left for right, right for left
TOGETHER_SHARE = 0.7  # of both classes' pixels found as one of the two, and of what is so found
SIDES = {"left": "right", "l": "r", "links": "rechts", "gauche": "droite", "izquierda": "derecha"}


def find_left_right_pairs(class_names):
    """Returns the pairs of names that are the same but for a left in one and a right in the other.

    The words are whole ones, between spaces, underscores, hyphens, dots or at the ends.
    """
    words = [tuple(re.split(r"[\W_]+", name.lower())) for name in class_names]
    mirrored = [tuple(SIDES.get(word, word) for word in name) for name in words]
    return [(class_names[index], class_names[words.index(other)])
            for index, other in enumerate(mirrored) if other != words[index] and other in words]


def find_confused_pairs(confusion):
    """Returns the pairs of classes each of which is often taken for the other.

    What belongs to the two is found, but not to which: so mirrored images look to the network
    where left and right are classes of their own. Two that are merely alike may look the same. A
    model that finds neither, as after one epoch, says nothing.
    Args: confusion int (classes, classes), rows true, class 0 the background. Returns: list of
        pairs of indices.
    """
    true, predicted = (np.maximum(confusion.sum(axis=axis), 1) for axis in (1, 0))
    taken = confusion / true[:, None]
    pairs = np.argwhere(np.triu(np.minimum(taken, taken.T) > CONFUSED_SHARE, 1))
    return [(int(a), int(b)) for a, b in pairs if a > 0
            and confusion[np.ix_([a, b], [a, b])].sum() > TOGETHER_SHARE * max(
                true[a] + true[b], predicted[a] + predicted[b])]


def warn_of_left_right(class_names, flip):
    """Prints a warning before the training where FLIP mirrors classes named left and right."""
    pairs = find_left_right_pairs(class_names) if flip else []
    if pairs:
        print(f"WARNING: {' and '.join(pairs[0])} differ by left and right"
              f"{f' ({len(pairs)} such pairs)' if len(pairs) > 1 else ''}, but FLIP mirrors the "
              f"training images, which makes one of the other: set FLIP = None.")


def warn_of_confused_pairs(confusion, class_names, flip):
    """Prints a warning after the training where two classes are taken for each other."""
    for a, b in find_confused_pairs(confusion) if flip else []:
        print(f"WARNING: {class_names[a]} and {class_names[b]} are taken for each other: "
              f"{confusion[a, b] / confusion[a].sum():.0%} and "
              f"{confusion[b, a] / confusion[b].sum():.0%} of their pixels. If one looks like the "
              f"other in a mirror, set FLIP = None.")
