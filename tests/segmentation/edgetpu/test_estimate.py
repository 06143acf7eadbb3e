"""Tests of the estimated time: the fit by hand, the multiply-accumulates, the measured builds."""

import numpy as np
import pytest
from tflite_by_hand import (
    IMAGE,
    PLAIN_CONV,
    activation,
    constant,
    operation,
    tflite,
    transpose_conv,
)

from segmentation.edgetpu.estimate import (
    CACHE_BYTES,
    MIB,
    count_macs,
    estimate_time,
    fit,
    fit_builds,
    format_estimate,
    list_terms,
)
from segmentation.edgetpu.evidence import EVIDENCE
from segmentation.edgetpu.report import check_model
from segmentation.edgetpu.tflite_file import read_model, view_graph

SMALL = {"file_bytes": MIB, "padded_macs": 2e9, "input_bytes": 3e5, "output_bytes": 2e5,
         "operations": 50}


def test_terms():
    assert list_terms(SMALL) == [1.0, 0.0, 2.0, 0.5, 0.5]
    assert list_terms({**SMALL, "file_bytes": CACHE_BYTES + 3 * MIB})[:2] == [6.0, 3.0]


def test_the_fit_finds_what_made_the_times_and_no_weight_below_zero():
    random = np.random.default_rng(0)
    terms = random.uniform(1, 2, (20, 3))
    assert np.allclose(fit(terms, terms @ [1.0, 2.0, 3.0]), [1, 2, 3])
    weights = fit(terms, terms @ [1.0, 2.0, -0.5])
    assert weights[2] == 0 and (weights[:2] > 0).all()


def test_multiply_accumulates_by_hand():
    def count(data, channels_at_once=1):
        model = read_model(data)
        return count_macs(view_graph(model.subgraphs[0], model).ops, channels_at_once)

    assert count(PLAIN_CONV) == 16 * 16 * 4 * 3 * 3 * 4
    assert count(PLAIN_CONV, 64) == 16 * 16 * 64 * 3 * 3 * 4
    # Of each of 8x8x4 values 3x3 to each of 8 channels.
    assert count(transpose_conv((16, 16, 8))) == 8 * 8 * 4 * 3 * 3 * 8
    depthwise = operation("DEPTHWISE_CONV_2D", ["x", "w", "b"], ["y"], 3, "DepthwiseConv2DOptions")
    tensors = {"x": IMAGE, "y": IMAGE, "w": constant(np.ones((1, 5, 5, 4))),
               "b": constant(np.zeros(4), "INT32")}
    assert count(tflite([depthwise], tensors)) == 16 * 16 * 4 * 5 * 5
    dense = operation("FULLY_CONNECTED", ["x", "w"], ["y"], 4, "FullyConnectedOptions")
    tensors = {"x": activation(1, 6), "y": activation(1, 2), "w": constant(np.ones((2, 6)))}
    assert count(tflite([dense], tensors)) == 12


def test_the_estimate_keeps_to_the_measured_builds():
    """Half within 5 %, nine of ten within 20 %, each build left out of its own fit."""
    weights, errors = fit_builds()
    assert (weights >= 0).all() and len(errors) >= 39
    estimate = estimate_time(EVIDENCE["builds"][0])
    assert estimate["median_error"] < 0.05 and estimate["nine_of_ten_error"] < 0.2
    assert estimate["largest_error"] == pytest.approx(np.abs(errors).max())
    line = format_estimate(estimate)
    assert "not run by us: about 0.8 ms" in line and "median 3%, worst 62%" in line
    assert len(line) <= 100


def test_the_estimate_of_a_tiny_file_is_no_less_than_was_measured():
    report = check_model(PLAIN_CONV)
    assert report["macs"] == 36864
    assert "less than 0.6 ms" in format_estimate(report["time_estimate"])


def test_the_logs_builds_are_in_the_evidence(shared):
    """Every build that compiler_logs.json times is fitted with the time that stands there."""
    import json

    logs = json.loads((shared / "data/edgetpu/compiler_logs.json").read_text())["logs"]
    timed = [log for log in logs if log["id"].startswith("line_seg")]
    known = {(build["file_bytes"], build["milliseconds"]) for build in EVIDENCE["builds"]}
    assert len(timed) >= 19
    assert [log["id"] for log in timed if (log["int8_bytes"], log["ms"]) not in known] == []
