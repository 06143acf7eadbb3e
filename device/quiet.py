"""Holds back the lines that TensorFlow and the TFLite runtimes write past Python's streams."""

import os
import re
import sys
import tempfile
from contextlib import contextmanager

HARMLESS_LINES = re.compile("|".join((
    r"WARNING: All log messages before absl::InitializeLog",
    r"I\d{4} \d\d:\d\d:",  # of level info: oneDNN is on, no CUDA is there
    r"INFO: ",  # XNNPACK is used
    r"fully_quantize: ",
    r"W\d{4} .*Ignored (output_format|drop_control_dependency)")))


@contextmanager
def quiet_stderr():
    """Drops HARMLESS_LINES from what is written to file descriptor 2; the rest follows at the end.

    Their C++ code writes to the descriptor itself, so sys.stderr can't be used to catch it.
    """
    try:
        held, stderr = tempfile.TemporaryFile(), os.dup(2)  # noqa: SIM115
    except OSError:  # no such descriptor, or no room: the lines are seen then
        yield
        return
    _flush()
    os.dup2(held.fileno(), 2)
    try:
        yield
    finally:
        _flush()
        os.dup2(stderr, 2)
        os.close(stderr)
        held.seek(0)
        for line in held:
            if not HARMLESS_LINES.match(line.decode("utf-8", "replace")):
                os.write(2, line)
        held.close()


def _flush():
    if sys.stderr is not None:  # which it is in a program without a console on Windows
        sys.stderr.flush()
