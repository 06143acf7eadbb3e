"""Tests of predict.py on small int8 models: pictures, cameras, areas, alerts, bare Python."""

import csv
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_models import COLORS, HEIGHT, WIDTH, draw_blocks, write_compiled

import predict
from device import live, segmenter, tflite
from device.errors import InputError
from device.files import write_json
from device.images import read_image, read_label
from device.runtime import load_runtime
from segmentation.device_folder import record_hashes, write_device_folder

PROJECT = Path(predict.__file__).parent


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


def write_image(name, mask):
    path = Path(predict.IMAGES) / name
    Image.fromarray(COLORS[mask]).save(path)
    return path


def read_mask(name):
    return read_label(Path(predict.RESULT_DIR) / "masks" / f"{name}.png")


def read_areas():
    with open(Path(predict.RESULT_DIR) / "areas.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# ---- pictures --------------------------------------------------------------------------------


def test_folder(model, capsys):
    for name in ("b.png", "a.png"):
        write_image(name, draw_blocks())
    assert predict.main() == 0
    assert np.array_equal(read_mask("a"), draw_blocks())
    with Image.open(Path(predict.RESULT_DIR) / "masks" / "a.png") as file:
        assert file.mode == "P"
        assert np.array_equal(np.array(file.convert("RGB")), COLORS[draw_blocks()])
    printed = capsys.readouterr().out
    assert "On the CPU" in printed and "no model_int8_edgetpu.tflite" in printed
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


def test_probabilities_of_a_class_are_saved(model, monkeypatch, capsys):
    monkeypatch.setattr(predict, "SAVE_PROBABILITIES", "red")
    monkeypatch.setattr(predict, "SAVE", "nothing")
    write_image("a.png", draw_blocks())
    assert predict.main() == 0
    folder = Path(predict.RESULT_DIR) / "probabilities"
    with Image.open(folder / "a.png") as file:
        assert file.mode == "L"
        probability = np.array(file)
    assert ((probability > 127) == (draw_blocks() == 1)).all()
    assert f"Look at {folder}, " in capsys.readouterr().out
    monkeypatch.setattr(predict, "SAVE_PROBABILITIES", "green")
    with pytest.raises(InputError, match="'green', but it must be None or one of ground, red"):
        predict.main()


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


def test_stretched_exactly_as_in_training(model, monkeypatch):
    path = Path(predict.IMAGES) / "noise.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (300, 500, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    seen = []
    run_model = tflite.run_model
    monkeypatch.setattr(segmenter, "run_model", lambda interpreter, image: (
        seen.append(image), run_model(interpreter, image))[1])
    assert predict.main() == 0
    assert np.array_equal(seen[-1], read_image(path, (HEIGHT, WIDTH)))


@pytest.mark.parametrize("kind", ["uint8", "float32", "other_scale", "half"])
def test_other_tensors(models, model, kind):
    model.write_bytes((models / f"{kind}.tflite").read_bytes())
    write_image("a.png", draw_blocks())
    assert predict.main() == 0
    assert np.array_equal(read_mask("a"), draw_blocks())


def test_what_is_saved(model, monkeypatch):
    write_image("a.png", draw_blocks())
    for save, folders in (("nothing", []), ("masks", ["masks"]), ("overlays", ["overlays"])):
        monkeypatch.setattr(predict, "SAVE", save)
        monkeypatch.setattr(predict, "RESULT_DIR", str(model.parent / save))
        assert predict.main() == 0
        names = sorted(path.name for path in (model.parent / save).iterdir())
        assert names == ["areas.csv", *folders]


def test_paths_count_from_the_scripts_folder(model, monkeypatch, tmp_path):
    write_image("a.png", draw_blocks())
    monkeypatch.setattr(predict, "HERE", tmp_path)
    for name, value in {"MODEL_PATH": "output", "IMAGES": None, "RESULT_DIR": "there"}.items():
        monkeypatch.setattr(predict, name, value)
    monkeypatch.chdir("/")
    assert predict.main() == 0
    assert (tmp_path / "there" / "masks" / "a.png").is_file()


# ---- what a person gets wrong ----------------------------------------------------------------


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
    ({"SAVE": "all"}, "SAVE is 'all', but it must be None or one of both, masks"),
    ({"IMAGES": "nowhere.mp4"}, "There is no video .*nowhere.mp4"),
    ({"ALERT": {"duck": 0.1}}, "ALERT names duck, but the model's classes are ground, red, blue"),
    ({"ALERT": {"red": 7}}, "names and shares from 0 to 1"),
    ({"RUNTIME": "caffe"}, "RUNTIME is 'caffe', but it must be None or one of ai-edge-litert"),
    ({"VIEW": "browser"}, "VIEW is 'browser', but it must be"),
    ({"MODEL_PATH": "nowhere"}, "on a device, copy the whole folder output/device"),
])
def test_wrong_constants(model, monkeypatch, change, sentence):
    for name, value in change.items():
        monkeypatch.setattr(predict, name, value)
    if "VIEW" in change:
        write_image("a.png", draw_blocks())
    with pytest.raises(InputError, match=sentence):
        predict.main()


