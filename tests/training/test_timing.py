"""How long a step takes: measured, and without a trace."""

import time
from dataclasses import replace

import pytest
import torch

from interactivenet.errors import RequestError
from interactivenet.training import timing
from interactivenet.training.timing import seconds_per_step
from tests.sample_cases import make_plan

PLAN = make_plan((1.0, 1.0, 1.0))


def test_a_step_is_measured_and_random_numbers_stay():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    began = time.perf_counter()
    seconds = seconds_per_step(PLAN, "cpu", "fp32")
    assert 0 < seconds < time.perf_counter() - began
    assert torch.equal(torch.rand(1), expected)


def test_a_larger_batch_takes_longer_and_slow_steps_are_few(monkeypatch):
    class Time:
        now, looks = 0.0, 0

        def perf_counter(self):
            self.looks += 1
            self.now += 1.5
            return self.now

    for preset, looks in (("tiny", 4), ("small", 4)):  # a warm step beside the first
        clock = Time()
        monkeypatch.setattr(timing, "time", clock)
        plan = replace(PLAN, preset=preset, batch_size=4)
        assert seconds_per_step(plan, "cpu", "fp32") == pytest.approx(6.0)
        assert clock.looks == looks


def test_short_memory_is_said_before_any_is_taken(monkeypatch):
    monkeypatch.setattr(timing, "available_memory", lambda: 10**9)
    monkeypatch.delattr(timing, "build_network")
    with pytest.raises(RequestError, match=r"takes about 2\.0 GB of memory, 1\.0 are free"):
        seconds_per_step(replace(PLAN, estimated_gb=2.0), "cpu")
