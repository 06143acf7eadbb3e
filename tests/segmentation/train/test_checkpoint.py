"""Tests of checkpoint.py: what comes back, what is refused."""

import keras
import pytest
import small_training

from device.errors import InputError
from segmentation.train import checkpoint


def test_a_checkpoint_comes_back_as_it_was_saved(tmp_path):
    model = small_training.make_network()
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    checkpoint.save_checkpoint(tmp_path, {"epochs": 3}, model.weights, optimizer.variables)
    content, weights, variables = checkpoint.load_checkpoint(tmp_path)
    assert content == {"epochs": 3} and len(variables) == len(optimizer.variables)
    assert all((a == b).all() for a, b in zip(weights, model.get_weights(), strict=True))
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.CHECKPOINT_FILE]


def test_missing_and_damaged_checkpoints(tmp_path):
    assert checkpoint.load_checkpoint(tmp_path) is None
    for content in (b"", b"PK\x03\x04 half a file", b"text"):
        (tmp_path / checkpoint.CHECKPOINT_FILE).write_bytes(content)
        with pytest.raises(InputError, match="is damaged"):
            checkpoint.load_checkpoint(tmp_path)
