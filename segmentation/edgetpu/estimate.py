"""Estimates the milliseconds of an image on a Coral USB stick from what a .tflite weighs.

The terms are those that the measured builds of evidence.json show: bytes that stay on the chip,
bytes that are streamed at every image, multiply-accumulates, the bytes of input and output that
cross the USB, and the number of operations. None of it was run by us: the estimate is printed with
the error that it makes on builds which the fit has not seen.
"""

import functools
import math

import numpy as np

from segmentation.edgetpu.evidence import EVIDENCE

MIB = 2**20
# Of larger files the rest is streamed. Parameters of up to 5.85 MB were cached whole, 6.10 MB
# streamed 1.07 MiB; with 5.5 MiB the fit's leave-one-out error is smallest (5, 6 and 6.5 tried).
CACHE_BYTES = int(5.5 * MIB)


def list_terms(build):
    """Returns a build's terms: MiB cached, MiB streamed, 1e9 MACs, MB in and out, 100 operations.

    Args: build, a dict with file_bytes, macs, input_bytes, output_bytes and operations.
    """
    streamed = max(0, build["file_bytes"] - CACHE_BYTES)
    return [(build["file_bytes"] - streamed) / MIB, streamed / MIB, build["macs"] / 1e9,
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
    """Fits the measured builds.

    Returns: weights float (terms,); the relative error on each build of a fit to all others.
    """
    terms = np.array([list_terms(build) for build in EVIDENCE["builds"]])
    milliseconds = np.array([build["milliseconds"] for build in EVIDENCE["builds"]])
    errors = []
    for place in range(len(terms)):
        others = np.arange(len(terms)) != place
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


def count_macs(ops):
    """Returns the multiply-accumulates of the convolutions and dense layers among operations."""
    return sum(count_op_macs(op) for op in ops)


def count_op_macs(op):
    """Returns an operation's multiply-accumulates; weights are (output channels, height, width,
    input channels), of a depthwise convolution (1, height, width, channels)."""
    weights = op.input(1)
    if weights is None or not op.outputs:
        return 0
    kernel, output = weights.shape, op.outputs[0].shape
    if op.name == "CONV_2D" and len(kernel) == 4:
        return math.prod(output) * math.prod(kernel[1:])
    if op.name == "DEPTHWISE_CONV_2D" and len(kernel) == 4:
        return math.prod(output) * math.prod(kernel[1:3])
    if op.name == "TRANSPOSE_CONV" and len(kernel) == 4 and op.input(2) is not None:
        return math.prod(op.input(2).shape) * math.prod(kernel[:3])
    if op.name == "FULLY_CONNECTED" and len(kernel) == 2:
        return math.prod(output) * kernel[1]
    return 0


def format_estimate(estimate):
    """Returns the estimate and its error as one line."""
    shortest = min(build["milliseconds"] for build in EVIDENCE["builds"])
    time = (f"about {estimate['milliseconds']:.1f}" if estimate["milliseconds"] >= shortest
            else f"less than {shortest:.1f}")
    return (f"Estimate, not run by us: {time} ms an image on a USB stick "
            f"(error: half < {estimate['median_error']:.0%}, 9 of 10 < "
            f"{estimate['nine_of_ten_error']:.0%})")
