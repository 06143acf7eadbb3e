"""The training loop: one step for one device, several of a machine, or several machines.

main.py says what is trained on what; here it is done, kept after every epoch, and gone on with.
Several GPUs are used by tf.distribute.MirroredStrategy, several machines (TF_CONFIG) by
tf.distribute.MultiWorkerMirroredStrategy. Keras' own fit takes neither in Keras 3
(keras-team/keras#20585), and can't be resumed in the middle of its data.
"""

import json
import math
import os
import signal
import threading
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from fast_decoder import FusedAdam
from import_data import InputError, Progress, list_names
from measuring import write_whole
from streaming import count_steps, epoch_order, make_dataset

STATE_FILE = "training_state.npz"


class Phase(NamedTuple):
    """A part of the training: what is trained, at which rate, in which epochs (from 0)."""

    model: keras.Model
    features: Any  # function uint8 images -> the model's inputs, or None: the images themselves
    learning_rate: float
    first_epoch: int
    last_epoch: int  # exclusive
    fast_call: Any = None  # function (inputs, training) -> logits that does what the model does
    features_again: Any = None  # the function features for images that come again unchanged
    windows: bool = False  # whether augmentation shows windows of the images, too


# ---- devices ---------------------------------------------------------------------------------


def choose_strategy():
    """Returns the tf.distribute.Strategy for what is there, and a sentence that says which.

    Has to be called before anything else is asked of TensorFlow, or several machines fail.
    Raises: InputError where TF_CONFIG is damaged or the other workers can't be reached.
    """
    if "TF_CONFIG" in os.environ:
        try:
            cluster = json.loads(os.environ["TF_CONFIG"])
            workers, index = len(cluster["cluster"]["worker"]), int(cluster["task"]["index"])
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except (ValueError, KeyError, TypeError, tf.errors.OpError) as error:
            raise InputError(f"TF_CONFIG can't be used ({error}): see the README, Several "
                             f"machines.") from error
        return strategy, f"Worker {index + 1} of {workers}, {strategy.num_replicas_in_sync} devices"
    devices = tf.config.list_logical_devices("GPU")
    if len(devices) > 1:
        return tf.distribute.MirroredStrategy(), f"Training on {len(devices)} GPUs"
    return tf.distribute.get_strategy(), f"Training on the {'GPU' if devices else 'processor'}"


def is_chief():
    """Whether this process writes the files: true but for the workers after the first."""
    return worker_index() == 0


def worker_index():
    """Returns the place of this process in the list of all workers, from 0; 0 where it is alone."""
    return int(json.loads(os.environ.get("TF_CONFIG", "{}")).get("task", {}).get("index", 0))


def sum_over_devices(value):
    """Sums a tensor over the devices that train together, so that a loss is of the whole batch."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)


def synchronise(model):
    """Lets batch normalisation take the statistics of the whole batch, not of a device's share."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def stream(strategy, data, batch_size, **options):
    """Returns the iterator of all batches, dealt out to the devices; see streaming.make_dataset."""
    total = strategy.num_replicas_in_sync

    def serve(context):
        """Returns the dataset for the devices of one process."""
        share = total // context.num_input_pipelines
        first = context.input_pipeline_id * share
        return make_dataset(data["images"], data["labels"], batch_size, shuffle=True,
                            replicas=(first, first + share, total), **options)

    if total == 1:
        return iter(serve(tf.distribute.InputContext()))
    return iter(strategy.distribute_datasets_from_function(serve))


# ---- one step --------------------------------------------------------------------------------


def make_step(strategy, model, optimizer, loss, call, signature=None):
    """Returns a function (inputs, label) -> loss of the whole batch, which also trains the model.

    Args: call, a function (inputs, training) -> logits that runs the model; loss, a function
        (labels, logits) -> scalar that sums over devices (sum_over_devices): each device has the
        whole loss, and its part of the gradient; signature, TensorSpecs of inputs and label, so
        that a smaller last batch is no reason to build the graph again.
    """
    devices = strategy.num_replicas_in_sync
    if devices == 1:  # XLA fuses its many small operations; it can't sum over devices
        loss = tf.function(loss, jit_compile=True)

    def train(inputs, label):
        """Runs one step on one device."""
        with tf.GradientTape() as tape:
            value = loss(label, call(inputs, training=True))
            # The gradient of a sum over devices adds up all of theirs, and so does the optimizer.
            scaled = optimizer.scale_loss(value / devices)
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(scaled, variables), variables))
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
    """Returns Adam whose learning rate falls to 0 along a cosine over the phase."""
    epochs = phase.last_epoch - phase.first_epoch
    schedule = keras.optimizers.schedules.CosineDecay(phase.learning_rate, epochs * steps)
    kind = FusedAdam if strategy.num_replicas_in_sync == 1 else keras.optimizers.Adam
    optimizer = kind(schedule)
    if mixed_precision:  # small float16 gradients would vanish
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(phase.model.trainable_variables)
    return optimizer


@contextmanager
def computing_in(model, policy):
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


# ---- all epochs ------------------------------------------------------------------------------


