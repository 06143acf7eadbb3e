"""Tests of interpreter.py: real values of quantized ones."""

import numpy as np

from segmentation.int8 import interpreter


def test_dequantize_by_hand():
    values = interpreter.dequantize(np.array([-128, 0, 127], np.int8), (0.5, -128))
    assert values.dtype == np.float32 and values.tolist() == [0.0, 64.0, 127.5]
