"""Tests of saved_model.py: the weights come back; nothing else of a file is run, read, believed."""

import io
import random
import zipfile

import h5py
import keras
import numpy as np
import pytest

from device.errors import InputError
from get_model import get_model, load_model
from segmentation.saved_model import load_weights

INFO = {"class_names": ["ground", "bird", "tree"], "image_size": [32, 64],
        "decoder_filters": [16, 16, 8, 8]}
WEIGHTS_MEMBER = "model.weights.h5"


@pytest.fixture(scope="module")
def model():
    """A random model of 32x64."""
    keras.utils.set_random_seed(0)
    return get_model((32, 64), 3, weights=None, decoder_filters=(16, 16, 8, 8))


@pytest.fixture(scope="module")
def other(model):
    """A network of the same layers, into which damaged files are loaded."""
    return keras.models.clone_model(model)


@pytest.fixture(scope="module")
def keras_file(model, tmp_path_factory):
    """The bytes of the model's model.keras."""
    path = tmp_path_factory.mktemp("keras") / "model.keras"
    model.save(path)
    return path.read_bytes()


def predict(model):
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 64, 3)).astype(np.float32)
    return model(image, training=False).numpy()


def write_archive(folder, keras_file, changes):
    """Writes a model.keras some of whose members have other bytes, or are left out (None)."""
    with zipfile.ZipFile(io.BytesIO(keras_file)) as before:
        members = {name: before.read(name) for name in before.namelist()} | changes
    with zipfile.ZipFile(folder / "model.keras", "w") as after:
        for name, content in members.items():
            if content is not None:
                after.writestr(name, content)


def change_first_weight(keras_file, change):
    """Returns the file of weights after change(its first group of variables) was called."""
    with zipfile.ZipFile(io.BytesIO(keras_file)) as archive:
        content = io.BytesIO(archive.read(WEIGHTS_MEMBER))
    with h5py.File(content, "r+") as file:
        groups = []
        file.visititems(lambda name, item: groups.append(item) if name.endswith("vars") else None)
        change(next(group for group in groups if "0" in group))
    return content.getvalue()


def test_a_sound_model_comes_back(model, keras_file, tmp_path):
    (tmp_path / "model.keras").write_bytes(keras_file)
    assert np.array_equal(predict(load_model(tmp_path, INFO)), predict(model))


@pytest.mark.slow
def test_the_other_decoder_comes_back(tmp_path):
    filters = [[8, 8]] * 4
    model = get_model((32, 64), 3, weights=None, decoder_filters=filters)
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path, INFO | {"decoder_filters": filters})
    assert np.array_equal(predict(loaded), predict(model))


def test_missing_and_damaged_models_are_sentences(other, keras_file, tmp_path):
    with pytest.raises(InputError, match=r"no .*model\.keras: run main\.py first"):
        load_weights(other, tmp_path)
    lengths = [0, 3, 22, 1000, len(keras_file) // 2, len(keras_file) - 1]
    for content in (b"no model", *(keras_file[:length] for length in lengths)):
        (tmp_path / "model.keras").write_bytes(content)
        with pytest.raises(InputError, match=r"model\.keras is damaged"):
            load_weights(other, tmp_path)


def test_flipped_bytes_are_found_wherever_they_are(other, keras_file, tmp_path):
    draw = random.Random(0)
    for _ in range(5):
        data = bytearray(keras_file)
        for _ in range(20):
            data[draw.randrange(len(data))] ^= 255
        (tmp_path / "model.keras").write_bytes(data)
        with pytest.raises(InputError, match="damaged"):
            load_weights(other, tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"no weights", b"\x89HDF\r\n\x1a\n" + bytes(5000)])
def test_an_archive_without_its_weights_is_a_sentence(other, keras_file, tmp_path, content):
    write_archive(tmp_path, keras_file, {WEIGHTS_MEMBER: content})
    with pytest.raises(InputError, match="can't be loaded into the network"):
        load_weights(other, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("change", [
    {"class_names": ["a", "b"]}, {"decoder_filters": [[16, 8]] * 4},
    {"decoder_filters": [8, 8, 8, 8]}])
def test_a_model_of_another_training_is_refused(keras_file, tmp_path, change):
    (tmp_path / "model.keras").write_bytes(keras_file)
    with pytest.raises(InputError, match="damaged or of another training"):
        load_model(tmp_path, INFO | change)


# ---- files of strangers ----------------------------------------------------------------------


def test_another_network_is_refused(other, tmp_path):
    image = keras.Input((32, 64, 3))
    keras.Model(image, keras.layers.Conv2D(3, 1)(image)).save(tmp_path / "model.keras")
    with pytest.raises(InputError, match="damaged or of another training"):
        load_weights(other, tmp_path)


def test_no_code_of_a_model_is_run(tmp_path):
    """A Lambda layer, whose function Keras stores with marshal, makes a file when it is called."""
    witness = tmp_path / "executed.txt"
    image = keras.Input((32, 64, 3))
    function = eval(f"lambda x: (open({str(witness)!r}, 'w').close(), x)[1]")  # holds the path
    code = keras.layers.Lambda(function, output_shape=(32, 64, 3))
    keras.Model(image, code(image)).save(tmp_path / "model.keras")
    with pytest.raises(InputError, match="damaged or of another training"):
        load_model(tmp_path, INFO)
    assert not witness.exists()
    keras.models.load_model(tmp_path / "model.keras", safe_mode=False)(np.zeros((1, 32, 64, 3)))
    assert witness.exists()  # so it was harmful


@pytest.mark.slow
def test_code_beside_sound_weights_is_not_even_looked_at(model, keras_file, tmp_path):
    """The hostile configuration of the test above, in the archive of sound weights."""
    witness = tmp_path / "executed.txt"
    image = keras.Input((32, 64, 3))
    function = eval(f"lambda x: (open({str(witness)!r}, 'w').close(), x)[1]")
    hostile = keras.Model(image, keras.layers.Lambda(function, output_shape=(32, 64, 3))(image))
    hostile.save(tmp_path / "hostile.keras")
    with zipfile.ZipFile(tmp_path / "hostile.keras") as archive:
        config = archive.read("config.json")
    write_archive(tmp_path, keras_file, {"config.json": config, "../../evil.py": b"raise"})
    assert np.array_equal(predict(load_model(tmp_path, INFO)), predict(model))
    assert not witness.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"model.keras", "hostile.keras"}


def test_weights_that_lead_to_other_files_are_refused(other, keras_file, tmp_path):
    """HDF5 can take a group or the numbers of an array from another file on the disk."""
    secret = tmp_path / "secret.h5"

    def link_group(group):
        """Puts a link to another HDF5 file in the place of the variables."""
        with h5py.File(secret, "w") as file:
            for name, dataset in group.items():
                file[f"vars/{name}"] = dataset[...]
        parent, name = group.parent, group.name.rpartition("/")[2]
        del parent[name]
        parent[name] = h5py.ExternalLink(str(secret), "vars")

    def link_array(group):
        """Lets the numbers of the first variable lie in another file."""
        shape, dtype = group["0"].shape, group["0"].dtype
        secret.write_bytes(np.zeros(shape, dtype).tobytes())
        del group["0"]
        group.create_dataset("0", shape, dtype, external=[(str(secret), 0, h5py.h5f.UNLIMITED)])

    for change in (link_group, link_array):
        write_archive(tmp_path, keras_file, {WEIGHTS_MEMBER: change_first_weight(
            keras_file, change)})
        with pytest.raises(InputError, match="can't be loaded into the network"):
            load_weights(other, tmp_path)
