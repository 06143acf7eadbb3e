"""Tests of predict.py on small int8 models, with and without TensorFlow."""

import ctypes
import os
import random
import shutil
import subprocess
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import predict
from device import model_info, sources, tflite, tflite_file
from device.drawing import class_colors
from device.errors import InputError
from device.files import write_json
from device.images import read_image, read_label

PROJECT = Path(predict.__file__).parent
HEIGHT, WIDTH = 16, 24
COLORS = np.array([(0, 0, 0), (255, 0, 0), (0, 0, 255)], np.uint8)  # of class 0, 1 and 2


# ---- models and pictures ---------------------------------------------------------------------


def convert(model, tensor_type="int8", lowest=0, highest=255):
    """Converts a Keras model of pixels scaled to [-1, 1] to a quantized .tflite."""
    import tensorflow as tf

    def calibration_data():
        random = np.random.default_rng(0)
        for _ in range(4):
            image = random.uniform(lowest, highest, model.input_shape).astype(np.float32)
            image[0, 0, 0], image[0, -1, -1] = lowest, highest
            yield [image / 127.5 - 1]

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if tensor_type != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = calibration_data
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = getattr(tf, tensor_type)
    return converter.convert()


def color_model(pool=1):
    """A network whose answer is known: class 1 where red, 2 where blue is brighter by 0.5, else 0.

    Its logits are 1 / pool of the image's size.
    """
    import keras

    image = keras.Input((HEIGHT, WIDTH, 3), batch_size=1)
    kernel = np.array([(0, 1, -1), (0, 0, 0), (0, -1, 1)], np.float32)  # rows: red, green, blue
    layer = keras.layers.Conv2D(3, 1)
    model = keras.Model(image, layer(keras.layers.AveragePooling2D(pool)(image)))
    layer.set_weights([kernel[None, None], np.array([0.5, 0, 0], np.float32)])
    return model


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Paths of the same small network in several files, and of one with trained-like layers."""
    import keras

    keras.utils.set_random_seed(3)
    image = x = keras.Input((HEIGHT, WIDTH, 3), batch_size=1)
    for filters in (8, 16):
        x = keras.layers.Conv2D(filters, 3, 2, "same", activation="relu")(x)
    for filters in (8, 4):
        x = keras.layers.Conv2DTranspose(filters, 3, 2, "same")(x)
    contents = {
        "int8": convert(color_model()), "uint8": convert(color_model(), "uint8"),
        "float32": convert(color_model(), "float32"),
        "other_scale": convert(color_model(), "int8", -80, 400),
        "half": convert(color_model(pool=2)), "layers": convert(keras.Model(image, x))}
    folder = tmp_path_factory.mktemp("models")
    for name, content in contents.items():
        (folder / f"{name}.tflite").write_bytes(content)
    return folder


@pytest.fixture
def model(models, tmp_path, monkeypatch):
    """Sets predict's constants to a folder of its own: model, model.json, images, results."""
    folder = tmp_path / "output"
    folder.mkdir()
    path = folder / "model_int8.tflite"
    path.write_bytes((models / "int8.tflite").read_bytes())
    write_json(folder / "model.json", {
        "class_names": ["ground", "red", "blue"], "class_colors": COLORS.tolist()})
    (tmp_path / "images").mkdir()
    for name, value in {"MODEL_PATH": str(path), "IMAGES": str(tmp_path / "images"), "THREADS": 1,
                        "RESULT_DIR": str(tmp_path / "results"), "FULL_SIZE": False}.items():
        monkeypatch.setattr(predict, name, value)
    return path


