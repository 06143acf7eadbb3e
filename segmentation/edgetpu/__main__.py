"""Checks a .tflite file against what the Edge TPU's compiler takes, without having the compiler.

    python -m segmentation.edgetpu output/model_int8.tflite
    python -m segmentation.edgetpu model.tflite model_edgetpu.tflite

Reads the file with TensorFlow's own flatbuffer classes (TensorFlow itself is not started). Prints
the file's verdict, the kinds of operation that are not OK with what to change, all others in a
line, and an estimate of the time on a USB stick. The same is written beside the model as
edgetpu_report.json. Works on any .tflite, compiled ones too. With a second file, what the compiler
made of the first, prints where the check was wrong and the rows that evidence.json lacks.

Verdicts: REFUSED (the compiler rejects the file), CPU (runs on the host), RISK (the logs disagree,
or it is larger than what was seen), NOTE, OK (mapped in comparable evidence). The compiler decides.
Exit code: 1 refused or unreadable, 2 operations left on the CPU, 0 no known obstacle.
"""

import sys
from pathlib import Path

from device.errors import run_script
from device.files import write_json
from segmentation.edgetpu.compare import compare, format_comparison
from segmentation.edgetpu.report import check_model, format_report

MODEL_PATH = "output/model_int8.tflite"  # checked when no file is named on the command line
REPORT_NAME = "edgetpu_report.json"  # written beside the model


def main(arguments=None):
    """Checks the named file or MODEL_PATH, prints and writes the report; returns the exit code.

    Raises: InputError where there is no such file, or it is damaged or no .tflite.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    path = Path(arguments[0] if arguments else MODEL_PATH)
    if len(arguments) > 1:
        print(format_comparison(compare(path, arguments[1]), path.stem))
        return 0
    report = check_model(path)
    print(f"{path}\n\n{format_report(report)}")
    report_path = path.with_name(REPORT_NAME)
    write_json(report_path, report)
    print(f"Written to {report_path}.")
    return report["exit_code"]


if __name__ == "__main__":
    run_script(main)
