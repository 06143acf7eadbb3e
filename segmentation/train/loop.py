"""The training loop: the epochs of one phase, step by step."""

import functools
import math
import time
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from device.errors import InputError, list_names
from device.progress import Progress
from segmentation.data.batches import count_steps, epoch_order
from segmentation.data.channels import vary_channels
from segmentation.data.mixing import mix_classes
from segmentation.train.devices import stream, synchronize
from segmentation.train.gradient import descend, make_measure
from segmentation.train.interrupt import catch_interrupt
from segmentation.train.muon import ConvolutionMuon
from segmentation.train.unlabeled import make_teacher, make_unlabeled_step

TIMED_SECONDS = 5  # after which the rest of the training is estimated


class Phase(NamedTuple):
    """A part of the training: what is trained, at which rate, in which epochs (from 0)."""

    model: keras.Model
    features: Any  # function uint8 images -> the model's inputs, or None: the images themselves
    learning_rate: float
    first_epoch: int
    last_epoch: int  # exclusive
    fast_call: Any = None  # function (inputs, training) -> logits that does what the model does
    cached_features: Any = None  # the function features for images that come again unchanged
    crop_range: Any = None  # of random crops, see augment_batch, or None: whole images alone
    mixing: Any = None  # how images of a batch are mixed, a Mixing, or None: not at all
    variation: Any = None  # how channels of the features vary, a Variation, or None: not at all
    weight_decay: float = 0  # share of the rate by which a step shrinks the weights (AdamW)
    encoder_rate: float | None = None  # the pretrained encoder's, by Adam, where it is trained
    unlabeled_images: Any = ()  # uint8 (n, height, width, 3): those without a label that teach


def make_step(strategy, phase, optimizer, measure, call, signature=None, seed=0):
    """Returns a function (inputs, label) -> loss of the whole batch, which also trains the model.

    Args: measure, of make_measure, whose loss sums over devices (sum_over_devices): each device has
        the whole loss, and its part of the gradient; call, a function (inputs, training) -> logits
        that runs the model; signature, TensorSpecs of inputs and label, so that a smaller last
        batch is no reason to build the graph again; seed of the mixing and of the variation, which
        depend on it and the optimizer's number of the step alone, so that a resumed run goes on as
        one that was not interrupted.
    """
    devices = strategy.num_replicas_in_sync

    def train(inputs, label):
        """Runs one step on one device."""
        step_seed = seed, tf.cast(optimizer.iterations, tf.int32)
        if phase.mixing:
            inputs, label = mix_classes(inputs, label, inputs, label, step_seed, phase.mixing)
        if phase.variation:
            inputs = vary_channels(inputs, step_seed, phase.variation)
        with tf.GradientTape() as tape:
            logits = call(inputs, training=True)
        value, gradient = measure(label, logits)
        # The gradient of a sum over devices adds up all of theirs, and so does the optimizer.
        descend(optimizer, phase.model, tape, logits, gradient / devices)
        return value

    # No Python control flow depends on a tensor, so autograph would only cost time.
    @tf.function(input_signature=signature, autograph=False)
    def step(inputs, label):
        """Runs one step on all devices."""
        if devices == 1:
            return train(inputs, label)
        return strategy.reduce("MEAN", strategy.run(train, (inputs, label)), axis=None)

    return step


def choose_call(phase, strategy):
    """Returns the function (inputs, training) -> logits of a phase: the fast one, on one device."""
    if phase.fast_call is not None and strategy.num_replicas_in_sync == 1:
        return phase.fast_call
    return phase.model


def make_optimizer(phase, steps, strategy, mixed_precision=False):
    """Returns Muon whose learning rate falls to 0 along a cosine over the phase."""
    epochs = phase.last_epoch - phase.first_epoch
    schedule = keras.optimizers.schedules.CosineDecay(phase.learning_rate, epochs * steps)
    encoder = phase.model.get_layer("encoder").trainable_variables if phase.encoder_rate else []
    optimizer = ConvolutionMuon(schedule, phase.weight_decay or None, encoder,
                                (phase.encoder_rate or 0) / phase.learning_rate)
    if mixed_precision:  # small float16 gradients would vanish
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(phase.model.trainable_variables)
    return optimizer


@contextmanager
def temporary_dtype_policy(model, policy):
    """Lets the layers of a model compute in a Keras dtype policy; the logits stay float32.

    Args: policy, "mixed_float16", "float32", or None: as they are. Weights are float32 in each.
    """
    layers = [(layer, layer.dtype_policy) for layer in model._flatten_layers(include_self=False)
              if policy and layer.name != "logits" and not isinstance(layer, keras.Model)]
    for layer, _ in layers:
        layer.dtype_policy = policy
    try:
        yield
    finally:
        for layer, before in layers:
            layer.dtype_policy = before


