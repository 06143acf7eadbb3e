"""Tests of equalize.py: the encoder computes the same, and int8 loses less of it."""

import keras
import numpy as np
import pytest
from int8_models import pretrained_encoder, scale

from device.model_info import ENCODER_ALPHAS
from get_model import get_encoder
from segmentation.int8 import equalize, features
from segmentation.int8.calibration import add_extreme_pixels
from segmentation.int8.equalize import Stage

FIRST_STAGE = Stage(("expanded_conv_project",), ("expanded_conv_project_BN",), ("block_1_expand",))
SECOND_STAGE = Stage(
    ("block_1_project", "block_2_project"),
    ("block_1_project_BN", "block_2_project_BN", "block_2_add"),
    ("block_2_expand", "block_3_expand"))


def make_random_encoder(alpha=1.0):
    """An encoder with random weights whose batch normalization knows its images of 32x64."""
    keras.utils.set_random_seed(0)
    encoder = get_encoder((32, 64), None, alpha)
    images = np.random.default_rng(0).integers(0, 256, (9, 32, 64, 3), dtype=np.uint8)
    for _ in range(20):
        encoder(scale(images), training=True)
    return encoder, images


@pytest.fixture(scope="module")
def random_encoder():
    return make_random_encoder()


def relative_errors(outputs, expected):
    """The squared error of each output as a share of its variance."""
    return [np.square(np.asarray(a) - np.asarray(b)).mean() / np.var(b)
            for a, b in zip(outputs, expected)]


# ---- the same function -----------------------------------------------------------------------


@pytest.mark.slow
def test_folding_changes_nothing(random_encoder):
    encoder, images = random_encoder
    copy = equalize.unfold(equalize.fold(encoder), encoder)
    errors = relative_errors(copy(scale(images), training=False),
                             encoder(scale(images), training=False))
    assert len(errors) == 5 and max(errors) < 1e-8


@pytest.mark.slow
def test_the_equalized_encoder_computes_the_same(random_encoder):
    for encoder, images in (random_encoder, pretrained_encoder()):
        before = encoder.get_weights()
        copy = equalize.equalize(encoder, images[::2])  # and on images that it was not made with
        errors = relative_errors(copy(scale(images), training=False),
                                 encoder(scale(images), training=False))
        assert max(errors) < 1e-6
        assert all(np.array_equal(a, b) for a, b in zip(before, encoder.get_weights()))
        assert not np.allclose(copy.get_layer("block_1_project").get_weights()[0],
                               encoder.get_layer("block_1_project").get_weights()[0])


@pytest.mark.slow
def test_int8_loses_less_of_it(monkeypatch):
    encoder, images = pretrained_encoder()
    expected = encoder(scale(images[1::2]), training=False)
    errors = []
    for way in (lambda encoder, images: encoder, equalize.equalize):
        monkeypatch.setattr(features, "equalize", way)
        compute = features.make_feature_function(encoder, add_extreme_pixels(images[::2]))
        errors.append(relative_errors(compute(images[1::2]), expected))
    assert all(ours < 0.95 * plain for plain, ours in zip(*errors))
    assert errors[1][0] < 0.6 * errors[0][0]


# ---- by hand ---------------------------------------------------------------------------------


def test_activations_are_summed_up_by_hand():
    batches = [{"block_1_project_BN": np.float32([[1, 2], [0, 3]]),
                "block_1_expand_relu": np.float32([[0, 6], [3, 5]])},
               {"block_1_project_BN": np.float32([[-1, 0]]),
                "block_1_expand_relu": np.float32([[0.5, 0]])}]
    second_moments, unclamped = equalize.measure_activations(batches)
    assert second_moments["block_1_project_BN"].tolist() == [[2, 2], [2, 13]]
    assert unclamped["block_1_expand_relu"].tolist() == [2, 1]


