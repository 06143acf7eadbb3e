"""One device, several GPUs of a machine, or several machines (TF_CONFIG).

Several GPUs are used by tf.distribute.MirroredStrategy, several machines by
tf.distribute.MultiWorkerMirroredStrategy. Keras' own fit takes neither in Keras 3
(keras-team/keras#20585), and can't be resumed in the middle of its data.
"""

import json
import os

import keras
import tensorflow as tf

from device.errors import InputError
from device.quiet import quiet_stderr
from segmentation.data.batches import make_dataset


def choose_strategy():
    """Returns the tf.distribute.Strategy for what is there, and a sentence that says which.

    Has to be called before anything else is asked of TensorFlow, or several machines fail.
    Raises: InputError where TF_CONFIG is damaged or the other workers can't be reached.
    """
    with quiet_stderr():
        if "TF_CONFIG" in os.environ:
            return _join_workers()
        devices = tf.config.list_logical_devices("GPU")
        if len(devices) > 1:
            return tf.distribute.MirroredStrategy(), f"Training on {len(devices)} GPUs"
        return tf.distribute.get_strategy(), f"Training on the {'GPU' if devices else 'CPU'}"


def is_one_cpu(strategy):
    """Whether the training runs on this machine's processor alone, so that its memory has to do."""
    return strategy.num_replicas_in_sync == 1 and not tf.config.list_logical_devices("GPU")


def _join_workers():
    try:
        cluster = json.loads(os.environ["TF_CONFIG"])
        workers, index = len(cluster["cluster"]["worker"]), int(cluster["task"]["index"])
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except (ValueError, KeyError, TypeError, tf.errors.OpError) as error:
        raise InputError(f"TF_CONFIG can't be used ({error}): see docs/training.md, Several "
                         f"machines.") from error
    return strategy, f"Worker {index + 1} of {workers}, {strategy.num_replicas_in_sync} devices"


def sum_over_devices(value):
    """Sums a tensor over the devices that train together, so that a loss is of the whole batch."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)


def synchronize(model):
    """Lets batch normalization take the statistics of the whole batch, not of a device's share."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def stream(strategy, data, batch_size, **options):
    """Returns the iterator of all batches, dealt out to the devices; see batches.make_dataset."""
    total = strategy.num_replicas_in_sync

    def serve(context):
        """Returns the dataset for the devices of one process."""
        share = total // context.num_input_pipelines
        first = context.input_pipeline_id * share
        return make_dataset(data["images"], data["labels"], batch_size, shuffle=True,
                            replicas=(first, first + share, total),
                            read_crops=data.get("read_crops"), **options)

    if total == 1:
        return iter(serve(tf.distribute.InputContext()))
    return iter(strategy.distribute_datasets_from_function(serve))