def fit(phase, strategy, loss, data, batch_size, options, finish_epoch, start_epoch=None,
        optimizer_variables=None, mixed_precision=False):
    """Trains the epochs of a phase and calls finish_epoch after each.

    Args: options of the stream: augment, seed, repeats; finish_epoch, a function (epoch, loss,
        seconds, optimizer) that returns whether to stop; start_epoch and optimizer_variables
        where an earlier run is gone on with.
    Returns: whether Ctrl-C ended it: after the step that is under way; a second one ends at once.
    Raises: InputError where the loss is not finite, naming the batch's files, and where another
        machine has gone.
    """
    start = phase.first_epoch if start_epoch is None else start_epoch
    epochs = range(start, phase.last_epoch)
    steps = count_steps(len(data["images"]), batch_size, options["repeats"])
    with strategy.scope():
        optimizer = make_optimizer(phase, steps, strategy, mixed_precision)
        assign_all(optimizer.variables, optimizer_variables)
    if strategy.num_replicas_in_sync > 1:
        synchronise(phase.model)
    policy = "mixed_float16" if mixed_precision else None
    with computing_in(phase.model, policy), asked_to_stop() as asked:
        batches = stream(strategy, data, batch_size, epochs=epochs, features=phase.features,
                         windows=phase.windows, **options)
        is_alone = strategy.num_replicas_in_sync == 1
        step = make_step(strategy, phase.model, optimizer, loss, choose_call(phase, strategy),
                         batches.element_spec if is_alone else None)
        for epoch in epochs:
            begin, losses = time.monotonic(), []
            progress = Progress(f"Epoch {epoch + 1}", steps)
            for number in range(steps):
                losses.append(run_step(step, batches))
                if not math.isfinite(losses[-1]):
                    raise not_finite(losses[-1], data, batch_size, options, epoch, number)
                if asked:
                    return True
                progress.show(number + 1)
            if finish_epoch(epoch, float(np.mean(losses)), time.monotonic() - begin,
                            optimizer) or asked:
                break
        return bool(asked)


def run_step(step, batches):
    """Runs one step and returns its loss; another machine's end is an InputError."""
    try:
        return float(step(*next(batches)))
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError,
            tf.errors.CancelledError) as error:
        raise InputError("Another worker has ended or can't be reached, so this one ends too. "
                         "Start all of them again with RESUME = True: they go on after the last "
                         f"whole epoch. ({str(error).splitlines()[0]})") from error


def not_finite(value, data, batch_size, options, epoch, number):
    """Returns the InputError for a loss that is no number; names the files of its batch."""
    indices, _ = epoch_order(len(data["images"]), batch_size, True, options["seed"], epoch,
                             options["repeats"])[number]
    names = [data["training_names"][index] for index in indices]
    return InputError(f"The loss is {value} in epoch {epoch + 1}, batch {number + 1}, with the "
                      f"{len(names)} image(s) {list_names(names)}: look at them and their labels, "
                      f"or lower LEARNING_RATE. The best model so far is kept.")


@contextmanager
def asked_to_stop():
    """Gives a list that is no longer empty once Ctrl-C was pressed; the second one interrupts."""
    asked = []
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def remember(number, frame):
        """Notes the first Ctrl-C; the second one interrupts."""
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        print("\nCtrl-C: ending after this batch; once more to end at once.", flush=True)

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


# ---- what is kept ----------------------------------------------------------------------------


def assign_all(variables, arrays):
    """Gives variables the values of arrays, in order; None leaves them as they are.

    Raises: InputError where they are of other numbers or shapes.
    """
    if arrays is not None and [variable.shape for variable in variables] != [
            array.shape for array in arrays]:
        raise InputError("The optimizer's state is that of another part of the training: set "
                         "EPOCHS and FINE_TUNE_FROM as they were, or RESUME = False to start "
                         "again.")
    for variable, array in zip(variables, arrays or [], strict=arrays is not None):
        variable.assign(array)


def save_state(folder, content, weights, optimizer_variables):
    """Writes all that a run needs to go on, beside its place first, then renamed.

    Args: content, a dict that JSON can hold; weights and optimizer_variables, Keras variables.
    """
    arrays = {f"{kind}_{number}": variable.numpy()
              for kind, variables in (("weight", weights), ("optimizer", optimizer_variables))
              for number, variable in enumerate(variables)}
    arrays["content"] = np.array(json.dumps(content))
    write_whole(Path(folder) / STATE_FILE, lambda file: np.savez(file, **arrays))


def load_state(folder):
    """Reads what save_state wrote.

    Returns: content, list of weights, list of optimizer variables; or None where there is none.
    Raises: InputError where the file is damaged.
    """
    path = Path(folder) / STATE_FILE
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            content = json.loads(str(file["content"]))
            weights, optimizer = ([file[f"{kind}_{number}"] for number in range(
                sum(name.startswith(kind) for name in file.files))]
                for kind in ("weight", "optimizer"))
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is damaged and can't be gone on with: set RESUME = False to "
                         f"start again.") from error
    return content, weights, optimizer
