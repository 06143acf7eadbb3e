"""Tests of cache.py: sets above MEMORY_LIMIT_GB are read as others are, and a cache is not trusted
unless it is whole and nothing has changed.
"""

import errno
import json
import os
import shutil

import numpy as np
import pytest
from small_sets import write_pair, write_square_pairs

import import_data
import main
from device.errors import InputError
from segmentation import evaluate, results
from segmentation.data import cache, reading, stored_array
from segmentation.data.augmentation import Augmentation
from segmentation.data.batches import make_dataset
from segmentation.data.pairing import Pairs, pair_files
from segmentation.int8.calibration import add_extreme_pixels, calibration_indices
from segmentation.settings import read_settings

SIZE = (16, 24)
REUSED, MADE = "Reusing", "Decoding"


@pytest.fixture
def set_dirs(folders):
    """Two folders with twelve pairs."""
    write_square_pairs(folders, 12)
    return folders


@pytest.fixture
def read(set_dirs, tmp_path, capsys):
    """A function that reads all pairs through the cache: the arrays, and what it printed."""
    def read_pairs(image_size=SIZE, purpose="pairs"):
        arrays = reading.read_pairs(pair_files(*set_dirs), reading.Decoding(image_size), None, 0,
                                    tmp_path / "cache", purpose)
        return arrays, capsys.readouterr().out
    return read_pairs


@pytest.fixture
def cache_files(read, tmp_path):
    """The folder of a cache that has just been made."""
    read()
    folder, = (tmp_path / "cache").iterdir()
    return folder


def assert_equal_to_plain(arrays, folders, image_size=SIZE):
    for stored, plain in zip(arrays, reading.read_pairs(
            pair_files(*folders), reading.Decoding(image_size))):
        assert isinstance(stored, stored_array.StoredArray)
        assert stored.shape == plain.shape and stored.dtype == plain.dtype
        assert (stored[:] == plain).all()


# ---- the same as in memory -------------------------------------------------------------------


def test_first_and_second_start_give_what_memory_gives(read, set_dirs):
    first, printed = read()
    assert printed.startswith(MADE) and "no cache of them yet" in printed
    assert_equal_to_plain(first, set_dirs)
    second, printed = read()
    assert printed.startswith(REUSED)
    assert_equal_to_plain(second, set_dirs)


def test_dataset_of_stored_arrays_gives_the_same_batches(read, set_dirs):
    plain = reading.read_pairs(pair_files(*set_dirs), reading.Decoding(SIZE))
    streams = [make_dataset(*arrays[:2], 5, augmentation=Augmentation(), shuffle=True, seed=4)
               for arrays in (plain, read()[0])]
    for (image, label), (stored_image, stored_label) in zip(*streams):
        assert np.array_equal(image, stored_image) and np.array_equal(label, stored_label)


def test_small_sets_stay_in_memory_and_leave_no_folder(set_dirs, tmp_path):
    needed = cache.decoded_bytes(12, SIZE)
    for limit in (None, needed / 10**9):
        images = reading.read_pairs(pair_files(*set_dirs), reading.Decoding(SIZE), None, limit,
                                    tmp_path / "cache").images
        assert isinstance(images, np.ndarray) and not (tmp_path / "cache").exists()


# ---- made anew -------------------------------------------------------------------------------


