"""The fixtures that several test files share."""

import ctypes
import platform

import pytest
from small_models import EdgeTPU, write_models
from small_sets import SHARED, write_square_pairs

from device import segmenter


@pytest.fixture
def shared():
    """The folder of data sets and weights beside the project; the test is skipped without it."""
    if not SHARED.is_dir():
        pytest.skip(f"the folder {SHARED.name}/ of real data does not lie beside the project")
    return SHARED


@pytest.fixture
def folders(tmp_path):
    """Two empty folders: for images and for labels."""
    image_dir, label_dir = tmp_path / "images", tmp_path / "labels"
    image_dir.mkdir()
    label_dir.mkdir()
    return image_dir, label_dir


@pytest.fixture
def small_run(monkeypatch, folders, tmp_path):
    """main.py's constants set for two epochs on 16 small pairs; gives OUTPUT_DIR, not yet there."""
    import main

    write_square_pairs(folders, 16)
    for name, value in {
            "IMAGE_DIR": str(folders[0]), "LABEL_DIR": str(folders[1]), "IMAGE_SIZE": (32, 32),
            "ENCODER_WEIGHTS": None, "DECODER_FILTERS": ((8, 8), (8, 8), (8, 4), (8, 4)),
            "BATCH_SIZE": 4, "EPOCHS": 2, "MIN_STEPS_PER_EPOCH": 1,
            "OUTPUT_DIR": str(tmp_path / "output")}.items():
        monkeypatch.setattr(main, name, value)
    return tmp_path / "output"


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder of small models, see write_models."""
    folder = tmp_path_factory.mktemp("models")
    write_models(folder)
    return folder


@pytest.fixture
def edgetpu(monkeypatch):
    """Stands in for libedgetpu and an Edge TPU on Linux."""
    stand_in = EdgeTPU()
    monkeypatch.setattr(segmenter, "load_runtime", lambda *_, **__: stand_in.runtime)
    monkeypatch.setattr(ctypes, "CDLL", lambda library: None)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    return stand_in
