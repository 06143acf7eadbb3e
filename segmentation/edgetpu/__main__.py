"""Checks a .tflite file against what the Edge TPU's compiler takes, without having the compiler.

    python -m segmentation.edgetpu output/model_int8.tflite

Reads the file with TensorFlow's own flatbuffer classes (TensorFlow itself is not started). Prints
a table, one row a kind of operation: name, version, count, largest output, verdict, reason; then
the file's verdict, its parameter bytes, an estimate of what stays on the chip. The same is written
beside the model as edgetpu_report.json. Works on any .tflite, compiled ones too.

Verdicts: REFUSED (the compiler rejects the file), CPU (runs on the host, with all that depends on
it), RISK (unknown limit), NOTE, OK (mapped in comparable evidence). The compiler decides.
Exit code: 1 refused or unreadable, 2 operations left on the CPU, 0 no known obstacle.
"""

import sys
from pathlib import Path

from device.errors import run_script
from device.files import write_json
from segmentation.edgetpu.report import check_model, format_report

MODEL_PATH = "output/model_int8.tflite"  # checked when no file is named on the command line
REPORT_NAME = "edgetpu_report.json"  # written beside the model


def main(arguments=None):
    """Checks the named file or MODEL_PATH, prints and writes the report; returns the exit code.

    Raises: InputError where there is no such file, or it is damaged or no .tflite.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    path = Path(arguments[0] if arguments else MODEL_PATH)
    report = check_model(path)
    print(f"{path}\n\n{format_report(report)}")
    report_path = path.with_name(REPORT_NAME)
    write_json(report_path, report)
    print(f"Written to {report_path}.")
    return report["exit_code"]


if __name__ == "__main__":
    run_script(main)
