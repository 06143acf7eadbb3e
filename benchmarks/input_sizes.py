"""Measures the int8 model at several input sizes and with several decoders.

    python benchmarks/input_sizes.py

Converts models with random weights (time and size do not depend on them) for 3 classes; prints a
table in Markdown: the decoder's parameters, bytes of constants, multiply-adds, the verdict of the
preflight, and the CPU time of one thread, all models in turn, medians, and as a ratio to the
first model of the table.
"""

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import main
from device.tflite import invoke_model
from get_model import get_model
from segmentation.edgetpu.repair import unfuse_activations
from segmentation.edgetpu.report import check_model
from segmentation.int8 import quantize
from segmentation.int8.interpreter import open_bytes

TUTORIAL = (512, 256, 128, 64)
DEFAULT = main.DECODER_FILTERS
SMALLER = ((128, 96), (96, 64), (64, 32), (32, 16))
MODELS = [  # title, image size (height, width), decoder
    ("default", (128, 160), DEFAULT), ("default", (96, 96), DEFAULT),
    ("default", (128, 128), DEFAULT), ("default", (192, 256), DEFAULT),
    ("default", (256, 256), DEFAULT), ("default", (384, 512), DEFAULT),
    ("smaller", (128, 160), SMALLER),
    ("tutorial's decoder", (128, 160), TUTORIAL), ("tutorial's decoder", (256, 256), TUTORIAL),
]
ROUNDS = 25
CLASSES = 3


def convert(image_size, decoder):
    """Returns the bytes of an int8 model with random weights, and its decoder's parameters."""
    model = get_model(image_size, CLASSES, weights=None, decoder_filters=decoder)
    images = np.random.default_rng(0).integers(0, 256, (2, *image_size, 3), dtype=np.uint8)
    for _ in range(5):
        model(images.astype(np.float32), training=True)
    model_bytes = unfuse_activations(quantize.quantize(quantize.prepare(model, images), images))
    return model_bytes, model.get_layer("decoder").count_params()


def measure_times(models, image_sizes):
    """Returns the median CPU milliseconds of each model; the models run in turn, one thread."""
    interpreters = [open_bytes(model, num_threads=1) for model in models]
    images = [np.zeros((*size, 3), np.uint8) for size in image_sizes]
    times = np.empty((ROUNDS, len(models)))
    for row in times:
        for number, (interpreter, image) in enumerate(zip(interpreters, images)):
            start = time.process_time()  # of one thread, and so not of other work on the machine
            invoke_model(interpreter, image)
            row[number] = 1000 * (time.process_time() - start)
    return np.median(times[3:], axis=0)


def print_table():
    """Converts and measures all models and prints the table."""
    quantize.BIAS_IMAGES = 1  # biases change neither time nor size
    files, parameters = zip(*(convert(size, decoder) for _, size, decoder in MODELS))
    times = measure_times(files, [size for _, size, _ in MODELS])
    print("| decoder | its parameters | height x width | constants | multiply-adds | ms | ratio "
          "| preflight |")
    print("|---" * 8 + "|")
    for (title, size, _), file, count, milliseconds in zip(MODELS, files, parameters, times):
        report = check_model(file)
        print(f"| {title} | {count:,} | {size[0]} x {size[1]} | "
              f"{report['parameter_bytes']:,} bytes | "
              f"{report['macs'] / 1e6:.0f} M | {milliseconds:.1f} | "
              f"{milliseconds / times[0]:.2f} | {report['verdict']} |")


if __name__ == "__main__":
    print_table()
