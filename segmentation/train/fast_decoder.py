"""The decoder and its training step on a CPU: the same mathematics in fewer operations.

    logits = call_decoder(decoder, features, training)  # for decoder(features, training=training)
    logits = call_unet(model, images, training)  # for model(images, training=training)

Outputs, gradients and moving averages are those of Keras but for rounding: float32's, or bfloat16's
in training where asked for. The variables are the decoder's own, in float32, so the model that is
saved and converted stays one of plain Keras layers.

CPU time of a training step, of Keras' in float32: 0.46 in bfloat16 and 0.68 in float32 with the
default decoder, 0.44 and 0.77 with the tutorial's; Keras' own mixed_bfloat16 policy takes 0.70 with
either (python benchmarks/step_speed.py, two cores with AMX, TensorFlow 2.21).
"""

import os
import re
from pathlib import Path

import numpy as np
import tensorflow as tf

# One dimension of a 4x4 kernel (rows) and of a 3x3 kernel behind a nearest resize to double size
# (columns): 1 where the tap of the latter reads the pixel of the former; see _resize_and_convolve.
_READS = np.float32([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]])
_TAPS = np.kron(_READS, _READS)
_PROCESSOR_FILE = Path("/proc/cpuinfo")  # of Linux; elsewhere float32 it is


def choose_training_dtype():
    """Returns the dtype of a training step's tensors that is fastest here: bfloat16 or float32.

    bfloat16 has float32's range and 8 bits of precision (Kalamkar et al. 2019, A Study of BFLOAT16
    for Deep Learning Training). Processors with instructions for it convolve in half the time, by
    oneDNN; others keep float32, and so do graphics cards, for which there is MIXED_PRECISION.
    """
    if tf.config.list_logical_devices("GPU") or os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
        return "float32"
    flags = _PROCESSOR_FILE.read_text() if _PROCESSOR_FILE.exists() else ""
    return "bfloat16" if re.search(r"\b(avx512_bf16|amx_bf16)\b", flags) else "float32"


def call_unet(model, images, training, training_dtype="float32"):
    """Runs what get_model.get_model returns: its encoder as it is, the decoder by call_decoder.

    Args: images float32 (batch, height, width, 3) in 0..255; training_dtype, of the decoder.
    Returns: logits.
    """
    features = model.get_layer("encoder")(model.get_layer("scale_input")(images), training=training)
    return call_decoder(model.get_layer("decoder"), features, training, training_dtype)


def call_decoder(decoder, features, training, training_dtype="float32"):
    """Runs the decoder, as decoder(features, training=training) does.

    Args: decoder, what get_model.get_decoder returns; features, list of the encoder's five outputs;
        training_dtype, of all tensors of a call in training; the variables, sums over a batch and
        logits are float32 even so.
    Returns: logits. In training the moving averages of the batch normalizations are updated.
    """
    dtype = training_dtype if training else "float32"
    layers = {layer.name: layer for layer in decoder.layers}
    *skips, x = [tf.cast(feature, dtype) for feature in features]
    joined = ()  # the skip whose concatenation with x the next transposed convolution reads
    if "reduce_bottom" in layers:
        x = _reduce(layers, x, "bottom", training)
    for block, skip in enumerate(reversed(skips)):
        if f"upsample_{block}" in layers:
            x = _transposed(layers[f"upsample_{block}"].kernel, x, *joined)
            joined = (skip,)
        else:
            skip = _reduce(layers, skip, f"skip_{block}", training)
            x = _resize_and_convolve(layers[f"convolve_{block}"].kernel, x, skip)
        x = _normalize(layers, x, f"{block}", training)
    logits = _transposed(layers["logits"].kernel, x, *joined)
    return tf.nn.bias_add(tf.cast(logits, tf.float32), layers["logits"].bias)


def _reduce(layers, x, name, training):
    x = tf.nn.conv2d(x, tf.cast(layers[f"reduce_{name}"].kernel, x.dtype), 1, "VALID")
    return _normalize(layers, x, name, training)


def _normalize(layers, x, name, training):
    """Batch normalization by one kernel, and ReLU; Keras composes it of a dozen operations."""
    layer = layers[f"normalize_{name}"]
    averages = () if training else (layer.moving_mean, layer.moving_variance)
    x, mean, variance = tf.compat.v1.nn.fused_batch_norm(
        x, layer.gamma, layer.beta, *averages, epsilon=layer.epsilon, is_training=training)
    if training:
        count = tf.cast(tf.size(x) // x.shape[-1], tf.float32)
        variance *= (count - 1) / count  # Keras averages the variance without Bessel's correction
        for average, value in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
            average.assign(average * layer.momentum + value * (1 - layer.momentum))
    return tf.nn.relu(x)


def _resize_and_convolve(kernel, x, skip):
    """Convolves (3x3) what the nearest resize to double size of x, joined with skip, would be.

    Resized pixels are equal in fours, so most taps of a window read the same value: the two steps
    are a transposed convolution of 4x4 with stride 2, whose taps are sums of the kernel's. That is
    4 products instead of 9 for a pixel and channel.
    """
    of_x, of_skip = tf.split(kernel, [x.shape[-1], skip.shape[-1]], axis=2)
    of_x = tf.transpose(of_x, (0, 1, 3, 2))
    taps = tf.reshape(tf.matmul(_TAPS, tf.reshape(of_x, (9, -1))), (4, 4, *of_x.shape[2:]))
    return _transposed(taps, x) + tf.nn.conv2d(skip, tf.cast(of_skip, x.dtype), 1, "SAME")


def _transposed(kernel, x, skip=None):
    """The transposed convolution with stride 2 of x, joined with skip where that is given."""
    kernel = tf.cast(kernel, x.dtype)
    if skip is not None:
        return _joined_transposed(kernel, x, skip)
    return tf.nn.conv2d_transpose(x, kernel, _double_shape(kernel, x), 2, "SAME")


@tf.custom_gradient
def _joined_transposed(kernel, x, skip):
    # Of the gradient by the concatenation only x's part is wanted where the encoder is frozen, and
    # that is the smaller one: the other is an operation of its own, which is then left out.
    # (To sum two convolutions instead is slower: both kernels' gradients unfold the output's.)
    joined = tf.concat([x, skip], -1)

    def gradient(upstream):
        """Returns the gradients by kernel, x and skip."""
        by_kernel = tf.raw_ops.Conv2DBackpropFilter(
            input=upstream, filter_sizes=kernel.shape, out_backprop=joined, strides=(1, 2, 2, 1),
            padding="SAME")
        by_x, by_skip = (tf.nn.conv2d(upstream, part, 2, "SAME")
                         for part in tf.split(kernel, [x.shape[-1], skip.shape[-1]], axis=-1))
        return by_kernel, by_x, by_skip

    return tf.nn.conv2d_transpose(joined, kernel, _double_shape(kernel, x), 2, "SAME"), gradient


def _double_shape(kernel, x):
    return tf.shape(x)[0], 2 * x.shape[1], 2 * x.shape[2], kernel.shape[2]
