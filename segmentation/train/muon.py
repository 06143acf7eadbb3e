"""Muon, the optimizer, for the kernels of convolutions.

Adam scales each number of a gradient by itself; Muon changes a matrix in all its directions by the
same amount (Jordan et al. 2024, Muon: An optimizer for hidden layers), so what few pixels ask for
is not drowned by what most do. What it gains stands in docs/training.md.
"""

import keras
import tensorflow as tf

LAST_LAYER = "logits"


class ConvolutionMuon(keras.optimizers.Muon):
    """Keras' Muon, which takes matrices, for the kernels of convolutions.

    All other variables, the kernel of the last layer, and those of depthwise convolutions, which
    are no matrices, are changed by Adam at the same rate. A step of Muon is as large as Adam's:
    its root mean square is about 0.2 of the rate (Liu et al. 2025, Muon is scalable for LLM
    training).
    """

    def _should_use_adamw(self, variable):
        """Whether Adam changes a variable."""
        return (len(variable.shape) != 4 or variable.shape[-1] == 1
                or f"{LAST_LAYER}/" in variable.path)

    def _apply_weight_decay(self, variables):
        """Shrinks all variables alike, as Keras' other optimizers do, on several devices, too."""
        super(keras.optimizers.Muon, self)._apply_weight_decay(variables)

    def zeropower_via_newtonschulz5(self, x, steps):
        """Returns about the nearest orthogonal matrix to a kernel, in the kernel's shape.

        As a matrix a kernel has the larger side of its channels, times its taps, as rows, and the
        smaller one as columns: so the products are small.
        """
        order = (0, 1, 2, 3) if x.shape[2] >= x.shape[3] else (0, 1, 3, 2)
        kernel = tf.transpose(x, order)
        matrix = orthogonalize(tf.reshape(kernel, (-1, kernel.shape[3])), steps,
                               (self.muon_a, self.muon_b, self.muon_c))
        return tf.transpose(tf.reshape(matrix, kernel.shape), order)

    def lr_adjust(self, x):
        """Scales an orthogonal kernel so that its root mean square is about rms_rate."""
        return x * self.rms_rate * (x.shape.num_elements() / min(x.shape[2:])) ** 0.5


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
