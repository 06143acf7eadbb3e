"""Tests of quantize.py: calibration, and that training sees the encoder that the device runs."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import SHARED

from device.files import find_images
from device.images import read_image
from get_model import get_encoder, get_model
from segmentation.int8 import (
    bias_correction,
    calibration,
    equalize,
    features,
    interpreter,
    quantize,
)


@pytest.fixture(scope="module")
def model_and_images():
    """A U-Net with random weights whose batch normalization knows its images of 64x96."""
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (12, 64, 96, 3), dtype=np.uint8)
    model = get_model((64, 96), 3, weights=None,
                      decoder_filters=[(16, 16), (16, 16), (8, 8), (8, 8)])
    for _ in range(30):
        model(images.astype(np.float32), training=True)
    return model, quantize.add_extreme_pixels(images)


def test_calibration_images_are_evenly_spaced(monkeypatch):
    monkeypatch.setattr(calibration, "CALIBRATION_IMAGES", 3)
    assert quantize.calibration_indices(9).tolist() == [0, 4, 8]
    assert quantize.calibration_indices(2).tolist() == [0, 1]


def test_both_ends_are_there_and_the_images_unchanged():
    images = np.full((2, 4, 4, 3), 100, np.uint8)
    marked = quantize.add_extreme_pixels(images)
    assert marked.min() == 0 and marked.max() == 255 and (images == 100).all()
    assert (marked != images).sum() == 6


def test_dequantize_by_hand():
    values = interpreter.dequantize(np.array([-128, 0, 127], np.int8), (0.5, -128))
    assert values.dtype == np.float32 and values.tolist() == [0.0, 64.0, 127.5]


def test_features_follow_the_keras_encoder(model_and_images):
    model, images = model_and_images
    encoder = model.get_layer("encoder")
    found = features.make_feature_function(encoder, images)(images)
    expected = encoder(images / np.float32(127.5) - 1, training=False)
    assert [feature.shape for feature in found] == [tuple(e.shape) for e in expected]
    for feature, wanted in zip(found, expected):
        error = np.square(feature - wanted.numpy()).mean() / np.square(wanted.numpy()).mean()
        assert feature.dtype == np.float32 and error < 0.1


def test_features_are_computed_once_up_to_the_limit():
    computed = []

    def compute(images):
        """Notes what is computed: each image's mean, and its first pixel twice."""
        computed.append(len(images))
        return [images.mean((1, 2, 3), keepdims=True, dtype=np.float32),
                np.repeat(images[:, :1, :1, :1], 2, axis=3).astype(np.float32)]

    images = np.random.default_rng(1).integers(0, 256, (5, 4, 4, 3), np.uint8)
    recall = features.cache_features(compute, limit_bytes=3 * 12)  # an image's are 3 float32
    for _ in range(2):
        for wanted, found in zip(compute(images), recall(images[:3])):
            assert np.array_equal(wanted[:3], found)
    assert computed == [5, 3, 5]  # the second time nothing had to be computed
    mixed = recall(images[[4, 1, 3]])
    assert computed[-1] == 2  # only the two new ones, in their order
    assert all(np.array_equal(a, b) for a, b in zip(mixed, compute(images[[4, 1, 3]])))
    recall(images[3:])
    assert computed[-1] == 2  # beyond the limit they are computed again


@pytest.fixture(scope="module")
def pretrained_files():
    """The pretrained encoder as float and as uncorrected int8 .tflite, and images of birds."""
    weights = SHARED / "weights/mobilenet_v2_1.0_160_no_top.weights.h5"
    if not weights.exists():
        pytest.skip("the pretrained weights do not lie in shared/weights beside the project")
    encoder = get_encoder((64, 96), weights)
    paths = find_images(Path(__file__).parents[3] / "sample_data/images")[:12]
    images = quantize.add_extreme_pixels(np.stack([read_image(path, (64, 96)) for path in paths]))
    converter = quantize.make_converter(encoder, images)
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with interpreter.quiet():
        exact = quantize.make_float_converter(encoder, images.shape[1:]).convert()
        return exact, converter.convert(), images


def test_corrected_biases_bring_the_channels_to_the_float_models_means(pretrained_files):
    exact, plain, images = pretrained_files
    corrected = bias_correction.correct_biases(plain, exact, images)
    wanted, _ = bias_correction.channel_means(exact, bias_correction.list_layers(exact), images)
    errors = []
    for model_bytes in (plain, corrected):
        means, _ = bias_correction.channel_means(
            model_bytes, bias_correction.list_layers(model_bytes), images)
        errors.append(sum(np.square(a - b).mean() for a, b in zip(means, wanted)))
    assert errors[1] < 0.1 * errors[0]


def test_correcting_biases_changes_nothing_else(pretrained_files):
    exact, plain, images = pretrained_files
    corrected = bias_correction.correct_biases(plain, exact, images[:2])
    restored, original = bytearray(corrected), bytearray(plain)
    layers = bias_correction.list_layers(plain)
    for layer in layers:
        bias_correction.find_bias(restored, layer.bias)[0][:] = bias_correction.find_bias(
            original, layer.bias)[0]
    assert len(layers) == 51 and restored == plain and corrected != plain


