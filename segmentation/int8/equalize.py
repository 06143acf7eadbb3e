"""Rewrites MobileNetV2's weights: the same function in float, but int8 loses less of it.

A tensor has one scale for all of its channels, so a channel of small values that a later layer
amplifies is lost in the rounding of a channel of large values. Two rewrites help, and neither adds
an operation: the channels of the bottlenecks are mixed by a matrix, and the channels of the first
convolution that suffer most get several copies. Both are derived from the encoder that is given.
"""

from itertools import pairwise
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from device.images import scale_pixels
from segmentation.memory import count_at_once

FIRST_CONVOLUTION, FIRST_BLOCK = "Conv1", "expanded_conv"  # as Keras' MobileNetV2 names them
MIN_EIGENVALUE_SHARE = 1e-4  # of the largest: what hardly varies is not scaled up further
MIN_RELATIVE_MAX = 0.1  # of the mean: nor is a channel that is nearly always 0
MIN_VALUES_PER_CHANNEL = 2  # measured for each channel; fewer say too little of how channels vary
BATCH = 8  # images at a time, at most
INT8_STEPS = 255  # steps between the least and the largest value of int8


class Stage(NamedTuple):
    """Bottlenecks that are added up, so that the same matrix has to mix the channels of all."""

    projections: tuple  # names of the convolutions that compute the bottlenecks
    tensors: tuple  # names of the layers that give them and their sums
    consumers: tuple  # names of the convolutions that read them


def equalize(encoder, images):
    """Returns a copy of the encoder that computes the same, its weights rewritten for int8.

    An encoder with other layers than MobileNetV2's is returned as it is, which is printed.
    Args: encoder, that of get_model, of any width, whose batch normalization is folded into the
        copy's convolutions; images uint8 (n, height, width, 3), on which activations are measured.
    """
    stages = find_stages(encoder)
    if not stages:
        print("The encoder is not equalized before its quantization: it does not have the layers "
              "of MobileNetV2.", flush=True)
        return encoder
    folded, observe = fold(encoder), make_observer(encoder)
    second_moments, unclamped = measure_activations(observe(images))
    matrices = {stage: choose_matrix(stage, folded, second_moments, unclamped) for stage in stages
                if count_values(stage, encoder, images) >= MIN_VALUES_PER_CHANNEL}
    max_abs = measure_max_abs(observe(images), matrices)
    split_outlier_channels(stages[0], folded, unclamped, max_abs)
    for stage, matrix in matrices.items():
        mix_channels(stage, scale_to_equal_max(stage, matrix, max_abs), folded)
    return unfold(folded, encoder)


def find_stages(encoder):
    """Returns the Stages of an encoder, from the front; none where it is no MobileNetV2.

    The last block's bottleneck is an output of the encoder, and so keeps its channels.
    """
    names = [layer.name for layer in encoder.layers]
    blocks = [name.removesuffix("_project") for name in names if name.endswith("_project")]
    needed = {FIRST_CONVOLUTION, *(f"{block}_depthwise" for block in blocks),
              *(f"{block}_expand" for block in blocks[1:])}
    if blocks[:1] != [FIRST_BLOCK] or not needed <= set(names):
        return []
    groups = []
    for block in blocks[:-1]:
        if f"{block}_add" in names:
            groups[-1].append(block)
        else:
            groups.append([block])
    following = dict(pairwise(blocks))
    return [Stage(tuple(f"{block}_project" for block in group),
                  (*(f"{block}_project_BN" for block in group),
                   *(f"{block}_add" for block in group[1:])),
                  tuple(f"{following[block]}_expand" for block in group)) for group in groups]


def fold(encoder):
    """Returns a dict of a convolution's name and its [kernel, bias], float64.

    Batch normalization that follows it is folded in. Kernels are (height, width, channels in,
    channels out), those of depthwise convolutions (height, width, 1, channels).
    """
    names, folded = {layer.name for layer in encoder.layers}, {}
    for layer in encoder.layers:
        if not isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
            continue
        kernel = layer.get_weights()[0].astype(np.float64)
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            kernel = kernel.swapaxes(2, 3)
        bias = np.zeros(kernel.shape[3])
        if normalization_name(layer.name) in names:
            normalization = encoder.get_layer(normalization_name(layer.name))
            gamma, beta, mean, variance = (w.astype(np.float64) for w in
                                           normalization.get_weights())
            factor = gamma / np.sqrt(variance + normalization.epsilon)
            kernel, bias = kernel * factor, beta - mean * factor
        folded[layer.name] = [kernel, bias]
    return folded


