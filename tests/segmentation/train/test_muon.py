"""Tests of Muon for convolutions."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from segmentation.train.muon import (
    COEFFICIENTS,
    ConvolutionMuon,
    orthogonalize,
    orthogonalize_kernel,
)


def test_cubic_iteration_of_a_diagonal_matrix_is_that_of_its_numbers():
    matrix = tf.constant([[3.0, 0], [0, 4]])  # of norm 5: 0.6 and 0.8
    one_step = orthogonalize(matrix, 1, (1.5, -0.5, 0))  # x (1.5 - 0.5 x^2)
    np.testing.assert_allclose(one_step, [[0.792, 0], [0, 0.944]], rtol=1e-6)
    np.testing.assert_allclose(orthogonalize(matrix, 20, (1.5, -0.5, 0)), np.eye(2), atol=1e-6)


@pytest.mark.parametrize("shape", [(40, 12), (12, 12)])
def test_orthogonalize_does_what_keras_muon_does(shape):
    matrix = tf.random.stateless_normal(shape, (1, 2))
    expected = keras.optimizers.Muon().zeropower_via_newtonschulz5(matrix, 5)
    ours = orthogonalize(matrix, 5, COEFFICIENTS)
    np.testing.assert_allclose(ours, expected, atol=2e-4)
    singular_values = np.linalg.svd(ours, compute_uv=False)
    assert singular_values.min() > 0.6 and singular_values.max() < 1.3


def make_layers():
    """A depthwise convolution, a convolution, and the last layer."""
    return keras.Sequential([keras.Input((8, 8, 6)), keras.layers.DepthwiseConv2D(3),
                             keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization(),
                             keras.layers.Conv2D(2, 1, name="logits")])


def test_kernels_of_convolutions_are_changed_by_muon_and_all_else_by_adam():
    model = make_layers()
    optimizers = [ConvolutionMuon(1e-2, weight_decay=None),
                  keras.optimizers.Adam(1e-2)]
    gradients = [tf.random.stateless_normal(variable.shape, (number, 1))
                 for number, variable in enumerate(model.trainable_variables)]
    changes, start = [], model.get_weights()
    for optimizer in optimizers:
        model.set_weights(start)
        before = [variable.numpy() for variable in model.trainable_variables]
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        changes.append([variable.numpy() - value for variable, value
                        in zip(model.trainable_variables, before)])
    differing = [ours for ours, adam in zip(*changes) if not np.allclose(ours, adam, atol=1e-6)]
    assert len(differing) == 1
    kernel, = differing
    assert kernel.shape == (3, 3, 6, 4)
    # 4 directions, each of the rate times 0.2 times the root of 54 rows: 0.2 * 1e-2 in the mean
    assert np.sqrt((kernel**2).mean()) == pytest.approx(0.2 * 1e-2, rel=0.2)
    matrix = -kernel.reshape(54, 4) / (1e-2 * 0.2 * 54**0.5)
    np.testing.assert_allclose(np.linalg.svd(matrix, compute_uv=False), 1, atol=0.35)


def test_the_second_step_goes_where_keras_muon_goes():
    kernel = keras.Variable(np.zeros((1, 1, 6, 4), np.float32), name="kernel")
    matrix = keras.Variable(np.zeros((6, 4), np.float32))
    ours, theirs = ConvolutionMuon(1e-2), keras.optimizers.Muon(1e-2, weight_decay=None)
    ours.build([kernel])
    theirs.build([matrix])
    for number in range(2):
        gradient = tf.random.stateless_normal((6, 4), (number, 1))
        ours.apply_gradients([(gradient[None, None], kernel)])
        theirs.apply_gradients([(gradient, matrix)])
    np.testing.assert_allclose(kernel.numpy()[0, 0], matrix.numpy(), atol=1e-6)


def test_a_kernel_with_more_outputs_than_inputs_is_the_other_way_round():
    kernel = tf.random.stateless_normal((2, 2, 3, 5), (1, 2))
    result = orthogonalize_kernel(kernel)
    np.testing.assert_allclose(
        tf.transpose(result, (0, 1, 3, 2)),
        orthogonalize_kernel(tf.transpose(kernel, (0, 1, 3, 2))), atol=1e-5)
    rows = tf.reshape(tf.transpose(result, (2, 0, 1, 3)), (3, -1))  # of one input each
    np.testing.assert_allclose(np.linalg.svd(rows / 20**0.5, compute_uv=False), 1, atol=0.35)


def test_pretrained_variables_are_changed_by_adam_at_their_share_and_do_not_shrink():
    model = make_layers()
    pretrained = [variable for layer in model.layers[:2] for variable in layer.trainable_variables]
    gradients = [tf.random.stateless_normal(variable.shape, (number, 1))
                 for number, variable in enumerate(model.trainable_variables)]
    start, results = model.get_weights(), []
    for optimizer in (ConvolutionMuon(1e-2, 0.5, pretrained, 0.1), keras.optimizers.Adam(1e-3),
                      ConvolutionMuon(1e-2, 0.5)):
        model.set_weights(start)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        results.append([variable.numpy() for variable in model.trainable_variables])
    ours, by_adam, without_pretrained = results
    count = len(pretrained)  # the first variables of the model
    for value, expected in zip(ours, by_adam[:count] + without_pretrained[count:], strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-6)
