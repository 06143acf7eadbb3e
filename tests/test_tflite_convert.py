"""Tests of tflite_convert.py: every tensor int8, the input is pixel - 128, errors as sentences."""

import io
import json
import random
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import import_data
import tflite_convert
from device import tflite
from device.errors import InputError
from get_model import get_model
from segmentation import saved_model
from segmentation.edgetpu.repair import unfuse_activations
from segmentation.edgetpu.report import check_model
from segmentation.int8 import calibration
from segmentation.int8.quantize import prepare, quantize

INFO = {"class_names": ["ground", "bird", "tree"], "image_size": [32, 64]}


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


def test_every_tensor_is_int8_and_the_input_is_pixel_minus_128(small):
    (in_scale, in_zero), (out_scale, _) = tflite_convert.check_all_int8(small[2])
    assert np.isclose(in_scale, 2 / 255) and in_zero == -1 and out_scale > 0
    interpreter = tf.lite.Interpreter(model_content=small[2])
    assert interpreter.get_input_details()[0]["shape"].tolist() == [1, 32, 64, 3]
    assert interpreter.get_input_details()[0]["shape_signature"].tolist() == [1, 32, 64, 3]
    assert interpreter.get_input_details()[0]["dtype"] == np.int8
    assert interpreter.get_output_details()[0]["dtype"] == np.int8
    assert interpreter.get_output_details()[0]["shape"].tolist() == [1, 32, 64, 3]


def test_no_operation_stands_before_the_first_convolution(small):
    interpreter = tf.lite.Interpreter(
        model_content=small[2],
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF)
    first = interpreter._get_ops_details()[0]
    assert first["op_name"] == "CONV_2D"
    assert first["inputs"][0] == interpreter.get_input_details()[0]["index"]
    names = {operation["op_name"] for operation in interpreter._get_ops_details()}
    assert not names & {"QUANTIZE", "DEQUANTIZE", "SOFTMAX", "ARG_MAX", "SHAPE", "PACK"}


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


@pytest.fixture(scope="module")
def keras_file(small, tmp_path_factory):
    """The bytes of the small model's model.keras."""
    path = tmp_path_factory.mktemp("keras") / "model.keras"
    small[0].save(path)
    return path.read_bytes()


def write_archive(folder, keras_file, changes):
    """Writes a model.keras whose members are changed: name -> bytes, or a function of the bytes."""
    with (zipfile.ZipFile(io.BytesIO(keras_file)) as before,
          zipfile.ZipFile(folder / "model.keras", "w") as after):
        members = {name: before.read(name) for name in before.namelist()}
        for name, change in changes.items():
            members[name] = change(members[name]) if callable(change) else change
        for name, content in members.items():
            if content is not None:
                after.writestr(name, content)


def test_a_sound_model_is_opened(small, keras_file, tmp_path):
    (tmp_path / "model.keras").write_bytes(keras_file)
    model = saved_model.load_model(tmp_path, INFO)
    image = small[1][:1].astype(np.float32)
    assert np.array_equal(model(image, training=False), small[0](image, training=False))


def test_every_decoder_is_opened(tmp_path):
    model = get_model((32, 64), 3, weights=None, decoder_filters=((8, 8),) * 4)
    model.save(tmp_path / "model.keras")
    assert saved_model.load_model(tmp_path, INFO).name == "unet"


