"""Tests of compare_logits.py: what counts as different."""

import sys

import compare_logits
import numpy as np
import pytest


def test_one_value_that_differs():
    here = {"logits0": np.zeros((2, 3), np.int8), "mask0": np.zeros((4, 4), np.uint8)}
    assert compare_logits.compare(here, here) == {"logits": (6, 0), "mask": (16, 0)}
    there = {**here, "logits0": np.array([[0, 0, 1], [0, 0, 0]], np.int8)}
    assert compare_logits.compare(here, there) == {"logits": (6, 1), "mask": (16, 0)}
    with pytest.raises(ValueError, match="different arrays"):
        compare_logits.compare(here, {})


@pytest.mark.parametrize("value, code, word", [(0, 0, "identical: 0 of 6"), (1, 1, "DIFFERENT: 1")])
def test_exit_code(tmp_path, monkeypatch, capsys, value, code, word):
    logits = np.zeros(6, np.int8)
    np.savez(tmp_path / "here.npz", logits0=logits, mask0=logits)
    logits[0] = value
    np.savez(tmp_path / "there.npz", logits0=logits, mask0=np.zeros(6, np.int8))
    monkeypatch.setattr(sys, "argv", ["", "bookworm", str(tmp_path / "here.npz"),
                                      str(tmp_path / "there.npz")])
    assert compare_logits.main() == code
    assert f"on ARM: bookworm: {word}" in capsys.readouterr().out
