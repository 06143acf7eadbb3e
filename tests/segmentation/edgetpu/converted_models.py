"""Keras models converted by today's converter, for the tests of this folder."""

import numpy as np
import tensorflow as tf


def convert(model, size):
    """Keras model -> int8 .tflite with a fixed batch, calibrated with seeded noise."""
    fixed_input = tf.keras.Input((size, size, 3), batch_size=1)
    converter = tf.lite.TFLiteConverter.from_keras_model(
        tf.keras.Model(fixed_input, model(fixed_input))
    )
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (8, 1, size, size, 3)).astype(np.float32)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image] for image in images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def convert_unet():
    """A small U-Net with every kind of end that a transposed convolution can have.

    Its branches: ReLU alone (zero point -128), ReLU6 that reaches 6 (no effect), ReLU and ReLU6
    concatenated with values below 0 (the shared zero point is above -128), and none.
    """
    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(1)

    def up(x, activation, gain=1.0, offset=0.0):
        x = layers.Conv2DTranspose(8, 3, strides=2, padding="same", use_bias=False)(x)
        normalized = layers.BatchNormalization(
            gamma_initializer=tf.keras.initializers.Constant(gain),
            beta_initializer=tf.keras.initializers.RandomNormal(stddev=offset)
            if offset
            else "zeros",
        )(x)  # an offset of zeros leaves the transposed convolution without a bias
        return activation(normalized)

    inputs = tf.keras.Input((32, 32, 3))
    skip = layers.Conv2D(8, 3, strides=2, padding="same")(inputs)
    bottom = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(skip)
    parts = [
        up(bottom, layers.ReLU()),
        up(bottom, layers.ReLU(6.0), gain=100.0, offset=1.0),
        layers.Concatenate()([up(bottom, layers.ReLU(), offset=1.0), skip]),
        layers.Concatenate()([up(bottom, layers.ReLU(6.0), gain=100.0), skip]),
    ]
    parts = [layers.Conv2D(8, 1)(part) for part in parts]
    logits = layers.Conv2DTranspose(3, 3, strides=2, padding="same")(layers.Add()(parts))
    return convert(tf.keras.Model(inputs, logits), 32)
