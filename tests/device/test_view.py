"""Tests of device/view.py: what the page serves, and that no viewer holds up the predictions."""

import http.client
import io
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from device import view
from device.errors import InputError


@pytest.fixture
def port():
    """A port that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def page(port):
    """A page that is open."""
    opened = view.open_view(port, "127.0.0.1")
    yield opened
    opened.close()


def ask(port, path, host="localhost", method="GET"):
    """Returns status, headers and body of one answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request(method, path, headers={"Host": host})
    answer = connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read()


def read_pictures(port, count, pause=0.0):
    """Returns so many pictures of the stream as a browser would read them."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/stream.mjpg")
    answer, pictures = connection.getresponse(), []
    while len(pictures) < count:
        assert answer.readline() == b"--frame\r\n"
        assert answer.readline() == b"Content-Type: image/jpeg\r\n"
        length = int(answer.readline().split(b":")[1])
        assert answer.readline() == b"\r\n"
        pictures.append(Image.open(io.BytesIO(answer.read(length))))
        assert answer.readline() == b"\r\n"
        time.sleep(pause)
    connection.close()
    return pictures


def test_nothing_but_the_page_and_its_stream(page, port):
    status, headers, body = ask(port, "/")
    assert status == 200 and b'src="stream.mjpg"' in body
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    for path in ("/predict.py", "/../predict.py", "/stream.mjpg/..", "/?", "/%2e%2e/"):
        assert ask(port, path)[0] == 404
    assert ask(port, "/", method="POST")[0] == 501
    assert ask(port, "/", host="evil.example")[0] == 403  # a name that was pointed at this machine


def test_only_this_machine_reaches_it(page, port):
    assert page._server.server_address == ("127.0.0.1", port)


def test_a_port_that_is_taken_and_wrong_values(page, port):
    with pytest.raises(InputError, match=r"can't be opened at 127.0.0.1:.*set VIEW to another"):
        view.open_view(port, "127.0.0.1")
    with pytest.raises(InputError, match="correct VIEW_HOST"):
        view.open_view(port, "no.such.host.invalid")
    for kind in ("page", 0, True, 65536, 8080.0):
        with pytest.raises(InputError, match=r"VIEW is .*, but it must be"):
            view.open_view(kind, "127.0.0.1")
    assert view.open_view(None, "127.0.0.1") is None


def test_no_window_without_a_screen(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(view.sys, "platform", "linux")
    with pytest.raises(InputError, match=r"needs a screen.*VIEW = 8080"):
        view.open_view("window", "127.0.0.1")


def test_viewers_under_load(page, port):
    """Three viewers, a slow one, and one that never reads: all frames are shown nevertheless."""
    deaf = socket.create_connection(("127.0.0.1", port))
    deaf.sendall(b"GET /stream.mjpg HTTP/1.0\r\nHost: localhost\r\n\r\n")
    seen = {}
    viewers = [threading.Thread(target=lambda key=key, pause=pause: seen.update(
        {key: read_pictures(port, 5, pause)})) for key, pause in enumerate((0, 0, 0, 0.2))]
    for viewer in viewers:
        viewer.start()
    noise = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    pictures = [Image.fromarray(np.roll(noise, shift, 0)) for shift in range(4)]
    shown = 0
    while any(viewer.is_alive() for viewer in viewers) and shown < 500:
        assert page.show(pictures[shown % 4])
        shown += 1
        time.sleep(0.02)  # as a camera does
    for viewer in viewers:
        viewer.join()
    assert [len(seen[key]) for key in range(4)] == [5, 5, 5, 5] and shown < 500
    assert all(picture.size == (1280, 720) for picture in seen[3])
    deaf.close()


def test_a_viewer_that_never_reads_is_let_go(port, monkeypatch):
    monkeypatch.setattr(view._Handler, "timeout", 0.3)
    page = view.open_view(port, "127.0.0.1")
    deaf = socket.create_connection(("127.0.0.1", port))
    deaf.sendall(b"GET /stream.mjpg HTTP/1.0\r\nHost: localhost\r\n\r\n")
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8))
    counts = []
    for _ in range(300):
        page.show(noise)
        counts.append(page._viewers)
        time.sleep(0.01)
        if 1 in counts and counts[-1] == 0:
            break
    page.close()
    deaf.close()
    assert 1 in counts and counts[-1] == 0


def test_too_many_viewers(page, port, monkeypatch):
    monkeypatch.setattr(view, "MAX_VIEWERS", 0)
    assert ask(port, "/stream.mjpg")[0] == 503


def test_nobody_looks_no_jpeg(page):
    page.show(Image.new("RGB", (4, 4)))
    assert page._jpeg is None


@pytest.mark.slow
def test_a_real_window_shows_the_picture(tmp_path):
    """On a virtual screen, of which a screenshot is taken."""
    if shutil.which("xvfb-run") is None or not features.check_feature("xcb"):
        pytest.skip("xvfb-run or Pillow's screenshots (xcb) are not installed")
    pytest.importorskip("tkinter")
    code = """if True:
        import sys
        from PIL import Image, ImageGrab
        from device import view
        window = view.open_view("window", "")
        for color in ("red", "lime", "lime"):
            assert window.show(Image.new("RGB", (320, 240), color))
        ImageGrab.grab().save(sys.argv[1])
        window.close()"""
    subprocess.run(["xvfb-run", "-a", sys.executable, "-c", code, tmp_path / "screen.png"],
                   cwd=Path(view.__file__).parents[1], check=True, timeout=120)
    screen = np.asarray(Image.open(tmp_path / "screen.png").convert("RGB")).astype(int)
    assert (np.abs(screen - (0, 255, 0)).max(-1) < 3).mean() > 0.1
