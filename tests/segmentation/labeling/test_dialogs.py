"""Tests of segmentation/labeling/dialogs.py, with matplotlib's events on the Agg canvas."""

import os
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import annotate_segmentation
from device.drawing import class_colors, save_mask
from device.errors import InputError
from device.files import find_images
from labeling.hand import SQUARE, click, press_key, square_label
from segmentation.labeling import dialogs
from segmentation.labeling.opening import open_session

ROOT = Path(__file__).resolve().parents[3]


def test_no_display_names_the_package():
    with pytest.raises(InputError, match=r"python3-tk.*MPLBACKEND"):
        dialogs.check_display()
    result = subprocess.run(
        [sys.executable, str(ROOT / "annotate_segmentation.py")], text=True, capture_output=True,
        env={**os.environ, "MPLBACKEND": "TkAgg", "DISPLAY": "", "WAYLAND_DISPLAY": ""})
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "python3-tk" in result.stderr and "MPLBACKEND" in result.stderr


def test_questions_in_the_terminal(folders, monkeypatch, capsys):
    monkeypatch.setattr(dialogs, "open_dialogs", lambda: None)
    answers = iter(["nowhere", str(folders[0]), "", "", "bird ,fish"])
    monkeypatch.setattr("builtins.input", lambda question: next(answers))
    assert dialogs.ask_folder("Images", "IMAGE_DIR", find_images) == str(folders[0])
    assert "nowhere does not exist" in capsys.readouterr().out  # said at once, then asked again
    with pytest.raises(InputError, match="set LABEL_DIR"):
        dialogs.ask_folder("Labels", "LABEL_DIR", find_images)
    last = str(folders[0])
    assert dialogs.ask_folder("Images", "IMAGE_DIR", find_images, last) == last
    assert dialogs.ask_class_names(folders[1]) == ["background", "bird", "fish"]
    open_session(*folders)
    assert dialogs.ask_class_names(folders[1]) is None


def test_class_names_that_can_t_be_are_asked_for_again(folders, monkeypatch, capsys):
    monkeypatch.setattr(dialogs, "open_dialogs", lambda: None)
    answers = iter(["duck, duck", "background", "duck, swan"])
    monkeypatch.setattr("builtins.input", lambda question: next(answers))
    assert dialogs.ask_class_names(folders[1]) == ["background", "duck", "swan"]
    assert capsys.readouterr().out.count("different names besides background") == 2


def test_main_runs_from_the_constants(folders, monkeypatch, capsys):
    monkeypatch.setattr(annotate_segmentation, "check_display", lambda: None)
    monkeypatch.setattr(annotate_segmentation, "IMAGE_DIR", str(folders[0]))
    monkeypatch.setattr(annotate_segmentation, "LABEL_DIR", str(folders[1]))
    (folders[0] / "image_1.jpg").write_bytes(b"no image")

    def paint_a_little():
        window = windows[0]
        click(window, *SQUARE)
        press_key(window, "enter", "right", "q")

    windows, build = [], annotate_segmentation.open_window
    monkeypatch.setattr(annotate_segmentation, "open_window",
                        lambda session: windows.append(build(session)) or windows[0])
    monkeypatch.setattr(plt, "show", paint_a_little)
    monkeypatch.setattr(sys, "argv", ["annotate_segmentation.py"])
    annotate_segmentation.main()
    printed = capsys.readouterr().out
    assert "3 images, 0 labeled" in printed and "1 of 2 images are labeled" in printed
    assert "1 image(s) were skipped:\n  image_1.jpg" in printed


@pytest.mark.parametrize("folder", ["nowhere", "empty", "file"])
def test_a_wrong_folder_in_the_command_is_said_before_anything_is_asked(
        folders, monkeypatch, folder):
    (folders[0].parent / "empty").mkdir()
    (folders[0].parent / "file").write_text("")
    wrong = str(folders[0].parent / folder)
    monkeypatch.setattr(annotate_segmentation, "check_display", lambda: None)
    monkeypatch.setattr(annotate_segmentation, "ask_class_names", lambda *words: pytest.fail())
    for words in ([wrong, str(folders[1])], [str(folders[0]), str(folders[0].parent / "file")]):
        monkeypatch.setattr(sys, "argv", ["annotate_segmentation.py", *words])
        with pytest.raises(InputError, match=r"no folder|No images|can't be written"):
            annotate_segmentation.main()


def test_a_folder_beside_the_images_is_proposed_for_the_labels(folders, monkeypatch):
    monkeypatch.setattr(dialogs, "open_dialogs", lambda: None)
    monkeypatch.setattr("builtins.input", lambda question: "")
    assert annotate_segmentation.choose_folders([str(folders[0])], folders[0] / "output") == folders


def test_importing_starts_nothing_and_needs_no_tensorflow():
    program = ("import sys, annotate_segmentation, matplotlib.pyplot as plt; "
               "print('tensorflow' in sys.modules, 'tkinter' in sys.modules, plt.get_fignums())")
    result = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True,
                            cwd=ROOT)
    assert result.stdout.strip() == "False False []", result.stderr


def test_class_names_of_labels_that_exist(folders, monkeypatch, capsys):
    """The labels' classes are proposed; fewer names are not taken; the background comes along."""
    folders[1].mkdir()
    save_mask(folders[1] / "image_0.png", square_label(3), class_colors(4))
    monkeypatch.setattr(dialogs, "open_dialogs", lambda: None)
    questions, answers = [], iter(["duck, swan", "duck, swan, flamingo"])
    monkeypatch.setattr("builtins.input", lambda text: questions.append(text) or next(answers))
    assert dialogs.ask_class_names(folders[1]) == ["background", "duck", "swan", "flamingo"]
    assert "class 1, class 2, class 3" in questions[0]
    assert "give 3 names, not 2" in capsys.readouterr().out


@pytest.mark.parametrize("answer, names", [
    ("duck", ["background", "duck"]), ("Background, duck", ["Background", "duck"]), (" , ", None)])
def test_the_background_is_added(answer, names):
    assert dialogs.complete_names(answer) == names


def test_folders_of_the_command_and_of_the_last_time(folders, tmp_path, monkeypatch):
    choose = annotate_segmentation.choose_folders
    assert choose([*map(str, folders)], tmp_path) == folders
    with pytest.raises(InputError, match="two folders at most"):
        choose(["a", "b", "c"], tmp_path)
    dialogs.remember_folders(tmp_path / "new", *folders)
    monkeypatch.setattr(dialogs, "open_dialogs", lambda: None)
    monkeypatch.setattr("builtins.input", lambda question: "")
    assert choose([], tmp_path / "new") == folders
    (tmp_path / "new" / dialogs.FOLDERS_FILE).write_text("{")
    assert dialogs.read_last_folders(tmp_path / "new") == (None, None)