def draw_blocks(size=(HEIGHT, WIDTH)):
    """A mask of three upright stripes of the classes 1, 0 and 2, uint8 of size."""
    mask = np.zeros(size, np.uint8)
    mask[:, :size[1] // 3] = 1
    mask[:, -(size[1] // 3):] = 2
    return mask


def write_image(name, mask):
    path = Path(predict.IMAGES) / name
    Image.fromarray(COLORS[mask]).save(path)
    return path


def read_mask(name):
    return read_label(Path(predict.RESULT_DIR) / "masks" / f"{name}.png")


# ---- what goes in and out --------------------------------------------------------------------


def test_folder(model, capsys):
    for name in ("b.png", "a.png"):
        write_image(name, draw_blocks())
    assert predict.main() == 0
    assert np.array_equal(read_mask("a"), draw_blocks())
    with Image.open(Path(predict.RESULT_DIR) / "masks" / "a.png") as file:
        assert file.mode == "P"
        assert np.array_equal(np.array(file.convert("RGB")), COLORS[draw_blocks()])
    printed = capsys.readouterr().out
    assert "On the CPU" in printed and "No model_int8_edgetpu.tflite" in printed
    assert "median of 2 picture(s)" in printed
    assert all(step in printed for step in ("load", "resize", "inference", "mask", "together"))
    overlays = sorted(path.name for path in (Path(predict.RESULT_DIR) / "overlays").iterdir())
    assert overlays == ["a.jpg", "b.jpg"]
    overlay = read_image(Path(predict.RESULT_DIR) / "overlays" / "a.jpg")
    assert overlay.shape[0] > HEIGHT and overlay.shape[1] >= 320  # the legend


def test_one_image_and_one_of_the_same_name(model):
    path = write_image("a.png", draw_blocks())
    write_image("a.bmp", draw_blocks()[:, ::-1])
    assert predict.main() == 0
    assert np.array_equal(read_mask("a.bmp"), draw_blocks()[:, ::-1])
    predict.IMAGES = str(path)  # monkeypatch puts it back
    assert predict.main() == 0
    assert np.array_equal(read_mask("a"), draw_blocks())


def test_full_size_resizes_the_logits(model, monkeypatch):
    monkeypatch.setattr(predict, "FULL_SIZE", True)
    monkeypatch.setattr(predict, "OVERLAY_SIDE", 150)
    truth = draw_blocks((160, 240))
    write_image("large.png", truth)
    write_image("small.png", draw_blocks((8, 12)))
    assert predict.main() == 0
    mask = read_mask("large")
    assert mask.shape == (160, 240)
    assert (mask == truth).mean() > 0.95
    assert len(np.unique(np.argmax(mask != 1, axis=1))) == 1  # a straight edge
    assert read_mask("small").shape == (8, 12)
    overlay = read_image(Path(predict.RESULT_DIR) / "overlays" / "large.jpg")
    assert overlay.shape[0] < 160  # no larger than OVERLAY_SIDE, but the legend


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


@pytest.mark.parametrize("full_size", [True, False])
def test_aspect_kept(model, monkeypatch, full_size):
    monkeypatch.setattr(predict, "KEEP_ASPECT", True)
    monkeypatch.setattr(predict, "FULL_SIZE", full_size)
    wide, high = draw_blocks((24, 120)), draw_blocks((96, 36))
    write_image("wide.png", wide)
    write_image("high.png", high)
    assert predict.main() == 0
    sizes = ((24, 120), (96, 36)) if full_size else ((5, 24), (16, 6))
    for name, truth, size in zip(("wide", "high"), (wide, high), sizes):
        mask = read_mask(name)
        assert mask.shape == size
        middle = np.array(Image.fromarray(truth).resize(size[::-1], Image.Resampling.NEAREST))
        assert (mask == middle).mean() > 0.85  # all but the pixels beside the edges


def test_padding_is_gray_around_the_picture():
    white = Image.new("RGB", (100, 10), "white")
    image, box = sources.fit_image(white, (HEIGHT, WIDTH), keep_aspect=True)
    assert box == (0, 7, WIDTH, 9)
    assert (image[7:9] == 255).all() and (image[:7] == 128).all() and (image[9:] == 128).all()


def test_stretched_exactly_as_in_training(model, monkeypatch):
    path = Path(predict.IMAGES) / "noise.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (300, 500, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    seen = []
    run_model = tflite.run_model
    monkeypatch.setattr(predict, "run_model", lambda interpreter, image: (
        seen.append(image), run_model(interpreter, image))[1])
    assert predict.main() == 0
    assert np.array_equal(seen[-1], read_image(path, (HEIGHT, WIDTH)))


@pytest.mark.parametrize("kind", ["uint8", "float32", "other_scale", "half"])
def test_other_tensors(models, model, kind):
    model.write_bytes((models / f"{kind}.tflite").read_bytes())
    write_image("a.png", draw_blocks())
    assert predict.main() == 0
    assert np.array_equal(read_mask("a"), draw_blocks())


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


# ---- what a person can get wrong -------------------------------------------------------------


def test_unreadable_images_are_listed_at_the_end(model, capsys):
    write_image("a.png", draw_blocks())
    (Path(predict.IMAGES) / "broken.jpg").write_bytes(b"no picture")
    (Path(predict.IMAGES) / "z.png").write_bytes(
        (Path(predict.IMAGES) / "a.png").read_bytes()[:60])
    assert predict.main() == 1
    assert np.array_equal(read_mask("a"), draw_blocks())
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("FAILED: 2 picture(s)") and "broken.jpg" in last and "z.png" in last


def test_only_unreadable_images(model, capsys):
    (Path(predict.IMAGES) / "broken.jpg").write_bytes(b"no picture")
    assert predict.main() == 1
    assert "median" not in capsys.readouterr().out


@pytest.mark.parametrize("change, sentence", [
    ({"IMAGES": "nowhere"}, "does not exist"),
    ({"MODEL_PATH": "nowhere.tflite"}, "run tflite_convert.py first"),
    ({}, "There are no images"),
])
def test_wrong_constants(model, monkeypatch, change, sentence):
    for name, value in change.items():
        monkeypatch.setattr(predict, name, value)
    with pytest.raises(InputError, match=sentence):
        predict.main()


def test_not_a_tflite(model):
    model.write_bytes(b"no model")
    with pytest.raises(InputError, match="can't be opened as a"):
        tflite.open_model(model)
    with pytest.raises(InputError, match="can't be opened as a"):
        tflite.open_model(model.with_name("nowhere.tflite"))


def damage(data, draw):
    """A .tflite cut, or with a few bytes or one whole number (offset, count, index) changed."""
    data, kind = bytearray(data), draw.randrange(3)
    if kind == 0:
        del data[draw.randrange(len(data)):]
    elif kind == 1:
        for _ in range(draw.randint(1, 5)):
            data[draw.randrange(len(data))] = draw.randrange(256)
    else:
        place = draw.randrange(0, len(data) - 4, 4)
        number = draw.choice((0, 1, 2, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1))
        data[place:place + 4] = number.to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize("name", ["int8", "layers", "float32", "half"])
def test_damaged_files_are_checked_without_a_traceback(models, name):
    data, draw, refused = (models / f"{name}.tflite").read_bytes(), random.Random(0), 0
    for _ in range(1000):
        try:
            tflite_file.check_file(damage(data, draw))
        except ValueError:
            refused += 1
    assert 400 < refused < 900  # the rest changes numbers only


def test_damaged_files_end_in_a_sentence(models, tmp_path):
    """In a process of its own, since what is not found beforehand ends Python by a signal."""
    code = """if True:
        import random, sys
        from device import errors, tflite
        from test_predict import damage
        sound, draw, refused = open(sys.argv[1], "rb").read(), random.Random(1), 0
        for _ in range(300):
            with open(sys.argv[2], "wb") as file:
                file.write(damage(sound, draw))
            try:
                tflite.model_shape(tflite.open_model(sys.argv[2]))
            except errors.InputError:
                refused += 1
        print(refused)"""
    command = [sys.executable, "-c", code, models / "int8.tflite", tmp_path / "damaged.tflite"]
    run = subprocess.run(command, capture_output=True, text=True, env={
        **os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT), str(PROJECT / "tests")])})
    assert run.returncode == 0, (run.returncode, run.stderr[-2000:])
    assert int(run.stdout) > 100


