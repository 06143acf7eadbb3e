"""Tests of training.py: several devices and machines train as one does, ends and what is kept."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import small_training
import tensorflow as tf

import main
from device.errors import InputError
from segmentation.train import checkpoint, devices, loop

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


def test_two_devices_train_as_one_does(tmp_path, one_device):
    process = start(tmp_path / "two", "two")
    assert process.wait(WAIT) == 0, process.stderr.read()
    assert_same(read(tmp_path / "two"), one_device, 1e-4)


def test_two_workers_train_as_one_process_does(tmp_path, one_device):
    workers = start_workers(tmp_path, "worker")
    for worker in workers:
        assert worker.wait(WAIT) == 0, worker.stderr.read()
    first, second = read(tmp_path / "worker_0"), read(tmp_path / "worker_1")
    for array, other in zip(first[1], second[1], strict=True):
        assert (array == other).all()
    assert_same(first, one_device, 1e-3)


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


# ---- ends ------------------------------------------------------------------------------------


def fit_small(finish, model=None, features=None, **options):
    """Trains the little network with loop.fit; returns what that returns."""
    phase = loop.Phase(model or small_training.make_network(), features, 1e-2, 0, 4)
    return loop.fit(phase, tf.distribute.get_strategy(),
                        main.make_loss("dice+cross-entropy", [1.0, 3.0], 255),
                        small_training.make_data(), 5,
                        {"augment": False, "seed": 1, "repeats": 1}, finish, **options)


def test_a_loss_that_is_not_finite_names_the_files():
    bad = small_training.make_data()["images"][7]

    def features(images):
        is_bad = (images == bad).all((1, 2, 3))
        return [np.where(is_bad[:, None, None, None], np.nan, images).astype(np.float32)]

    with pytest.raises(InputError, match=r"The loss is nan in epoch 1, batch \d.*\b7\b.*kept"):
        fit_small(lambda *_: False, features=features)


def test_ctrl_c_ends_after_the_batch_and_the_handler_is_put_back():
    before, epochs = signal.getsignal(signal.SIGINT), []

    def finish(epoch, loss, seconds, optimizer):
        epochs.append(epoch)
        signal.raise_signal(signal.SIGINT)
        return False

    assert fit_small(finish)
    assert epochs == [0] and signal.getsignal(signal.SIGINT) is before


def test_float16_training_leaves_a_float32_model():
    model, seen = small_training.make_network(), []

    def finish(epoch, loss, seconds, optimizer):
        seen.append([layer.compute_dtype for layer in model.layers])
        return True

    fit_small(finish, model, mixed_precision=True)
    assert seen[0][-1] == "float32" and set(seen[0][:-1]) == {"float16"}  # the last: the logits
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}


def test_ctrl_c_in_the_last_epoch_is_told_too():
    def finish(epoch, loss, seconds, optimizer):
        if epoch == 3:
            signal.raise_signal(signal.SIGINT)
        return False

    assert fit_small(finish)  # so no fine-tuning is begun


# ---- what is kept ----------------------------------------------------------------------------


def test_state_comes_back_as_it_was_saved(tmp_path):
    model = small_training.make_network()
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    checkpoint.save_checkpoint(tmp_path, {"epochs": 3}, model.weights, optimizer.variables)
    content, weights, variables = checkpoint.load_checkpoint(tmp_path)
    assert content == {"epochs": 3} and len(variables) == len(optimizer.variables)
    assert all((a == b).all() for a, b in zip(weights, model.get_weights(), strict=True))
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.CHECKPOINT_FILE]


def test_an_optimizers_state_of_other_variables_is_a_sentence():
    optimizer = keras.optimizers.Adam()
    optimizer.build(small_training.make_network().trainable_variables)
    arrays = [variable.numpy() for variable in optimizer.variables]
    loop.assign_all(optimizer.variables, arrays)
    for others in (arrays[:-1], [*arrays[:-1], np.zeros(9)]):
        with pytest.raises(InputError, match="set EPOCHS and FINE_TUNE_FROM as they were"):
            loop.assign_all(optimizer.variables, others)


def test_missing_and_damaged_state(tmp_path):
    assert checkpoint.load_checkpoint(tmp_path) is None
    for content in (b"", b"PK\x03\x04 half a file", b"text"):
        (tmp_path / checkpoint.CHECKPOINT_FILE).write_bytes(content)
        with pytest.raises(InputError, match="is damaged"):
            checkpoint.load_checkpoint(tmp_path)
