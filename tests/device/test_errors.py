"""Tests of errors.py: how a script ends that Ctrl-C reaches while its libraries are imported."""

import os
import subprocess
import sys
from pathlib import Path

import device

PROJECT = Path(device.__file__).parents[1]


def run(code, folder):
    """Runs code in a process that finds the project's modules and those of a folder."""
    return subprocess.run([sys.executable, "-c", code], text=True, capture_output=True,
                          check=False, env={
                              **os.environ, "PYTHONPATH": f"{PROJECT}{os.pathsep}{folder}"})


def test_ctrl_c_during_an_import_is_one_line(tmp_path):
    (tmp_path / "slow_library.py").write_text("raise KeyboardInterrupt\n")
    ended = run("import device\nimport slow_library", tmp_path)
    assert ended.stderr == "Interrupted at the start: nothing has been done.\n"
    assert ended.returncode != 0 and not ended.stdout


def test_other_errors_and_ctrl_c_elsewhere_keep_their_traceback(tmp_path):
    (tmp_path / "broken_library.py").write_text("1 / 0\n")
    assert "ZeroDivisionError" in run("import device, broken_library", tmp_path).stderr
    ended = run("import device\ndef work():\n    raise KeyboardInterrupt\nwork()", tmp_path)
    assert ended.stderr.startswith("Traceback") and "in work" in ended.stderr
