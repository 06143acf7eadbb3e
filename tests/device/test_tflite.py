"""Tests of device/tflite.py: pixels in, logits out, masks; files that are no segmentation model."""

import types
import warnings

import numpy as np
import pytest
from small_models import COLORS, HEIGHT, WIDTH, convert, draw_blocks

from device import tflite
from device.errors import InputError
from device.model_files import is_compiled
from device.runtime import Runtime


@pytest.fixture
def model(models, tmp_path):
    """A copy of the small int8 model."""
    path = tmp_path / "model_int8.tflite"
    path.write_bytes((models / "int8.tflite").read_bytes())
    return path


def test_logits_are_resized_not_the_mask():
    logits = np.zeros((1, 2, 3), np.int8)
    logits[0, 0], logits[0, 1] = (100, 60, -128), (-128, 60, 100)
    mask = tflite.most_likely_classes(logits, (1, 8), (0, 0, 2, 1))
    assert set(mask[0]) == {0, 1, 2}  # class 1 is nowhere the highest before
    assert mask[0, 0] == 0 and mask[0, -1] == 2


def test_negative_logits_keep_their_order():
    logits = np.array([[[-128, -1, -2], [-3, 127, -128]]], np.int8)
    assert tflite.most_likely_classes(logits, (1, 2), (0, 0, 2, 1)).tolist() == [[1, 1]]
    assert tflite.most_likely_classes(logits, (2, 4), (0, 0, 2, 1)).tolist() == [[1] * 4] * 2


def test_folded_logits_move_to_their_pixels():
    folded = np.arange(2 * 8, dtype=np.int8).reshape(1, 2, 8)  # two places of 2x2 pixels, 2 classes
    logits = tflite.unfold_logits(folded)
    assert logits.dtype == np.int8 and logits.tolist() == [
        [[0, 1], [2, 3], [8, 9], [10, 11]], [[4, 5], [6, 7], [12, 13], [14, 15]]]


@pytest.mark.parametrize("logits_shape, expected", [
    ((16, 24, 12), True), ((16, 24, 8), True), ((32, 48, 12), False), ((16, 24, 3), False),
    ((16, 24, 4), False), ((16, 12, 12), False), ((8, 12, 16), False)])
def test_logits_of_half_size_are_folded(logits_shape, expected):
    assert tflite.is_folded((32, 48, 3), logits_shape) == expected


def test_quantize_image_is_pixel_minus_128():
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for scale in (2 / 255, float(np.float32(2 / 255)), 0.007843137718737125, 0.00784313678741455):
        for quantization in (None, (scale, -1)):
            int8 = tflite.quantize_image(pixels, np.int8, quantization)
            assert int8.dtype == np.int8 and np.array_equal(int8, pixels.astype(int) - 128)
        uint8 = tflite.quantize_image(pixels, np.uint8, (scale, 127))
        assert uint8.dtype == np.uint8 and np.array_equal(uint8, pixels)
    assert np.array_equal(tflite.quantize_image(pixels, np.uint8), pixels)


def test_quantize_image_by_scale_and_zero_point():
    pixels = np.array([0, 255, 128], np.uint8)
    assert tflite.quantize_image(pixels, np.int8, (1 / 64, 10)).tolist() == [-54, 74, 10]
    assert tflite.quantize_image(pixels, np.int8, (1 / 256, 0)).tolist() == [-128, 127, 1]
    assert tflite.quantize_image(pixels, np.float32).tolist()[:2] == [-1, 1]


def test_not_a_tflite(model):
    model.write_bytes(b"no model")
    with pytest.raises(InputError, match="can't be opened as a"):
        tflite.open_model(model)
    with pytest.raises(InputError, match="can't be opened as a"):
        tflite.open_model(model.with_name("nowhere.tflite"))


def test_not_a_segmentation_model(model):
    import keras

    image = keras.Input((HEIGHT, WIDTH, 3), batch_size=1)
    model.write_bytes(convert(keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))))
    with pytest.raises(InputError, match=r"shapes \[\(1, 16, 24, 3\), \(1, 3\)\]; needed are"):
        tflite.model_shape(tflite.open_model(model))


def test_no_deprecation_warning(model):
    pytest.importorskip("tensorflow")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tflite.model_shape(tflite.open_model(model)) == ((HEIGHT, WIDTH), 3)


def test_logits_of_an_image(model):
    interpreter = tflite.open_model(model)
    logits = tflite.run_model(interpreter, COLORS[draw_blocks()])
    assert logits.dtype == np.int8 and logits.shape == (HEIGHT, WIDTH, 3)
    assert np.array_equal(logits.argmax(-1), draw_blocks())


def test_compiled_model_without_delegate(model):
    """A file with the compiler's operation, as the runtime itself refuses it."""
    schema = pytest.importorskip("tensorflow.lite.python.schema_py_generated")
    import flatbuffers

    content = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(model.read_bytes())))
    for code in content.operatorCodes:
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = "edgetpu-custom-op"
    for operator in content.subgraphs[0].operators:
        operator.builtinOptionsType, operator.builtinOptions = 0, None
    builder = flatbuffers.Builder()
    builder.Finish(content.Pack(builder), b"TFL3")
    model.write_bytes(bytes(builder.Output()))
    with pytest.raises(InputError, match="compiled for the Edge TPU and needs its delegate"):
        tflite.open_model(model)
    assert is_compiled(model)


def test_a_runtime_that_fails_while_it_opens_a_model_is_one_sentence(model):
    def fail(**options):
        raise SystemError("initialization of _pywrap_tensorflow_interpreter_wrapper raised")

    runtime = Runtime("ai-edge-litert", "2.3.0", types.SimpleNamespace(Interpreter=fail))
    with pytest.raises(InputError, match=r"ai-edge-litert is installed, but fails.*install it aga"):
        tflite.open_model(model, runtime=runtime)
