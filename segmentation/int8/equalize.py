"""Rewrites MobileNetV2's weights: the same function in float, but int8 rounds off less of it.

One scale serves all channels of a tensor, so a small channel that a later layer amplifies drowns in
the rounding of a large one. Two rewrites help, and neither adds an operation: other channels for
the linear bottlenecks, and several copies of the first convolution's channels that suffer most.
"""

import keras
import numpy as np
import tensorflow as tf

from device.images import scale_pixels

BLOCKS = ("expanded_conv", *(f"block_{number}" for number in range(1, 17)))
# Blocks whose outputs are added up, and so have their channels in common. block_16_project is an
# output of the encoder, and stays as it is.
RESIDUAL_STAGES = (BLOCKS[:1], BLOCKS[1:3], BLOCKS[3:6], BLOCKS[6:10], BLOCKS[10:13], BLOCKS[13:16])
MIN_EIGENVALUE_SHARE = 1e-4  # of the largest eigenvalue: what hardly varies is not blown up
MIN_RELATIVE_MAX = 0.1  # of the channels' mean peak: nor is a channel that is nearly silent
MIN_VALUES_PER_CHANNEL = 2  # from fewer a tensor's moments are a guess, and its map gets worse
BATCH = 8  # images at a time
FIRST_LAYERS = ("Conv1_relu", "expanded_conv_depthwise_relu")
CONV1_CHANNELS = 32
INT8_STEPS = 255  # steps between the least and the largest value of int8


def equalize(encoder, images):
    """Returns a copy of the encoder that computes the same, its weights rewritten for int8.

    Args: encoder, that of get_model, whose batch normalization is folded into the copy's
        convolutions; images uint8 (n, height, width, 3), on which activations are measured.
    """
    folded, observe = fold(encoder), make_observer(encoder)
    moments, active = measure(observe(images))
    matrices = {chain: choose_channels(chain, folded, moments, active) for chain in RESIDUAL_STAGES
                if count_values(chain, encoder, images) >= MIN_VALUES_PER_CHANNEL}
    peaks = measure_max_abs(observe(images), matrices)
    split_outlier_channels(folded, active, peaks)
    for chain, matrix in matrices.items():
        rewrite(chain, scale_to_equal_max(chain, matrix, peaks), folded)
    return unfold(folded, encoder)


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
    return "bn_Conv1" if convolution == "Conv1" else f"{convolution}_BN"


def make_observer(encoder):
    """Returns a function of images that yields the activations of some of them at a time.

    Those are dicts of a layer's name and float32 (values, channels): of the bottlenecks and their
    sums ("..._project_BN", "..._add"), of what ReLU6 makes of their readers ("..._expand_relu"),
    and of what the first block does before (FIRST_LAYERS).
    """
    layers = [layer for layer in encoder.layers if layer.name in FIRST_LAYERS
              or layer.name.endswith(("_project_BN", "_add", "_expand_relu"))]
    model = keras.Model(encoder.input, [layer.output for layer in layers])
    run = tf.function(lambda batch: model(batch, training=False), input_signature=[
        tf.TensorSpec(encoder.input_shape, tf.float32)])  # one graph, the last batch included

    def observe(images):
        """Yields the activations; images uint8 (n, height, width, 3)."""
        for start in range(0, len(images), BATCH):
            outputs = run(scale_pixels(images[start:start + BATCH]))
            yield {layer.name: output.numpy().reshape(-1, output.shape[-1])
                   for layer, output in zip(layers, outputs)}

    return observe


def measure(activations):
    """Sums up the activations that make_observer's function yields.

    Returns: dict of the names of bottlenecks and sums, float64 (channels, channels): x x^T, summed
        over images and places; and dict of the names of ReLU6, float64 (channels,): the number of
        values that it does not clamp. Only proportions of them are used.
    """
    moments, active = {}, {}
    for batch in activations:
        for name, values in batch.items():
            if name.endswith("_relu"):
                count = ((values > 0) & (values < 6)).sum(0, dtype=np.float64)
                active[name] = active.get(name, 0) + count
            else:
                moments[name] = moments.get(name, 0) + (values.T @ values).astype(np.float64)
    return moments, active


def measure_max_abs(activations, matrices):
    """Returns a dict of names and (channels,), the largest |y| of bottlenecks, sums and Conv1.

    Args: activations as for measure; matrices, dict of a chain and the A of its y = A x.
    """
    matrix_of = {name: matrix for chain, matrix in matrices.items() for name in outputs_of(chain)}
    matrix_of["Conv1_relu"] = np.eye(CONV1_CHANNELS)
    peaks = {}
    for batch in activations:
        for name in batch.keys() & matrix_of.keys():
            found = np.abs(batch[name] @ matrix_of[name].T).max(0)
            peaks[name] = np.maximum(peaks.get(name, 0), found)
    return peaks


def outputs_of(chain):
    """Returns the names of a chain's tensors: the outputs of its blocks and their sums."""
    return [f"{block}_project_BN" for block in chain] + [f"{block}_add" for block in chain[1:]]