def test_find_bias_reads_and_writes_the_file(model_and_images):
    model, images = model_and_images
    data = bytearray(quantize.quantize(model.get_layer("encoder"), images))
    layer = bias_correction.list_layers(bytes(data))[0]
    values, scale = bias_correction.find_bias(data, layer.bias)
    assert values.dtype == np.int32 and values.shape == scale.shape == (32,)
    before = values.copy()
    values += 1
    assert (bias_correction.find_bias(data, layer.bias)[0] == before + 1).all()
    tensor = interpreter.open_bytes(bytes(data)).get_tensor(layer.bias)
    assert (tensor == before + 1).all()


def test_ties_are_counted_by_pair():
    logits = np.int8([[[5, 5, 1], [5, 4, 5]], [[9, 9, 9], [0, 1, 2]]])
    assert bias_correction.count_ties(logits).tolist() == [[0, 2, 2], [2, 0, 1], [2, 1, 0]]


def test_of_two_classes_the_later_is_shifted_by_half_a_step():
    assert np.allclose(bias_correction.solve_logit_offsets(np.int64([[0, 7], [7, 0]])), [0, 0.5])
    assert np.allclose(bias_correction.solve_logit_offsets(np.zeros((2, 2), int)), [0, 0.5])


def test_shifts_follow_the_pairs_that_tie_most():
    ties = np.zeros((3, 3), int)
    ties[0, 1:] = ties[1:, 0] = 10**6  # both objects against the background, hardly each other
    assert np.allclose(bias_correction.solve_logit_offsets(ties), [0, 0.5, 0.5], atol=1e-5)
    ties = np.full((3, 3), 10)
    np.fill_diagonal(ties, 0)  # all alike: 1/2, 1/2 and 1/2 as well as three can
    assert np.allclose(bias_correction.solve_logit_offsets(ties), [0, 1 / 3, 2 / 3])


def test_after_the_shift_neither_of_two_classes_gains():
    rng = np.random.default_rng(0)
    logits = rng.uniform(-3, 3, (400, 400, 2))  # in steps; many pixels lie near an edge

    def share_of_later(logits):
        return (np.round(logits).argmax(-1) == 1).mean()

    shifts = bias_correction.solve_logit_offsets(bias_correction.count_ties(np.round(logits)))
    assert share_of_later(logits) < 0.45 and abs(share_of_later(logits + shifts) - 0.5) < 0.01


@pytest.mark.parametrize("output_type", ["int8", "uint8"])
def test_balancing_ties_shifts_the_logits_biases_alone(
        model_and_images, output_type, monkeypatch):
    monkeypatch.setattr(bias_correction, "correct_biases",
                        lambda quantized, exact, images: quantized)
    model, images = model_and_images
    bias = model.get_layer("decoder").get_layer("logits").bias
    assert not bias.numpy().any()
    prepared = quantize.prepare(model, images)
    untrained = quantize.quantize(prepared, images, output_type=output_type)
    assert bias_correction.correct_tie_bias(untrained, images) == untrained
    bias.assign([0.5, 0, -0.5])
    try:
        before = quantize.quantize(prepared, images, output_type=output_type)
    finally:
        bias.assign(np.zeros(3))
    after = bias_correction.correct_tie_bias(before, images)
    changed = np.flatnonzero(np.frombuffer(before, np.uint8) != np.frombuffer(after, np.uint8))
    assert len(before) == len(after) and len(changed) > 0 and np.ptp(changed) < 3 * 4
    logits = [interpreter.run_images(interpreter.open_bytes(data), images)
              for data in (before, after)]
    ties = sum(bias_correction.count_ties(image) for image in logits[0])
    # Between two values of a logit lies a step: a shift of less changes it by one or not at all.
    difference = logits[1].astype(int) - logits[0]
    assert (difference[..., 0] == 0).all() and ties.sum() > 0
    assert np.abs(difference).max() == 1
    offsets = bias_correction.solve_logit_offsets(ties)
    assert np.allclose(difference.mean((0, 1, 2)), offsets, atol=0.15)


def test_training_sees_the_encoder_of_the_converted_model(model_and_images):
    """Scales, zero points, weights and corrected biases of the encoder stand in the whole model."""
    model, images = model_and_images

    def convolutions(model_bytes):
        opened = interpreter.open_bytes(
            model_bytes, experimental_op_resolver_type=interpreter.REFERENCE_KERNELS)
        details = {detail["index"]: detail for detail in opened.get_tensor_details()}
        return [(details[op["outputs"][0]]["quantization"],
                 *(opened.get_tensor(index).tobytes() for index in op["inputs"][1:]))
                for op in opened._get_ops_details()
                if op["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D")]

    whole = convolutions(quantize.quantize(quantize.prepare(model, images), images))
    encoder = convolutions(quantize.quantize(
        equalize.equalize(model.get_layer("encoder"), images), images))
    assert len(encoder) == 51 and len(whole) > len(encoder)
    assert set(encoder) <= set(whole)