def test_missing_and_damaged_models_are_sentences(keras_file, tmp_path):
    with pytest.raises(InputError, match=r"no .*model\.keras: run main\.py first"):
        saved_model.load_model(tmp_path, INFO)
    lengths = [0, 3, 22, 1000, len(keras_file) // 2, len(keras_file) - 1]
    for content in (b"no model", *(keras_file[:length] for length in lengths)):
        (tmp_path / "model.keras").write_bytes(content)
        with pytest.raises(InputError, match=r"model\.keras can't be opened as a Keras model"):
            saved_model.load_model(tmp_path, INFO)


def test_flipped_bytes_never_trace_back(keras_file, tmp_path):
    draw, refused = random.Random(0), 0
    for case in range(10):
        data = bytearray(keras_file)
        for _ in range(20):
            data[draw.randrange(len(data)) if case % 2 else -draw.randrange(1, 400)] ^= 255
        (tmp_path / "model.keras").write_bytes(data)
        try:
            saved_model.load_model(tmp_path, INFO)
        except InputError:
            refused += 1
    assert refused >= 5  # a weight that is another number shows nowhere


@pytest.mark.parametrize("changes, sentence", [
    ({"../../evil.py": b"x"}, r"see '\.\./\.\./evil\.py'"),
    ({"/etc/evil": b"x"}, "see '/etc/evil'"), ({"assets/a.txt": b"x"}, "see 'assets/a.txt'"),
    ({"config.json": None}, "see 'config.json'"),
    ({"config.json": b"{}"}, "can't be opened"), ({"config.json": b"[" * 100_000}, "can't be op"),
    ({"config.json": b" " * 10_000_001}, "has a config.json of 10,000,001 bytes"),
    ({"config.json": lambda config: config.replace(b'"ReLU"', b'"StringLookup"')},
     "holds 'StringLookup', which main.py never builds"),
    ({"config.json": lambda config: config.replace(b'"Add"', b'["Add"]')}, "never builds"),
    ({"config.json": lambda config: config.replace(b'"keras.layers"', b'"os"')}, "can't be opened"),
    ({"config.json": lambda config: config.replace(b'"scale_input"', b'"other"')},
     "not main.py's U-Net: it lacks scale_input"),
    ({"model.weights.h5": b"no weights"}, "can't be opened"),
    ({"model.weights.h5": lambda weights: weights[:5000]}, "can't be opened"),
])
def test_other_archives_are_refused(keras_file, tmp_path, changes, sentence):
    write_archive(tmp_path, keras_file, changes)
    with pytest.raises(InputError, match=sentence):
        saved_model.load_model(tmp_path, INFO)
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_no_code_of_a_model_is_run(tmp_path, monkeypatch):
    """A layer whose function makes a file; the second line of defence is Keras' safe mode alone."""
    witness = tmp_path / "executed.txt"
    image = keras.Input((32, 64, 3))
    function = eval(f"lambda x: (open({str(witness)!r}, 'w').close(), x)[1]")  # holds the path
    code = keras.layers.Lambda(function, output_shape=(32, 64, 3))
    keras.Model(image, code(image)).save(tmp_path / "model.keras")
    with pytest.raises(InputError, match="holds 'Lambda', '__lambda__', which"):
        saved_model.load_model(tmp_path, INFO)
    monkeypatch.setattr(saved_model, "check_archive", lambda path: None)
    with pytest.raises(InputError, match="can't be opened as a Keras model"):
        saved_model.load_model(tmp_path, INFO)
    assert not witness.exists()
    keras.models.load_model(tmp_path / "model.keras", safe_mode=False)(np.zeros((1, 32, 64, 3)))
    assert witness.exists()  # so it was harmful


def test_custom_classes_are_refused(tmp_path, monkeypatch):
    @keras.saving.register_keras_serializable(package="elsewhere")
    class Custom(keras.layers.Layer):
        def call(self, x):
            return x

    image = keras.Input((32, 64, 3))
    keras.Model(image, Custom()(image)).save(tmp_path / "model.keras")
    with pytest.raises(InputError, match="holds 'Custom', which"):
        saved_model.load_model(tmp_path, INFO)


@pytest.mark.parametrize("change", [
    {"image_size": [32, 32]}, {"image_size": [64, 32]}, {"class_names": ["a", "b"]}])
def test_a_model_of_another_training_is_refused(keras_file, tmp_path, change):
    (tmp_path / "model.keras").write_bytes(keras_file)
    with pytest.raises(InputError, match=r"images of \(32, 64, 3\) into logits of \(32, "):
        saved_model.load_model(tmp_path, INFO | change)


def test_another_network_is_refused(tmp_path):
    image = keras.Input((32, 64, 3))
    keras.Model(image, keras.layers.Conv2D(3, 1)(image)).save(tmp_path / "model.keras")
    with pytest.raises(InputError, match="it lacks scale_input, encoder, decoder; train again"):
        saved_model.load_model(tmp_path, INFO)


def test_calibration_images_are_training_images_with_both_ends(tmp_path, folders, monkeypatch):
    from conftest import write_square_pairs
    write_square_pairs(folders, 10)
    monkeypatch.setattr(calibration, "CALIBRATION_IMAGES", 4)
    info = {"training_images": [f"{index:03}.png" for index in range(8)], "ignore_label": 255,
            "image_dir": str(folders[0]), "label_dir": str(folders[1]), "image_size": [32, 32],
            "class_names": ["background", "square", "disc"]}
    images = import_data.load_calibration_images(json.loads(json.dumps(info)))
    assert images.shape == (4, 32, 32, 3) and images.min() == 0 and images.max() == 255