@pytest.mark.parametrize("data, sentence", [
    (b"", "it is empty"), (b"no model", "it is no .tflite file"),
    (bytes(np.random.default_rng(0).bytes(1000)), "it is no .tflite file"),
    (b"\x1c\0\0\0TFL3", "truncated or damaged"), (b"\xff\xff\xff\xffTFL3" * 9, "truncated or dam"),
    (b"\x08\0\0\0TFL3" + b"\0" * 90, "the table at byte 8")])
def test_what_is_no_tflite(model, data, sentence):
    model.write_bytes(data)
    with pytest.raises(InputError, match=f"can't be opened as a .tflite model: .*{sentence}"):
        predict.main()


def test_every_truncation_is_found(models):
    data = (models / "int8.tflite").read_bytes()
    tflite_file.check_file(data)
    for length in range(0, len(data) - 16, 7):
        with pytest.raises(ValueError):
            tflite_file.check_file(data[:length])


def test_not_a_segmentation_model(model):
    import keras

    image = keras.Input((HEIGHT, WIDTH, 3), batch_size=1)
    model.write_bytes(convert(keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))))
    with pytest.raises(InputError, match=r"shapes \[\(1, 16, 24, 3\), \(1, 3\)\]; needed are"):
        predict.main()


def test_without_model_info(model, capsys):
    (model.parent / "model.json").unlink()
    names, colors = model_info.read_classes(model.parent, 3)
    assert names == ["class 0", "class 1", "class 2"]
    assert np.array_equal(colors, class_colors(3))
    assert "the classes are numbered" in capsys.readouterr().out


