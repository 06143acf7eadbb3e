"""Makes output/device: all that a device needs, in one folder to copy."""

import shutil
from pathlib import Path

from device.files import write_json, write_whole
from device.model_files import HASHES_FIELD, find_model_files, hash_file, name_compiled
from device.model_info import MODEL_INFO_FILE, TFLITE_FILE, read_model_info

DEVICE_DIR = "device"  # in OUTPUT_DIR
ROOT = Path(__file__).resolve().parents[1]  # of the project: predict.py and device/ lie there
EXAMPLES = 5  # validation images that go along, so that predict.py has something to show at once


def record_hashes(output_dir, compiled):
    """Writes into model.json the SHA-256 of the .tflite and of the file compiled from it.

    By these a device knows whether the files belong together and are whole.
    Args: compiled, whether the .tflite was just compiled; else a file that was compiled elsewhere
        is judged by its content.
    """
    output_dir = Path(output_dir)
    path, info = output_dir / TFLITE_FILE, read_model_info(output_dir, needed=())
    paths = [path, name_compiled(path)] if compiled else [path]
    info[HASHES_FIELD] = {path.name: hash_file(path) for path in paths}
    write_json(output_dir / MODEL_INFO_FILE, info)


def write_device_folder(output_dir):
    """Makes output_dir/device, over an earlier one; what else lies in it is kept.

    It holds predict.py, device/, model.json, the .tflite, the compiled file where there is one that
    belongs to it, requirements.txt, a README, and a few validation images.
    Returns: its path.
    """
    output_dir = Path(output_dir)
    folder = output_dir / DEVICE_DIR
    files = find_model_files(output_dir)
    copies = {"predict.py": ROOT / "predict.py", MODEL_INFO_FILE: output_dir / MODEL_INFO_FILE,
              "requirements.txt": ROOT / "device" / "requirements.txt",
              "README.md": ROOT / "device" / "README.md"}
    copies.update({f"device/{path.name}": path for path in (ROOT / "device").glob("*.py")})
    copies.update({path.name: path for path in (files.plain, files.compiled) if path})
    copies.update({f"images/{path.name}": path for path in list_examples(output_dir)})
    if files.compiled is None:  # one of an earlier model would be taken for this one's
        name_compiled(folder / TFLITE_FILE).unlink(missing_ok=True)
    for name, source in copies.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with open(source, "rb") as file:
            write_whole(folder / name, lambda copy, file=file: shutil.copyfileobj(file, copy))
    return folder


def list_examples(output_dir):
    """Returns the paths of the first few validation images that model.json names and that exist."""
    info = read_model_info(output_dir, needed=())
    paths = [Path(info.get("validation_image_dir", "")) / name
             for name in info.get("validation_images", ())[:EXAMPLES]]
    return [path for path in paths if path.is_file()]
