"""Tests of interrupt.py: Ctrl-C once, twice, and in a thread that must leave signals alone."""

import signal
import threading

import pytest

from segmentation.train.interrupt import catch_interrupt


def test_the_first_is_noted_and_the_second_ends(capsys):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), catch_interrupt() as interrupts:
        assert not interrupts
        signal.raise_signal(signal.SIGINT)
        assert interrupts and "once more to end at once" in capsys.readouterr().out
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_is_left_alone():
    seen = []

    def work():
        with catch_interrupt() as interrupts:
            seen.append((interrupts, signal.getsignal(signal.SIGINT)))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [([], before)]
