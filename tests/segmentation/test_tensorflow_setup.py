"""Tests of tensorflow_setup.py: other projects' settings of Keras do not reach ours."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import numpy as np
from get_model import get_model
model = get_model((32, 64), 2, None, (8, 8, 8, 8))
print(model.output_shape, model.weights[0].dtype, model(np.zeros((1, 32, 64, 3))).dtype.name)
"""


def run(code, **environment):
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True,
                          env={**os.environ, **environment}, check=False)


@pytest.mark.slow
def test_keras_json_and_environment_of_other_projects(tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({
        "backend": "jax", "image_data_format": "channels_first", "floatx": "float16",
        "epsilon": 0.1}))
    result = run(CODE, KERAS_HOME=str(tmp_path), KERAS_BACKEND="torch")
    assert result.stdout == "(None, 32, 64, 2) float32 float32\n", result.stderr
    assert "port.cc" not in result.stderr and "cudart" not in result.stderr


@pytest.mark.slow
def test_keras_that_was_imported_before_with_another_backend():
    result = run("import keras; keras.backend.backend = lambda: 'jax'; import get_model")
    assert "imported with the backend jax, but TensorFlow is needed" in result.stderr