def test_model_info_of_another_model(model):
    with pytest.raises(InputError, match="names 3 classes, but the model gives 4"):
        model_info.read_classes(model.parent, 4)


def test_no_runtime(model, monkeypatch):
    monkeypatch.setattr(tflite, "RUNTIMES", ("no_such_runtime", "nor_this_one.interpreter"))
    with pytest.raises(InputError, match=r"pip install ai-edge-litert.*No module named 'nor_this"):
        tflite.open_model(model)


def test_no_deprecation_warning(model):
    pytest.importorskip("tensorflow")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tflite.model_shape(tflite.open_model(model)) == ((HEIGHT, WIDTH), 3)


def test_small_functions_for_tflite_test(model):
    interpreter = tflite.open_model(model)
    logits = tflite.run_model(interpreter, COLORS[draw_blocks()])
    assert logits.dtype == np.int8 and logits.shape == (HEIGHT, WIDTH, 3)
    assert np.array_equal(logits.argmax(-1), draw_blocks())


# ---- the Edge TPU ----------------------------------------------------------------------------


@pytest.fixture
def edgetpu(monkeypatch):
    """Stands in for libedgetpu and a device: load_delegate and Interpreter say what they get."""
    calls = []
    runtime = tflite.load_runtime()

    def open_interpreter(model_path, num_threads, experimental_delegates):
        calls.append((Path(model_path).name, experimental_delegates))
        return runtime.Interpreter(model_path=model_path, num_threads=num_threads)

    stand_in = types.SimpleNamespace(
        Interpreter=open_interpreter, load_delegate=lambda library: f"delegate of {library}")
    monkeypatch.setattr(tflite, "load_runtime", lambda: stand_in)
    monkeypatch.setattr(ctypes, "CDLL", lambda library: None)
    monkeypatch.setattr(tflite.platform, "system", lambda: "Linux")
    return stand_in, calls