def test_a_full_disk_is_a_sentence(model, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    write_image("a.png", draw_blocks())
    monkeypatch.setattr(predict, "save_mask", fail)
    with pytest.raises(InputError, match=r"can't be written to .*No space left on device"):
        predict.main()


# ---- areas and alerts ------------------------------------------------------------------------


def test_areas_of_each_class(model):
    write_image("a.png", draw_blocks())
    write_image("b,c.png", np.full((HEIGHT, WIDTH), 2))
    assert predict.main() == 0
    first, second = read_areas()
    assert first["picture"] == "a" and second["picture"] == "b,c"
    third = HEIGHT * WIDTH // 3
    assert [first[f"{name} pixels"] for name in ("ground", "red", "blue")] == [str(third)] * 3
    assert first["red share"] == "0.333333" and second["blue share"] == "1.000000"


def test_alert(model, monkeypatch, capsys):
    write_image("a.png", draw_blocks())
    write_image("b.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    monkeypatch.setattr(predict, "ALERT", {"red": 0.3, "blue": 0.5})
    assert predict.main() == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("ALERT")]
    assert lines == ["ALERT a: red 33.33% (above 30.00%)"]


def test_json_lines_are_all_that_standard_output_has(model, monkeypatch, capsys):
    write_image("a.png", draw_blocks())
    monkeypatch.setattr(predict, "ALERT", {"red": 0.3})
    monkeypatch.setattr(predict, "JSON_LINES", True)
    assert predict.main() == 0
    captured = capsys.readouterr()
    line, = map(json.loads, captured.out.splitlines())
    assert line["picture"] == "a" and line["alerts"] == ["red"]
    assert line["pixels"]["blue"] == HEIGHT * WIDTH // 3 and line["shares"]["red"] == 0.333333
    assert "On the CPU" in captured.err and "median of 1" in captured.err


@pytest.mark.slow
def test_a_reader_of_the_lines_who_leaves(model):
    """In a process of its own, as in `python predict.py | head -0`."""
    write_image("a.png", draw_blocks())
    code = (f"import predict, sys; predict.MODEL_PATH = {str(model)!r}; predict.JSON_LINES = True;"
            f"predict.IMAGES = {predict.IMAGES!r}; predict.RESULT_DIR = {predict.RESULT_DIR!r};"
            f"sys.exit(predict.main())")
    reader, writer = os.pipe()
    os.close(reader)
    run = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, text=True, stdout=writer,
                         stderr=subprocess.PIPE)
    os.close(writer)
    assert run.returncode == 0, run.stderr
    assert "no one reads" in run.stderr and "Traceback" not in run.stderr
    assert np.array_equal(read_mask("a"), draw_blocks())


