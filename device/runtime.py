"""Finds the TFLite runtime; says in one sentence why one can't be used, and what to do."""

import contextlib
import importlib
import importlib.metadata
import io
import os
import re
from typing import Any, NamedTuple

import numpy as np

from device.errors import InputError, shorten
from device.quiet import quiet_stderr

# Name on PyPI: the module with Interpreter and load_delegate. On the CPU the first that can be
# imported is taken: ai-edge-litert runs the model 30 times as fast as tflite-runtime 2.14 (x86).
RUNTIMES = {
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
    "tensorflow": "tensorflow.lite.python.interpreter",
}
EDGETPU_RUNTIME = "tflite-runtime"  # taken first there: it is installed to match a libedgetpu


class Runtime(NamedTuple):
    """A TFLite runtime: its name on PyPI, its version, and its module."""

    name: str
    version: str
    module: Any

    def __str__(self):
        return f"{self.name} {self.version}"


def load_runtime(name=None, for_edgetpu=False, say=print):
    """Imports a TFLite runtime.

    Args: name, a key of RUNTIMES, or None: the first that can be imported; for_edgetpu, True: of
        these EDGETPU_RUNTIME before the others; say, a function that is given a sentence for each
        runtime that is installed, but can't be imported.
    Returns: Runtime. Raises: InputError where there is none, with the reasons and the remedy.
    """
    if name is not None and name not in RUNTIMES:
        raise InputError(f"RUNTIME is {name!r}, but it must be None or one of "
                         f"{', '.join(RUNTIMES)}.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's own notes hide our lines
    broken = []
    order = sorted(RUNTIMES, key=lambda package: for_edgetpu and package != EDGETPU_RUNTIME)
    for package in order if name is None else [name]:
        try:
            with hold_numpy_lines(), quiet_stderr():
                module = importlib.import_module(RUNTIMES[package])
                runtime = Runtime(package, find_version(package, module), module)
                check_numpy(runtime)
        except Exception as error:  # SystemError, AttributeError, ...: whatever C code raises
            if not _is_missing(error, RUNTIMES[package]):
                broken.append(describe_failure(package, error))
            continue
        for sentence in broken:
            say(f"{sentence} {package} is used instead.")
        return runtime
    missing = f"{name} is not" if name else "No TFLite runtime is"
    raise InputError(" ".join(broken)
                     or f"{missing} installed: pip install {name or 'ai-edge-litert'}.")


def hold_numpy_lines():
    """Holds back the 46 lines that a runtime prints before it fails with another numpy."""
    return contextlib.redirect_stderr(io.StringIO())


def check_numpy(runtime):
    """Raises SystemError for the last tflite-runtime on PyPI and numpy 2.

    It can be imported, but fails when it opens a model: too late to take another one.
    """
    if runtime.name == "tflite-runtime" and not has_numpy_1() and re.match(
            r"(1|2\.\d|2\.1[0-4])\.", runtime.version):
        raise SystemError("built for numpy 1")


def _is_missing(error, module):
    return (isinstance(error, ModuleNotFoundError)
            and error.name in (module.partition(".")[0], module))


def find_version(package, module):
    """Returns a package's version, from its installation or from the module itself."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # a part of another package, as tensorflow-cpu
        root = importlib.import_module(module.__name__.partition(".")[0])
        return getattr(root, "__version__", "of unknown version")


def describe_failure(package, error):
    """Returns a sentence: why a runtime that is installed can't be used, and the remedy."""
    if package == "tflite-runtime" and not has_numpy_1():
        return (f'tflite-runtime was built for numpy 1 and fails with numpy {np.__version__}: '
                f'pip install "numpy<2".')
    return (f"{package} is installed, but fails ({type(error).__name__}: {shorten(str(error))}): "
            f"install it again, or another of {', '.join(RUNTIMES)}.")


def has_numpy_1():
    """Returns whether the installed numpy is a version 1, for which tflite-runtime was built."""
    return np.__version__.startswith("1.")