def unfold(folded, encoder):
    """Returns a copy of the encoder with these weights; its batch normalization adds the biases."""
    copy = keras.models.clone_model(encoder)
    names = {layer.name for layer in copy.layers}
    for name, (kernel, bias) in folded.items():
        layer = copy.get_layer(name)
        is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        layer.set_weights([kernel.swapaxes(2, 3) if is_depthwise else kernel])
        if normalization_name(name) in names:
            normalization = copy.get_layer(normalization_name(name))
            ones = np.ones_like(bias)
            normalization.set_weights([ones, bias, 0 * ones, ones - normalization.epsilon])
    return copy


def normalization_name(convolution):
    """Returns the name that Keras gives the batch normalization behind a convolution."""
    is_first = convolution == FIRST_CONVOLUTION
    return f"bn_{convolution}" if is_first else f"{convolution}_BN"


def make_observer(encoder):
    """Returns a function of images that yields the activations of some of them at a time.

    Those are dicts of a layer's name and float32 (values, channels): of the bottlenecks and their
    sums ("..._project_BN", "..._add"), of the ReLU6 behind the convolutions that read them
    ("..._expand_relu"), and of the first block's layers before its bottleneck.
    """
    first = f"{FIRST_CONVOLUTION}_relu", f"{FIRST_BLOCK}_depthwise_relu"
    layers = [layer for layer in encoder.layers if layer.name in first
              or layer.name.endswith(("_project_BN", "_add", "_expand_relu"))]
    model = keras.Model(encoder.input, [layer.output for layer in layers])
    run = tf.function(lambda batch: model(batch, training=False), input_signature=[
        tf.TensorSpec(encoder.input_shape, tf.float32)])  # one graph, the last batch included

    def observe_some(images):
        """Returns the activations of one batch."""
        return {layer.name: output.numpy().reshape(-1, output.shape[-1])
                for layer, output in zip(layers, run(scale_pixels(images)))}

    def observe(images):
        """Yields the activations; images uint8 (n, height, width, 3)."""
        batch_size = count_at_once(images.shape[1:3], BATCH)
        for start in range(0, len(images), batch_size):
            yield observe_some(images[start:start + batch_size])

    return observe


def measure_activations(activations):
    """Sums up the activations that make_observer's function yields, and empties them.

    Returns: dict of the names of bottlenecks and sums, float64 (channels, channels): x x^T, summed
        over images and places; and dict of the names of ReLU6, float64 (channels,): how many of
        its values lie between 0 and 6. Only the proportions of either are used.
    """
    second_moments, unclamped = {}, {}
    for batch in activations:
        for name, values in batch.items():
            if name.endswith("_relu"):
                count = ((values > 0) & (values < 6)).sum(0, dtype=np.float64)
                unclamped[name] = unclamped.get(name, 0) + count
            else:
                product = (values.T @ values).astype(np.float64)
                second_moments[name] = second_moments.get(name, 0) + product
        batch.clear()  # or two batches would be in memory
    return second_moments, unclamped


def measure_max_abs(activations, matrices):
    """Returns a dict of names and (channels,): the largest |A x| of the stages' tensors x.

    The output of the first convolution is measured too, as it is.
    Args: activations as for measure_activations, emptied, too; matrices, dict of a Stage and its A.
    """
    matrix_of = {name: matrix for stage, matrix in matrices.items() for name in stage.tensors}
    max_abs = {}
    for batch in activations:
        for name, values in batch.items():
            if name in matrix_of:
                values = values @ matrix_of[name].T
            elif name != f"{FIRST_CONVOLUTION}_relu":
                continue
            max_abs[name] = np.maximum(max_abs.get(name, 0), np.abs(values).max(0))
        batch.clear()  # as above
    return max_abs


def count_values(stage, encoder, images):
    """Returns how many values of a channel the images give, divided by the number of channels."""
    _, height, width, channels = encoder.get_layer(stage.tensors[0]).output.shape
    return len(images) * height * width / channels


def sensitivity(stage, folded, unclamped):
    """Returns S (channels, channels): what an error e of a stage's tensors does to its consumers.

    e^T S e is proportional to the squared error of their activations.
    """
    kernels = {name: folded[name][0][0, 0] for name in stage.consumers}
    return sum((kernel * unclamped[f"{name}_relu"]) @ kernel.T for name, kernel in kernels.items())


