"""Tests of device/live.py with stand-ins for OpenCV and picamera2: no camera is here."""

import sys
import threading
import types

import numpy as np
import pytest

from device import live
from device.errors import InputError


class Capture:
    """Stands in for cv2.VideoCapture: a list of frames; None is a read that fails."""

    def __init__(self, frames, is_open=True):
        self.frames, self.is_open, self.is_released = list(frames), is_open, False

    def isOpened(self):  # noqa: N802 - OpenCV's name
        return self.is_open

    def read(self):
        frame = self.frames.pop(0) if self.frames else None
        return frame is not None, frame

    def release(self):
        self.is_released = True


def frame(number):
    """A frame in OpenCV's order: blue is its number, red 200."""
    return np.full((4, 6, 3), (number, 0, 200), np.uint8)


def number_of(picture):
    """The number of the frame that a Picture holds, checked to be in RGB."""
    image, size = picture.load()
    red, _, blue = image.getpixel((0, 0))
    assert size == (4, 6) and red == 200
    return blue


@pytest.fixture
def opencv(monkeypatch):
    """Stands in for cv2; captures holds what it opens next, opened what it was asked for."""
    stand_in = types.SimpleNamespace(captures=[], opened=[])

    def open_capture(source):
        stand_in.opened.append(source)
        return stand_in.captures.pop(0)

    stand_in.VideoCapture = open_capture
    monkeypatch.setitem(sys.modules, "cv2", stand_in)
    return stand_in


@pytest.mark.parametrize("source, kind, is_live", [
    (0, "camera", True), ("/dev/video2", "camera", True), ("picamera2", "picamera2", True),
    ("rtsp://10.0.0.2/live", "stream", True), ("http://cam:8080/stream.mjpg", "stream", True),
    ("http://host/a.mp4?x=1", "video", False), ("videos/Duck.MOV", "video", False),
    ("images", "files", False), ("a.png", "files", False)])
def test_kinds(source, kind, is_live):
    assert live.kind_of(source) == kind and live.is_live(source) == is_live


def test_every_frame_of_a_video(opencv, tmp_path):
    path, failures = tmp_path / "a.mp4", []
    path.write_bytes(b"video")
    opencv.captures = [capture := Capture(map(frame, range(4)))]
    pictures = list(live.read_frames(path, None, failures))
    assert [number_of(picture) for picture in pictures] == [0, 1, 2, 3] and not failures
    assert [picture.name for picture in pictures][-1] == "frame_00003" and capture.is_released
    opencv.captures = [Capture(map(frame, range(4)))]
    assert len(list(live.read_frames(path, 2, failures))) == 2


def test_the_newest_frame_only():
    """The camera is ahead: what it gave before the last frame is passed over."""
    given, go_on = threading.Event(), threading.Event()

    class Camera:
        numbers = iter(range(5))

        def read(self):
            number = next(self.numbers, None)
            if number == 4:
                given.set()
                go_on.wait()
            return number

        def release(self):
            pass

    frames = live.NewestFrame(0, Camera())
    given.wait()  # the frames 0 to 3 have come
    assert frames.read() == 3
    go_on.set()
    assert frames.read() == 4  # a frame is given once, and the last one is not lost
    assert frames.read() is None
    frames.release()


def test_a_camera_that_stops(opencv):
    failures, opencv.captures = [], [capture := Capture([frame(7)])]
    pictures = list(live.read_frames(0, None, failures))
    assert [number_of(picture) for picture in pictures] == [7] and capture.is_released
    assert failures == ["camera 0 gives no frame 1: is it there, and free?"]


def test_a_stream_is_opened_again(opencv, monkeypatch, capsys):
    monkeypatch.setattr(live, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(live, "RECONNECT_SECONDS", 0.5)
    url, failures = "rtsp://user:secret@10.0.0.2/live", []
    opencv.captures = [Capture([frame(1)]), Capture([], is_open=False), Capture([frame(2)]),
                       *(Capture([]) for _ in range(1000))]
    pictures = live.read_frames(url, None, failures)
    assert [number_of(next(pictures)), number_of(next(pictures))] == [1, 2]
    assert next(pictures, None) is None
    assert failures == ["stream rtsp://10.0.0.2/live gives no frame 2: is it there, and free?"]
    printed = capsys.readouterr().out
    assert printed.count("trying again for 0.5 seconds") == 2 and "secret" not in printed
    assert opencv.opened[:3] == [url] * 3


@pytest.mark.parametrize("source, sentence", [
    (0, 'camera 0 can\'t be opened: is it there.*IMAGES = "picamera2"'),
    ("rtsp://user:secret@10.0.0.2/live", "stream rtsp://10.0.0.2/live can't be opened: check its"),
    ("http://host/a.mp4", "http://host/a.mp4 can't be opened: it is damaged, or in a format")])
def test_what_can_not_be_opened(opencv, source, sentence):
    opencv.captures = [Capture([], is_open=False)]
    with pytest.raises(InputError, match=sentence):
        next(live.read_frames(source, None, []))


@pytest.mark.parametrize("version, command", [
    ("1.26.4", 'pip install opencv-python-headless "numpy<2".'),
    ("2.4.6", "pip install opencv-python-headless.")])
def test_the_hint_keeps_numpy_1_where_it_is_installed(monkeypatch, version, command):
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setattr(np, "__version__", version)
    with pytest.raises(InputError) as error:
        next(live.read_frames(0, None, []))
    assert str(error.value).endswith(command)


class Picamera2:
    """Stands in for picamera2.Picamera2: red frames, as its "BGR888" has them in memory."""

    steps = ()

    def __init__(self):
        Picamera2.steps = []

    def create_video_configuration(self, main):
        return main

    def configure(self, configuration):
        self.steps.append(configuration)

    def capture_array(self, name):
        return np.full((4, 6, 3), (200, 0, 9), np.uint8)

    def start(self):
        self.steps.append("start")

    def stop(self):
        self.steps.append("stop")

    def close(self):
        self.steps.append("close")


def test_the_camera_module(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", types.SimpleNamespace(Picamera2=Picamera2))
    pictures = list(live.read_frames("picamera2", 2, []))
    assert [number_of(picture) for picture in pictures] == [9, 9]
    assert Picamera2.steps == [{"size": (1280, 720), "format": "BGR888"}, "start", "stop", "close"]


def test_the_camera_module_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(InputError, match=r"apt install python3-picamera2.*system-site-packages"):
        next(live.read_frames("picamera2", None, []))

    def fail():
        raise IndexError("list index out of range")  # what it raises where there is no camera

    monkeypatch.setitem(sys.modules, "picamera2", types.SimpleNamespace(Picamera2=fail))
    with pytest.raises(InputError, match=r"camera module can't be opened .*is its cable in place"):
        next(live.read_frames("picamera2", None, []))
