"""Finds the TFLite runtime; says in one sentence why one can't be used, and what to do."""

import contextlib
import importlib
import importlib.metadata
import io
import os
from typing import Any, NamedTuple

import numpy as np

from device.errors import InputError, shorten
from device.quiet import quiet_stderr

# Name on PyPI: the module with Interpreter and load_delegate. The first that can be imported is
# taken: tflite-runtime first, because it is only ever installed to match a certain libedgetpu.
RUNTIMES = {
    "tflite-runtime": "tflite_runtime.interpreter",
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tensorflow": "tensorflow.lite.python.interpreter",
}


class Runtime(NamedTuple):
    """A TFLite runtime: its name on PyPI, its version, and its module."""

    name: str
    version: str
    module: Any

    def __str__(self):
        return f"{self.name} {self.version}"


def load_runtime(name=None, say=print):
    """Imports a TFLite runtime.

    Args: name, a key of RUNTIMES, or None: the first that can be imported; say, a function that is
        given a sentence for each runtime that is installed, but can't be imported.
    Returns: Runtime. Raises: InputError where there is none, with the reasons and the remedy.
    """
    if name is not None and name not in RUNTIMES:
        raise InputError(f"RUNTIME is {name!r}, but it must be None or one of "
                         f"{', '.join(RUNTIMES)}.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's own notes hide our lines
    broken = []
    for package in RUNTIMES if name is None else [name]:
        try:
            # With a numpy that it was not built for, a runtime prints 46 lines before it fails.
            with contextlib.redirect_stderr(io.StringIO()), quiet_stderr():
                module = importlib.import_module(RUNTIMES[package])
        except Exception as error:  # SystemError, AttributeError, ...: whatever C code raises
            if not _is_missing(error, RUNTIMES[package]):
                broken.append(describe_failure(package, error))
            continue
        for sentence in broken:
            say(f"{sentence} {package} is used instead.")
        return Runtime(package, find_version(package, module), module)
    missing = f"{name} is not" if name else "No TFLite runtime is"
    raise InputError(" ".join(broken)
                     or f"{missing} installed: pip install {name or 'ai-edge-litert'}.")


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
