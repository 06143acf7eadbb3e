"""A step down the gradient: by the logits with the loss, by the variables with the model."""

import tensorflow as tf


def make_measure(loss, by_xla):
    """Returns a function (labels, logits) -> the loss, and its gradient by the logits.

    Args: loss, a function (labels, logits) -> scalar; by_xla, whether XLA compiles both: it fuses
        their many small operations, but can't sum over devices.
    """
    def measure(labels, logits):
        """Measures the loss and its gradient."""
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(labels, logits)
        return value, tape.gradient(value, logits)

    return tf.function(measure, jit_compile=True) if by_xla else measure


def descend(optimizer, model, tape, logits, gradient):
    """Lets the optimizer change the model's variables, given the loss's gradient by the logits.

    Args: tape, on which the model made the logits.
    """
    variables = model.trainable_variables
    gradients = tape.gradient(logits, variables, optimizer.scale_loss(gradient))
    optimizer.apply_gradients(zip(gradients, variables))
