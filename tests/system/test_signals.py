"""Signals: noted, obeyed in time, and not twice within a moment."""

import signal
import subprocess
import sys
import time

import pytest

from interactivenet.system import signals
from interactivenet.system.signals import Ended, Interrupted, Signals, held


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_noted_once_however_often_it_comes(number):
    before = signal.getsignal(number)
    with Signals().noted() as noted:
        noted.check()
        signal.raise_signal(number)
        signal.raise_signal(number)  # a launcher passes it on
        assert noted.received == number
        with pytest.raises(Interrupted) as ended:
            noted.check()
    assert ended.value.number == number and signal.Signals(number).name in str(ended.value)
    assert signal.getsignal(number) == before


def test_handlers_are_taken_back():
    with Signals().noted() as noted:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        noted.take()
        signal.raise_signal(signal.SIGTERM)
        assert noted.received == signal.SIGTERM


def test_a_later_one_ends_the_process():
    code = (
        "import os, signal; from interactivenet.system import signals; signals._SAME = 0;"
        "context = signals.Signals().noted(); context.__enter__();"
        "os.kill(os.getpid(), 15); print('noted', flush=True);"
        "os.kill(os.getpid(), 15); print('no')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGTERM and done.stdout == "noted\n"


def test_a_later_one_does_what_it_would_have_done_before(monkeypatch):
    """In a notebook Ctrl-C is a KeyboardInterrupt; a stage may be within another."""
    monkeypatch.setattr(signals, "_SAME", 0)
    came = []
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    # a shell that starts the tests in its background has it ignored
    interrupts = signal.signal(signal.SIGINT, signal.default_int_handler)
    outer, inner = Signals(), Signals()
    try:
        with outer.noted(), inner.noted(), inner.noted():
            signal.raise_signal(signal.SIGTERM)
            assert inner.received == signal.SIGTERM and came == []
            time.sleep(0.001)
            signal.raise_signal(signal.SIGTERM)
            assert came == [signal.SIGTERM] and outer.received == 0
        with outer.noted(), inner.noted():
            inner.received = signal.SIGINT
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.getsignal(signal.SIGTERM)(0, None) is None and came[-1] == 0
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, interrupts)


def test_held_until_what_is_begun_is_done():
    done = []
    with pytest.raises(Ended), signals.ending_by_signals(), held():
        signal.raise_signal(signal.SIGTERM)
        done.append(1)
    with pytest.raises(Ended), signals.ending_by_signals(), held():  # whatever it makes fail
        signal.raise_signal(signal.SIGINT)
        raise OSError
    assert done and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_stage_that_notes_it_is_not_ended_by_what_is_held():
    with Signals().noted() as stage:
        with held():
            signal.raise_signal(signal.SIGTERM)
            assert not stage.received
        assert stage.received == signal.SIGTERM


def test_what_is_ignored_is_still_ignored_where_it_is_held():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with held():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_workers_leave_it_to_their_parent():
    code = (
        "import time; from interactivenet.system import signals; signals.ignore();"
        "print('on', flush=True); time.sleep(0.5)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "on\n"
    for number in (signal.SIGTERM, signal.SIGINT):
        child.send_signal(number)
        time.sleep(0.05)
    assert child.wait(10) == 0
    assert signals.Signals().received == 0
