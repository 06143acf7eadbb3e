"""Tests of gradient.py: the loss with its gradient by the logits, and a step down it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from segmentation.train.gradient import descend, make_measure


def squared_error(labels, logits):
    """Half the sum of the squared differences: its gradient is the difference."""
    return tf.reduce_sum((logits - labels) ** 2) / 2


@pytest.mark.parametrize("by_xla", [False, True])
def test_the_loss_comes_with_its_gradient_by_the_logits(by_xla):
    labels, logits = tf.constant([[1.0, 2.0]]), tf.constant([[4.0, 0.0]])
    value, gradient = make_measure(squared_error, by_xla)(labels, logits)
    assert float(value) == 6.5
    assert gradient.numpy().tolist() == [[3.0, -2.0]]


@pytest.mark.parametrize("scale", [False, True])
def test_a_step_goes_down_the_gradient_of_the_variables(scale):
    layer = keras.layers.Dense(1, use_bias=False)
    layer.build((None, 2))
    layer.set_weights([np.float32([[1.0], [2.0]])])
    optimizer = keras.optimizers.SGD(0.1)
    if scale:  # as MIXED_PRECISION does
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(layer.trainable_variables)
    with tf.GradientTape() as tape:
        logits = layer(tf.constant([[3.0, 4.0]]))  # 1 * 3 + 2 * 4 = 11
    _, gradient = make_measure(squared_error, False)(tf.constant([[10.0]]), logits)  # 1
    descend(optimizer, layer, tape, logits, gradient)
    # The gradient by the weights is 1 * (3, 4), of which a tenth is taken away.
    np.testing.assert_allclose(layer.get_weights()[0], [[0.7], [1.6]], rtol=1e-6)
