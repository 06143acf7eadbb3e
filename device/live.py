"""Frames of a camera, a stream or a video file: of what is live the newest frame only."""

import os
import re
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

from device.errors import InputError, shorten
from device.progress import say
from device.runtime import has_numpy_1
from device.sources import Picture

PICAMERA2 = "picamera2"  # the Raspberry Pi's camera module, which OpenCV can't open
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")
CAMERA_SIZE = (1280, 720)  # (width, height) that is asked of the camera module
RECONNECT_SECONDS = 60  # how long a stream that stopped is tried again
RETRY_SECONDS = 2  # between two tries
STOP_SECONDS = 3  # how long the end waits for a camera that is being read


def kind_of(source):
    """Returns what IMAGES names: "camera", "picamera2", "stream", "video" or "files"."""
    text = str(source)
    if isinstance(source, int) or text.startswith("/dev/video"):
        return "camera"
    if text == PICAMERA2:
        return PICAMERA2
    if text.lower().split("?")[0].endswith(VIDEO_SUFFIXES):
        return "video"
    return "stream" if "://" in text else "files"


def is_live(source):
    """Returns whether a source never ends by itself: a camera or a stream."""
    return kind_of(source) in ("camera", PICAMERA2, "stream")


def read_frames(source, count, failures):
    """Yields Pictures: of a camera or a stream the newest frame each time, of a video every frame.

    Args: count of frames, None: without end; failures, a list to which a sentence is added where a
        camera or stream stops by itself. A stream that stops is tried again for a minute first.
    Raises: InputError where the source can't be opened.
    """
    capture, number = open_capture(source), 0
    frames = NewestFrame(source, capture) if is_live(source) else capture
    try:
        while count is None or number < count:
            frame = frames.read()
            if frame is None:
                break
            image = Image.fromarray(frame)
            yield Picture(f"frame_{number:05}",
                          lambda image=image: (image, (image.height, image.width)))
            number += 1
        else:
            return
        if is_live(source) or number == 0:
            failures.append(f"{describe(source)} gives no frame {number}: is it there, and free?")
    finally:
        frames.release()


def describe(source):
    """Returns a source as a sentence names it; the password of a stream is left out."""
    kind = kind_of(source)
    text = re.sub(r"//[^/@]*@", "//", str(source))
    return text if kind in (PICAMERA2, "video") else f"{kind} {text}"


def open_capture(source):
    """Opens a camera, stream or video file; returns an object with read() and release().

    read() returns the next frame, uint8 (height, width, 3) in RGB, or None: there is none.
    """
    if kind_of(source) == PICAMERA2:
        return CameraModule()
    if kind_of(source) == "video" and "://" not in str(source) and not Path(source).is_file():
        raise InputError(f"There is no video {source}: correct IMAGES.")
    return OpenCVCapture(source)


def import_opencv(package="opencv-python-headless"):
    """Returns the module cv2. Raises: InputError with how to install a package that has it."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # what it says is said below, as a sentence
    try:
        import cv2
    except Exception as error:  # built for another numpy, it raises more than ImportError
        # By itself pip would take numpy 2 with it, which breaks tflite-runtime.
        numpy = ' "numpy<2"' if has_numpy_1() else ""
        raise InputError(f"Cameras, streams, videos and windows need OpenCV, which can't be "
                         f"imported ({shorten(str(error))}): pip install {package}{numpy}."
                         ) from error
    return cv2


class OpenCVCapture:
    """A camera, a stream or a video file that OpenCV reads."""

    def __init__(self, source):
        cv2 = import_opencv()
        self._capture = cv2.VideoCapture(source if isinstance(source, int) else str(source))
        if not self._capture.isOpened():
            remedy = {
                "camera": 'is it there (ls /dev/video*), and does no other program use it? The '
                          'camera module of a Raspberry Pi needs IMAGES = "picamera2"',
                "stream": "check its address, user and password, and that this machine reaches it",
                "video": "it is damaged, or in a format that this OpenCV can't read"}
            raise InputError(f"{describe(source)} can't be opened: {remedy[kind_of(source)]}.")

    def read(self):
        """Returns the next frame in RGB, or None."""
        is_read, frame = self._capture.read()
        if not is_read:
            return None
        frame = frame[..., :3] if frame.ndim == 3 else np.repeat(frame[..., None], 3, -1)
        return np.ascontiguousarray(frame[..., ::-1])  # OpenCV gives BGR

    def release(self):
        """Closes the camera or file."""
        self._capture.release()


class CameraModule:
    """A Raspberry Pi's camera module, by the library picamera2."""

    def __init__(self):
        try:
            from picamera2 import Picamera2
        except Exception as error:  # built for another numpy, it raises more than ImportError
            raise InputError(f"The camera module needs picamera2, which can't be imported "
                             f"({shorten(str(error))}): sudo apt install python3-picamera2, and "
                             f"make the environment with python3 -m venv --system-site-packages."
                             ) from error
        try:
            self._camera = Picamera2()
            # picamera2 calls the order red, green, blue in memory "BGR888".
            self._camera.configure(self._camera.create_video_configuration(
                main={"size": CAMERA_SIZE, "format": "BGR888"}))
            self._camera.start()
        except (RuntimeError, IndexError) as error:
            raise InputError(f"The camera module can't be opened ({shorten(str(error))}): is its "
                             f"cable in place (rpicam-hello --list-cameras), and does no other "
                             f"program use it?") from error

    def read(self):
        """Returns the next frame in RGB."""
        return self._camera.capture_array("main")

    def release(self):
        """Stops the camera and frees it."""
        self._camera.stop()
        self._camera.close()


class NewestFrame:
    """Reads a live source in a thread of its own, so that no frame is old when it is predicted."""

    def __init__(self, source, capture):
        self._source, self._capture, self._frame = source, capture, None
        self._is_over, self._is_stopped = False, threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read_on, daemon=True)
        self._thread.start()

    def read(self):
        """Waits for a frame that was not returned yet; returns the newest, or None at the end."""
        with self._changed:
            # With a limit, because without one Windows would not notice Ctrl-C.
            while not self._changed.wait_for(lambda: self._frame is not None or self._is_over, 1):
                pass
            frame, self._frame = self._frame, None
            return frame

    def release(self):
        """Ends the thread, which closes the source."""
        self._is_stopped.set()
        self._thread.join(STOP_SECONDS)

    def _read_on(self):
        try:
            while not self._is_stopped.is_set():
                frame = self._capture.read()
                if frame is None and kind_of(self._source) == "stream":
                    frame = self._reconnect()
                if frame is None:
                    return
                with self._changed:
                    self._frame = frame
                    self._changed.notify()
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify()
            self._capture.release()

    def _reconnect(self):
        """Opens a stream again; returns its first frame, or None where that fails for a minute."""
        say(f"{describe(self._source)} stopped: trying again for {RECONNECT_SECONDS} seconds.")
        deadline = time.monotonic() + RECONNECT_SECONDS
        while time.monotonic() < deadline and not self._is_stopped.wait(RETRY_SECONDS):
            self._capture.release()
            try:
                self._capture = open_capture(self._source)
            except InputError:  # not there yet
                continue
            frame = self._capture.read()
            if frame is not None:
                return frame
        return None
