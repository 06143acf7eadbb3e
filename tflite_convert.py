"""Converts the trained Keras model to a full-int8 .tflite for the Edge TPU.

    python tflite_convert.py

Reads model.keras and model.json in OUTPUT_DIR and calibrates with the training images they name;
writes model_int8.tflite: batch 1, int8 in (pixel - 128) and out (logits), no float operation.
"""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from import_data import InputError, import_images
from main import OUTPUT_DIR
from measuring import read_model_info, write_whole

CALIBRATION_IMAGES = 100  # training images, evenly spaced, that set the ranges of all tensors
MODEL_FILE = "model_int8.tflite"


def load_model(folder):
    """Opens model.keras without custom code (Keras' safe mode), not compiled.

    Raises: InputError where it is missing or no Keras model.
    """
    path = Path(folder) / "model.keras"
    if not path.is_file():
        raise InputError(f"There is no {path}: run main.py first, or correct OUTPUT_DIR.")
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise InputError(f"{path} can't be opened as a Keras model: train again.") from error


def fix_batch(model):
    """Returns the model for one image in [-1, 1]: batch 1, without the scaling of 0..255.

    The scaling becomes the quantisation of the input, so that no operation is left of it.
    """
    unscaled = keras.Model(model.get_layer("scale_input").output, model.output)
    image = keras.Input(unscaled.input_shape[1:], batch_size=1, name="image")
    return keras.Model(image, unscaled(image, training=False))


def load_calibration_images(info):
    """Reads the calibration images that model.json names, uint8 (n, height, width, 3)."""
    names = info["training_images"]
    count = min(CALIBRATION_IMAGES, len(names))
    chosen = [names[index] for index in np.linspace(0, len(names) - 1, count).astype(int)]
    images, _, _ = import_images(
        info["image_dir"], info["label_dir"], info["image_size"], info["class_names"],
        info["ignore_label"], chosen, verbose=False)
    images[0, 0, 0], images[0, -1, -1] = 0, 255  # so that the input's range is exactly 0..255
    return images


def convert(model, calibration_images):
    """Quantises a Keras model to int8, weights and activations, inputs and outputs.

    Args: model as fix_batch returns it, calibration_images uint8 (n, height, width, 3).
    Returns: bytes of the .tflite file.
    """
    def calibration_data():
        for number, image in enumerate(calibration_images, 1):
            if number % 25 == 0:
                print(f"Calibrating: {number} of {len(calibration_images)} images", flush=True)
            yield [np.float32(image[None]) / 127.5 - 1]

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = calibration_data
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def check_all_int8(model_bytes):
    """Returns the input's and the output's (scale, zero point) of a .tflite.

    Raises: InputError where a tensor is neither int8 nor an int32 bias or shape.
    """
    interpreter = tf.lite.Interpreter(
        model_content=model_bytes,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    others = [tensor["name"] for tensor in interpreter.get_tensor_details()
              if tensor["dtype"] not in (np.int8, np.int32)]
    if others:
        raise InputError(f"{len(others)} tensor(s) can't be made int8: {', '.join(others[:5])}; "
                         f"the model must be one that main.py made.")
    return (interpreter.get_input_details()[0]["quantization"],
            interpreter.get_output_details()[0]["quantization"])


def main():
    """Reads the model, converts, checks, writes, and prints what came out."""
    info = read_model_info(OUTPUT_DIR)
    model_bytes = convert(fix_batch(load_model(OUTPUT_DIR)), load_calibration_images(info))
    (in_scale, in_zero), (out_scale, out_zero) = check_all_int8(model_bytes)
    path = Path(OUTPUT_DIR) / MODEL_FILE
    write_whole(path, lambda file: file.write(model_bytes))
    print(f"{path}: {len(model_bytes):,} bytes, every tensor int8 (biases int32)")
    print(f"input: scale {in_scale:.8f}, zero point {in_zero}; output: scale {out_scale:.8f}, "
          f"zero point {out_zero}")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"Error: {error}")
