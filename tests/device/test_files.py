"""Tests of device/files.py: a failed write."""

import json

import pytest

from device import files


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"a": 1})

    def fail(file):
        file.write(b"half")
        raise OSError("no space left on device")

    with pytest.raises(OSError):
        files.write_whole(path, fail)
    assert json.loads(path.read_text()) == {"a": 1}
