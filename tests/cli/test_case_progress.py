"""What is told of a long loop: by a clock that the tests hold, without waiting."""

import io
import threading
from types import SimpleNamespace

import pytest
from rich.console import Console

from interactivenet.cli import reporting
from interactivenet.cli.case_progress import MINUTE, CaseProgress, bar_of, logged, shown
from interactivenet.cli.terminal import Terminal

NAMES = [f"c{number}" for number in range(200)]


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Minutes:
    """Stands for waiting: the thread that writes goes on when a test says that a minute passed."""

    def __init__(self):
        self._begun, self._passed, self.ended = threading.Semaphore(0), threading.Semaphore(0), None

    def wait(self, ended, seconds):
        assert seconds == MINUTE
        self.ended = ended
        self._begun.release()
        self._passed.acquire()
        return ended.is_set()

    def pass_one(self):
        """Let a minute pass, and return when what it brings was written."""
        self._begun.acquire()
        self._passed.release()
        self._begun.acquire()
        self._begun.release()

    def release(self):
        self._passed.release()


@pytest.fixture
def minutes():
    made = Minutes()
    yield made
    made.release()


def fresh(kept=False):
    return SimpleNamespace(kept=kept)


def test_a_line_after_the_first_case_and_one_every_minute(minutes):
    clock, lines = Clock(), []

    def cases():
        for number in range(60):
            clock.now += 2.0
            if number in (30, 50):
                minutes.pass_one()
            yield fresh()

    progress = CaseProgress(60, NAMES, clock)
    assert len([*logged(cases(), progress, "infer", write=lines.append, wait=minutes.wait)]) == 60
    assert lines == [
        "infer: 1 of 60 cases, 2.0 s a case, about 2 min left, now c1",
        "infer: 30 of 60 cases, 2.0 s a case, about 60 s left, now c30",
        "infer: 50 of 60 cases, 2.0 s a case, about 20 s left, now c50",
    ]


def test_one_case_of_many_minutes_is_told_of(minutes):
    clock, lines = Clock(), []

    def cases():
        for _ in range(3):
            clock.now += 60
            minutes.pass_one()
        yield fresh()

    [*logged(cases(), CaseProgress(1, ["big"], clock), "infer", write=lines.append,
             wait=minutes.wait)]  # fmt: skip
    assert lines == [
        "infer: 0 of 1 cases, now big",
        "infer: 0 of 1 cases, now big for 2 min",
        "infer: 0 of 1 cases, now big for 3 min",
    ]


@pytest.mark.parametrize("where", ["work", "consumer", "signal", "end"])
def test_nothing_is_said_after_the_end(minutes, where):
    """However the loop ended, and though the traceback of an error is kept."""
    lines = []

    def cases():
        yield fresh()
        if where == "work":
            raise ValueError("bad")
        yield fresh()

    tracked = (logged, lines.append, minutes.wait)

    def loop():
        make, write, wait = tracked
        for _ in make(cases(), CaseProgress(2), "infer", write=write, wait=wait):
            if where == "consumer":
                raise ValueError("bad")
            if where == "signal":
                raise KeyboardInterrupt

    kept = None
    try:
        loop()
    except (ValueError, KeyboardInterrupt) as error:
        kept = error
    assert (kept is None) == (where == "end")
    minutes._begun.acquire()  # the thread waits, or has begun to
    assert minutes.ended.is_set()
    said = list(lines)
    minutes.release()
    for thread in threading.enumerate():
        if thread.name == "progress":
            thread.join(10)
            assert not thread.is_alive()
    assert lines == said and len(said) == 1


def test_what_was_kept_says_nothing_of_the_rate():
    clock = Clock()
    progress = CaseProgress(200, NAMES, clock)
    for _ in range(100):
        clock.now += 0.01
        progress.add(fresh(kept=True))
    assert progress.line() == "100 of 200 cases, now c100"
    clock.now += 12.0
    progress.add(SimpleNamespace())
    assert progress.line() == "101 of 200 cases, 12.0 s a case, about 20 min left, now c101"
    for status in ("kept", "unchanged"):
        clock.now += 1
        progress.add(SimpleNamespace(status=status))
    assert "12.0 s a case" in progress.line()


def test_cases_that_are_worked_on_side_by_side_have_the_rate_of_all():
    """Eight at once, eight seconds each: a second a case."""
    clock = Clock()
    progress = CaseProgress(80, (), clock)
    for _ in range(5):
        clock.now += 8.0
        for _ in range(8):
            progress.add(fresh())
    assert progress.line() == "40 of 80 cases, 1.0 s a case, about 40 s left"


def test_long_cases_are_told_in_minutes_and_names_on_one_line():
    clock = Clock()
    progress = CaseProgress(3, ["a", "b\x1b[2J\nc", "d"], clock)
    clock.now += 600.0
    progress.add(fresh())
    assert progress.line() == ("1 of 3 cases, 10 min a case, about 20 min left, now b\\x1b[2J\\nc")


def test_a_log_has_the_first_line_and_the_last(capsys):
    reporter = Terminal()
    for number in reporter.track(range(3), 3, "measured", ["a", "b", "c"]):
        if number == 0:
            first = capsys.readouterr().out
    assert first.startswith("measured: 1 of 3 cases, under 0.1 s a case") and ", now b\n" in first
    assert capsys.readouterr().out == "measured: 3 of 3 cases\n"
    assert [*reporter.track(range(1), 1, "measured")] == [0]
    assert capsys.readouterr().out == "measured: 1 of 1 cases\n"


def test_a_loop_that_ends_early_says_how_far_it_came(capsys):
    [*reporting.track(iter(()), 2, "imported")]
    assert capsys.readouterr().out == "imported: 0 of 2 cases\n"


def test_a_bar_says_the_same_and_goes_at_the_end():
    clock, out = Clock(), io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, color_system=None)
    progress = CaseProgress(3, ["a", "[red]b", "c"], clock)
    bar = bar_of(progress, "infer", console)
    clock.now += 2.0
    progress.add(fresh())
    console.print(bar)
    assert "1 of 3 cases, 2.0 s a case, about 4 s left, now [red]b" in out.getvalue()
    assert len([*shown(iter([fresh()] * 3), CaseProgress(3), "infer", console)]) == 3
    assert out.getvalue().endswith("\x1b[2K")  # the line is empty again
