"""Tests of reading .tflite files: what is no model or a damaged one is one sentence."""

import json

import flatbuffers
import numpy as np
import pytest
from tflite_by_hand import (
    PLAIN_CONV,
)

from device.errors import InputError
from segmentation.edgetpu import __main__
from segmentation.edgetpu.repair import unfuse_activations
from segmentation.edgetpu.report import check_model
from segmentation.edgetpu.tflite_file import read_model


@pytest.mark.parametrize(
    "content, word",
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n" * 9, "not a .tflite"),
        (b"TFL", "not a .tflite"),
        (PLAIN_CONV[:40], "truncated"),
        (PLAIN_CONV[: len(PLAIN_CONV) // 2], "truncated"),
        (None, "no such file"),
    ],
)
def test_what_is_no_model_is_one_sentence(tmp_path, content, word):
    path = tmp_path / "model.tflite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as error:
        __main__.main([str(path)])
    assert word in str(error.value) and len(str(error.value).splitlines()) == 1
    assert not (tmp_path / __main__.REPORT_NAME).exists()


def test_constants_behind_the_model_are_one_sentence():
    """So writes ai-edge-quantizer, and the compiler then maps next to nothing."""
    model = read_model(PLAIN_CONV)
    model.buffers[1].data, model.buffers[1].offset, model.buffers[1].size = None, 64, 16
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    with pytest.raises(InputError, match="stand behind the model"):
        check_model(bytes(builder.Output()))


def test_truncated_and_flipped_files_never_trace_back(unet):
    """300 seeded damages: an InputError or a report that json takes, nothing else; the same for the
    repair."""
    random = np.random.default_rng(3)
    for number in range(300):
        data = bytearray(unet)
        if number % 3 == 0:
            data = data[: random.integers(1, len(data))]
        else:  # in the first and last 8 kB lies the structure, between them mostly weights
            for place in random.integers(0, 8192, random.integers(1, 6)):
                data[place * random.choice([-1, 1])] = random.integers(0, 256)
        try:
            json.dumps(check_model(bytes(data)), allow_nan=False)
            unfuse_activations(bytes(data))
        except InputError as error:
            assert "tflite" in str(error)
