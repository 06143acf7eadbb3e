"""Damaged label files of all formats end in sentences, never in Python's own errors."""

import json

import numpy as np
import pytest
from label_files import FILES, png_bytes, square

from device.errors import InputError

ODD = [None, -1, 0, 1, 3.7, 1e30, 10**40, float("nan"), "", "x", "9" * 20, [], {}, [[]], True,
       [None], {"a": 1}, "\x00\ud83d\u2028"]


def change_bytes(content, random):
    """Returns bytes with a few of them replaced, removed, doubled, or cut off."""
    content = bytearray(content)
    for _ in range(random.integers(1, 4)):
        start = int(random.integers(len(content) + 1))
        end = start + int(random.integers(1, 20))
        kind = random.integers(4)
        if kind == 0:
            content[start:start + 1] = random.bytes(1)
        elif kind == 1:
            del content[start:end]
        elif kind == 2:
            content[start:start] = content[start:end]
        else:
            del content[start:]
    return bytes(content)


def change_value(content, random):
    """Returns a JSON text in which one value, wherever in it, is another one or gone."""
    content = json.loads(content)
    places = []

    def walk(value):
        """Lists every place of a container and of those in it."""
        for key in (value if isinstance(value, dict) else range(len(value))):
            places.append((value, key))
            if isinstance(value[key], (dict, list)):
                walk(value[key])

    walk(content)
    value, key = places[random.integers(len(places))]
    if random.integers(5) == 0:
        del value[key]
    else:
        value[key] = ODD[random.integers(len(ODD))]
    return json.dumps(content).encode()


def damage(number):
    """Returns name and content of a damaged file; each number gives another one."""
    random = np.random.default_rng(number)
    files = {name: text.encode() for name, text in FILES.items()}
    files |= {"x_mask.png": png_bytes(square() * 255),
              "x_rgb.png": png_bytes(np.dstack([square() * 255] * 2 + [square()]))}
    name = list(files)[number % len(files)]
    if name.endswith(".json") and random.integers(3):
        return name, change_value(files[name], random)
    return name, change_bytes(files[name], random)


def import_damaged(numbers, import_from, add_picture, tmp_path):
    """Imports damaged files one by one; returns how many ended in a sentence."""
    sentences = 0
    add_picture("images/x.png")
    add_picture("images/x_leftImg8bit.png")
    (tmp_path / "source").mkdir()
    for number in numbers:
        name, content = damage(number)
        path = tmp_path / "source" / name
        path.write_bytes(content)
        try:
            import_from(image_dir="images")
        except InputError as error:
            sentences += 1
            text = str(error)
            assert text and "Traceback" not in text and len(text) < 3000, (number, text)
        assert not list(tmp_path.rglob("*.part")), number
        path.unlink()
    return sentences


def test_damaged_files(import_from, add_picture, tmp_path, capsys):
    assert import_damaged(range(160), import_from, add_picture, tmp_path) > 60


@pytest.mark.slow
def test_2000_damaged_files(import_from, add_picture, tmp_path, capsys):
    assert import_damaged(range(160, 2160), import_from, add_picture, tmp_path) > 800


def test_the_files_are_sound_before_they_are_damaged(import_from, add_picture, tmp_path, capsys):
    add_picture("images/x.png")
    add_picture("images/x_leftImg8bit.png")
    (tmp_path / "source").mkdir()
    for name, content in FILES.items():
        path = tmp_path / "source" / name
        path.write_text(content, encoding="utf-8")
        labels, names = import_from(image_dir="images", OVERWRITE=True)
        (label,) = labels.values()
        assert names[-1] in ("duck", "car", "class 0"), name
        assert np.array_equal(label, square()), name
        path.unlink()
        for written in (tmp_path / "imported").iterdir():
            written.unlink()
