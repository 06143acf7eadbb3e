"""The sentence with which a training ends that memory does not suffice for."""

from contextlib import contextmanager

from device.errors import InputError
from segmentation.tensorflow_setup import tf


@contextmanager
def explain_out_of_memory(settings):
    """Turns the errors of NumPy and TensorFlow for want of memory into one sentence.

    Raises: InputError that names the constants which take the memory.
    """
    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        tuning = ", set FINE_TUNE_EPOCHS = 0" if settings.fine_tune_epochs else ""
        raise InputError(
            f"There is not enough memory for IMAGE_SIZE {tuple(settings.image_size)} and "
            f"BATCH_SIZE {settings.batch_size}: make IMAGE_SIZE or BATCH_SIZE smaller{tuning}, or "
            f"set MEMORY_LIMIT_GB below {settings.memory_limit_gb}, so that images are kept on "
            f"the disk.") from error