def write_compiled(path, older=False):
    """Writes what looks like the compiled model beside it: the stand-in can run it."""
    compiled = path.with_name(f"{path.stem}_edgetpu.tflite")
    compiled.write_bytes(path.read_bytes() + b"edgetpu-custom-op")
    if older:
        os.utime(compiled, (0, 0))
    return compiled


def test_auto_takes_the_compiled_model(model, edgetpu, capsys):
    write_compiled(model)
    write_image("a.png", draw_blocks())
    assert predict.main() == 0
    assert edgetpu[1] == [("model_int8_edgetpu.tflite", ["delegate of libedgetpu.so.1"])]
    assert "On the Edge TPU: " in capsys.readouterr().out
    assert np.array_equal(read_mask("a"), draw_blocks())


def test_compiled_model_and_named_library(model, edgetpu):
    compiled = write_compiled(model)
    path, delegate, sentence = tflite.choose_model(compiled, "lib/libedgetpu.so.1.0")
    assert (path, delegate) == (compiled, "delegate of lib/libedgetpu.so.1.0")
    assert "lib/libedgetpu.so.1.0" in sentence


@pytest.mark.parametrize("system, library", [
    ("Linux", "libedgetpu.so.1"), ("Darwin", "libedgetpu.1.dylib"), ("Windows", "edgetpu.dll")])
def test_library_of_each_system(edgetpu, monkeypatch, system, library):
    monkeypatch.setattr(tflite.platform, "system", lambda: system)
    assert tflite.find_delegate() == (f"delegate of {library}", f"Its library is {library}.")


@pytest.mark.parametrize("older, reason", [(None, "No model_int8_edgetpu"), (True, "not older")])
def test_cpu_without_a_fresh_compiled_model(model, edgetpu, older, reason):
    if older:
        write_compiled(model, older)
    path, delegate, sentence = tflite.choose_model(model, "auto")
    assert (path, delegate) == (model, None)
    assert sentence.startswith("On the CPU") and reason in sentence
    with pytest.raises(InputError, match="DELEGATE asks for the Edge TPU"):
        tflite.choose_model(model, "libedgetpu.so.1")


def test_cpu_when_asked_for(model, edgetpu):
    compiled = write_compiled(model)
    assert tflite.choose_model(model, None)[:2] == (model, None)
    with pytest.raises(InputError, match=r"runs nowhere else\. DELEGATE is None"):
        tflite.choose_model(compiled, None)


def test_no_device(model, edgetpu):
    def load_delegate(library):
        raise ValueError(f"Failed to load delegate from {library}\n")

    edgetpu[0].load_delegate = load_delegate
    compiled = write_compiled(model)
    path, delegate, sentence = tflite.choose_model(model, "auto")
    assert (path, delegate) == (model, None) and "finds no Edge TPU: plug it in" in sentence
    with pytest.raises(InputError, match=r"runs nowhere else.*plug it in"):
        tflite.choose_model(compiled, "auto")


def test_no_library(model, capfd):
    delegate, sentence = tflite.find_delegate("libedgetpu_that_is_nowhere.so")
    assert delegate is None and "install libedgetpu" in sentence
    assert "Traceback" not in capfd.readouterr().err
    compiled = write_compiled(model)
    with pytest.raises(InputError, match=r"runs nowhere else.*install libedgetpu"):
        tflite.choose_model(compiled, "libedgetpu_that_is_nowhere.so")


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
    assert tflite.find_compiled(model) == model


# ---- camera ----------------------------------------------------------------------------------


class Camera:
    """Stands in for cv2.VideoCapture: so many frames, in OpenCV's order of colors."""

    def __init__(self, device, frames=5):
        self.device, self.left, self.is_released = device, frames, False

    def read(self):
        self.left -= 1
        frame = COLORS[draw_blocks()][..., ::-1]
        return (True, frame) if self.left >= 0 else (False, None)

    def release(self):
        self.is_released = True