# ---- the Edge TPU ----------------------------------------------------------------------------


def test_the_compiled_model_runs_on_the_edge_tpu(model, edgetpu, monkeypatch, capsys):
    write_compiled(model)
    write_image("a.png", draw_blocks())
    monkeypatch.setattr(predict, "DEVICE", "usb:1")
    assert predict.main() == 0
    assert edgetpu.calls == [
        ("model_int8_edgetpu.tflite", ["delegate of libedgetpu.so.1 {'device': 'usb:1'}"])]
    assert "On the Edge TPU: " in capsys.readouterr().out
    assert np.array_equal(read_mask("a"), draw_blocks())


def test_pictures_are_dealt_out_to_several_sticks(model, edgetpu, monkeypatch):
    write_compiled(model)
    for index in range(12):
        write_image(f"{index:02}.png", np.full((HEIGHT, WIDTH), index % 3))
    monkeypatch.setattr(predict, "DEVICE", ["usb:0", "usb:1"])
    used, run = set(), segmenter.Segmenter.run
    monkeypatch.setattr(segmenter.Segmenter, "run",
                        lambda self, image: (used.add(id(self)), run(self, image))[1])
    assert predict.main() == 0
    assert len(edgetpu.calls) == len(used) == 2
    assert [row["picture"] for row in read_areas()] == [f"{index:02}" for index in range(12)]
    for index in range(12):
        assert (read_mask(f"{index:02}") == index % 3).all()


@pytest.mark.parametrize("delegate, code", [("auto", 0), ("libedgetpu.so.1", 1)])
def test_a_stick_that_is_pulled_out_at_the_third_picture(model, edgetpu, monkeypatch, capsys,
                                                         delegate, code):
    write_compiled(model)
    for name in "abcde":
        write_image(f"{name}.png", draw_blocks())
    monkeypatch.setattr(predict, "DELEGATE", delegate)
    save = predict.save_mask

    def pull_out(path, *arguments, **options):
        if path.name == "b.png":
            edgetpu.invoke = RuntimeError("Could not submit bulk transfer")
        save(path, *arguments, **options)

    monkeypatch.setattr(predict, "save_mask", pull_out)
    assert predict.main() == code
    printed = capsys.readouterr().out
    assert "The Edge TPU stopped answering (Could not submit bulk transfer)" in printed
    assert f"median of {2 if code else 5} picture(s)" in printed
    assert ("FAILED" in printed) == bool(code)


# ---- cameras ---------------------------------------------------------------------------------


class Camera:
    """Stands in for cv2.VideoCapture: so many frames in OpenCV's order of colors, one a moment."""

    def __init__(self, device, frames=1000):
        self.device, self.left, self.is_released = device, frames, False

    def isOpened(self):  # noqa: N802 - OpenCV's name
        return True

    def read(self):
        time.sleep(0.01)
        self.left -= 1
        frame = COLORS[draw_blocks()][..., ::-1]
        return (True, frame) if self.left >= 0 else (False, None)

    def release(self):
        self.is_released = True


@pytest.mark.parametrize("device", [0, "/dev/video0", "rtsp://user:secret@10.0.0.2/stream"])
def test_camera(model, monkeypatch, capsys, device):
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
    assert ":secret@" not in "".join(capsys.readouterr())


def test_a_camera_that_stops_and_of_which_nothing_is_saved(model, monkeypatch, capsys):
    cv2 = types.SimpleNamespace(VideoCapture=lambda device: Camera(device, 3))
    monkeypatch.setitem(sys.modules, "cv2", cv2)
    monkeypatch.setattr(predict, "IMAGES", 0)
    assert predict.main() == 1
    assert "camera 0 gives no frame" in capsys.readouterr().out
    assert [path.name for path in Path(predict.RESULT_DIR).iterdir()] == ["areas.csv"]