def test_largest_values_are_those_of_the_new_channels():
    batches = [{name: np.float32([[1, -2]]) for name in SECOND_STAGE.tensors},
               {"block_2_add": np.float32([[-5, 0]]), "Conv1_relu": np.full((2, 7), 4, np.float32),
                "block_2_expand_relu": np.float32([[9, 9]])}]
    max_abs = equalize.measure_max_abs(batches, {SECOND_STAGE: np.array([[1.0, 1.0], [0.0, 3.0]])})
    assert max_abs["block_1_project_BN"].tolist() == [1, 6]
    assert max_abs["block_2_add"].tolist() == [5, 6]
    assert max_abs["Conv1_relu"].tolist() == [4] * 7 and "block_2_expand_relu" not in max_abs


@pytest.mark.parametrize("alpha", [
    pytest.param(alpha, marks=[pytest.mark.slow] * (alpha not in (0.35, 1.0)))
    for alpha in ENCODER_ALPHAS])
def test_stages_of_every_width(alpha):
    encoder = get_encoder((32, 32), None, alpha)
    stages = equalize.find_stages(encoder)
    assert stages[:2] == [FIRST_STAGE, SECOND_STAGE]
    blocks = [f"block_{number}_project" for number in range(1, 16)]
    assert sum((stage.projections for stage in stages), ()) == ("expanded_conv_project", *blocks)
    for stage in stages:
        kernels = [encoder.get_layer(name).get_weights()[0] for name in stage.consumers]
        channels = {encoder.get_layer(name).output.shape[-1] for name in stage.tensors}
        assert channels == {kernel.shape[2] for kernel in kernels}


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.35, 1.4])
def test_another_width_computes_the_same(alpha):
    encoder, images = make_random_encoder(alpha)
    copy = equalize.equalize(encoder, images[::2])
    errors = relative_errors(copy(scale(images), training=False),
                             encoder(scale(images), training=False))
    assert copy is not encoder and max(errors) < 1e-6


def test_another_network_is_left_as_it_is_and_that_is_said(capsys):
    encoder = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(4, 3, name="Conv1")])
    assert equalize.equalize(encoder, np.zeros((1, 32, 32, 3), np.uint8)) is encoder
    assert "The encoder is not equalized" in capsys.readouterr().out


def test_scales_to_equal_maxima_by_hand():
    max_abs = {"block_1_project_BN": np.array([1.0, 3.0]),  # of their mean: 0.5, 1.5
               "block_2_project_BN": np.array([4.0, 4.0]), "block_2_add": np.array([6.0, 2.0])}
    matrix = equalize.scale_to_equal_max(SECOND_STAGE, np.array([[3.0, 0.0], [0.0, 3.0]]), max_abs)
    assert np.allclose(matrix, [[2, 0], [0, 2]])  # 1.5 is either channel's largest


def test_mixed_channels_lose_less_by_rounding():
    """A channel of little variance that is amplified, and a large one that is not."""
    second_moments = {"expanded_conv_project_BN": np.diag([100.0, 1.0, 25.0])}
    folded = {"block_1_expand": [np.diag([0.1, 10.0, 1.0])[None, None], np.zeros(3)]}
    unclamped = {"block_1_expand_relu": np.ones(3)}
    needed = equalize.sensitivity(FIRST_STAGE, folded, unclamped)
    assert np.allclose(needed, np.diag([0.01, 100, 1]))

    def error(matrix):
        """The consumers' error in units of step^2 / 12, the step that of the largest channel."""
        inverse = np.linalg.inv(matrix)
        mean_squares = np.diag(matrix @ second_moments["expanded_conv_project_BN"] @ matrix.T)
        return mean_squares.max() * np.trace(inverse.T @ needed @ inverse)

    matrix = equalize.choose_matrix(FIRST_STAGE, folded, second_moments, unclamped)
    channel_scales = np.diag([0.1, 1.0, 0.2])
    assert np.isclose(error(np.eye(3)), 10101) and np.isclose(error(channel_scales), 126)
    # The rotation makes the channels nearly alike; the least there is are (1 + 10 + 5)^2 / 3.
    assert 16 ** 2 / 3 <= error(matrix) < 0.5 * error(np.eye(3))
    alike = matrix / np.sqrt(np.diag(matrix @ np.diag([100.0, 1, 25]) @ matrix.T))[:, None]
    assert error(alike) < error(channel_scales)