@pytest.mark.parametrize("device", [0, "/dev/video0"])
def test_camera(model, monkeypatch, device):
    cameras = []
    cv2 = types.SimpleNamespace(
        VideoCapture=lambda device: cameras.append(Camera(device)) or cameras[-1])
    monkeypatch.setitem(sys.modules, "cv2", cv2)
    monkeypatch.setattr(predict, "IMAGES", device)
    monkeypatch.setattr(predict, "CAMERA_FRAMES", 2)
    assert predict.main() == 0
    assert cameras[0].device == device and cameras[0].is_released
    masks = sorted((Path(predict.RESULT_DIR) / "masks").iterdir())
    assert [path.name for path in masks] == ["frame_00000.png", "frame_00001.png"]
    assert np.array_equal(read_label(masks[1]), draw_blocks())


def test_camera_that_stops(model, monkeypatch, capsys):
    cv2 = types.SimpleNamespace(VideoCapture=lambda device: Camera(device, 3))
    monkeypatch.setitem(sys.modules, "cv2", cv2)
    monkeypatch.setattr(predict, "IMAGES", 0)
    assert predict.main() == 1
    assert "camera 0 gives no frame 3" in capsys.readouterr().out


def test_ctrl_c_ends_a_camera_with_its_table(model, monkeypatch, capsys):
    class Stopped(Camera):
        def read(self):
            if self.left == 3:
                raise KeyboardInterrupt
            return super().read()

    monkeypatch.setitem(sys.modules, "cv2", types.SimpleNamespace(VideoCapture=Stopped))
    monkeypatch.setattr(predict, "IMAGES", 0)
    assert predict.main() == 0
    assert "median of 2 picture(s)" in capsys.readouterr().out


def test_camera_without_opencv(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setattr(predict, "IMAGES", 0)
    with pytest.raises(InputError, match="pip install opencv-python-headless"):
        predict.main()


# ---- without TensorFlow ----------------------------------------------------------------------


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory):
    """The Python of a new virtual environment with ai-edge-litert, numpy and pillow alone."""
    folder = tmp_path_factory.mktemp("bare")
    python = folder / "bin" / "python"
    for command in ([sys.executable, "-m", "venv", folder],
                    [python, "-m", "pip", "install", "-q", "ai-edge-litert", "numpy", "pillow"]):
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode:
            pytest.skip(f"no environment without TensorFlow: {(run.stdout + run.stderr)[-300:]}")
    return python


@pytest.mark.slow
def test_without_tensorflow(bare_python, models, model, tmp_path, monkeypatch):
    device = tmp_path / "device"
    (device / "output").mkdir(parents=True)
    (device / "sample_data").mkdir()
    shutil.copy(PROJECT / "predict.py", device)
    shutil.copytree(PROJECT / "device", device / "device")
    path = device / "output" / "model_int8.tflite"
    path.write_bytes((models / "layers.tflite").read_bytes())
    random = np.random.default_rng(0)
    for index in range(5):
        image = random.integers(0, 256, (40 + index, 60, 3), dtype=np.uint8)
        Image.fromarray(image).save(Path(predict.IMAGES) / f"{index}.png")
    Path(predict.IMAGES).rename(device / "sample_data" / "images")

    code = "import predict, sys; predict.FULL_SIZE = False; code = predict.main();" \
           "assert 'tensorflow' not in sys.modules; sys.exit(code)"
    run = subprocess.run([bare_python, "-c", code], cwd=device, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "the classes are numbered" in run.stdout and "median of 5" in run.stdout

    monkeypatch.setattr(tflite, "RUNTIMES", ("tensorflow.lite.python.interpreter",))
    interpreter = tflite.open_model(path)
    masks = []
    for index in range(5):
        image = read_image(device / "sample_data" / "images" / f"{index}.png", (HEIGHT, WIDTH))
        masks.append(tflite.run_model(interpreter, image).argmax(-1))
        found = read_label(device / "output" / "predictions" / "masks" / f"{index}.png")
        assert np.array_equal(found, masks[-1])
    assert len(np.unique(masks)) > 1
