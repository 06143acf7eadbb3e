"""Tests of tflite_convert.py: every tensor is int8, the input is pixel - 128."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_sets import write_square_pairs

import import_data
import tflite_convert
from device import tflite
from device.errors import InputError
from get_model import get_model
from segmentation.edgetpu.repair import unfuse_activations
from segmentation.edgetpu.report import check_model
from segmentation.int8 import calibration
from segmentation.int8.quantize import prepare, quantize


@pytest.fixture(scope="module")
def small():
    """A random model of 32x64, images, and its int8 conversion."""
    keras.utils.set_random_seed(0)
    model = get_model((32, 64), 3, weights=None, decoder_filters=(16, 16, 8, 8))
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 64, 3), dtype=np.uint8)
    for _ in range(30):  # its batch normalization has to know the images, or all logits are alike
        model(images.astype(np.float32), training=True)
    images[0, 0, 0], images[0, -1, -1] = 0, 255
    return model, images, quantize(prepare(model, images), images)


@pytest.mark.slow
def test_every_tensor_is_int8_and_the_input_is_pixel_minus_128(small):
    (in_scale, in_zero), (out_scale, _) = tflite_convert.check_all_int8(small[2])
    assert np.isclose(in_scale, 2 / 255) and in_zero == -1 and out_scale > 0
    interpreter = tf.lite.Interpreter(model_content=small[2])
    assert interpreter.get_input_details()[0]["shape"].tolist() == [1, 32, 64, 3]
    assert interpreter.get_input_details()[0]["shape_signature"].tolist() == [1, 32, 64, 3]
    assert interpreter.get_input_details()[0]["dtype"] == np.int8
    assert interpreter.get_output_details()[0]["dtype"] == np.int8
    assert interpreter.get_output_details()[0]["shape"].tolist() == [1, 16, 32, 4 * 3]


@pytest.mark.slow
def test_no_operation_stands_before_the_first_convolution(small):
    interpreter = tf.lite.Interpreter(
        model_content=small[2],
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF)
    first = interpreter._get_ops_details()[0]
    assert first["op_name"] == "CONV_2D"
    assert first["inputs"][0] == interpreter.get_input_details()[0]["index"]
    names = {operation["op_name"] for operation in interpreter._get_ops_details()}
    assert not names & {"QUANTIZE", "DEQUANTIZE", "SOFTMAX", "ARG_MAX", "SHAPE", "PACK"}


@pytest.mark.slow
def test_int8_logits_follow_the_keras_model(small, tmp_path):
    model, images, model_bytes = small
    (tmp_path / "a.tflite").write_bytes(model_bytes)
    interpreter = tflite.open_model(tmp_path / "a.tflite")
    scale, zero_point = interpreter.get_output_details()[0]["quantization"]
    expected = model(images.astype(np.float32), training=False).numpy()
    logits = np.stack([tflite.run_model(interpreter, image) for image in images])
    real = scale * (logits.astype(np.float32) - zero_point)
    assert np.abs(real - expected).mean() < 0.1 * expected.std()


def test_a_float_model_is_refused():
    @tf.function(input_signature=[tf.TensorSpec((1, 4, 4, 3), tf.float32)])
    def double(image):
        return 2 * image

    converter = tf.lite.TFLiteConverter.from_concrete_functions([double.get_concrete_function()])
    with pytest.raises(InputError, match="can't be made int8"):
        tflite_convert.check_all_int8(converter.convert())


@pytest.mark.slow
def test_uint8_in_and_out_where_a_tool_wants_it(small, tmp_path):
    model, images, int8_bytes = small
    uint8_bytes = quantize(prepare(model, images), images, "uint8", "uint8")
    (in_scale, in_zero), _ = tflite_convert.check_all_int8(uint8_bytes)
    assert np.isclose(in_scale, 2 / 255) and in_zero == 127
    results = []
    for name, model_bytes in (("a", int8_bytes), ("b", uint8_bytes)):
        (tmp_path / name).write_bytes(model_bytes)
        results.append(tflite.run_model(tflite.open_model(tmp_path / name), images[1]))
    assert results[0].dtype == np.int8 and results[1].dtype == np.uint8
    assert (results[0].astype(int) + 128 == results[1]).all()


@pytest.mark.slow
def test_repaired_file_is_lowered_and_must_give_the_same_bits(small):
    _, images, model_bytes = small
    repaired = unfuse_activations(model_bytes)
    versions = {row["name"]: row["version"] for row in check_model(repaired)["rows"]}
    assert versions["TRANSPOSE_CONV"] <= 3
    assert check_model(model_bytes)["exit_code"] == 1 and check_model(repaired)["exit_code"] == 0
    tflite_convert.check_same_bits(model_bytes, repaired, images)
    keras.utils.set_random_seed(5)
    other = get_model((32, 64), 3, weights=None, decoder_filters=(16, 16, 8, 8))
    with pytest.raises(InputError, match=r"differs from the converter's in \d+ of"):
        tflite_convert.check_same_bits(
            model_bytes, quantize(prepare(other, images), images), images)


def test_calibration_images_are_training_images_with_extreme_pixels(folders, monkeypatch):
    write_square_pairs(folders, 10)
    monkeypatch.setattr(calibration, "CALIBRATION_IMAGES", 4)
    info = {"training_images": [f"{index:03}.png" for index in range(8)], "ignore_label": 255,
            "image_dir": str(folders[0]), "label_dir": str(folders[1]), "image_size": [32, 32],
            "class_names": ["background", "square", "disc"]}
    images = import_data.load_calibration_images(json.loads(json.dumps(info)))
    assert images.shape == (4, 32, 32, 3) and images.min() == 0 and images.max() == 255
