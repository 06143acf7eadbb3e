"""Tests of what is mapped beside and behind operations on the CPU."""

from tflite_by_hand import activation, chain, operation, tflite, verdicts

from segmentation.edgetpu.partition import list_parts
from segmentation.edgetpu.report import check_model


def test_parts_alternate_in_the_order_in_which_they_run():
    """By hand: 0 and 2 wait for nothing; 1 (CPU) waits for 0, 3 for 1 and 2."""
    assert list_parts([set(), {0}, set(), {1, 2}], left={1}) == [{0, 2}, {1}, {3}]
    assert list_parts([set(), {0}, set(), {1, 2}], left={0}) == [{0}, {1, 2, 3}]
    assert list_parts([], set()) == []


def test_what_waits_for_itself_is_one_part():
    assert list_parts([{1}, {0}], set()) == [{0, 1}]


def test_all_behind_an_operation_on_the_cpu_is_at_risk():
    report = check_model(chain("RELU", "HARD_SWISH", "LOGISTIC", "TANH", types=["INT8"] * 5))
    assert verdicts(report) == {
        "RELU": "OK", "HARD_SWISH": "CPU", "LOGISTIC": "RISK", "TANH": "RISK"}
    assert report["operations_on_cpu"] == 1 and report["verdict"] == "CPU"
    assert report["sentence"] == (
        "1 of 4 operations stay on the CPU: HARD_SWISH; 2 more may too.")
    row = next(row for row in report["rows"] if row["name"] == "TANH")
    assert row["reasons"][0]["reason"].startswith("behind an operation on the CPU")


def test_what_stands_first_on_the_cpu_costs_nothing_else():
    """As in MoveNet, whose CAST and QUANTIZE stand before all that was mapped."""
    tensors = {name: activation(1, 8) for name in ("x", "left", "right", "y")}
    first, second, both = (operation("HARD_SWISH", ["x"], ["left"]),
                           operation("TANH", ["x"], ["right"]),
                           operation("ADD", ["left", "right"], ["y"]))
    assert verdicts(check_model(tflite([first, second, both], tensors))) == {
        "HARD_SWISH": "CPU", "TANH": "OK", "ADD": "OK"}
    assert verdicts(check_model(tflite([second, first, both], tensors))) == {
        "HARD_SWISH": "CPU", "TANH": "OK", "ADD": "RISK"}


def test_float_at_both_ends_is_tolerable():
    types = ["FLOAT32", "INT8", "INT8", "FLOAT32"]
    report = check_model(chain("QUANTIZE", "RELU", "DEQUANTIZE", types=types))
    assert verdicts(report) == {"QUANTIZE": "CPU", "RELU": "OK", "DEQUANTIZE": "CPU"}
    assert report["exit_code"] == 2 and "Tolerable" in report["sentence"]


def test_float_in_the_middle_is_not():
    types = ["INT8", "INT8", "FLOAT32", "INT8", "INT8"]
    report = check_model(chain("RELU", "DEQUANTIZE", "QUANTIZE", "TANH", types=types))
    assert verdicts(report) == {
        "RELU": "OK", "DEQUANTIZE": "CPU", "QUANTIZE": "CPU", "TANH": "RISK"}
    assert "Tolerable" not in report["sentence"]


def test_a_refused_operation_leaves_the_others_as_they_are():
    report = check_model(chain("RELU", "GELU", "TANH", types=["INT8"] * 4))
    assert verdicts(report) == {"RELU": "OK", "GELU": "REFUSED", "TANH": "OK"}
