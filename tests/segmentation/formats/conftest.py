"""What the tests of the readers share: small pictures, and an import of a folder made by hand."""

import numpy as np
import pytest
from PIL import Image

from device.images import read_label
from segmentation.formats.importing import import_labels
from segmentation.formats.options import read_options

DEFAULTS = {"IMAGE_DIR": None, "SUFFIX": None, "LABELS_TURNED": False, "OVERWRITE": True,
            "CLASS_NAMES": None, "MERGE": {}, "EMPTY": "skip", "CROWD": "class"}


@pytest.fixture
def import_from(tmp_path):
    """A function that imports tmp_path / source; returns label name -> array, and class names."""
    def import_folder(source="source", image_dir=None, **constants):
        label_dir = tmp_path / "imported"
        options = read_options({**DEFAULTS, "SOURCE": tmp_path / source, "LABEL_DIR": label_dir,
                                "IMAGE_DIR": image_dir and tmp_path / image_dir, **constants})
        targets = import_labels(options, tmp_path / "output/preview.png")
        names = (label_dir / "classes.txt").read_text(encoding="utf-8").splitlines()
        return {path.relative_to(label_dir).with_suffix("").as_posix(): read_label(path)
                for path in targets}, names

    return import_folder


@pytest.fixture
def add_picture(tmp_path):
    """A function that writes a picture of noise, which no mask looks like, below tmp_path."""
    def write(name, size=(8, 12), **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(noise).save(path, **options)
        return path

    return write


@pytest.fixture
def add_mask(tmp_path):
    """A function that writes an array as a picture, below tmp_path."""
    def write(name, array, mode=None, **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(np.asarray(array))
        (image.convert(mode) if mode else image).save(path, **options)
        return path

    return write