def test_ctrl_c_ends_a_camera_with_its_table(model, monkeypatch, capsys):
    def stop_at_the_third(self):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return read(self)

    calls, read = itertools.count(1), live.NewestFrame.read
    monkeypatch.setattr(live.NewestFrame, "read", stop_at_the_third)
    cameras = []
    cv2 = types.SimpleNamespace(
        VideoCapture=lambda device: cameras.append(Camera(device)) or cameras[-1])
    monkeypatch.setitem(sys.modules, "cv2", cv2)
    monkeypatch.setattr(predict, "IMAGES", 0)
    assert predict.main() == 0
    printed = capsys.readouterr().out
    assert "Stopped." in printed and "median of 2 picture(s)" in printed
    assert cameras[0].is_released


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without asking it")
def test_sigterm_ends_with_the_table(model, tmp_path):
    shutil.copytree(PROJECT / "device", tmp_path / "device")
    shutil.copy(PROJECT / "predict.py", tmp_path)
    picture = write_image("a.png", draw_blocks())
    for number in range(20_000):
        picture.with_name(f"{number}.png").symlink_to(picture)
    process = subprocess.Popen([sys.executable, tmp_path / "predict.py"], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert "Predicting: " in process.stderr.readline()
    process.terminate()
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in errors
    assert "Stopped." in printed and "frames per second, everything included" in printed


def test_an_alert_of_a_camera_is_said_once(model, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cv2", types.SimpleNamespace(VideoCapture=Camera))
    for name, value in {"IMAGES": 0, "CAMERA_FRAMES": 4, "ALERT": {"red": 0.1}}.items():
        monkeypatch.setattr(predict, name, value)
    assert predict.main() == 0
    assert capsys.readouterr().out.count("ALERT frame_00000: red 33.33%") == 1


# ---- without TensorFlow ----------------------------------------------------------------------


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory):
    """The Python of a new virtual environment with device/requirements.txt alone."""
    folder = tmp_path_factory.mktemp("bare")
    python = folder / "bin" / "python"
    for command in ([sys.executable, "-m", "venv", folder],
                    [python, "-m", "pip", "install", "-q", "-r",
                     PROJECT / "device" / "requirements.txt"]):
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode:
            pytest.skip(f"no environment without TensorFlow: {(run.stdout + run.stderr)[-300:]}")
    return python


@pytest.mark.slow
def test_without_tensorflow(bare_python, models, model, tmp_path):
    """output/device in an empty folder and a bare environment gives the masks of TensorFlow."""
    model.write_bytes((models / "layers.tflite").read_bytes())
    (model.parent / "model.json").unlink()
    names = [f"{index}.png" for index in range(5)]
    random = np.random.default_rng(0)
    for index, name in enumerate(names):
        image = random.integers(0, 256, (40 + index, 60, 3), dtype=np.uint8)
        Image.fromarray(image).save(Path(predict.IMAGES) / name)
    write_json(model.parent / "model.json", {
        "class_names": list("abcd"), "class_colors": [[0, 0, 0]] * 4,
        "validation_image_dir": predict.IMAGES, "validation_images": names})
    record_hashes(model.parent, compiled=False)
    device = tmp_path / "elsewhere"
    shutil.copytree(write_device_folder(model.parent), device)

    code = "import predict, sys; predict.FULL_SIZE = False; code = predict.main();" \
           "assert 'tensorflow' not in sys.modules; sys.exit(code)"
    run = subprocess.run([bare_python, "-c", code], cwd=device, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "ai-edge-litert" in run.stdout and "median of 5" in run.stdout

    interpreter, masks = tflite.open_model(model, runtime=load_runtime("tensorflow")), []
    for name in names:
        image = read_image(device / "images" / name, (HEIGHT, WIDTH))
        masks.append(tflite.run_model(interpreter, image).argmax(-1))
        assert np.array_equal(read_label(device / "predictions" / "masks" / name), masks[-1])
    assert len(np.unique(masks)) > 1
