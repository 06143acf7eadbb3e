"""Tests of out_of_memory.py: both kinds of errors end in the sentence, others stay."""

import numpy as np
import pytest
import tensorflow as tf

import main
from device.errors import InputError
from segmentation.settings import read_settings
from segmentation.train.out_of_memory import explain_out_of_memory


def test_errors_for_want_of_memory_become_a_sentence():
    settings, _ = read_settings({**vars(main), "IMAGE_SIZE": (1024, 1024), "FINE_TUNE_EPOCHS": 2})
    sentence = (r"memory for IMAGE_SIZE \(1024, 1024\) and BATCH_SIZE 8: .* FINE_TUNE_EPOCHS = 0, "
                r"or set MEMORY_LIMIT_GB below 2")
    with pytest.raises(InputError, match=sentence), explain_out_of_memory(settings):
        np.empty(2**46)  # raises MemoryError
    with pytest.raises(InputError, match=sentence), explain_out_of_memory(settings):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
    with pytest.raises(ZeroDivisionError), explain_out_of_memory(settings):
        raise ZeroDivisionError
