"""Imports Keras and TensorFlow, set as our models need them: from segmentation.tensorflow_setup.

Other projects' choices, in the environment or in ~/.keras/keras.json (another backend, channels
first, float16), do not count in our process. Lines of TensorFlow that say nothing are held back.
"""

import os

from device.errors import InputError
from device.quiet import quiet_stderr

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's notes would hide ours
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # a sixth faster here; off by default on AVX2

with quiet_stderr():
    import keras
    import tensorflow as tf

if keras.backend.backend() != "tensorflow":  # a notebook imported it before
    raise InputError(f"Keras has been imported with the backend {keras.backend.backend()}, but "
                     f"TensorFlow is needed: restart Python and import main first.")
keras.config.set_image_data_format("channels_last")
keras.config.set_floatx("float32")
keras.config.set_dtype_policy("float32")
keras.config.set_epsilon(1e-7)

__all__ = ["keras", "tf"]
