"""Small models and images that several tests of segmentation/int8 share; each is made once."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_sets import ROOT, SHARED

from device.files import find_images
from device.images import read_image
from get_model import get_encoder, get_model
from segmentation.int8 import interpreter, quantize
from segmentation.int8.calibration import add_extreme_pixels

PRETRAINED_SIZE = (64, 96)  # (height, width)


@functools.cache
def small_unet():
    """A U-Net with random weights, and images of 64x96 that its batch normalization knows."""
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (12, 64, 96, 3), dtype=np.uint8)
    model = get_model((64, 96), 3, weights=None,
                      decoder_filters=[(16, 16), (16, 16), (8, 8), (8, 8)])
    for _ in range(30):
        model(images.astype(np.float32), training=True)
    return model, add_extreme_pixels(images)


@functools.cache
def pretrained_encoder():
    """ImageNet's encoder, and 24 images of birds of its size."""
    weights = SHARED / "weights/mobilenet_v2_1.0_160_no_top.weights.h5"
    if not weights.exists():
        pytest.skip("the pretrained weights do not lie in shared/weights beside the project")
    paths = find_images(ROOT / "sample_data/images")[:24]
    return (get_encoder(PRETRAINED_SIZE, weights),
            np.stack([read_image(path, PRETRAINED_SIZE) for path in paths]))


@functools.cache
def pretrained_files():
    """The pretrained encoder as float and as uncorrected int8 .tflite, and images of birds."""
    encoder, images = pretrained_encoder()
    images = add_extreme_pixels(images[:12])
    converter = quantize.make_converter(encoder, images)
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with interpreter.quiet():
        float_bytes = quantize.make_float_converter(encoder, images.shape[1:]).convert()
        return float_bytes, converter.convert(), images


def scale(images):
    """The encoder's input: 0..255 becomes [-1, 1]."""
    return images / np.float32(127.5) - 1
