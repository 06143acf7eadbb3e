"""Tests of segmentation/labeling/contact_sheet.py."""

import sys

import numpy as np
from PIL import Image

from labeling.hand import NAMES, SQUARE, click, make_images, press_key
from segmentation.labeling import contact_sheet
from segmentation.labeling.opening import open_session
from segmentation.labeling.window import open_window


def test_all_labels_are_on_the_sheets(tmp_path, monkeypatch, capsys):
    make_images(tmp_path / "images", 7)
    window = open_window(open_session(tmp_path / "images", tmp_path / "labels", NAMES,
                                      output_dir=tmp_path / "output"))
    press_key(window, "f4")
    assert "no label yet" in window.message
    for _ in range(7):
        click(window, *SQUARE)
        press_key(window, "enter", "right")
    monkeypatch.setattr(contact_sheet, "ROWS", 1)
    press_key(window, "f4")
    paths = sorted((tmp_path / "output").glob("*.png"))
    assert [path.name for path in paths] == ["contact_sheet_01.png", "contact_sheet_02.png"]
    monkeypatch.setattr(sys, "argv", ["contact_sheet", str(tmp_path / "images"),
                                      str(tmp_path / "labels"), str(tmp_path / "sheets")])
    contact_sheet.main()
    assert "contact_sheet_02.png" in capsys.readouterr().out
    with Image.open(paths[0]) as file:
        assert file.size[0] > 5 * 200
        orange = np.abs(np.asarray(file.convert("RGB")).astype(int) - (230, 159, 0)).sum(axis=-1)
    assert (orange < 260).mean() > 0.05
