"""Tests of bias_correction.py: corrected means, balanced logits, and nothing else changed."""

import numpy as np
import pytest
from int8_models import pretrained_files, small_unet

from segmentation.int8 import bias_correction, interpreter, quantize


@pytest.mark.slow
def test_corrected_biases_bring_the_channels_to_the_float_models_means():
    float_bytes, plain, images = pretrained_files()
    corrected = bias_correction.correct_biases(plain, float_bytes, images)
    expected, _ = bias_correction.channel_means(
        float_bytes, bias_correction.list_layers(float_bytes), images)
    errors = []
    for model_bytes in (plain, corrected):
        means, _ = bias_correction.channel_means(
            model_bytes, bias_correction.list_layers(model_bytes), images)
        errors.append(sum(np.square(a - b).mean() for a, b in zip(means, expected)))
    assert errors[1] < 0.1 * errors[0]


@pytest.mark.slow
def test_correcting_biases_changes_nothing_else():
    float_bytes, plain, images = pretrained_files()
    corrected = bias_correction.correct_biases(plain, float_bytes, images[:2])
    restored, original = bytearray(corrected), bytearray(plain)
    layers = bias_correction.list_layers(plain)
    for layer in layers:
        bias_correction.find_bias(restored, layer.bias)[0][:] = bias_correction.find_bias(
            original, layer.bias)[0]
    assert len(layers) == 51 and restored == plain and corrected != plain


@pytest.mark.slow
def test_find_bias_reads_and_writes_the_file():
    model, images = small_unet()
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


def test_offsets_follow_the_pairs_that_tie_most():
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


@pytest.mark.slow
@pytest.mark.parametrize("output_type", ["int8", "uint8"])
def test_balancing_ties_shifts_the_logits_biases_alone(output_type, monkeypatch):
    monkeypatch.setattr(quantize, "correct_biases",
                        lambda int8_bytes, float_bytes, images: int8_bytes)
    model, images = small_unet()
    bias = model.get_layer("decoder").get_layer("logits").bias
    bias.assign([0.5, 0, -0.5])
    try:
        before = quantize.quantize(quantize.prepare(model, images), images, output_type=output_type)
    finally:
        bias.assign(np.zeros(3))
    after = bias_correction.correct_tie_bias(before, images)
    changed = np.flatnonzero(np.frombuffer(before, np.uint8) != np.frombuffer(after, np.uint8))
    assert len(before) == len(after) and len(changed) > 0 and np.ptp(changed) < 4 * 3 * 4
    logits = [interpreter.run_images(interpreter.open_bytes(data), images)
              for data in (before, after)]
    ties = sum(bias_correction.count_ties(image) for image in logits[0])
    # Between two values of a logit lies a step: a shift of less changes it by one or not at all.
    difference = logits[1].astype(int) - logits[0]
    assert (difference[..., 0] == 0).all() and ties.sum() > 0
    assert np.abs(difference).max() == 1
    offsets = bias_correction.solve_logit_offsets(ties)
    assert np.allclose(difference.mean((0, 1, 2)), offsets, atol=0.15)
