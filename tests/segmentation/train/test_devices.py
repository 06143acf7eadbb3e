"""Tests of devices.py: several devices and several machines train as one does."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from device.errors import InputError
from segmentation.train import devices

SCRIPT = Path(__file__).with_name("small_training.py")
WAIT = 300  # seconds; a worker notices the other's end after about 30


def start(folder, way, **environment):
    """Starts a small training in a process of its own."""
    folder.mkdir()
    return subprocess.Popen([sys.executable, SCRIPT, folder, way], text=True,
                            env={**os.environ, **environment}, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def start_workers(tmp_path, way):
    """Starts two workers on the loopback address."""
    ports = []
    for _ in range(2):
        with socket.socket() as place:
            place.bind(("127.0.0.1", 0))
            ports.append(place.getsockname()[1])
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    return [start(tmp_path / f"worker_{index}", way, TF_CONFIG=json.dumps(
        {"cluster": cluster, "task": {"type": "worker", "index": index}})) for index in range(2)]


def read(folder):
    """Returns the losses by epoch and the weights that a small training left."""
    with np.load(folder / "weights.npz") as weights:
        return np.array(json.loads((folder / "losses.json").read_text())), [*weights.values()]


@pytest.fixture(scope="module")
def one_device(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training") / "one"
    process = start(folder, "one")
    assert process.wait(WAIT) == 0, process.stderr.read()
    losses, weights = read(folder)
    assert losses[-1] < 0.6 * losses[0]  # it learns
    return losses, weights


def assert_same(result, one_device, tolerance):
    assert np.allclose(result[0], one_device[0], atol=tolerance, rtol=0)
    for array, expected in zip(result[1], one_device[1], strict=True):
        assert np.allclose(array, expected, atol=tolerance, rtol=0)


@pytest.mark.slow
def test_two_devices_train_as_one_does(tmp_path, one_device):
    process = start(tmp_path / "two", "two")
    assert process.wait(WAIT) == 0, process.stderr.read()
    assert_same(read(tmp_path / "two"), one_device, 1e-4)


@pytest.mark.slow
def test_two_workers_train_as_one_process_does(tmp_path, one_device):
    workers = start_workers(tmp_path, "worker")
    for worker in workers:
        assert worker.wait(WAIT) == 0, worker.stderr.read()
    first, second = read(tmp_path / "worker_0"), read(tmp_path / "worker_1")
    for array, other in zip(first[1], second[1], strict=True):
        assert (array == other).all()
    assert_same(first, one_device, 1e-3)


@pytest.mark.slow
def test_a_killed_worker_ends_the_other_with_a_sentence(tmp_path):
    survivor, victim = start_workers(tmp_path, "dying")
    assert victim.wait(WAIT) == -signal.SIGKILL
    _, errors = survivor.communicate(timeout=WAIT)
    assert survivor.returncode == 1
    assert "Error: Another worker has ended" in errors and "RESUME = True" in errors
    assert "Traceback" not in errors


def test_damaged_tf_config_is_a_sentence(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {}}')
    with pytest.raises(InputError, match="TF_CONFIG can't be used"):
        devices.choose_strategy()