def test_mixed_bottlenecks_are_read_as_before():
    random = np.random.default_rng(0)
    folded = {"expanded_conv_project": [random.normal(size=(1, 1, 4, 3)), random.normal(size=3)],
              "block_1_expand": [random.normal(size=(1, 1, 3, 5)), random.normal(size=5)]}

    def run(values):
        for kernel, bias in folded.values():
            values = values @ kernel[0, 0] + bias
        return values

    values = random.normal(size=(7, 4))
    before, kernel = run(values), folded["expanded_conv_project"][0]
    equalize.mix_channels(FIRST_STAGE, random.normal(size=(3, 3)), folded)
    assert np.allclose(run(values), before)
    assert not np.allclose(folded["expanded_conv_project"][0], kernel)


def test_matrix_power_by_hand():
    assert np.allclose(equalize.matrix_power(np.diag([4.0, 9.0]), -0.5), np.diag([1 / 2, 1 / 3]))
    matrix = np.array([[2.0, 1.0], [1.0, 2.0]])
    root = equalize.matrix_power(matrix, 0.5)
    assert np.allclose(root @ root, matrix) and np.allclose(root, root.T)
    assert np.allclose(equalize.matrix_power(np.zeros((2, 2)), -0.5), np.eye(2))


@pytest.mark.slow
def test_images_of_one_color_and_few_values_are_no_error(random_encoder):
    encoder, images = random_encoder
    for some in (np.zeros_like(images), images[:1]):
        copy = equalize.equalize(encoder, some)
        errors = relative_errors(copy(scale(images), training=False),
                                 encoder(scale(images), training=False))
        assert max(errors) < 1e-4


def test_copies_go_where_they_help_most():
    # 16 saves 12 as two and 16/4 - 16/9 = 2.2 as three copies; 4 saves 3, then.
    assert equalize.count_copies(np.array([16.0, 4.0, 0.5, 99.0, 99.0]), [3, 4]).tolist() == [
        2, 2, 1, 1, 1]
    assert equalize.count_copies(np.array([16.0, 2.0]), []).tolist() == [1, 1]


def test_dead_channels_become_copies_a_part_of_a_step_apart():
    """Of three channels of the first convolution one is dead; channel 0 hardly varies."""
    kernel = np.zeros((1, 1, 3, 3))
    kernel[0, 0, 0] = [0.1, 1.0, 1.0]
    bias = np.array([3.0, 2.0, -2.0])  # 1 - 2 is below 0 for whatever input
    folded = {"Conv1": [kernel, bias],
              "expanded_conv_depthwise": [np.array([10.0, 1, 1]).reshape(1, 1, 1, 3),
                                          np.array([-28.0, 0, 0.5])],  # 0.5: seen all the same
              "expanded_conv_project": [np.ones((1, 1, 3, 1)), np.zeros(1)],
              "block_1_expand": [np.ones((1, 1, 1, 1)), np.zeros(1)]}
    unclamped = {"expanded_conv_depthwise_relu": np.ones(3), "block_1_expand_relu": np.ones(1)}

    def run(values, step=None):
        """The first block of inputs (n,); the first convolution's output rounded, or not."""
        (first, first_bias), (second, second_bias), (third, third_bias), _ = folded.values()
        hidden = np.clip(values[:, None] * first[0, 0, 0] + first_bias, 0, 6)
        hidden = np.round(hidden / step) * step if step else hidden
        return np.clip(hidden * second[0, 0, 0] + second_bias, 0, 6) @ third[0, 0] + third_bias

    values, step = np.linspace(-1, 1, 4001), 6 / 255
    before = run(values)
    error = np.square(run(values, step) - before).mean()
    equalize.split_outlier_channels(FIRST_STAGE, folded, unclamped,
                                    {"Conv1_relu": np.array([3.1, 6.0, 0.0])})
    assert np.allclose(run(values), before)
    assert np.square(run(values, step) - before).mean() < 0.3 * error  # two copies: a quarter
    assert np.isclose(abs(folded["Conv1"][1][2] - folded["Conv1"][1][0]), step / 2)