def change_content_alone(folders):
    """Another label of the same number of bytes, whose modification time is put back."""
    path = folders[1] / "003.png"
    content, state = bytearray(path.read_bytes()), path.stat()
    other = (folders[1] / "005.png").read_bytes()
    path.write_bytes(other if len(other) == len(content) else content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


CHANGES = {
    "content of the same size and time": change_content_alone,
    "content": lambda folders: write_pair(folders, "003", np.eye(32)),
    "added": lambda folders: write_pair(folders, "100", np.eye(32)),
    "removed": lambda folders: [(folder / "003.png").unlink() for folder in folders],
    "renamed": lambda folders: [(folder / "003.png").rename(folder / "3.png")
                                for folder in folders],
    "swapped": lambda folders: [
        (folders[0] / a).rename(folders[0] / b)
        for a, b in (("003.png", "x"), ("004.png", "003.png"), ("x", "004.png"))],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_changed_files_make_it_anew_in_the_old_place(read, set_dirs, cache_files, change):
    change(set_dirs)
    arrays, printed = read()
    assert printed.startswith(MADE) and "have changed" in printed
    assert_equal_to_plain(arrays, set_dirs)
    assert list(cache_files.parent.iterdir()) == [cache_files]  # no stale one is left
    assert read()[1].startswith(REUSED)


def test_another_image_size_or_version_makes_it_anew(read, set_dirs, cache_files, monkeypatch):
    arrays, printed = read((8, 8))
    assert printed.startswith(MADE)
    assert_equal_to_plain(arrays, set_dirs, (8, 8))
    monkeypatch.setattr(cache, "FORMAT_VERSION", cache.FORMAT_VERSION + 1)
    assert read((8, 8))[1].startswith(MADE)
    assert list(cache_files.parent.iterdir()) == [cache_files]


def test_each_purpose_and_each_folder_has_its_own(read, set_dirs, cache_files, capsys):
    assert read(purpose="validation")[1].startswith(MADE)
    assert read()[1].startswith(REUSED)
    other = set_dirs[0].with_name("other")
    shutil.copytree(set_dirs[0], other)
    reading.read_pairs(pair_files(other, set_dirs[1]), reading.Decoding(SIZE), None, 0,
                       cache_files.parent)
    capsys.readouterr()
    assert len(list(cache_files.parent.iterdir())) == 3
    assert read()[1].startswith(REUSED)


def flip_byte(path):
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def edit_manifest(folder, key, value):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))


