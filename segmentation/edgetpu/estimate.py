"""Estimates the milliseconds of an image on a Coral USB stick from what a .tflite weighs.

The terms are those that the measured builds of evidence.json show: bytes that stay on the chip,
bytes that are streamed at every image, multiply-accumulates (MACs) with the output channels rounded
up to 64, the bytes of input and output that cross the USB, and the number of operations. None of it
was run by us: the estimate is printed with the error that it makes on builds which the fit has not
seen.
"""

import functools
import math

import numpy as np

from segmentation.edgetpu.evidence import EVIDENCE

MIB = 2**20
# Of larger files the rest is streamed. Parameters of up to 5.85 MB were cached whole, 6.10 MB
# streamed 1.07 MiB, and at most 7.4 MiB were seen cached; of 5, 5.5, 6 and 6.5 MiB, 6 gives the
# smallest leave-one-out error of nine builds in ten.
CACHE_BYTES = 6 * MIB
# The chip computes so many channels at once: with MACs as they are, the mean leave-one-out error is
# 10 %, with output channels rounded up to 64 it is 8 % (results/detection of the source "effdet"
# found the same width).
CHANNELS_AT_ONCE = 64


def list_terms(build):
    """Returns a build's terms: MiB cached, MiB streamed, 1e9 MACs, MB in and out, 100 operations.

    Args: build, a dict with file_bytes, padded_macs (see count_macs), input_bytes, output_bytes
        and operations.
    """
    streamed = max(0, build["file_bytes"] - CACHE_BYTES)
    return [(build["file_bytes"] - streamed) / MIB, streamed / MIB, build["padded_macs"] / 1e9,
            (build["input_bytes"] + build["output_bytes"]) / 1e6, build["operations"] / 100]


def fit(terms, milliseconds):
    """Returns the weights, none below 0, with the smallest sum of squared relative errors.

    Args: terms float (builds, terms); milliseconds float (builds,).
    """
    used = list(range(terms.shape[1]))
    while True:  # a weight below 0 is left out and the others are fitted again
        weights = np.linalg.lstsq(terms[:, used] / milliseconds[:, None],
                                  np.ones(len(milliseconds)), rcond=None)[0]
        if (weights >= 0).all():
            break
        del used[int(weights.argmin())]
    result = np.zeros(terms.shape[1])
    result[used] = weights
    return result


@functools.cache
def fit_builds():
    """Fits the measured builds whose padded MACs are known.

    Returns: weights float (terms,); the relative error on each build of a fit to all others.
    """
    builds = [build for build in EVIDENCE["builds"] if build["padded_macs"]]
    terms = np.array([list_terms(build) for build in builds])
    milliseconds = np.array([build["milliseconds"] for build in builds])
    errors = []
    for place in range(len(builds)):
        others = np.arange(len(builds)) != place
        weights = fit(terms[others], milliseconds[others])
        errors.append(terms[place] @ weights / milliseconds[place] - 1)
    return fit(terms, milliseconds), np.array(errors)


def estimate_time(build):
    """Estimates a build's time on a USB stick.

    Args: as for list_terms.
    Returns: dict milliseconds; builds (how many are fitted); and of the relative errors of a fit
        without the build: median, nine_of_ten (nine of ten are below), largest.
    """
    weights, errors = fit_builds()
    sizes = np.abs(errors)
    return {"milliseconds": float(list_terms(build) @ weights), "builds": len(errors),
            "median_error": float(np.median(sizes)),
            "nine_of_ten_error": float(np.quantile(sizes, 0.9)),
            "largest_error": float(sizes.max())}


def count_macs(ops, channels_at_once=1):
    """Counts the multiply-accumulates of the convolutions and dense layers among operations.

    Args: channels_at_once, to a multiple of which the output channels are rounded up.
    """
    return sum(count_op_macs(op, channels_at_once) for op in ops)


def count_op_macs(op, channels_at_once):
    """Returns an operation's multiply-accumulates; arguments as for count_macs.

    Weights are (output channels, height, width, input channels), of a depthwise convolution
    (1, height, width, channels), of a dense layer (outputs, inputs).
    """
    weights = op.input(1)
    if weights is None or not op.outputs or not op.outputs[0].shape:
        return 0
    kernel, output = weights.shape, op.outputs[0].shape
    channels = math.ceil(output[-1] / channels_at_once) * channels_at_once
    if op.name == "CONV_2D" and len(kernel) == 4:
        return math.prod(output[:-1]) * channels * math.prod(kernel[1:])
    if op.name == "DEPTHWISE_CONV_2D" and len(kernel) == 4:
        return math.prod(output[:-1]) * channels * math.prod(kernel[1:3])
    if op.name == "TRANSPOSE_CONV" and len(kernel) == 4 and op.input(2) is not None:
        return math.prod(op.input(2).shape) * channels * math.prod(kernel[1:3])
    if op.name == "FULLY_CONNECTED" and len(kernel) == 2:
        return math.prod(output[:-1]) * channels * kernel[1]
    return 0


def format_estimate(estimate):
    """Returns the estimate and its error as one line."""
    shortest = min(build["milliseconds"] for build in EVIDENCE["builds"])
    time = (f"about {estimate['milliseconds']:.1f}" if estimate["milliseconds"] >= shortest
            else f"less than {shortest:.1f}")
    return (f"Estimate, not run by us: {time} ms on a USB stick (leave-one-out error: median "
            f"{estimate['median_error']:.0%}, worst {estimate['largest_error']:.0%})")
