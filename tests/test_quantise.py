"""Tests of quantise.py: calibration, and that training sees the encoder that the device runs."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import SHARED

import quantise
from get_model import get_encoder, get_model
from import_data import read_image
from pairing import find_images


@pytest.fixture(scope="module")
def model_and_images():
    """A U-Net with random weights whose batch normalisation knows its images of 64x96."""
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (12, 64, 96, 3), dtype=np.uint8)
    model = get_model((64, 96), 3, weights=None,
                      decoder_filters=[(16, 16), (16, 16), (8, 8), (8, 8)])
    for _ in range(30):
        model(images.astype(np.float32), training=True)
    return model, quantise.with_both_ends(images)


def test_calibration_images_are_evenly_spaced(monkeypatch):
    monkeypatch.setattr(quantise, "CALIBRATION_IMAGES", 3)
    assert quantise.calibration_indices(9).tolist() == [0, 4, 8]
    assert quantise.calibration_indices(2).tolist() == [0, 1]


def test_both_ends_are_there_and_the_images_unchanged():
    images = np.full((2, 4, 4, 3), 100, np.uint8)
    marked = quantise.with_both_ends(images)
    assert marked.min() == 0 and marked.max() == 255 and (images == 100).all()
    assert (marked != images).sum() == 6


def test_dequantise_by_hand():
    values = quantise.dequantise(np.array([-128, 0, 127], np.int8), (0.5, -128))
    assert values.dtype == np.float32 and values.tolist() == [0.0, 64.0, 127.5]


def test_features_follow_the_keras_encoder(model_and_images):
    model, images = model_and_images
    encoder = model.get_layer("encoder")
    features = quantise.make_feature_function(encoder, images)(images)
    expected = encoder(images / np.float32(127.5) - 1, training=False)
    assert [feature.shape for feature in features] == [tuple(e.shape) for e in expected]
    for feature, wanted in zip(features, expected):
        error = np.square(feature - wanted.numpy()).mean() / np.square(wanted.numpy()).mean()
        assert feature.dtype == np.float32 and error < 0.1


def test_features_are_computed_once_up_to_the_limit():
    computed = []

    def features(images):
        """Notes what is computed: each image's mean, and its first pixel twice."""
        computed.append(len(images))
        return [images.mean((1, 2, 3), keepdims=True, dtype=np.float32),
                np.repeat(images[:, :1, :1, :1], 2, axis=3).astype(np.float32)]

    images = np.random.default_rng(1).integers(0, 256, (5, 4, 4, 3), np.uint8)
    recall = quantise.remember(features, limit_bytes=3 * 12)  # an image's are 3 float32
    for _ in range(2):
        for wanted, found in zip(features(images), recall(images[:3])):
            assert np.array_equal(wanted[:3], found)
    assert computed == [5, 3, 5]  # the second time nothing had to be computed
    mixed = recall(images[[4, 1, 3]])
    assert computed[-1] == 2  # only the two new ones, in their order
    assert all(np.array_equal(a, b) for a, b in zip(mixed, features(images[[4, 1, 3]])))
    recall(images[3:])
    assert computed[-1] == 2  # beyond the limit they are computed again


@pytest.fixture(scope="module")
def pretrained_files():
    """The pretrained encoder as float and as uncorrected int8 .tflite, and images of birds."""
    weights = SHARED / "weights/mobilenet_v2_1.0_160_no_top.weights.h5"
    if not weights.exists():
        pytest.skip("the pretrained weights do not lie in shared/weights beside the project")
    encoder = get_encoder((64, 96), weights)
    paths = find_images(Path(__file__).parents[1] / "sample_data/images")[:12]
    images = quantise.with_both_ends(np.stack([read_image(path, (64, 96)) for path in paths]))
    converter = quantise.make_converter(encoder, images)
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with quantise.quiet():
        exact = quantise.make_float_converter(encoder, images.shape[1:]).convert()
        return exact, converter.convert(), images


def test_corrected_biases_bring_the_channels_to_the_float_models_means(pretrained_files):
    exact, plain, images = pretrained_files
    corrected = quantise.correct_biases(plain, exact, images)
    wanted, _ = quantise.channel_means(exact, quantise.list_layers(exact), images)
    errors = []
    for model_bytes in (plain, corrected):
        means, _ = quantise.channel_means(model_bytes, quantise.list_layers(model_bytes), images)
        errors.append(sum(np.square(a - b).mean() for a, b in zip(means, wanted)))
    assert errors[1] < 0.1 * errors[0]


def test_correcting_biases_changes_nothing_else(pretrained_files):
    exact, plain, images = pretrained_files
    corrected = quantise.correct_biases(plain, exact, images[:2])
    restored, original = bytearray(corrected), bytearray(plain)
    layers = quantise.list_layers(plain)
    for layer in layers:
        quantise.find_bias(restored, layer.bias)[0][:] = quantise.find_bias(
            original, layer.bias)[0]
    assert len(layers) == 51 and restored == plain and corrected != plain


