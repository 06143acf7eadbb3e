"""Converts the trained Keras model to a full-int8 .tflite that the Edge TPU's compiler takes.

    python tflite_convert.py

Reads model.keras and model.json in OUTPUT_DIR and calibrates with the training images that
model.json names. Writes model_int8.tflite: batch 1, int8 in (pixel - 128), int8 out (logits, of 2x2
pixels in each place: docs/int8.md), no float operation. Compares every operation with what the Edge
TPU's compiler is known to take (edgetpu_report.json). Where edgetpu_compiler is installed it is run
and leaves model_int8_edgetpu.tflite. Exit code 1 where the compiler refuses the file, or would;
else output/device is the folder to copy to a device.
"""

from pathlib import Path

import numpy as np

import main as main_script
from device.errors import InputError, list_names, run_script
from device.files import write_json, write_whole
from device.model_info import TFLITE_FILE, read_model_info
from get_model import load_model
from import_data import CALIBRATION_FIELDS, load_calibration_images
from segmentation.data.moved_folders import find_moved_folders
from segmentation.device_folder import record_hashes, write_device_folder
from segmentation.edgetpu.compiler import (
    compile_model,
    find_compiler,
    format_compile_report,
    how_to_get_compiler,
)
from segmentation.edgetpu.repair import unfuse_activations
from segmentation.edgetpu.report import check_model, format_report
from segmentation.int8.bias_correction import correct_tie_bias
from segmentation.int8.interpreter import REFERENCE_KERNELS, open_bytes, run_images
from segmentation.int8.quantize import prepare, quantize

# The .tflite file
INPUT_TYPE = "int8"  # "int8": pixel - 128; "uint8": the pixel itself, for one more operation
OUTPUT_TYPE = "int8"  # of the logits: "int8" or "uint8"
COMPILER_SECONDS = 300  # time limit of edgetpu_compiler
SAME_IMAGES = 10  # images on which the repaired file must equal the converter's, bit for bit


def check_same_bits(converted, repaired, images):
    """Raises InputError unless both files give the same logits, bit for bit (reference kernels).

    Args: bytes of two .tflite files, images uint8 (n, height, width, 3).
    """
    before, after = (
        run_images(open_bytes(model_bytes, experimental_op_resolver_type=REFERENCE_KERNELS), images)
        for model_bytes in (converted, repaired))
    different = int((before != after).sum())
    if different:
        raise InputError(f"The repaired model differs from the converter's in {different} of "
                         f"{before.size} logits: it was not written; please report this.")


def check_all_int8(model_bytes):
    """Returns (scale, zero point) of the input and of the output of a .tflite.

    Raises: InputError where a tensor is neither int8 nor an int32 bias or shape (input and output
        may be uint8).
    """
    interpreter = open_bytes(model_bytes, experimental_op_resolver_type=REFERENCE_KERNELS)
    ends = interpreter.get_input_details() + interpreter.get_output_details()
    uint8_allowed = {tensor["index"] for tensor in ends}
    others = [tensor["name"] for tensor in interpreter.get_tensor_details()
              if tensor["dtype"] not in (np.int8, np.int32)
              and not (tensor["dtype"] == np.uint8 and tensor["index"] in uint8_allowed)]
    if others:
        raise InputError(f"{len(others)} tensor(s) can't be made int8: {list_names(others)}; "
                         f"the model must be one that main.py made.")
    return [end["quantization"] for end in ends]


def compile_for_edgetpu(path):
    """Runs edgetpu_compiler on a .tflite and prints its report, or how to get the compiler.

    Returns: the report as a dict, see compiler.compile_model; None where there is no compiler.
    """
    if not find_compiler():
        print(how_to_get_compiler())
        return None
    compiled = compile_model(path, COMPILER_SECONDS)
    print(format_compile_report(compiled))
    return compiled


def main():
    """Converts the model, repairs, checks, writes and compiles it; returns the exit code."""
    output_dir = Path(main_script.OUTPUT_DIR).expanduser()
    info = find_moved_folders(read_model_info(output_dir, CALIBRATION_FIELDS), vars(main_script))
    model, images = load_model(output_dir, info), load_calibration_images(info)
    print(f"Quantizing with {len(images)} calibration images ...", flush=True)
    converted = quantize(prepare(model, images), images, INPUT_TYPE, OUTPUT_TYPE)
    print("Balancing the logits ...", flush=True)
    converted = correct_tie_bias(converted, images)
    model_bytes = unfuse_activations(converted)
    check_same_bits(converted, model_bytes, images[:SAME_IMAGES])
    (in_scale, in_zero), (out_scale, out_zero) = check_all_int8(model_bytes)
    path = output_dir / TFLITE_FILE
    write_whole(path, lambda file: file.write(model_bytes))

    report = check_model(path)
    print(f"The check for the Edge TPU (docs/edgetpu.md):\n{format_report(report)}")
    report["compiler"] = compile_for_edgetpu(path)
    failed = report["compiler"] is not None and not report["compiler"]["success"]
    record_hashes(output_dir, compiled=report["compiler"] is not None and not failed)
    write_json(path.with_name("edgetpu_report.json"), report)
    print(f"{path}: {len(model_bytes):,} bytes, every tensor int8 (biases int32)")
    print(f"input: {INPUT_TYPE}, scale {in_scale:.8f}, zero point {in_zero}; "
          f"output: {OUTPUT_TYPE}, scale {out_scale:.8f}, zero point {out_zero}")
    if failed or report["exit_code"] == 1:
        return 1
    print(f"Copy {write_device_folder(output_dir)} to the device: all that it needs is in there.")
    return 0


if __name__ == "__main__":
    run_script(main)
