"""Tests of parallel.py: several threads, progress, errors."""

import io

import pytest

from device import progress
from segmentation import parallel


def test_progress_is_shown_for_long_work(monkeypatch, capsys):
    monkeypatch.setattr(progress, "PROGRESS_SECONDS", -1)
    assert parallel.in_parallel(lambda index: index**2, 5, "Working") == [0, 1, 4, 9, 16]
    assert "Working: 5 of 5" in capsys.readouterr().err


def test_an_error_in_a_thread_reaches_the_caller():
    def fail(index):
        raise io.UnsupportedOperation(str(index))

    with pytest.raises(io.UnsupportedOperation):
        parallel.in_parallel(fail, 5, "Working")
