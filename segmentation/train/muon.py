"""Muon, the optimizer, for the kernels of convolutions.

Adam scales each number of a gradient by itself; Muon changes a matrix in all its directions by the
same amount (Jordan et al. 2024, Muon: An optimizer for hidden layers). Keras' own Muon leaves
convolutions to Adam. What it gains stands in docs/training.md.
"""

import keras
import tensorflow as tf

LAST_LAYER = "logits"
MOMENTUM = 0.95  # as in Keras' Muon, like the numbers below
STEP = 0.2  # root mean square of a step, in learning rates: about Adam's (Liu et al. 2025, Muon is
# scalable for LLM training)
ITERATIONS = 5  # of Newton-Schulz
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


class ConvolutionMuon(keras.optimizers.Adam):
    """Changes kernels of convolutions by Muon, and all other variables as Adam does.

    Adam's are the kernel of the last layer, too, and those of depthwise convolutions, which are no
    matrices. The momentum of Muon stands in the place of Adam's. Pretrained variables are changed
    by Adam at a share of the rate, and do not shrink by weight decay.
    """

    def __init__(self, learning_rate, weight_decay=None, pretrained=(), pretrained_share=1):
        """Args: learning_rate, a number or a schedule; pretrained, a list of variables."""
        super().__init__(learning_rate, weight_decay=weight_decay)
        self.pretrained_paths = {variable.path for variable in pretrained}
        self.pretrained_share = pretrained_share
        if pretrained:
            self.exclude_from_weight_decay(var_list=pretrained)

    def build(self, variables):
        """Makes the optimizer's own variables, and notes which of the model's are matrices."""
        super().build(variables)
        self.rate_shares = [self.pretrained_share if variable.path in self.pretrained_paths else 1
                            for variable in variables]
        self.is_matrix = [len(variable.shape) == 4 and variable.shape[-1] > 1
                          and variable.path not in self.pretrained_paths
                          and f"{LAST_LAYER}/" not in variable.path for variable in variables]

    def update_step(self, gradient, variable, learning_rate):
        """Changes a variable by its gradient."""
        number = self._get_variable_index(variable)
        if not self.is_matrix[number]:
            super().update_step(gradient, variable, learning_rate * self.rate_shares[number])
            return
        momentum = self._momentums[number]
        self.assign(momentum, MOMENTUM * momentum + gradient)
        step = orthogonalize_kernel(gradient + MOMENTUM * momentum)
        self.assign_sub(variable, learning_rate * STEP * step)


def orthogonalize_kernel(kernel):
    """Returns about the nearest orthogonal matrix to a kernel, scaled to a mean square of about 1.

    As a matrix a kernel has the larger side of its channels, times its taps, as rows, and the
    smaller one as columns: so the products are small.
    Args: kernel float32 (height, width, channels, channels).
    Returns: float32 of the same shape.
    """
    order = (0, 1, 2, 3) if kernel.shape[2] >= kernel.shape[3] else (0, 1, 3, 2)
    turned = tf.transpose(kernel, order)
    matrix = tf.reshape(turned, (-1, turned.shape[3]))
    result = orthogonalize(matrix, ITERATIONS, COEFFICIENTS) * matrix.shape[0] ** 0.5
    return tf.transpose(tf.reshape(result, turned.shape), order)


def orthogonalize(matrix, steps, coefficients):
    """Returns about the nearest orthogonal matrix: singular values of 0.7 to 1.2, the same vectors.

    By the Newton-Schulz iteration x <- x (a + b x'x + c (x'x)^2). Here x'x goes through it in place
    of x, because it is the smaller matrix, and x is multiplied once by what comes of it: a third of
    the products.
    Args: matrix float32 (rows, columns), no wider than high; coefficients a, b, c.
    """
    a, b, c = coefficients
    matrix /= tf.norm(matrix) + 1e-7
    square = tf.matmul(matrix, matrix, transpose_a=True)
    identity = tf.eye(square.shape[0])
    product = identity
    for _ in range(steps):
        factor = a * identity + b * square + c * (square @ square)
        product, square = factor @ product, factor @ square @ factor
    return matrix @ product
