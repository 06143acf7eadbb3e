"""Compares a model on the Coral era's own runtime, TensorFlow 2.5.3, with today's: bit for bit.

    python tests/coral_era/run_on_tf25.py output/model_int8.tflite sample_data/images

Makes, once, a virtual environment with Python 3.9 and TensorFlow 2.5.3 in the user's cache folder
(1.3 GB), loads the model there, and compares the reference kernels of both on IMAGE_COUNT real
images. edgetpu_compiler 16 reads files with TensorFlow 2.5: what does not load here does not
compile either. Prints one line: the result, or why it was skipped (no Python 3.9, packages not
installable). Exit code: 0 identical or skipped, 1 different or not loadable, 2 nothing to compare
(no model, no images).
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

MODEL_PATH = "output/model_int8.tflite"  # where no other is named
IMAGE_FOLDER = "sample_data/images"  # searched with its subfolders; where no other is named
IMAGE_COUNT = 20  # evenly spread over the folder
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")

OLD_PYTHON = "3.9"
OLD_PACKAGES = ("tensorflow==2.5.3", "numpy==1.19.5", "protobuf==3.20.3")
CACHE_NAME = "coral_era_tf253"  # folder of the virtual environment
READY_NAME = "ready.txt"  # in it, written when all packages are installed
INSTALL_SECONDS = 900  # limit
RUN_SECONDS = 900  # limit of one side's inference

RUNNER = Path(__file__).with_name("reference_kernels.py")


class SkippedError(Exception):
    """The comparison can't be made on this machine; the text says why."""


def find_old_python():
    """Path of a Python 3.9, from the PATH or pyenv's versions. Raises SkippedError without."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [shutil.which(f"python{OLD_PYTHON}")]
    candidates += sorted(
        pyenv.glob(f"versions/{OLD_PYTHON}.*/bin/python{OLD_PYTHON}"), reverse=True
    )
    for candidate in filter(None, candidates):
        command = [str(candidate), "-c", "import sys, venv; print('%d.%d' % sys.version_info[:2])"]
        answer = subprocess.run(
            command, capture_output=True, text=True
        )  # a shim of pyenv may be there and not run
        if answer.returncode == 0 and answer.stdout.strip() == OLD_PYTHON:
            return str(candidate)
    raise SkippedError(f"no Python {OLD_PYTHON} on the PATH or among pyenv's versions")


def cache_folder():
    """A folder that outlives the run: in the user's cache, else the system's temporary folder."""
    user_cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for parent in (user_cache, Path(tempfile.gettempdir())):
        try:
            (parent / CACHE_NAME).mkdir(parents=True, exist_ok=True)
            return parent / CACHE_NAME
        except OSError:
            continue
    raise SkippedError("no folder for the virtual environment is writable")


def clean_environment():
    """The environment without what leads a Python to another one's packages."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }


def make_venv(python, folder):
    """The command that makes an empty virtual environment, also over a half-finished one."""
    return [python, "-m", "venv", "--clear", str(folder)]


def last_words(text):
    """An error output's message as one line: from the last line naming an error on."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["no message"]
    named = [number for number, line in enumerate(lines) if re.match(r"(\w*Error|ERROR): ", line)]
    return " ".join(lines[named[-1] if named else -1 :])


def old_environment():
    """Path of the Python with TensorFlow 2.5.3; its environment is made on the first call."""
    folder = cache_folder()
    python, ready = folder / "bin" / "python", folder / READY_NAME
    wanted = "\n".join(OLD_PACKAGES)
    if ready.is_file() and ready.read_text() == wanted and python.exists():
        return str(python)
    install = [
        str(python),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        *OLD_PACKAGES,
    ]
    for command in (make_venv(find_old_python(), folder), install):
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                env=clean_environment(),
                timeout=INSTALL_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise SkippedError(
                f"{', '.join(OLD_PACKAGES)} took more than {INSTALL_SECONDS} s to install"
            ) from None
        if done.returncode:
            raise SkippedError(
                f"{', '.join(OLD_PACKAGES)} can't be installed: {last_words(done.stderr)}"
            )
    ready.write_text(wanted)
    return str(python)


def model_input(model_path):
    """(height, width, type name) of a model's input: one 8-bit RGB image, else ValueError."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from segmentation.edgetpu import report

    tensors = report.check_model(model_path)["inputs"]
    found = [(tensor["dtype"], *tensor["shape"]) for tensor in tensors]
    match found:
        case [("INT8" | "UINT8" as dtype, 1, height, width, 3)]:
            return height, width, dtype
    raise ValueError(f"{model_path}: not one int8 or uint8 image (1, height, width, 3): {found}")


def read_images(folder, height, width, dtype):
    """Images of a folder as (count, height, width, 3): int8 is pixel - 128, uint8 the pixel."""
    paths = sorted(
        path for path in Path(folder).rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES
    )
    if not paths:
        raise ValueError(f"{folder}: no images ({', '.join(IMAGE_SUFFIXES)})")
    chosen = [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, IMAGE_COUNT).astype(int))]
    images = []
    for path in chosen:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
            images.append(np.asarray(upright.resize((width, height), Image.Resampling.BILINEAR)))
    pixels = np.stack(images)
    return (pixels.astype(np.int16) - 128).astype(np.int8) if dtype == "INT8" else pixels


def run_under(python, model_path, images_path, outputs_path):
    """Outputs under one Python. Raises ValueError with that TensorFlow's last words."""
    command = [
        python,
        "-I",
        str(RUNNER),
        str(Path(model_path).resolve()),
        str(images_path),
        str(outputs_path),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=clean_environment(), timeout=RUN_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"it took more than {RUN_SECONDS} s") from None
    if done.returncode:
        raise ValueError(last_words(done.stderr))
    return np.load(outputs_path, allow_pickle=False)


def compare(model_path, image_folder):
    """Compares both runtimes: returns (identical, sentence).

    Raises SkippedError, or ValueError or FileNotFoundError where there is nothing to compare.
    """
    height, width, dtype = model_input(model_path)
    images = read_images(image_folder, height, width, dtype)
    python = old_environment()
    outputs = {}
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "images.npy"), images)
        for name, side in (("today's TensorFlow", sys.executable), ("TensorFlow 2.5.3", python)):
            try:
                outputs[name] = run_under(
                    side, model_path, Path(folder, "images.npy"), Path(folder, "outputs.npy")
                )
            except ValueError as error:
                return False, f"{name} does not run {model_path}: {error}"
    today, old = outputs.values()
    if today.dtype != old.dtype or today.shape != old.shape:
        return (
            False,
            f"outputs differ in kind: {today.dtype} {today.shape} and {old.dtype} {old.shape}",
        )
    differing = int((today != old).sum())
    counts = f"{len(images)} images, {old.size:,} output values, {differing:,} differ"
    sentence = f"{counts} between today's TensorFlow and 2.5.3"
    return differing == 0, sentence


def main(arguments=None):
    """Prints one line and returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    model_path, image_folder = given + [MODEL_PATH, IMAGE_FOLDER][len(given) :]
    try:
        identical, sentence = compare(model_path, image_folder)
    except SkippedError as reason:
        print(f"coral era: skipped: {reason}")
        return 0
    except (ValueError, FileNotFoundError) as error:
        print(f"coral era: nothing to compare: {error}")
        return 2
    print(f"coral era: {'identical' if identical else 'DIFFERENT'}: {sentence}")
    return 0 if identical else 1


if __name__ == "__main__":
    sys.exit(main())