def choose_matrix(stage, folded, second_moments, unclamped):
    """Returns the matrix A (channels, channels) for which y = A x loses least by rounding.

    Nothing but additions lies between a bottleneck and its consumers, so with A in front and its
    inverse behind they compute the same. Rounding y to one step adds step^2 / 12 * tr(A^-T S A^-1)
    to the consumers' error, S being their sensitivity, and the step follows the mean squares of y,
    the diagonal of A C A^T, C being the sum of x x^T. With M = C^1/2 S C^1/2 that is least for
    A = Q M^1/4 C^-1/2, Q a rotation that makes the channels alike. (Rotations before int8: Liu et
    al. 2024, SpinQuant, learned.)
    """
    total = sum(second_moments[name] for name in stage.tensors)
    root = matrix_power(total, 0.5)
    weighted = root @ sensitivity(stage, folded, unclamped) @ root
    rotation, _ = np.linalg.qr(np.random.default_rng(0).standard_normal(total.shape))
    return rotation @ matrix_power(weighted, 0.25) @ matrix_power(total, -0.5)


def scale_to_equal_max(stage, matrix, max_abs):
    """Returns A with its rows scaled so that the channels' largest values are alike, too.

    A tensor's scale follows its largest value, and not its mean square.
    """
    relative = [max_abs[name] / (max_abs[name].mean() or 1) for name in stage.tensors]
    return matrix / np.maximum(np.max(relative, axis=0), MIN_RELATIVE_MAX)[:, None]


def mix_channels(stage, matrix, folded):
    """Multiplies a stage's tensors by a matrix in their weights, and by its inverse behind."""
    for name in stage.projections:
        kernel, bias = folded[name]
        folded[name] = [kernel @ matrix.T, matrix @ bias]
    for name in stage.consumers:
        folded[name][0] = np.linalg.inv(matrix).T @ folded[name][0]


def matrix_power(matrix, exponent):
    """Returns a power of a symmetric matrix without negative eigenvalues; of zeros the identity."""
    values, vectors = np.linalg.eigh(matrix)
    values = np.maximum(values, MIN_EIGENVALUE_SHARE * values.max() or 1)
    return vectors * values ** exponent @ vectors.T


def split_outlier_channels(stage, folded, unclamped, max_abs):
    """Puts copies of the first convolution's channels that lose most in the place of dead ones.

    Some of the channels of ImageNet's weights are 0 whatever the image (six of 32 at alpha 1.0),
    and a few hardly vary and are amplified: more than half of the encoder's first error came from
    their rounding. n copies, their biases step / n apart, are averaged where they are added up: as
    if rounded to step / n. (Zhao et al. 2019, Outlier Channel Splitting, which halves a channel.)
    Args: stage, the first; folded, changed in place; unclamped and max_abs of the encoder before.
    """
    kernel, bias = folded[FIRST_CONVOLUTION]
    depthwise, depthwise_bias = folded[f"{FIRST_BLOCK}_depthwise"]
    projection, projection_bias = folded[f"{FIRST_BLOCK}_project"]
    # Inputs in [-1, 1] give no larger sum than this, and where it is below 0 ReLU6 gives 0.
    dead = list(np.flatnonzero(np.abs(kernel).sum((0, 1, 2)) + bias <= 0))
    copies = count_copies(rounding_errors(stage, folded, unclamped), dead)
    # A dead channel is constant behind the depthwise convolution: its share moves into the bias.
    projection_bias += np.clip(depthwise_bias[dead], 0, 6) @ projection[0, 0, dead]
    step = max_abs[f"{FIRST_CONVOLUTION}_relu"].max() / INT8_STEPS
    for channel in np.flatnonzero(copies > 1):
        count = copies[channel]
        places = [channel, *(dead.pop() for _ in range(count - 1))]
        projection[:, :, channel] /= count
        projection[:, :, places] = projection[:, :, [channel]]
        for weights in (kernel, bias, depthwise, depthwise_bias):
            weights[..., places] = weights[..., [channel]]
        bias[places] += step * ((np.arange(count) + 0.5) / count - 0.5)


def rounding_errors(stage, folded, unclamped):
    """Returns what rounding each channel of the first convolution adds to the error, (channels,).

    Args: stage, the first, that reads what follows from these channels.
    """
    depthwise, projection = (folded[f"{FIRST_BLOCK}_{part}"][0] for part in ("depthwise",
                                                                             "project"))
    by_output = sensitivity(stage, folded, unclamped)
    by_channel = np.einsum("co,op,cp->c", projection[0, 0], by_output, projection[0, 0])
    squares = (depthwise ** 2).sum((0, 1, 2))
    return squares * by_channel * unclamped[f"{FIRST_BLOCK}_depthwise_relu"]


def count_copies(errors, dead):
    """Returns in how many places each channel is to stand, (channels,); 1 is where it stands now.

    Args: errors (channels,), which n places divide by n squared; dead, list of channels that are
        free. They go one by one to where one place more helps most.
    """
    copies = np.ones(len(errors), int)
    errors = np.where(np.isin(np.arange(len(errors)), dead), 0, errors)
    for _ in dead:
        copies[np.argmax(errors / copies ** 2 - errors / (copies + 1) ** 2)] += 1
    return copies
