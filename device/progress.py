"""What a script says while it works: sentences, the progress of long work, and its times."""

import sys
import time

PROGRESS_SECONDS = 2.0  # work longer than this shows how far it is


def say(text):
    """Prints a sentence at once, even into a file: a crash right after it must not swallow it."""
    print(text, flush=True)


class Progress:
    """Prints how far long work is, at most every PROGRESS_SECONDS; count None: without end."""

    def __init__(self, title, count):
        self.title, self.count, self.shown = title, count, time.monotonic()

    def show(self, done):
        """Prints that so many are done, unless it printed a moment ago."""
        now = time.monotonic()
        if now - self.shown > PROGRESS_SECONDS:
            self.shown = now
            total = "" if self.count is None else f" of {self.count}"
            print(f"{self.title}: {done}{total}", file=sys.stderr, flush=True)


class StepClock:
    """Adds up the seconds that each step of a picture takes, in seconds[step]."""

    def __init__(self, steps):
        self.seconds, self._moment = dict.fromkeys(steps, 0.0), time.perf_counter()

    def restart(self):
        """Leaves out the time since the last mark: the picture waited for other ones."""
        self._moment = time.perf_counter()

    def mark(self, step):
        """Counts the time since the last mark to a step that just ended."""
        now = time.perf_counter()
        self.seconds[step] += now - self._moment
        self._moment = now
