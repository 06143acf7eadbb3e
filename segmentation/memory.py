"""Memory: how much a process can have, and how many images go at a time. Plain Python."""

import ctypes
import os
import sys
from pathlib import Path

PIXELS_AT_ONCE = 2**20  # of images that go through a network together where nothing is trained
MEMINFO_FILE = Path("/proc/meminfo")  # of Linux, as the next two
OWN_SIZE_FILE = Path("/proc/self/statm")
LIMIT_FILES = (  # of a container, whose own limit stands at the top of what it sees
    Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def count_at_once(image_size, most):
    """Returns how many images of (height, width) go through a network at a time: at most so many.

    Fewer where they are large, so that 1024x1024 needs no more memory than 256x256 does.
    """
    height, width = image_size
    return max(1, min(most, PIXELS_AT_ONCE // (height * width)))


def find_available_memory():
    """Returns the bytes that this process can have, what it has included; None: not known.

    On Linux what is free, with swap space, or a container's limit where that is less; elsewhere the
    memory of the machine, which other programs share.
    """
    try:
        if sys.platform == "linux":
            return min(_read_free_memory(), *_read_limits())
        if sys.platform == "win32":
            return _ask_windows()
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, KeyError, AttributeError):
        return None  # a system that does not tell


def _read_free_memory():
    lines = (line.split() for line in MEMINFO_FILE.read_text().splitlines())
    kilobytes = {words[0].rstrip(":"): int(words[1]) for words in lines}
    own_pages = int(OWN_SIZE_FILE.read_text().split()[1])
    return (1024 * (kilobytes["MemAvailable"] + kilobytes["SwapFree"])
            + own_pages * os.sysconf("SC_PAGE_SIZE"))


def _read_limits():
    texts = [path.read_text().strip() for path in LIMIT_FILES if path.exists()]
    return [int(text) for text in texts if text != "max"] or [sys.maxsize]


def _ask_windows():
    # MEMORYSTATUSEX of Microsoft's sysinfoapi.h, 64 bytes: its own length first, then the machine's
    # memory.
    status = (ctypes.c_uint64 * 8)(64)
    done = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
    return int(status[1]) if done else None
