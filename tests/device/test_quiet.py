"""Tests of device/quiet.py: what is dropped, what is let through, that descriptor 2 comes back."""

import os

import pytest

from device.quiet import quiet_stderr

DROPPED = """\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795747891.706433   17265 port.cc:153] oneDNN custom operations are on.
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
fully_quantize: 0, inference_type: 6, input_inference_type: INT8
W0000 00:00:1795747891.706433   17265 tf_tfl_flatbuffer_helpers.cc:365] Ignored output_format.
"""
KEPT = """\
W0000 00:00:1795747891.706433   17265 gpu_device.cc:2342] Cannot dlopen some GPU libraries.
E0000 00:00:1795747891.706433   17265 cuda_executor.cc:1228] no CUDA-capable device
terminate called after throwing an instance
"""


def test_harmless_lines_are_dropped_and_others_are_not(capfd):
    with quiet_stderr():
        os.write(2, (DROPPED + KEPT + DROPPED).encode())
    assert capfd.readouterr().err == KEPT
    os.write(2, b"INFO: afterwards\n")
    assert capfd.readouterr().err == "INFO: afterwards\n"


def test_an_error_lets_the_lines_before_it_through(capfd):
    with pytest.raises(ValueError, match="failed"), quiet_stderr():
        os.write(2, b"the reason\n")
        raise ValueError("failed")
    assert capfd.readouterr().err == "the reason\n"


def test_one_within_another(capfd):
    with quiet_stderr():
        with quiet_stderr():
            os.write(2, b"INFO: a\nb\n")
        os.write(2, b"INFO: c\nd\n")
    assert capfd.readouterr().err == "b\nd\n"