def test_find_bias_reads_and_writes_the_file(model_and_images):
    model, images = model_and_images
    data = bytearray(quantise.quantise(model.get_layer("encoder"), images))
    layer = quantise.list_layers(bytes(data))[0]
    values, scale = quantise.find_bias(data, layer.bias)
    assert values.dtype == np.int32 and values.shape == scale.shape == (32,)
    before = values.copy()
    values += 1
    assert (quantise.find_bias(data, layer.bias)[0] == before + 1).all()
    tensor = quantise.open_bytes(bytes(data)).get_tensor(layer.bias)
    assert (tensor == before + 1).all()


def test_ties_are_counted_by_pair():
    logits = np.int8([[[5, 5, 1], [5, 4, 5]], [[9, 9, 9], [0, 1, 2]]])
    assert quantise.count_ties(logits).tolist() == [[0, 2, 2], [2, 0, 1], [2, 1, 0]]


def test_of_two_classes_the_later_is_shifted_by_half_a_step():
    assert np.allclose(quantise.choose_shifts(np.int64([[0, 7], [7, 0]])), [0, 0.5])
    assert np.allclose(quantise.choose_shifts(np.zeros((2, 2), int)), [0, 0.5])


def test_shifts_follow_the_pairs_that_tie_most():
    ties = np.zeros((3, 3), int)
    ties[0, 1:] = ties[1:, 0] = 10**6  # both objects against the background, hardly each other
    assert np.allclose(quantise.choose_shifts(ties), [0, 0.5, 0.5], atol=1e-5)
    ties = np.full((3, 3), 10)
    np.fill_diagonal(ties, 0)  # all alike: 1/2, 1/2 and 1/2 as well as three can
    assert np.allclose(quantise.choose_shifts(ties), [0, 1 / 3, 2 / 3])


def test_after_the_shift_neither_of_two_classes_gains():
    rng = np.random.default_rng(0)
    logits = rng.uniform(-3, 3, (400, 400, 2))  # in steps; many pixels lie near an edge

    def share_of_later(logits):
        return (np.round(logits).argmax(-1) == 1).mean()

    shifts = quantise.choose_shifts(quantise.count_ties(np.round(logits)))
    assert share_of_later(logits) < 0.45 and abs(share_of_later(logits + shifts) - 0.5) < 0.01


@pytest.mark.parametrize("output_type", ["int8", "uint8"])
def test_balancing_ties_shifts_the_logits_biases_alone(
        model_and_images, output_type, monkeypatch):
    monkeypatch.setattr(quantise, "correct_biases", lambda quantised, exact, images: quantised)
    model, images = model_and_images
    bias = model.get_layer("decoder").get_layer("logits").bias
    assert not bias.numpy().any()
    prepared = quantise.prepare(model, images)
    untrained = quantise.quantise(prepared, images, output_type=output_type)
    assert quantise.balance_ties(untrained, images) == untrained
    bias.assign([0.5, 0, -0.5])
    try:
        before = quantise.quantise(prepared, images, output_type=output_type)
    finally:
        bias.assign(np.zeros(3))
    after = quantise.balance_ties(before, images)
    changed = np.flatnonzero(np.frombuffer(before, np.uint8) != np.frombuffer(after, np.uint8))
    assert len(before) == len(after) and len(changed) > 0 and np.ptp(changed) < 3 * 4
    logits = [quantise.run_images(quantise.open_bytes(data), images) for data in (before, after)]
    ties = sum(quantise.count_ties(image) for image in logits[0])
    # Between two values of a logit lies a step: a shift of less changes it by one or not at all.
    difference = logits[1].astype(int) - logits[0]
    assert (difference[..., 0] == 0).all() and ties.sum() > 0
    assert np.abs(difference).max() == 1
    assert np.allclose(difference.mean((0, 1, 2)), quantise.choose_shifts(ties), atol=0.15)


def test_training_sees_the_encoder_of_the_converted_model(model_and_images):
    """Scales, zero points, weights and corrected biases of the encoder stand in the whole model."""
    model, images = model_and_images

    def convolutions(model_bytes):
        interpreter = quantise.open_bytes(
            model_bytes, experimental_op_resolver_type=quantise.REFERENCE_KERNELS)
        details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
        return [(details[op["outputs"][0]]["quantization"],
                 *(interpreter.get_tensor(index).tobytes() for index in op["inputs"][1:]))
                for op in interpreter._get_ops_details()
                if op["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D")]

    whole = convolutions(quantise.quantise(quantise.prepare(model, images), images))
    encoder = convolutions(quantise.quantise(
        quantise.equalise(model.get_layer("encoder"), images), images))
    assert len(encoder) == 51 and len(whole) > len(encoder)
    assert set(encoder) <= set(whole)
