"""Runs a function for many files in several threads."""

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from device.progress import Progress

READER_THREADS = os.cpu_count() or 1


def in_parallel(function, count, title):
    """Returns [function(0), ..., function(count - 1)], computed by several threads.

    Pillow decodes outside of Python's lock, so threads are enough. Each takes the next index
    itself: a future a file would cost as much as decoding a small one.
    """
    results, waiting = [None] * count, deque(range(count))
    progress = Progress(title, count)

    def work():
        """Takes the next index until none is left."""
        while waiting:
            try:
                index = waiting.popleft()
            except IndexError:  # another thread took the last one
                return
            results[index] = function(index)
            progress.show(count - len(waiting))

    with ThreadPoolExecutor(READER_THREADS) as executor:
        try:
            for future in [executor.submit(work) for _ in range(READER_THREADS)]:
                future.result()
        finally:
            waiting.clear()  # after an error or Ctrl-C the other threads stop at their next file
    return results
