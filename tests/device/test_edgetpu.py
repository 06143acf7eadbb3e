"""Tests of device/edgetpu.py: the sentence for each way in which the Edge TPU can be missing."""

import ctypes
import platform

import pytest

from device import edgetpu as rooms
from device.errors import InputError


@pytest.mark.parametrize("system, library", [
    ("Linux", "libedgetpu.so.1"), ("Darwin", "libedgetpu.1.dylib"), ("Windows", "edgetpu.dll")])
def test_library_of_each_system(edgetpu, monkeypatch, system, library):
    monkeypatch.setattr(platform, "system", lambda: system)
    assert rooms.load_delegate(edgetpu.runtime) == f"delegate of {library}"
    assert rooms.name_library() == library


def test_device_is_the_delegates_option(edgetpu):
    assert rooms.load_delegate(edgetpu.runtime, "lib/x.so", "usb:1") == (
        "delegate of lib/x.so {'device': 'usb:1'}")
    for device in ("usb", "pci", "pci:0", ":2"):
        rooms.load_delegate(edgetpu.runtime, device=device)
    for device in ("", "usb1", "USB", "usb:-1"):
        with pytest.raises(InputError, match=r"DEVICE is .*, but it must be None or like"):
            rooms.load_delegate(edgetpu.runtime, device=device)


@pytest.mark.parametrize("message, remedy", [
    ("libedgetpu.so.1: cannot open shared object file: No such file or directory",
     "install libedgetpu; see docs/coral.md"),
    ("libusb-1.0.so.0: cannot open shared object file: No such file or directory",
     "libedgetpu itself needs libusb-1.0.so.0, which is not installed"),
    ("/lib/aarch64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by x)",
     "was built for a newer system \\(GLIBC_2.38 is missing\\)"),
    ("/usr/lib/libstdc++.so.6: version `GLIBCXX_3.4.32' not found", "newer system"),
    ("libedgetpu.so.1: wrong ELF class: ELFCLASS32", "built for another kind of CPU"),
    ("something else", "install libedgetpu again")])
def test_a_library_that_cannot_be_loaded(edgetpu, monkeypatch, message, remedy):
    def fail(library):
        raise OSError(message)

    monkeypatch.setattr(ctypes, "CDLL", fail)
    with pytest.raises(InputError, match=f"libedgetpu.so.1 can't be loaded .*{remedy}"):
        rooms.load_delegate(edgetpu.runtime)


def test_no_library(monkeypatch, capfd):
    with pytest.raises(InputError, match=r"nowhere.so can't be loaded .*: install libedgetpu;"):
        rooms.load_delegate(None, "libedgetpu_that_is_nowhere.so")
    assert "Traceback" not in capfd.readouterr().err


def test_no_device_gives_the_librarys_own_message_and_three_remedies(edgetpu):
    edgetpu.find = ValueError("Failed to load delegate from libedgetpu.so.1\nNo device found")
    with pytest.raises(InputError, match=r"libedgetpu.so.1 No device found.*group plugdev.*udev"
                                         ".*no other program"):
        rooms.load_delegate(edgetpu.runtime)
    edgetpu.find = ValueError()
    with pytest.raises(InputError, match=r"finds no Edge TPU usb:1 \(it gives no reason\)"):
        rooms.load_delegate(edgetpu.runtime, device="usb:1")
