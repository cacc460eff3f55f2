"""The benchmark of a graphics card, where there is none."""

import pytest
import torch

from tests.encoding import card_on_cpu

gpu = pytest.importorskip("benchmarks.gpu", reason="has libraries of its own")
from benchmarks import gpu_maps  # noqa: E402


def test_without_a_card_nothing_is_measured(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(gpu, "write_result", lambda *_: pytest.fail("written"))
    for words, status in ((["gpu"], 0), (["gpu", "--device", "cuda"], 2)):
        monkeypatch.setattr("sys.argv", words)
        with pytest.raises(SystemExit) as ended:
            gpu.main()
        assert ended.value.code == status
        assert "nothing is measured, nothing written" in capsys.readouterr().out


def test_a_cpu_is_no_card(monkeypatch):
    monkeypatch.setattr("sys.argv", ["gpu", "--device", "cpu"])
    with pytest.raises(SystemExit) as ended:
        gpu.main()
    assert ended.value.code == 2


def test_a_part_that_fails_costs_no_other(monkeypatch, capsys):
    def fail(run):
        raise RuntimeError("no memory")

    monkeypatch.setattr(gpu, "PARTS", {"maps": fail, "memory": lambda run: run.device})
    monkeypatch.setattr(gpu, "write_result", lambda *_: pytest.fail("written"))
    monkeypatch.setattr("sys.argv", ["gpu", "--smoke", "--device", "cpu"])
    with pytest.raises(SystemExit) as ended:
        gpu.main()
    printed = capsys.readouterr().out
    assert ended.value.code == 1 and "failed: maps" in printed
    assert '"memory": "cpu"' in printed and "RuntimeError: no memory" in printed


def test_maps_are_held_against_the_cpus(monkeypatch):
    card_on_cpu.library()
    monkeypatch.setattr(gpu_maps, "SMOKE_SHAPES", ((9, 10, 12),))
    measured = gpu_maps.measure_maps("cpu", smoke=True)
    assert measured["equal"] and len(measured["rows"]) == 2
    assert all(row["visits_a_tile"] >= 1 for row in measured["rows"])
