"""The fast step computes what Keras computes: outputs, gradients, moving averages, updates."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from get_model import get_decoder, get_model
from segmentation.train import fast_decoder
from segmentation.train.fast_decoder import call_decoder, call_unet, choose_training_dtype
from segmentation.train.run import unfreeze

SHAPES = [(None, 48, 64, 10), (None, 24, 32, 9), (None, 12, 16, 8), (None, 6, 8, 12),
          (None, 3, 4, 7)]
DECODERS = {"transposed": (14, 11, 9, 8), "resize": ((9, 6), (8, 5), (7, 4), (6, 3))}


@pytest.fixture(params=DECODERS)
def decoder(request):
    keras.utils.set_random_seed(3)
    model = get_decoder(SHAPES, 4, DECODERS[request.param])
    for variable in model.variables:  # not the 0 and 1 of a fresh normalization
        if variable.path.split("/")[-1] != "kernel":
            variable.assign(np.random.default_rng(2).uniform(0.5, 1.5, variable.shape))
    return model


def make_features(batch, seed=0):
    rng = np.random.default_rng(seed)
    return [tf.constant(rng.normal(size=(batch, *shape[1:])), tf.float32) for shape in SHAPES]


def outcome(decoder, call, features, loss=lambda logits: tf.reduce_mean(tf.sin(3 * logits))):
    """Returns logits, gradients (by features and variables) and moving averages of one call.

    The averages are restored.
    """
    before = [variable.numpy() for variable in decoder.non_trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(features)
        logits = call(features)
        value = loss(logits)
    gradients = tape.gradient(
        value, [*features, *(variable.value for variable in decoder.trainable_variables)])
    after = [variable.numpy() for variable in decoder.non_trainable_variables]
    for variable, value in zip(decoder.non_trainable_variables, before):
        variable.assign(value)
    assert any(np.any(a != b) for a, b in zip(after, before))
    return [logits, *gradients, *after]


@pytest.mark.parametrize("batch", [1, 3])
def test_same_logits_gradients_and_averages(decoder, batch):
    features = make_features(batch)
    wanted = outcome(decoder, lambda values: decoder(values, training=True), features)
    found = outcome(decoder, lambda values: call_decoder(decoder, values, training=True), features)
    assert len(wanted) == len(found) == 1 + len(features) + len(decoder.variables)
    for one, other in zip(wanted, found):
        np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-5 * np.abs(one).max())


@pytest.mark.parametrize("filters", DECODERS.values(), ids=DECODERS)
def test_the_whole_network_trains_as_by_keras(filters):
    keras.utils.set_random_seed(1)
    model = get_model((64, 64), 3, None, filters)
    unfreeze(model.get_layer("encoder"), "block_1_expand")
    images = tf.constant(np.random.default_rng(1).uniform(0, 255, (2, 64, 64, 3)), tf.float32)
    results = []
    for call in (model, functools.partial(call_unet, model)):
        with tf.GradientTape() as tape:
            logits = call(images, training=True)
            value = tf.reduce_mean(logits ** 2)
        results.append([logits, *tape.gradient(value, model.trainable_variables)])
    assert len(results[0]) > 1 + len(model.get_layer("decoder").trainable_variables)
    for wanted, found in zip(*results, strict=True):
        error = np.linalg.norm(np.subtract(found, wanted)) / np.linalg.norm(wanted)
        assert error < 1e-3


def test_bfloat16_differs_by_its_rounding(decoder):
    features = make_features(3)
    wanted, found = (outcome(decoder, lambda values, dtype=dtype: call_decoder(
        decoder, values, training=True, training_dtype=dtype), features,
        lambda logits: tf.reduce_mean(logits ** 2))
        for dtype in ("float32", "bfloat16"))
    count = 1 + len(features) + len(decoder.trainable_variables)
    for number, (one, other) in enumerate(zip(wanted, found)):
        assert other.dtype == "float32"
        error = np.linalg.norm(np.subtract(other, one)) / np.linalg.norm(one)
        # A rounding is at most 2 ** -9; in gradients a ReLU that flips is a step.
        assert error < (0.15 if 0 < number < count else 0.01)
    assert np.any(found[0] != wanted[0])
    np.testing.assert_array_equal(*(call_decoder(
        decoder, features, training=False, training_dtype=dtype)
        for dtype in ("float32", "bfloat16")))


@pytest.mark.parametrize("flags, onednn, wanted", [
    ("flags : fpu avx2 avx512f avx512_bf16 sep", None, "bfloat16"),
    ("flags : fpu avx2 amx_bf16 amx_tile", "1", "bfloat16"),
    ("flags : fpu avx2 avx512f avx512_bf16 sep", "0", "float32"),
    ("flags : fpu avx2 avx512f", "1", "float32"),
    ("Features : fp asimd bf16", None, "float32"),
    (None, "1", "float32")])
def test_bfloat16_is_for_processors_that_have_it(tmp_path, monkeypatch, flags, onednn, wanted):
    path = tmp_path / "cpuinfo"
    if flags is not None:
        path.write_text(flags)
    monkeypatch.setattr(fast_decoder, "_PROCESSOR_FILE", path)
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if onednn is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", onednn)
    assert choose_training_dtype() == wanted


def test_graphics_cards_keep_float32(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])
    assert choose_training_dtype() == "float32"


@pytest.mark.parametrize("batch", [1, 3])
def test_same_logits_in_inference(decoder, batch):
    features = make_features(batch)
    before = decoder.get_weights()
    found = call_decoder(decoder, features, training=False)
    wanted = decoder(features, training=False)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5 * np.abs(wanted).max())
    for one, other in zip(before, decoder.get_weights()):
        np.testing.assert_array_equal(other, one)


@pytest.mark.slow
def test_batch_size_may_vary_in_one_function(decoder):
    @tf.function(input_signature=[[tf.TensorSpec(shape) for shape in SHAPES]])
    def call(features):
        return call_decoder(decoder, features, training=True)

    for batch in (3, 2):
        features = make_features(batch)
        np.testing.assert_allclose(call(features), decoder(features, training=True), rtol=1e-3,
                                   atol=1e-4)


@pytest.mark.slow
def test_same_training(decoder):
    """Ten steps from the same start end at the same loss."""
    start, features = decoder.get_weights(), make_features(2)
    target = tf.sin(features[0][..., :4])
    losses = []
    for call in (lambda values: decoder(values, training=True),
                 lambda values: call_decoder(decoder, values, training=True)):
        decoder.set_weights(start)
        optimizer = keras.optimizers.Adam(1e-2)
        optimizer.build(decoder.trainable_variables)

        @tf.function
        def step(optimizer=optimizer, call=call):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((call(features)[:, ::2, ::2] - target) ** 2)
            optimizer.apply_gradients(zip(
                tape.gradient(loss, decoder.trainable_variables), decoder.trainable_variables))
            return loss

        losses.append([float(step()) for _ in range(10)])
    assert losses[0][-1] < losses[0][0]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3)


def test_saved_model_is_of_plain_layers(decoder, tmp_path):
    call_decoder(decoder, make_features(1), training=True)
    decoder.save(tmp_path / "decoder.keras")
    loaded = keras.models.load_model(tmp_path / "decoder.keras", safe_mode=True)
    features = make_features(1)
    np.testing.assert_array_equal(loaded(features, training=False),
                                  decoder(features, training=False))
