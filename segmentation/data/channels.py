"""Leaves out and scales channels of feature maps, so that the decoder does not rely on a few.

Whole channels, as in spatial dropout (Tompson et al. 2015) and UniMatch (Yang et al. 2023); a
frozen encoder's images look a little different each time, without computing features again. What
it gains stands in docs/training.md.
"""

from typing import NamedTuple

import tensorflow as tf


class Variation(NamedTuple):
    """How channels vary."""

    dropped: float  # share of the channels that are 0; the others are scaled up for it
    spread: float = 0  # standard deviation of the factor of each channel, whose mean is 1
    share: float = 1  # of the images of which channels vary


def vary_channels(features, seed, variation):
    """Returns feature maps in which channels are left out and scaled, in each image others.

    Args: features, sequence of float32 (batch, height, width, channels); seed, two integers;
        variation, a Variation.
    Returns: list of feature maps of the same shapes.
    """
    count, seed = tf.shape(features[0])[0], tf.convert_to_tensor(seed, tf.int32)
    is_varied = tf.random.stateless_uniform((count, 1, 1, 1), seed + 2**24) < variation.share
    varied = []
    for position, feature in enumerate(features):
        shape, map_seed = (count, 1, 1, feature.shape[3]), seed + position * 2**16
        is_kept = tf.random.stateless_uniform(shape, map_seed) >= variation.dropped
        factor = tf.cast(is_kept, feature.dtype) / (1 - variation.dropped)
        factor *= 1 + variation.spread * tf.random.stateless_normal(shape, map_seed + 2**15)
        varied.append(feature * tf.where(is_varied, factor, 1))
    return varied
