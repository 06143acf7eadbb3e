"""Tests of get_model.py: shapes, frozen encoder, scaling of the input, weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import get_model as module
from device.errors import InputError
from get_model import get_model

WEIGHTS_FILE = "weights/mobilenet_v2_1.0_160_no_top.weights.h5"
FILTERS = (16, 12, 8, 8)


@pytest.mark.parametrize("size", [
    (32, 32), (96, 160), pytest.param((64, 32), marks=pytest.mark.slow)])
@pytest.mark.parametrize("filters", [FILTERS, ((16, 8), (12, 8), (8, 4), (8, 4))])
def test_logits_at_full_size_for_any_valid_size(size, filters):
    model = get_model(size, 3, weights=None, decoder_filters=filters)
    logits = model(np.zeros((2, *size, 3), np.float32))
    assert logits.shape == (2, *size, 3) and logits.dtype == tf.float32


def test_decoder_needs_four_blocks():
    with pytest.raises(InputError, match=r"DECODER_FILTERS \(8, 8\) must have 4 entries"):
        get_model((32, 32), 2, weights=None, decoder_filters=(8, 8))


def test_it_is_the_tutorials_u_net():
    model = get_model((128, 160), 3, weights=None)
    encoder = model.get_layer("encoder")
    shapes = [tuple(output.shape[1:]) for output in encoder.outputs]
    assert shapes == [(64, 80, 96), (32, 40, 144), (16, 20, 192), (8, 10, 576), (4, 5, 320)]
    decoder = [layer for layer in model.get_layer("decoder").layers
               if isinstance(layer, keras.layers.Conv2DTranspose)]
    assert [layer.filters for layer in decoder] == [512, 256, 128, 64, 3]
    # The tutorial's decoder: transposed convolutions of 3x3 without bias, but for the last.
    inputs = (320, 512 + 576, 256 + 192, 128 + 144, 64 + 96)
    outputs = (512, 256, 128, 64, 3)
    kernels = sum(9 * a * b for a, b in zip(inputs, outputs))
    normalizations = 4 * sum(outputs[:4])
    assert model.count_params() - encoder.count_params() == kernels + normalizations + 3


@pytest.mark.parametrize("size, nearest", [
    ((100, 160), r"\(96, 160\) and \(128, 160\)"), ((16, 33), r"\(32, 32\) and \(32, 64\)"),
    ((0, 64), r"\(32, 64\)")])
def test_other_sizes_name_the_nearest_valid_ones(size, nearest):
    with pytest.raises(ValueError, match=nearest):
        get_model(size, 2, weights=None)


@pytest.mark.slow
def test_frozen_encoder_and_its_batch_normalization_never_move(shared):
    model = get_model((32, 64), 2, weights=shared / WEIGHTS_FILE, decoder_filters=FILTERS)
    encoder = model.get_layer("encoder")
    before = {weight.path: weight.numpy() for weight in encoder.weights}
    upsample = model.get_layer("decoder").get_layer("upsample_0")
    decoder_before = upsample.get_weights()[0].copy()
    assert not encoder.trainable_weights
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 64, 3)).astype(np.float32)
    model.fit(images, np.ones((8, 32, 64)), batch_size=4, epochs=2, verbose=0)
    assert all((weight.numpy() == before[weight.path]).all() for weight in encoder.weights)
    assert (decoder_before != upsample.get_weights()[0]).any()


def test_scaling_is_that_of_keras():
    model = get_model((32, 32), 2, weights=None, decoder_filters=FILTERS)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype(np.float32)
    expected = keras.applications.mobilenet_v2.preprocess_input(pixels.copy())
    assert np.allclose(model.get_layer("scale_input")(pixels), expected, atol=1e-6)


@pytest.mark.slow
def test_weights_file_is_the_pretrained_network(shared):
    reference = keras.applications.MobileNetV2(
        input_shape=(96, 96, 3), include_top=False, weights=str(shared / WEIGHTS_FILE))
    model = get_model((64, 96), 2, weights=shared / WEIGHTS_FILE, decoder_filters=FILTERS)
    kernel = model.get_layer("encoder").get_layer("block_13_expand").get_weights()[0]
    assert (kernel == reference.get_layer("block_13_expand").get_weights()[0]).all()


@pytest.mark.slow
def test_keras_own_h5_names_are_read_too(tmp_path):
    network = keras.applications.MobileNetV2(
        input_shape=(224, 224, 3), include_top=False, weights=None)
    network.save(tmp_path / "whole.h5")  # the old format of the files that Keras downloads
    encoder = get_model((32, 32), 2, weights=tmp_path / "whole.h5",
                        decoder_filters=FILTERS).get_layer("encoder")
    assert not encoder.trainable
    assert (encoder.get_layer("Conv1").get_weights()[0]
            == network.get_layer("Conv1").get_weights()[0]).all()


def test_weights_that_are_missing_or_do_not_fit(tmp_path):
    with pytest.raises(InputError, match=r"is a whole model, .* set FROM_MODEL to its folder"):
        get_model((32, 32), 2, weights="output/model.keras")
    with pytest.raises(InputError, match="does not exist"):
        get_model((32, 32), 2, weights=tmp_path / "none.h5")
    (tmp_path / "bad.weights.h5").write_bytes(b"no weights")
    with pytest.raises(InputError, match="does not fit MobileNetV2"):
        get_model((32, 32), 2, weights=tmp_path / "bad.weights.h5")


def test_without_network_the_encoder_is_trained_from_random(monkeypatch, capsys):
    original = keras.applications.MobileNetV2

    def no_network(*args, weights=None, **kwargs):
        if weights == "imagenet":
            raise Exception("URL fetch failure on https://host/file: None -- no network")
        return original(*args, weights=weights, **kwargs)

    monkeypatch.setattr(keras.applications, "MobileNetV2", no_network)
    encoder = get_model((32, 32), 2, decoder_filters=FILTERS).get_layer("encoder")
    said = capsys.readouterr().out.strip()
    assert len(said.splitlines()) == 1
    assert "can't be downloaded" in said and "set ENCODER_WEIGHTS" in said and "models" in said
    assert encoder.trainable and len(encoder.trainable_weights) > 100
    momenta = {layer.momentum for layer in encoder.layers
               if isinstance(layer, keras.layers.BatchNormalization)}
    assert momenta == {module.SCRATCH_MOMENTUM}


def test_random_encoder_moves_its_batch_normalization():
    model = get_model((32, 32), 2, weights=None, decoder_filters=FILTERS)
    layer = model.get_layer("encoder").get_layer("bn_Conv1")
    before = layer.moving_mean.numpy()
    model(np.full((4, 32, 32, 3), 200, np.float32), training=True)
    assert (layer.moving_mean.numpy() != before).any()


@pytest.mark.slow
@pytest.mark.parametrize("filters", [FILTERS, ((16, 8), (12, 8), (8, 4), (8, 4))])
def test_a_call_without_training_is_inference(filters, tmp_path):
    model = get_model((32, 64), 3, weights=None, decoder_filters=filters)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 64, 3)).astype(np.float32)
    model(images, training=True)  # so that its averages are no batch's
    weights, expected = model.get_weights(), model(images, training=False).numpy()
    assert (model(images).numpy() == expected).all()
    assert all((a == b).all() for a, b in zip(weights, model.get_weights()))
    model.save(tmp_path / "model.keras")  # somebody else's program opens it so
    assert (keras.models.load_model(tmp_path / "model.keras")(images).numpy() == expected).all()
    assert (model(images, training=True).numpy() != expected).any()


@pytest.mark.slow
def test_an_exported_model_and_float_tflite_give_the_same_logits(tmp_path):
    model = get_model((32, 64), 3, weights=None, decoder_filters=((16, 8), (12, 8), (8, 4), (8, 4)))
    images = np.random.default_rng(0).integers(0, 256, (1, 32, 64, 3)).astype(np.float32)
    for _ in range(5):
        model(images, training=True)
    expected = model(images, training=False).numpy()
    model.export(tmp_path / "saved_model", verbose=False)
    exported = tf.saved_model.load(tmp_path / "saved_model")
    np.testing.assert_allclose(exported.serve(images), expected, atol=1e-3)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved_model"))
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    tensor = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(tensor, images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(tensor, images)
    interpreter.invoke()
    logits = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(logits, expected, atol=1e-3)
