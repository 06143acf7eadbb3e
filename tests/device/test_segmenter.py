"""Tests of device/segmenter.py: what runs where, with a stand-in for the Edge TPU; own programs."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from small_models import COLORS, HEIGHT, WIDTH, draw_blocks, write_compiled

from device import Segmenter
from device.errors import InputError
from device.files import write_json


@pytest.fixture
def model(models, tmp_path):
    """The small int8 model in a folder of its own."""
    path = tmp_path / "model_int8.tflite"
    path.write_bytes((models / "int8.tflite").read_bytes())
    return path


def open_quietly(model, **options):
    """Returns a Segmenter and the list of what it says."""
    said = []
    return Segmenter(model, say=said.append, **options), said


# ---- from a program of one's own -------------------------------------------------------------


def test_a_picture_of_any_size(model):
    segmenter, said = open_quietly(model.parent)
    assert said[0].startswith("On the CPU") and segmenter.image_size == (HEIGHT, WIDTH)
    assert segmenter.class_names == ["class 0", "class 1", "class 2"]
    truth = draw_blocks((160, 240))
    mask = segmenter(COLORS[truth])
    assert mask.shape == truth.shape and mask.dtype == np.uint8 and (mask == truth).mean() > 0.95
    assert np.array_equal(segmenter(COLORS[draw_blocks()]), draw_blocks())


def test_logits_are_real_numbers_at_the_models_size(model):
    segmenter, _ = open_quietly(model)
    mask, logits = segmenter(COLORS[draw_blocks((32, 48))], return_logits=True)
    assert mask.shape == (32, 48) and logits.shape == (HEIGHT, WIDTH, 3)
    assert logits.dtype == np.float32 and np.allclose(logits[0, 0], (0.5, 2, -2), atol=0.05)


def test_logits_leave_out_the_padding(model):
    segmenter, _ = open_quietly(model, keep_aspect=True)
    mask, logits = segmenter(COLORS[draw_blocks((8, 96))], return_logits=True)
    assert mask.shape == (8, 96) and logits.shape == (2, WIDTH, 3)


def write_picture_size(folder, picture_size):
    """Writes a model.json that asks for tiles."""
    write_json(folder / "model.json", {
        "class_names": ["a", "b", "c"], "class_colors": [[0, 0, 0], [9, 9, 9], [5, 5, 5]],
        "picture_size": picture_size})


def test_a_large_picture_is_seen_in_tiles(model):
    write_picture_size(model.parent, "full")
    segmenter, said = open_quietly(model)
    truth = draw_blocks((5 * HEIGHT // 2, 3 * WIDTH))
    mask, logits = segmenter(COLORS[truth], return_logits=True)
    assert (mask == truth).all() and logits.shape == (*truth.shape, 3)
    assert "tile(s)" in said[-1] and segmenter.load_size is None
    assert (segmenter(COLORS[truth]) == truth).all()
    assert sum("tile(s)" in sentence for sentence in said) == 1


def test_one_tile_is_the_plain_prediction_bit_for_bit(model):
    truth = draw_blocks()
    plain = open_quietly(model)[0](COLORS[truth], return_logits=True)
    write_picture_size(model.parent, "full")
    tiled = open_quietly(model)[0](COLORS[truth], return_logits=True)
    assert all((one == other).all() for one, other in zip(plain, tiled))


def test_a_picture_size_is_stretched_to(model):
    write_picture_size(model.parent, [2 * HEIGHT, 2 * WIDTH])
    segmenter, _ = open_quietly(model)
    truth = draw_blocks((4 * HEIGHT, 4 * WIDTH))
    mask = segmenter(COLORS[truth])
    assert mask.shape == truth.shape and (mask == truth).mean() > 0.95
    assert segmenter.load_size == (2 * HEIGHT, 2 * WIDTH)


@pytest.mark.parametrize("image", [
    np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8),
    np.zeros((4, 4, 4), np.uint8)])
def test_arrays_that_are_no_picture(model, image):
    with pytest.raises(InputError, match="needed is uint8"):
        open_quietly(model)[0](image)


def test_threads_take_turns(model):
    segmenter, _ = open_quietly(model)
    images = [COLORS[np.full((HEIGHT, WIDTH), index % 3)] for index in range(60)]
    with ThreadPoolExecutor(8) as pool:
        masks = list(pool.map(segmenter, images))
    assert [int(mask.mean()) for mask in masks] == [index % 3 for index in range(60)]
    assert all(len(np.unique(mask)) == 1 for mask in masks)


# ---- what runs where -------------------------------------------------------------------------


def test_auto_takes_the_edge_tpu(model, edgetpu):
    compiled = write_compiled(model)
    segmenter, said = open_quietly(model, device="usb:1")
    assert segmenter.is_on_edgetpu and segmenter.path == compiled
    assert edgetpu.calls == [(compiled.name, ["delegate of libedgetpu.so.1 {'device': 'usb:1'}"])]
    assert said[0] == "Trying the Edge TPU: libedgetpu.so.1, device usb:1, with stand-in 1.0 ..."
    assert said[1].startswith(f"On the Edge TPU: {compiled}. It was compiled elsewhere")


def test_a_named_library_and_the_compiled_file(model, edgetpu):
    compiled = write_compiled(model)
    segmenter, said = open_quietly(compiled, delegate="lib/libedgetpu.so.1.0")
    assert segmenter.path == compiled and "lib/libedgetpu.so.1.0" in said[0]


def test_the_cpu_without_a_compiled_model(model, edgetpu):
    segmenter, said = open_quietly(model)
    assert segmenter.path == model and not segmenter.is_on_edgetpu
    assert said[0].startswith("On the CPU") and "no model_int8_edgetpu.tflite" in said[0]
    with pytest.raises(InputError, match=r"DELEGATE asks for the Edge TPU. There is no model_int8"):
        open_quietly(model, delegate="libedgetpu.so.1")


def test_the_cpu_when_asked_for(model, edgetpu):
    compiled = write_compiled(model)
    for path in (model, compiled):
        segmenter, said = open_quietly(path, delegate=None)
        assert segmenter.path == model and "DELEGATE is None" in said[0]
    model.unlink()
    with pytest.raises(InputError, match=r"runs nowhere else.*not beside it.*DELEGATE is None"):
        open_quietly(compiled, delegate=None)


def test_no_edge_tpu(model, edgetpu):
    edgetpu.find = ValueError("Failed to load delegate from libedgetpu.so.1")
    compiled = write_compiled(model)
    segmenter, said = open_quietly(model)
    assert segmenter.path == model and "plugdev" in said[1]
    with pytest.raises(InputError, match=r"DELEGATE asks for the Edge TPU.*plugdev"):
        open_quietly(model, delegate="libedgetpu.so.1")
    model.unlink()
    with pytest.raises(InputError, match=r"runs nowhere else.*plugdev"):
        open_quietly(compiled)


def test_a_delegate_that_fails_to_prepare_is_not_the_files_fault(model, edgetpu):
    edgetpu.prepare = RuntimeError("Restored original execution plan after delegate application "
                                   "failure.")
    write_compiled(model)
    segmenter, said = open_quietly(model)
    assert segmenter.path == model
    assert "The Edge TPU does not take" in said[1] and "stand-in 1.0 do not fit" in said[1]
    assert "can't be opened as a .tflite" not in said[1]
    with pytest.raises(InputError, match=r"DELEGATE asks for the Edge TPU\. The Edge TPU does no"):
        open_quietly(model, delegate="libedgetpu.so.1")


def test_a_stick_that_is_pulled_out(model, edgetpu):
    write_compiled(model)
    image = Image.fromarray(COLORS[draw_blocks()])
    automatic, said = open_quietly(model)
    named, _ = open_quietly(model, delegate="libedgetpu.so.1")
    edgetpu.invoke = RuntimeError("Failed to execute request. Could not submit bulk transfer.")
    assert np.array_equal(automatic.predict(image)[0], draw_blocks())
    assert not automatic.is_on_edgetpu and automatic.path == model
    assert said[2].startswith("On the CPU") and "stopped answering (Failed to execute" in said[2]
    with pytest.raises(InputError, match=r"DELEGATE asks for the Edge TPU. The Edge TPU stopped"):
        named.predict(image)
