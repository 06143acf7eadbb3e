"""Tests of device/runtime.py: which runtime is taken, and why one can't be."""

import sys

import numpy as np
import pytest

from device import runtime
from device.errors import InputError


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Two packages on the path: one that works, one that was built for another numpy."""
    (tmp_path / "works").mkdir()
    (tmp_path / "works" / "__init__.py").write_text("__version__ = '1.5'\n")
    (tmp_path / "works" / "interpreter.py").write_text("class Interpreter:\n    pass\n")
    (tmp_path / "broken_one.py").write_text(
        "import sys\nprint('A module that was compiled using NumPy 1.x', file=sys.stderr)\n"
        "raise SystemError('initialization raised unreported exception')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(runtime, "RUNTIMES", {
        "not-there": "no_such_runtime.interpreter", "tflite-runtime": "broken_one",
        "works": "works.interpreter"})
    yield
    for name in ("works", "works.interpreter", "broken_one"):
        sys.modules.pop(name, None)


def test_a_broken_runtime_is_passed_over_with_a_sentence(packages, monkeypatch, capsys):
    monkeypatch.setattr(np, "__version__", "2.4.6")
    said = []
    found = runtime.load_runtime(say=said.append)
    assert (found.name, found.version, str(found)) == ("works", "1.5", "works 1.5")
    assert hasattr(found.module, "Interpreter")
    assert said == ['tflite-runtime was built for numpy 1 and fails with numpy 2.4.6: '
                    'pip install "numpy<2". works is used instead.']
    assert capsys.readouterr().err == ""  # none of the 46 lines


def test_the_edge_tpu_prefers_the_runtime_that_matches_its_library(packages, monkeypatch):
    monkeypatch.setattr(runtime, "EDGETPU_RUNTIME", "second")
    monkeypatch.setattr(runtime, "RUNTIMES", {"works": "works.interpreter", "second": "works"})
    assert runtime.load_runtime().name == "works"
    assert runtime.load_runtime(for_edgetpu=True).name == "second"
    assert runtime.load_runtime("works", for_edgetpu=True).name == "works"


def test_a_broken_runtime_that_is_asked_for(packages, monkeypatch):
    monkeypatch.setattr(np, "__version__", "2.4.6")
    with pytest.raises(InputError, match=r'built for numpy 1.*pip install "numpy<2"\.$'):
        runtime.load_runtime("tflite-runtime")
    monkeypatch.setattr(np, "__version__", "1.26.4")
    with pytest.raises(InputError, match=r"fails \(SystemError: initialization.*install it again"):
        runtime.load_runtime("tflite-runtime")


def test_no_runtime(monkeypatch):
    monkeypatch.setattr(runtime, "RUNTIMES", {"a": "no_such_runtime", "b": "nor_this.interpreter"})
    with pytest.raises(InputError, match="No TFLite runtime is installed: pip install ai-edge-lit"):
        runtime.load_runtime()
    with pytest.raises(InputError, match="b is not installed: pip install b"):
        runtime.load_runtime("b")
    with pytest.raises(InputError, match="RUNTIME is 'c', but it must be None or one of a, b"):
        runtime.load_runtime("c")


@pytest.mark.parametrize("version, numpy_version, fails", [
    ("2.14.0", "2.4.6", True), ("2.7.0", "2.0.2", True), ("2.14.0", "1.26.4", False),
    ("2.17.1", "2.4.6", False)])
def test_one_that_fails_only_when_it_opens_a_model(monkeypatch, version, numpy_version, fails):
    monkeypatch.setattr(np, "__version__", numpy_version)
    found = runtime.Runtime("tflite-runtime", version, None)
    if fails:
        with pytest.raises(SystemError):
            runtime.check_numpy(found)
    else:
        runtime.check_numpy(found)
