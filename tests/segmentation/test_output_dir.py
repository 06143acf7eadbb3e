"""Tests of output_dir.py: the lock between processes, what is kept of an earlier run."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from device.errors import InputError
from segmentation import output_dir

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import signal, sys, time
from segmentation.output_dir import lock_output_dir
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job would not hear it
with lock_output_dir(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of tmp_path."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_run_is_refused_by_the_number_of_the_first(holder, tmp_path):
    sentence = rf"Another run \(process {holder.pid}\) is writing to OUTPUT_DIR"
    with pytest.raises(InputError, match=sentence), output_dir.lock_output_dir(tmp_path):
        pytest.fail("it was not refused")
    holder.send_signal(signal.SIGINT)
    holder.wait()
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_dead_process_is_taken_over(holder, tmp_path):
    holder.kill()
    holder.wait()
    lock = tmp_path / output_dir.LOCK_FILE
    assert lock.exists()
    with output_dir.lock_output_dir(tmp_path):
        assert lock.read_text() == f"{os.getpid()}\n"
    assert not lock.exists()


def test_an_error_frees_the_lock(tmp_path):
    with pytest.raises(ValueError), output_dir.lock_output_dir(tmp_path):
        raise ValueError
    with output_dir.lock_output_dir(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_used_is_not_locked(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    for folder in (None, tmp_path / "file" / "output"):
        with output_dir.lock_output_dir(folder):
            pass
    monkeypatch.setenv("TF_CONFIG", '{"task": {"index": 1}}')  # such a worker writes nothing
    with output_dir.lock_output_dir(tmp_path):
        assert not (tmp_path / output_dir.LOCK_FILE).exists()


def test_earlier_results_are_moved_and_nothing_else(tmp_path, capsys):
    for name in ("model.keras", "model.json", "model_int8.tflite", "model_int8_edgetpu.tflite",
                 "metrics.csv", "report.png", "mine.txt"):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (1e9, 1e9))
    (tmp_path / "predictions").mkdir()
    output_dir.keep_previous_results(tmp_path)
    folder, = (tmp_path / "previous").iterdir()
    assert f"are kept in {folder}" in capsys.readouterr().out
    assert {path.name for path in folder.iterdir()} == {
        "model.keras", "model.json", "model_int8.tflite", "model_int8_edgetpu.tflite",
        "metrics.csv", "report.png"}
    assert {path.name for path in tmp_path.iterdir()} == {"previous", "predictions", "mine.txt"}

    output_dir.keep_previous_results(tmp_path)
    assert capsys.readouterr().out == ""
    (tmp_path / "model.keras").write_text("of a second run")
    output_dir.keep_previous_results(tmp_path)
    assert len(list((tmp_path / "previous").iterdir())) == 2
    assert (folder / "model.keras").read_text() == "model.keras"
