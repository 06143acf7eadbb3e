"""Measures the decoder's training step: segmentation/train/fast_decoder.py beside Keras' own call.

    python benchmarks/step_speed.py

All ways train the same decoder on the same random features (time depends neither on what they show
nor on the weights) with the same Adam, and take turns, so that other work on the machine slows all
alike. "Loss by XLA" is how main.py trains. Prints a table in Markdown: for the default and the
tutorial's decoder medians of seconds a step and of CPU seconds of all cores, and the CPU's ratio to
the first way. Below it the floor of the default decoder's step: its multiply-accumulates at the
rate of one large convolution on this machine, and how many times that the step takes.
"""

import contextlib
import functools
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import main  # first: it sets TensorFlow's environment variables

# isort: split
import keras
import tensorflow as tf

from get_model import get_model
from segmentation.train.fast_decoder import call_decoder
from segmentation.train.gradient import descend, make_measure
from segmentation.train.loop import temporary_dtype_policy

DECODERS = {"default": main.DECODER_FILTERS, "tutorial's": (512, 256, 128, 64)}
IMAGE_SIZE, CLASSES = (128, 160), 11
STEPS, WARM_UP = 15, 2
WAYS = {  # title: (Keras' dtype policy, or None: fast_decoder; its dtype; loss compiled by XLA)
    "Keras, float32": ("float32", None, False),
    "Keras, float32, loss by XLA": ("float32", None, True),
    "Keras, mixed_bfloat16, loss by XLA": ("mixed_bfloat16", None, True),
    "fast_decoder, float32, loss by XLA": (None, "float32", True),
    "fast_decoder, bfloat16, loss by XLA": (None, "bfloat16", True),
}


def make_batch(decoder):
    """Returns random features and labels of a batch."""
    random = np.random.default_rng(0)
    features = [tf.constant(random.random((main.BATCH_SIZE, *shape[1:]), np.float32))
                for shape in decoder.input_shape]
    labels = random.integers(0, CLASSES, (main.BATCH_SIZE, *IMAGE_SIZE), np.uint8)
    return features, tf.constant(labels)


def make_way(filters, policy, dtype, by_xla):
    """Returns a function that trains one step of a new decoder in one of WAYS."""
    decoder = get_model(IMAGE_SIZE, CLASSES, None, filters).get_layer("decoder")
    call = decoder if dtype is None else functools.partial(
        call_decoder, decoder, training_dtype=dtype)
    optimizer = keras.optimizers.Adam(main.LEARNING_RATE)
    optimizer.build(decoder.trainable_variables)
    loss = main.make_loss(main.LOSS, np.ones(CLASSES, np.float32), main.IGNORE_LABEL)
    measure = make_measure(loss, by_xla)
    features, labels = make_batch(decoder)

    @tf.function(autograph=False)
    def step(features, labels):
        """Trains one step, as loop.make_step does."""
        with tf.GradientTape() as tape:
            logits = call(features, training=True)
        value, gradient = measure(labels, logits)
        descend(optimizer, decoder, tape, logits, gradient)
        return value

    def run():
        """Trains one step; the first call builds its graph, in the policy's dtypes."""
        policies = temporary_dtype_policy(decoder, policy) if policy else contextlib.nullcontext()
        with policies:
            float(step(features, labels))

    return run


def measure(ways):
    """Runs the ways in turn; returns seconds and CPU seconds, float (STEPS, ways, 2)."""
    times = np.empty((WARM_UP + STEPS, len(ways), 2))
    for turn in times:
        for number, run in enumerate(ways):
            start = time.perf_counter(), time.process_time()
            run()
            turn[number] = time.perf_counter() - start[0], time.process_time() - start[1]
    return times[WARM_UP:]


def count_step_products(decoder):
    """Returns the multiply-accumulates of a training step of the default decoder, for one image.

    Each convolution runs forward and gives the gradients by its kernel and by its input; those of
    the encoder's feature maps are constants, so the convolutions that read them need no gradient by
    their input. Of a 3x3 kernel behind a nearest resize to double size 4 products a pixel and
    channel are counted, not 9; see fast_decoder._resize_and_convolve.
    """
    products = 0
    for layer in decoder.layers:
        if not hasattr(layer, "kernel"):
            continue
        height, width = (layer.input if layer.name == "logits" else layer.output).shape[1:3]
        taps = layer.kernel.shape[0] * layer.kernel.shape[1]
        values = int(np.prod(layer.kernel.shape)) / taps  # channels in * channels out
        if layer.name.startswith("convolve_"):
            skip = decoder.get_layer(layer.name.replace("convolve_", "relu_skip_")).output.shape[3]
            skip_share = skip / layer.kernel.shape[2]
            taps = taps * skip_share + 4 * (1 - skip_share)
        passes = 2 if layer.name.startswith("reduce_") else 3
        products += passes * height * width * taps * values
    return products


def measure_rate(dtype):
    """Returns multiply-accumulates a second of one large convolution, in a dtype, all cores."""
    size, channels = (main.BATCH_SIZE, 64, 80), 128
    images = tf.ones((*size, channels), dtype)
    kernel = tf.ones((3, 3, channels, channels), dtype)
    convolve = tf.function(lambda: tf.nn.conv2d(images, kernel, 1, "SAME"))
    seconds = []
    for _ in range(WARM_UP + STEPS):
        start = time.perf_counter()
        convolve().numpy()
        seconds.append(time.perf_counter() - start)
    return np.prod(size) * 9 * channels**2 / np.median(seconds[WARM_UP:])


def print_floor(seconds, dtype):
    """Prints the default decoder's floor, and how many times that a step of so many seconds is."""
    decoder = get_model(IMAGE_SIZE, CLASSES, None, main.DECODER_FILTERS).get_layer("decoder")
    products, rate = main.BATCH_SIZE * count_step_products(decoder), measure_rate(dtype)
    print(f"{dtype}: {products / 1e9:.1f} billion products a step at {rate / 1e9:.0f} billion a "
          f"second take {products / rate:.3f} s; the step takes {seconds * rate / products:.1f} "
          f"times that.", flush=True)


def print_table():
    """Measures all ways with both decoders and prints the table."""
    floors = []
    print(f"{IMAGE_SIZE[0]}x{IMAGE_SIZE[1]}, {CLASSES} classes, batch {main.BATCH_SIZE}, "
          f"medians of {STEPS} steps\n")
    print("| decoder | way | seconds a step | CPU seconds | ratio of CPU |\n|---|---|---|---|---|")
    for title, filters in DECODERS.items():
        medians = np.median(measure([make_way(filters, *way) for way in WAYS.values()]), axis=0)
        for way, (seconds, cpu) in zip(WAYS, medians):
            print(f"| {title} | {way} | {seconds:.3f} | {cpu:.3f} | {cpu / medians[0, 1]:.2f} |",
                  flush=True)
            if title == "default" and way.startswith("fast_decoder"):
                floors.append((seconds, WAYS[way][1]))
    print()
    for seconds, dtype in floors:
        print_floor(seconds, dtype)


if __name__ == "__main__":
    print_table()
