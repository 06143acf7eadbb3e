"""Tests of device/class_bias.py: the array, what is refused."""

import numpy as np
import pytest

from device.class_bias import add_class_bias, read_class_bias
from device.errors import InputError

NAMES = ["background", "duck", "bird"]


def test_bias_is_in_steps_of_the_logits():
    bias = read_class_bias({"duck": 1.5}, NAMES, scale=0.25)
    assert bias.tolist() == [0, 6, 0]
    logits = np.array([[[127, 122, 0]]], np.int8)
    assert add_class_bias(logits, bias).argmax(-1) == 1  # beyond what int8 can hold
    assert add_class_bias(logits, None) is logits
    assert read_class_bias({}, NAMES) is None and read_class_bias({"duck": 0}, NAMES) is None


@pytest.mark.parametrize("class_bias, sentence", [
    ({"dog": 1}, "CLASS_BIAS names dog, but the classes are background, duck, bird"),
    ({"duck": "1"}, "must hold numbers"), ({"duck": True}, "must hold numbers"),
    ({"duck": float("nan")}, "must hold numbers"), ([1, 2], "must be a dict")])
def test_what_is_refused(class_bias, sentence):
    with pytest.raises(InputError, match=sentence):
        read_class_bias(class_bias, NAMES)