def fit(phase, strategy, loss, data, batch_size, options, finish_epoch, start_epoch=None,
        optimizer_variables=None, mixed_precision=False):
    """Trains the epochs of a phase and calls finish_epoch after each.

    Args: data of load_data; options of the stream: augmentation, seed, repeats; finish_epoch, a
        function (epoch, loss, seconds, variables) that returns whether to stop; start_epoch and
        optimizer_variables, what finish_epoch got, where an earlier run is resumed.
    Returns: whether Ctrl-C ended it: after the step that is under way; a second one ends at once.
    Raises: InputError where the loss is not finite, naming the batch's files, and where another
        machine has gone.
    """
    start = phase.first_epoch if start_epoch is None else start_epoch
    epochs = range(start, phase.last_epoch)
    steps = count_steps(len(data["images"]), batch_size, options["repeats"])
    with strategy.scope():
        optimizer = make_optimizer(phase, steps, strategy, mixed_precision)
        teacher = make_teacher(phase.model) if len(phase.unlabeled_images) else None
        variables = [*optimizer.variables, *(teacher.variables if teacher else ())]
        assign_all(variables, optimizer_variables)
    if strategy.num_replicas_in_sync > 1:
        synchronize(phase.model)
    policy = "mixed_float16" if mixed_precision else None
    with temporary_dtype_policy(phase.model, policy), catch_interrupt() as interrupts:
        batches = stream(strategy, data, batch_size, epochs=epochs, features=phase.features,
                         crop_range=phase.crop_range, **options)
        is_alone = strategy.num_replicas_in_sync == 1
        call = choose_call(phase, strategy)
        measure = make_measure(loss, by_xla=is_alone)
        step = make_step(strategy, phase, optimizer, measure, call,
                         batches.element_spec if is_alone else None, options["seed"])
        if teacher:
            step = make_unlabeled_step(step, phase, call, teacher, optimizer, measure, batch_size,
                                       (phase.last_epoch - phase.first_epoch) * steps, options)
        not_finite = functools.partial(describe_not_finite, data, batch_size, options)
        tell_time_left = make_time_teller(len(epochs) * steps, phase.last_epoch)
        for epoch in epochs:
            begin = time.monotonic()
            loss_value = run_epoch(step, batches, epoch, steps, interrupts, tell_time_left,
                                   not_finite)
            if loss_value is None:
                return True
            if finish_epoch(epoch, loss_value, time.monotonic() - begin, variables) or interrupts:
                break
        return bool(interrupts)


def run_epoch(step, batches, epoch, steps, interrupts, tell_time_left, not_finite):
    """Runs the steps of an epoch; returns their mean loss, or None after Ctrl-C.

    Args: interrupts, list that is empty until Ctrl-C; not_finite, a function (epoch, step, loss) ->
        the InputError for a loss that is no number.
    """
    losses, progress = [], Progress(f"Epoch {epoch + 1}", steps)
    for number in range(steps):
        losses.append(run_step(step, batches))
        if not math.isfinite(losses[-1]):
            raise not_finite(epoch, number, losses[-1])
        if interrupts:
            return None
        progress.show(number + 1)
        tell_time_left()
    return float(np.mean(losses))


def make_time_teller(steps, last_epoch, clock=time.monotonic):
    """Returns a function to call after each of so many steps; it prints once how long all take.

    It does so TIMED_SECONDS after the first step, which also builds the graph and so tells nothing,
    where a minute or more is left.
    """
    start, done = None, 0

    def tell_time_left():
        """Counts a step, and prints where it is time to."""
        nonlocal start, done
        done += 1
        if done == 1:
            start = clock()
        elif start is not None and (seconds := clock() - start) >= TIMED_SECONDS:
            minutes = seconds / (done - 1) * (steps - done) / 60
            start = None
            if minutes >= 1:
                print(f"At this pace epoch {last_epoch} ends in about {minutes:.0f} minutes.",
                      flush=True)

    return tell_time_left


def run_step(step, batches):
    """Runs one step and returns its loss; another machine's end is an InputError."""
    try:
        return float(step(*next(batches)))
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError,
            tf.errors.CancelledError) as error:
        raise InputError("Another worker has ended or can't be reached, so this one ends too. "
                         "Start all of them again with RESUME = True: they continue after the "
                         f"last complete epoch. ({str(error).splitlines()[0]})") from error


def describe_not_finite(data, batch_size, options, epoch, number, value):
    """Returns the InputError for a loss that is no number; names the files of its batch."""
    indices, _ = epoch_order(len(data["images"]), batch_size, True, options["seed"], epoch,
                             options["repeats"])[number]
    names = [data["training_names"][index] for index in indices]
    return InputError(f"The loss is {value} in epoch {epoch + 1}, batch {number + 1}, with the "
                      f"{len(names)} image(s) {list_names(names)}: look at them and their labels, "
                      f"or lower LEARNING_RATE. The best model so far is kept.")


def assign_all(variables, arrays):
    """Gives variables the values of arrays, in order; None leaves them as they are.

    Raises: InputError where they are of other numbers or shapes.
    """
    if arrays is not None and [variable.shape for variable in variables] != [
            array.shape for array in arrays]:
        raise InputError("The checkpoint's optimizer belongs to another part of the training: set "
                         "EPOCHS and FINE_TUNE_FROM as they were, or RESUME = False to start "
                         "again.")
    for variable, array in zip(variables, arrays or [], strict=arrays is not None):
        variable.assign(array)