def consumers_of(chain):
    """Returns the names of the convolutions that read a chain's tensors."""
    first, last = BLOCKS.index(chain[0]), BLOCKS.index(chain[-1])
    return [f"{block}_expand" for block in BLOCKS[first + 1:last + 2]]


def count_values(chain, encoder, images):
    """Returns how many values a channel of a chain has in the images, for each of its channels."""
    _, height, width, channels = encoder.get_layer(outputs_of(chain)[0]).output.shape
    return len(images) * height * width / channels


def sensitivity(chain, folded, active):
    """Returns S (channels, channels): what an error e of a chain's outputs does to their readers.

    e^T S e is proportional to the squared error of their activations.
    """
    kernels = {name: folded[name][0][0, 0] for name in consumers_of(chain)}
    return sum((kernel * active[f"{name}_relu"]) @ kernel.T for name, kernel in kernels.items())


def choose_channels(chain, folded, moments, active):
    """Returns the matrix A (channels, channels) for which y = A x suffers least from rounding.

    Nothing but additions lies between a bottleneck and its readers, so with A in front and its
    inverse behind they compute the same. Rounding y to one step adds step^2 / 12 * tr(A^-T S A^-1)
    to the readers' error, and the step follows the mean squares of y, the diagonal of A C A^T, C
    being x's moments. With M = C^1/2 S C^1/2 that is least for A = Q M^1/4 C^-1/2, Q a rotation
    that makes the channels alike. (Rotations before int8: Liu et al. 2024, SpinQuant, learned.)
    """
    total = sum(moments[name] for name in outputs_of(chain))
    root = matrix_power(total, 0.5)
    weighted = root @ sensitivity(chain, folded, active) @ root
    rotation, _ = np.linalg.qr(np.random.default_rng(0).standard_normal(total.shape))
    return rotation @ matrix_power(weighted, 0.25) @ matrix_power(total, -0.5)


def scale_to_equal_max(chain, matrix, peaks):
    """Returns A with its rows scaled so that the channels' largest values, too, are alike.

    It is those that a tensor's scale follows.
    """
    found = [peaks[name] / (peaks[name].mean() or 1) for name in outputs_of(chain)]
    return matrix / np.maximum(np.max(found, axis=0), MIN_RELATIVE_MAX)[:, None]


def rewrite(chain, matrix, folded):
    """Multiplies a chain's outputs by a matrix in their weights, and its inverse into readers'."""
    for block in chain:
        kernel, bias = folded[f"{block}_project"]
        folded[f"{block}_project"] = [kernel @ matrix.T, matrix @ bias]
    for name in consumers_of(chain):
        folded[name][0] = np.linalg.inv(matrix).T @ folded[name][0]


def matrix_power(matrix, exponent):
    """Returns a power of a symmetric matrix without negative eigenvalues; of zeros the identity."""
    values, vectors = np.linalg.eigh(matrix)
    values = np.maximum(values, MIN_EIGENVALUE_SHARE * values.max() or 1)
    return vectors * values ** exponent @ vectors.T


def split_outlier_channels(folded, active, peaks):
    """Puts copies of the first convolution's most needed channels in the place of dead ones.

    ImageNet's weights have six channels that are 0 whatever the image, and a few that hardly vary
    and are amplified: more than half of the encoder's first error was their rounding. n copies,
    their biases step / n apart, are averaged where they are added up: as if rounded to step / n.
    (Zhao et al. 2019, Outlier Channel Splitting, which halves a channel instead.)
    Args: folded, changed in place; active and peaks of the encoder as it was.
    """
    (kernel, bias), (projection, projected_bias) = folded["Conv1"], folded["expanded_conv_project"]
    depthwise, depthwise_bias = folded["expanded_conv_depthwise"]
    # Of inputs in [-1, 1] no sum is larger than this; ReLU6 makes 0 of it.
    dead = list(np.flatnonzero(np.abs(kernel).sum((0, 1, 2)) + bias <= 0))
    copies = count_copies(rounding_errors(folded, active), dead)
    projected_bias += np.clip(depthwise_bias[dead], 0, 6) @ projection[0, 0, dead]  # what they were
    step = peaks["Conv1_relu"].max() / INT8_STEPS
    for channel in np.flatnonzero(copies > 1):
        count = copies[channel]
        places = [channel, *(dead.pop() for _ in range(count - 1))]
        projection[:, :, channel] /= count
        projection[:, :, places] = projection[:, :, [channel]]
        for weights in (kernel, bias, depthwise, depthwise_bias):
            weights[..., places] = weights[..., [channel]]
        bias[places] += step * ((np.arange(count) + 0.5) / count - 0.5)


def rounding_errors(folded, active):
    """Returns what the rounding of each of Conv1's channels adds to the error, (channels,)."""
    depthwise, projection = (folded[name][0] for name in ("expanded_conv_depthwise",
                                                          "expanded_conv_project"))
    needed = sensitivity(RESIDUAL_STAGES[0], folded, active)
    behind = np.einsum("co,op,cp->c", projection[0, 0], needed, projection[0, 0])
    return (depthwise ** 2).sum((0, 1, 2)) * behind * active["expanded_conv_depthwise_relu"]


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
