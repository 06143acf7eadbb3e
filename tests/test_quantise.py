"""Tests of quantise.py: calibration, and that training sees the encoder that the device runs."""

import keras
import numpy as np
import pytest

import quantise
from get_model import get_model


@pytest.fixture(scope="module")
def model_and_images():
    """A U-Net with random weights whose batch normalisation knows its images of 64x96."""
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (12, 64, 96, 3), dtype=np.uint8)
    model = get_model((64, 96), 3, weights=None, decoder_filters=(16, 16, 8, 8),
                      skip_filters=(16, 16, 8, 8))
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


def test_training_sees_the_encoder_of_the_converted_model(model_and_images):
    """Every tensor of the encoder has the same scale and zero point in the whole int8 model."""
    model, images = model_and_images

    def convolutions(model_bytes):
        interpreter = quantise.open_bytes(
            model_bytes, experimental_op_resolver_type=quantise.REFERENCE_KERNELS)
        details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
        outputs = [details[op["outputs"][0]] for op in interpreter._get_ops_details()
                   if op["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD")]
        return [(tuple(out["shape"]), out["quantization"]) for out in outputs]

    whole = convolutions(quantise.quantise(quantise.unscaled(model), images))
    encoder = convolutions(quantise.quantise(model.get_layer("encoder"), images))
    for tensor in set(encoder):
        assert whole.count(tensor) >= encoder.count(tensor), tensor
    assert len(encoder) == 61
