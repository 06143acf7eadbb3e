"""Progress of work that takes longer than two seconds."""

import sys
import time

PROGRESS_SECONDS = 2.0  # work longer than this shows how far it is


class Progress:
    """Prints how far long work is, at most every PROGRESS_SECONDS."""

    def __init__(self, title, count):
        self.title, self.count, self.shown = title, count, time.monotonic()

    def show(self, done):
        """Prints that so many are done, unless it printed a moment ago."""
        now = time.monotonic()
        if now - self.shown > PROGRESS_SECONDS:
            self.shown = now
            print(f"{self.title}: {done} of {self.count}", file=sys.stderr, flush=True)
