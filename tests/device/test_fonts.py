"""Tests of device/fonts.py: names whose letters a font has or lacks; what is printed of them."""

import os
import subprocess
import sys
from pathlib import Path

from device import fonts

ROOT = Path(__file__).resolve().parents[2]
BIRD = "\u9ce5"  # in Chinese


def test_latin_names_are_drawn_as_they_are(capsys):
    assert fonts.choose_font(("sky", "oiseau \u00e9l\u00e9gant"))[1] == (
        "sky", "oiseau \u00e9l\u00e9gant")
    assert capsys.readouterr().err == ""


def test_names_without_a_font_become_numbers_and_it_is_said_once(monkeypatch, capsys):
    monkeypatch.setattr(fonts, "FONT_FILES", ())
    fonts.choose_font.cache_clear()
    for _ in range(2):
        assert fonts.choose_font(("sky", BIRD))[1] == ("sky", "class 1")
    errors = capsys.readouterr().err
    assert errors.count("Pictures show the numbers of 1 class(es)") == 1 and BIRD in errors
    fonts.choose_font.cache_clear()


def test_no_script_fails_for_what_it_prints():
    result = subprocess.run(
        [sys.executable, "-c",
         f"from device.errors import run_script; run_script(lambda: print({BIRD!r}, 'done'))"],
        cwd=ROOT, capture_output=True, check=False, env={**os.environ,
                                                         "PYTHONIOENCODING": "cp1252"})
    assert result.returncode == 0 and result.stdout.split() == [b"\\u9ce5", b"done"]
