"""Converts the trained Keras model to a full-int8 .tflite for the Edge TPU.

    python tflite_convert.py

Reads model.keras and model.json in OUTPUT_DIR and calibrates with the training images they name;
writes model_int8.tflite: batch 1, int8 in (pixel - 128) and out (logits), no float operation.
"""

import sys
from pathlib import Path

import keras
import numpy as np

from import_data import InputError, import_images
from main import OUTPUT_DIR
from measuring import read_model_info, write_whole
from quantise import (
    REFERENCE_KERNELS,
    calibration_indices,
    open_bytes,
    quantise,
    unscaled,
    with_both_ends,
)

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


def load_calibration_images(info):
    """Reads the calibration images that model.json names, uint8 (n, height, width, 3)."""
    names = info["training_images"]
    chosen = [names[index] for index in calibration_indices(len(names))]
    images, _, _ = import_images(
        info["image_dir"], info["label_dir"], info["image_size"], info["class_names"],
        info["ignore_label"], chosen, verbose=False)
    return with_both_ends(images)


def check_all_int8(model_bytes):
    """Returns the input's and the output's (scale, zero point) of a .tflite.

    Raises: InputError where a tensor is neither int8 nor an int32 bias or shape.
    """
    interpreter = open_bytes(model_bytes, experimental_op_resolver_type=REFERENCE_KERNELS)
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
    model_bytes = quantise(unscaled(load_model(OUTPUT_DIR)), load_calibration_images(info))
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
