"""A training small enough for several processes: run by test_devices.py, one process a call.

    python small_training.py FOLDER WAY

Trains four epochs of a little network on drawn squares with loop.fit. WAY: one (device), two
(logical devices), worker (TF_CONFIG says which), dying (the worker kills itself after an epoch).
Leaves losses.json and weights.npz in FOLDER.
"""

import json
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

import keras
import numpy as np
import tensorflow as tf

import main
from device.errors import InputError
from segmentation.data.augmentation import Augmentation
from segmentation.train import devices, loop
from segmentation.workers import is_chief

EPOCHS, BATCH_SIZE = 4, 5


def make_data():
    """Twelve pictures of a bright square: batches of 5, 5 and 2."""
    random = np.random.default_rng(0)
    images = random.integers(0, 90, (12, 16, 16, 3), np.uint8)
    labels = np.zeros((12, 16, 16), np.uint8)
    for image, label, corner in zip(images, labels, random.integers(0, 8, (12, 2))):
        place = np.s_[corner[0]:corner[0] + 7, corner[1]:corner[1] + 7]
        label[place], image[place] = 1, 200
    return {"images": images, "labels": labels, "training_names": [str(n) for n in range(12)]}


def make_network():
    """A convolution with batch normalization, and logits."""
    keras.utils.set_random_seed(3)
    return keras.Sequential([
        keras.Input((16, 16, 3)), keras.layers.Rescaling(1 / 127.5, -1),
        keras.layers.Conv2D(4, 3, padding="same", use_bias=False),
        keras.layers.BatchNormalization(momentum=0.9), keras.layers.ReLU(),
        keras.layers.Conv2D(2, 3, padding="same", name="logits")])


def choose(way):
    """Returns the strategy; several devices are two logical ones of the CPU."""
    if way != "two":
        return devices.choose_strategy()[0]
    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        processor, [tf.config.LogicalDeviceConfiguration()] * 2)
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def run(folder, way):
    """Trains and writes the epochs' losses and the weights."""
    strategy, data, losses = choose(way), make_data(), []
    with strategy.scope():
        model = make_network()

    def finish(epoch, loss, seconds, optimizer):
        losses.append(loss)
        if way == "dying" and not is_chief():
            os.kill(os.getpid(), signal.SIGKILL)
        return False

    loop.fit(loop.Phase(model, None, 5e-2, 0, EPOCHS, weight_decay=0.5), strategy,
              main.make_loss("dice+cross-entropy", [1.0, 3.0], 255), data, BATCH_SIZE,
              {"augmentation": Augmentation(), "seed": 1, "repeats": 1}, finish)
    np.savez(folder / "weights.npz", *model.get_weights())
    (folder / "losses.json").write_text(json.dumps(losses))


if __name__ == "__main__":
    try:
        run(Path(sys.argv[1]), sys.argv[2])
    except InputError as error:
        sys.exit(f"Error: {error}")
