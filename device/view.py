"""Shows what the model sees while it runs: in a window, or on a small page for browsers."""

import io
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from device.errors import InputError
from device.live import import_opencv
from device.progress import say

TITLE = "Segmentation"
MAX_VIEWERS = 8  # browsers at a time; each takes a thread and its share of the network
MAX_THREADS = 40  # of the whole process; beyond, new connections are closed at once
VIEWER_SECONDS = 10  # a browser that takes nothing for so long is let go
LOOPBACK = ("127.0.0.1", "localhost")
JPEG_QUALITY = 80
BOUNDARY = "frame"  # between two pictures of the stream (multipart/x-mixed-replace)
PAGE = b"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Segmentation</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{margin:0;background:#222;text-align:center}img{max-width:100%;max-height:100vh}</style>
</head><body><img src="stream.mjpg" alt="The newest picture with its mask"></body></html>
"""


def open_view(kind, host):
    """Opens what VIEW asks for.

    Args: kind, None, "window" or a port; host, the address that the page is bound to.
    Returns: an object with show(picture), whose result says whether to go on, and close().
    Raises: InputError where there is no screen, or the port is taken.
    """
    if kind is None:
        return None
    if kind == "window":
        return open_window()
    if isinstance(kind, int) and not isinstance(kind, bool) and 0 < kind < 65536:
        return Page(kind, host)
    raise InputError(f'VIEW is {kind!r}, but it must be None, "window" or a port such as 8080.')


class Page:
    """A page at a port: the newest picture, as a stream of JPEGs that every browser shows.

    Viewers never slow the predictions: each takes the newest JPEG when it is ready for one.
    """

    def __init__(self, port, host):
        self._jpeg, self._number, self._viewers = None, 0, 0
        self._changed, self._is_open = threading.Condition(), True
        try:
            self._server = _Server((host, port), _Handler)
        except OSError as error:
            raise InputError(f"The page can't be opened at {host}:{port} ({error.strerror}): set "
                             f"VIEW to another port, or correct VIEW_HOST.") from error
        self._server.page = self
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        reach = (f"This machine alone sees it; from another one: ssh -L {port}:127.0.0.1:{port} "
                 f"USER@THIS_MACHINE" if host in LOOPBACK else
                 "Everyone who reaches this machine sees it")
        say(f"Look at http://{host}:{port}/. {reach}.")

    def show(self, picture):
        """Hands the newest picture, an RGB PIL image, to all who look; returns True: go on."""
        if self._viewers:  # nobody looks: no JPEG
            file = io.BytesIO()
            picture.save(file, "JPEG", quality=JPEG_QUALITY)
            with self._changed:
                self._jpeg, self._number = file.getvalue(), self._number + 1
                self._changed.notify_all()
        return True

    def close(self):
        """Ends the page; browsers keep the last picture."""
        with self._changed:
            self._is_open = False
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def follow(self):
        """Yields the newest JPEG, each at most once, until the page is closed."""
        seen = self._number
        while True:
            with self._changed:
                while self._number == seen and self._is_open:
                    self._changed.wait()
                if not self._is_open:
                    return
                jpeg, seen = self._jpeg, self._number
            yield jpeg

    def enter(self):
        """Counts a viewer in; returns False where there are enough."""
        with self._changed:
            has_room = self._viewers < MAX_VIEWERS
            self._viewers += has_room
            return has_room

    def leave(self):
        """Counts a viewer out."""
        with self._changed:
            self._viewers -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # a viewer who does not read must not keep the script from ending

    def verify_request(self, request, client_address):
        """Whether a viewer is let in: so many threads at the most."""
        return threading.active_count() < MAX_THREADS


class _Handler(BaseHTTPRequestHandler):
    timeout = VIEWER_SECONDS
    protocol_version = "HTTP/1.0"

    def do_GET(self):
        """Answers a browser: the page, or its stream of pictures."""
        page = self.server.page
        try:
            if not self._comes_from_here():
                self.send_error(403)
            elif self.path == "/":
                self._send_head("text/html; charset=utf-8")
                self.wfile.write(PAGE)
            elif self.path != "/stream.mjpg":
                self.send_error(404)
            elif not page.enter():
                self.send_error(503, "Enough viewers")
            else:
                try:
                    self._send_stream(page)
                finally:
                    page.leave()
        except OSError:  # the viewer has gone, or did not read for VIEWER_SECONDS
            self.close_connection = True

    def _comes_from_here(self):
        """Whether a page bound to this machine is asked for by its name: no stranger's web site."""
        name = self.headers.get("Host", "").partition(":")[0]
        return self.server.server_address[0] != "127.0.0.1" or name in LOOPBACK

    def _send_head(self, kind):
        self.send_response(200)
        for name, value in (("Content-Type", kind), ("Cache-Control", "no-store"),
                            ("Cross-Origin-Resource-Policy", "same-origin")):
            self.send_header(name, value)
        self.end_headers()

    def _send_stream(self, page):
        self._send_head(f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        for jpeg in page.follow():
            self.wfile.write(f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n"
                             f"Content-Length: {len(jpeg)}\r\n\r\n".encode() + jpeg + b"\r\n")

    def log_message(self, *arguments):
        """Prints nothing: a line for each request would hide ours."""


def open_window():
    """Opens a window with OpenCV, or else with matplotlib.

    Raises: InputError where there is no screen, or neither can show a window.
    """
    if sys.platform.startswith("linux") and not (
            os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise InputError('VIEW = "window" needs a screen, and there is none: set VIEW = 8080 and '
                         'look at it with a browser.')
    for make in (OpenCVWindow, MatplotlibWindow):
        try:
            return make()
        except Exception as error:  # not installed, or built without windows
            reason = error
    raise InputError(f'VIEW = "window" needs OpenCV with windows or matplotlib ({reason}): pip '
                     f'install opencv-python, or set VIEW = 8080.')


class OpenCVWindow:
    """A window by OpenCV; q or Escape closes it."""

    def __init__(self):
        self._cv2 = import_opencv("opencv-python")
        self._cv2.namedWindow(TITLE, self._cv2.WINDOW_NORMAL)  # fails in the headless package

    def show(self, picture):
        """Shows an RGB PIL image; returns whether the window is still open."""
        self._cv2.imshow(TITLE, np.asarray(picture)[..., ::-1])
        key = self._cv2.waitKey(1)
        return key not in (27, ord("q")) and self._cv2.getWindowProperty(
            TITLE, self._cv2.WND_PROP_VISIBLE) >= 1

    def close(self):
        """Closes the window."""
        self._cv2.destroyAllWindows()


class MatplotlibWindow:
    """A window by matplotlib, where OpenCV has none."""

    def __init__(self):
        import matplotlib.pyplot as plt

        if plt.get_backend().lower() == "agg":
            raise RuntimeError("matplotlib has no window here")
        self._plt, self._shown = plt, None
        self._figure = plt.figure(TITLE)
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.axis("off")
        self._figure.show()

    def show(self, picture):
        """Shows an RGB PIL image; returns whether the window is still open."""
        pixels = np.asarray(picture)
        if self._shown is None or self._shown.get_array().shape != pixels.shape:
            self._axes.clear()
            self._axes.axis("off")
            self._shown = self._axes.imshow(pixels)
        else:
            self._shown.set_data(pixels)
        self._figure.canvas.draw()  # plt.pause() returns before a busy machine has drawn
        self._figure.canvas.flush_events()
        return self._plt.fignum_exists(self._figure.number)

    def close(self):
        """Closes the window."""
        self._plt.close(self._figure)
