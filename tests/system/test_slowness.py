"""What takes many times longer than before is told once, with the reason."""

import os

import pytest

from interactivenet.system import slowness
from interactivenet.system.slowness import Slowness


@pytest.fixture
def load(monkeypatch):
    """Two cores, and what the system says of its load, which a test may change."""
    told = [7.9]
    monkeypatch.setattr(os, "getloadavg", lambda: (told[0], 0.0, 0.0), raising=False)
    monkeypatch.setattr(slowness, "available_cores", lambda: 2)
    return told


def test_it_is_told_once_and_why(load):
    noticed = Slowness("epoch")
    told = [noticed.note(number, seconds) for number, seconds in enumerate((9, 2.5, 9, 40, 90), 1)]
    assert [bool(text) for text in told] == [False, False, False, True, False]
    assert told[3] == (
        "epoch 4 took 40 s, 16 times as long as the fastest (2.5 s), and other processes use the"
        " cores as well (load 7.9, 2 for this program)"
    )


def test_work_that_grew_with_nobody_beside_it_is_not_told(load):
    noticed = Slowness("epoch")
    load[0] = 2.4
    assert [noticed.note(1, 2.0), noticed.note(2, 20.0)] == ["", ""]
    load[0] = 3.5
    assert noticed.note(3, 20.0)


def test_short_ones_are_not_worth_a_word(load):
    noticed = Slowness("epoch")
    assert [noticed.note(number, seconds) for number, seconds in enumerate((0.01, 0.9), 1)] == [
        "", "",
    ]  # fmt: skip