DAMAGES = {
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "half a manifest": lambda folder: (folder / "manifest.json").write_text('{"signature": "'),
    "a manifest of another kind": lambda folder: (folder / "manifest.json").write_text("[1]"),
    "no signature": lambda folder: edit_manifest(folder, "signature", None),
    "a count of pixels": lambda folder: edit_manifest(folder, "class_counts", [5] * 256),
    "no array": lambda folder: (folder / "labels.npy").unlink(),
    "empty array": lambda folder: (folder / "images.npy").write_bytes(b""),
    "no array file": lambda folder: (folder / "images.npy").write_bytes(b"x" * 10000),
    "truncated": lambda folder: os.truncate(folder / "images.npy", 5000),
    "one byte missing": lambda folder: os.truncate(
        folder / "value_counts.npy", (folder / "value_counts.npy").stat().st_size - 1),
    "a byte of an image": lambda folder: flip_byte(folder / "images.npy"),
    "a byte of a label": lambda folder: flip_byte(folder / "labels.npy"),
    "a byte of the values": lambda folder: flip_byte(folder / "value_counts.npy"),
    "a checksum": lambda folder: flip_byte(folder / "checks.npy"),
    "fewer records": lambda folder: np.save(folder / "labels.npy", np.zeros((11, *SIZE), np.uint8)),
    "objects": lambda folder: np.save(folder / "labels.npy", np.array([{}] * 12, object)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_cache_is_made_anew(read, set_dirs, cache_files, damage):
    damage(cache_files)
    arrays, printed = read()
    assert printed.startswith(MADE) and "because" in printed
    assert_equal_to_plain(arrays, set_dirs)
    assert read()[1].startswith(REUSED)


def test_a_killed_run_leaves_nothing_that_is_trusted(read, set_dirs, cache_files):
    cache_files.rename(cache_files.with_name(cache_files.name + ".part"))
    arrays, printed = read()
    assert printed.startswith(MADE)
    assert_equal_to_plain(arrays, set_dirs)
    assert list(cache_files.parent.iterdir()) == [cache_files]


def test_an_interrupted_run_leaves_nothing(read, tmp_path, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(reading, "decode_label", interrupt)
        read()
    assert list((tmp_path / "cache").iterdir()) == []
    assert read()[1].startswith(MADE)


def test_bad_pairs_are_named_and_leave_nothing(read, set_dirs, tmp_path):
    (set_dirs[0] / "004.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"1 file\(s\) in .* can't be read as an image: 004"):
        read()
    assert list((tmp_path / "cache").iterdir()) == []


def test_no_byte_of_the_small_files_or_headers_may_change(read, cache_files):
    """Whatever byte is flipped, the cache is refused, never an error of another kind."""
    signature = cache.sign(Pairs(), reading.Decoding(SIZE))
    edit_manifest(cache_files, "signature", signature)
    shape = 12, SIZE
    cache.open_cache(cache_files, signature, *shape)
    for path in sorted(cache_files.iterdir()):
        whole = path.read_bytes()
        for position in range(0, min(len(whole), 400), 3):
            for bit in (1, 128):
                content = bytearray(whole)
                content[position] ^= bit
                path.write_bytes(content)
                try:
                    arrays = cache.open_cache(cache_files, signature, *shape)
                except cache.UnusableError:
                    continue
                assert path.name == "manifest.json"  # the name of an entry that nobody reads
                assert arrays[0].shape == (12, *SIZE, 3)
        path.write_bytes(whole)


# ---- the disk --------------------------------------------------------------------------------


def test_too_little_space_is_said_before_anything_is_decoded(read, tmp_path, monkeypatch):
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(
        10**9, 10**9, 10**7))
    monkeypatch.setattr(reading, "decode_image", None)
    with pytest.raises(InputError) as error:
        read()
    sentence = str(error.value)
    assert "need 0.10 GB" in sentence and "only 0.01 GB are free" in sentence
    assert "CACHE_DIR" in sentence and "MEMORY_LIMIT_GB" in sentence and "\n" not in sentence
    assert list((tmp_path / "cache").iterdir()) == []


def test_disk_full_while_writing_is_one_sentence(read, tmp_path, monkeypatch):
    def write(array, index, record):
        if index == 7:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(stored_array.StoredArray, "__setitem__", write)
    with pytest.raises(InputError, match=r"need 0\.10 GB .*No space left on device.*CACHE_DIR"):
        read()
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_cache_dir_that_is_a_file_is_one_sentence(read, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(InputError, match=r"can't be written.*CACHE_DIR"):
        read()


def test_a_file_cut_while_in_use_is_one_sentence(read, cache_files):
    images = read()[0][0]
    os.truncate(cache_files / "images.npy", 1000)
    with pytest.raises(InputError, match=r"images\.npy was cut.*start again"):
        images[5]


# ---- main.py ---------------------------------------------------------------------------------


@pytest.fixture
def main_dirs(set_dirs, tmp_path, monkeypatch):
    """main.py's constants for the twelve pairs, all of which go through the cache."""
    for name, value in {"IMAGE_DIR": str(set_dirs[0]), "LABEL_DIR": str(set_dirs[1]),
                        "IMAGE_SIZE": (32, 64), "OUTPUT_DIR": str(tmp_path / "output"),
                        "MEMORY_LIMIT_GB": 0}.items():
        monkeypatch.setattr(main, name, value)
    return set_dirs


def load_data():
    """Reads the pairs as main() does before it trains."""
    return import_data.load_data(*read_settings(vars(main)))


def snapshot(folder):
    return {path: (path.stat().st_mtime_ns, path.read_bytes())
            for path in folder.rglob("*") if path.is_file()}


def test_load_data_gives_the_same_from_the_cache(main_dirs, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(main, "MEMORY_LIMIT_GB", 1)
        plain = load_data()
    table = capsys.readouterr().out
    assert not (tmp_path / "output").exists()
    for what in (MADE, REUSED):
        data = load_data()
        printed = capsys.readouterr().out
        assert printed.count(what) == 1 and printed.endswith(table)
        assert data.keys() == plain.keys()
        read_plain, read_own = plain["read_own_label"], data["read_own_label"]
        for index in range(len(data["validation_names"])):
            assert np.array_equal(read_own(index), read_plain(index))
        for key in plain.keys() - {"read_own_label"}:
            assert np.array_equal(data[key], plain[key]), key
    assert [path.name.split("_")[0] for path in (tmp_path / "output/cache").iterdir()] == [
        "training"]
    monkeypatch.setattr(main, "SEED", 2)  # another split of the same pairs
    load_data()
    assert capsys.readouterr().out.count(REUSED) == 1
    monkeypatch.setattr(main, "CACHE_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("TF_CONFIG", '{"task": {"index": 1}}')
    load_data()
    assert len(list((tmp_path / "elsewhere/worker_1").iterdir())) == 1


def test_training_uses_stored_arrays_as_plain_ones(main_dirs, tmp_path):
    data = load_data()
    whole = {name: data[name][:] for name in ("images", "validation_images", "validation_labels")}
    chosen = calibration_indices(len(data["images"]))
    calibration = add_extreme_pixels(data["images"][chosen])
    assert np.array_equal(calibration, add_extreme_pixels(whole["images"][chosen]))
    assert np.array_equal(data["images"][:], whole["images"])  # the two ends are in a copy alone

    def features(batch):
        return [batch.astype(np.float32).mean((1, 2))]

    for labels in (data["labels"], data["labels"][:]):
        (feature,), label = next(iter(make_dataset(data["images"], labels, 5, features=features)))
        assert np.array_equal(feature, features(whole["images"][:5])[0])
        assert np.array_equal(label, labels[:5])
    predict = evaluate.make_predictor(lambda batch, training: batch)
    predictions = predict(data["validation_images"], 2)
    assert np.array_equal(predictions, whole["validation_images"].argmax(-1))
    assert evaluate.measure(predictions, data) == evaluate.measure(predictions, {**data, **whole})
    shown = zip(data["validation_images"], data["validation_labels"], predictions)
    results.draw_predictions(tmp_path / "predictions.png", shown, data["class_names"])
    assert (tmp_path / "predictions.png").stat().st_size > 1000


def what_load_data_says():
    with pytest.raises(InputError) as error:
        load_data()
    return str(error.value).split("\n")


def test_faulty_files_are_said_together_and_leave_nothing(main_dirs, tmp_path, monkeypatch):
    content = {}
    for stem in ("001", "002", "003"):
        path = main_dirs[0] / f"{stem}.png"
        content[path] = path.read_bytes()
        path.write_bytes(b"")
    write_pair(main_dirs, "007", np.full((32, 32), 9))
    (main_dirs[1] / "classes.txt").write_text("background\nsquare\ndisc\n")
    through_cache = what_load_data_says()
    assert not list((tmp_path / "output/cache").glob("*.part"))
    assert not list((tmp_path / "output/cache").glob("training*"))
    monkeypatch.setattr(main, "MEMORY_LIMIT_GB", 1)
    assert through_cache == what_load_data_says()
    assert ["001.png" in sentence for sentence in through_cache] == [True, False]
    assert "9 in 007.png" in through_cache[1]


def test_a_wrong_constant_or_lone_file_leaves_the_cache_alone(main_dirs, tmp_path, monkeypatch):
    load_data()
    before = snapshot(tmp_path)
    for name, value in {"SEED": -1, "IMAGE_SIZE": (33, 64), "MEMORY_LIMIT_GB": "2",
                        "CACHE_DIR": 7, "OUTPUT_DIR": None}.items():
        with monkeypatch.context() as patch:
            patch.setattr(main, name, value)
            said, = what_load_data_says()
        assert said.startswith(name)
    assert snapshot(tmp_path) == before
    for path in (main_dirs[0] / "004.png", main_dirs[1] / "006.png"):
        before.pop(path)
        path.unlink()
    assert len(what_load_data_says()) == 2
    assert snapshot(tmp_path) == before


def test_a_cache_that_cannot_be_written_is_said_with_faulty_files(
        main_dirs, tmp_path, monkeypatch):
    """The training files are faulty, and then there is no room for the validation files."""
    other = [tmp_path / name for name in ("images2", "labels2")]
    for folder, copy, name in zip(main_dirs, other, ("IMAGE", "LABEL")):
        shutil.copytree(folder, copy)
        monkeypatch.setattr(main, f"VALIDATION_{name}_DIR", str(copy))
    for path in main_dirs[0].iterdir():
        path.write_bytes(b"")
    rooms = iter([10**12, 10**7])
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(
        10**12, 0, next(rooms)))
    files, disk = what_load_data_says()
    assert "can't be read as an image" in files and "only 0.01 GB are free" in disk
    assert list((tmp_path / "output/cache").iterdir()) == []
