"""What Ctrl-C does to a training: the batch under way is finished, the best epoch is kept.

run.py then draws the pictures and says how to resume. All other scripts end by device.errors.
"""

import signal
import threading
from contextlib import contextmanager


@contextmanager
def catch_interrupt():
    """Gives a list that is no longer empty once Ctrl-C was pressed; the second one interrupts."""
    interrupts = []
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return

    def handle_interrupt(number, frame):
        """Notes the first Ctrl-C; the second one interrupts."""
        if interrupts:
            raise KeyboardInterrupt
        interrupts.append(number)
        print("\nCtrl-C: ending after this batch; once more to end at once.", flush=True)

    before = signal.signal(signal.SIGINT, handle_interrupt)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
