"""Loads libedgetpu, the Edge TPU's library, as a delegate; says what is missing where it can't."""

import ctypes
import platform
import re

from device.errors import InputError, shorten

LIBRARIES = {"Darwin": "libedgetpu.1.dylib", "Windows": "edgetpu.dll"}
OTHER_LIBRARY = "libedgetpu.so.1"  # of Linux
DEVICE_FORM = re.compile(r"(usb|pci)?(:\d+)?")  # the delegate's own option "device"
# What the operating system says about a library that can't be loaded, and what that means.
LIBRARY_FAULTS = (
    (r"(lib(?:usb|c\+\+|stdc\+\+|gcc|flatbuffers|abseil)[\w.+-]*): cannot open shared object",
     "libedgetpu itself needs {0}, which is not installed: install Debian's package of it "
     "(libusb-1.0-0 for libusb)"),
    (r"version [`'](GLIBC[\w.]*)' not found",
     "libedgetpu was built for a newer system ({0} is missing): install the build for your release "
     "of Debian or Raspberry Pi OS"),
    (r"invalid ELF header|wrong ELF class|incompatible architecture|not a valid Win32",
     "it was built for another kind of CPU: install the build for this one"),
    (r"cannot open shared object|no such file|not found|could not find", "install libedgetpu"),
)


def name_library(library="auto"):
    """Returns the name or path of the library that DELEGATE means: "auto" is this system's own."""
    return LIBRARIES.get(platform.system(), OTHER_LIBRARY) if library == "auto" else library


def load_delegate(runtime, library="auto", device=None):
    """Loads the Edge TPU's delegate.

    Args: runtime as load_runtime returns it; library, its name or path, or "auto"; device, None:
        the first Edge TPU, or "usb", "pci", "usb:1" (counted from 0).
    Returns: the delegate for open_model. Raises: InputError with what is missing and the remedy.
    """
    if device is not None and not (device and DEVICE_FORM.fullmatch(device)):
        raise InputError(f'DEVICE is {device!r}, but it must be None or like "usb", "pci" or '
                         f'"usb:1".')
    library = name_library(library)
    try:
        ctypes.CDLL(library)  # first: load_delegate would print a traceback where it is missing
    except OSError as error:
        raise InputError(describe_library_fault(library, str(error))) from error
    try:
        return runtime.module.load_delegate(library, {"device": device} if device else {})
    except (ValueError, RuntimeError, OSError, AttributeError) as error:
        raise InputError(describe_no_edgetpu(library, device, str(error))) from error


def describe_library_fault(library, message):
    """Returns a sentence: why the operating system can't load the library, and the remedy."""
    for pattern, meaning in LIBRARY_FAULTS:
        found = re.search(pattern, message, re.IGNORECASE)
        if found:
            return (f"{library} can't be loaded ({shorten(message, 160)}): "
                    f"{meaning.format(*found.groups())}; see docs/coral.md.")
    return (f"{library} can't be loaded ({shorten(message, 160)}): install libedgetpu again; see "
            f"docs/coral.md.")


def describe_no_edgetpu(library, device, message):
    """Returns the library's own message and what to check where it finds no Edge TPU."""
    return (f"{library} finds no Edge TPU{f' {device}' if device else ''} "
            f"({shorten(message, 160) or 'it gives no reason'}). Check three things: your user is "
            f"in the group plugdev (PCIe: apex), "
            f"`sudo usermod -aG plugdev $USER`, then log in again; the stick was plugged in again "
            f"after libedgetpu and its udev rule were installed (lsusb shows 1a6e:089a or "
            f"18d1:9302); no other program uses it.")
