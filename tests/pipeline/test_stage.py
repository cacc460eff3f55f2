"""What all stages share: their record, and how they end."""

import signal
from dataclasses import dataclass

import pytest

from interactivenet.errors import RequestError
from interactivenet.pipeline.stage import running_stage
from interactivenet.system.signals import Interrupted
from tests.raw_task import read


@dataclass(frozen=True)
class Options:
    depth: float = 2.0
    names: tuple[str, ...] = ("a", "b")


def test_options_are_recorded_field_by_field(tmp_path):
    arguments = {"task": "Task101_A", "options": Options(), "folder": tmp_path}
    with running_stage("look", tmp_path, arguments, seed=4) as stage:
        stage.run.note(more=[1])
    record = read(tmp_path / "run.json")
    assert record["arguments"] == {
        "task": "Task101_A", "depth": 2.0, "names": ["a", "b"], "folder": str(tmp_path),
    }  # fmt: skip
    assert (record["stage"], record["seed"], record["status"]) == ("look", 4, "done")


def test_a_signal_ends_a_stage_after_the_item_it_came_in(tmp_path):
    passed = []
    with (
        pytest.raises(Interrupted, match="SIGINT"),
        running_stage("look", tmp_path, {}) as stage,
    ):
        for item in stage.interruptible("abc"):
            passed.append(item)
            if item == "b":
                stage.signals.received = 2
    assert passed == ["a", "b"]
    assert read(tmp_path / "run.json")["ended"] == "ended by SIGINT"


@pytest.mark.parametrize("received", [0, 15])
def test_workers_that_a_signal_killed_are_an_interruption(tmp_path, received):
    def killed(signals):
        yield "a"
        signals.received = received  # it came to the whole group of processes
        raise RequestError("a worker process was killed")

    expected = Interrupted if received else RequestError
    with pytest.raises(expected), running_stage("look", tmp_path, {}) as stage:
        assert list(stage.interruptible(killed(stage.signals)))


def test_a_signal_counts_even_where_a_stage_never_asks(tmp_path):
    with (
        pytest.raises(Interrupted),
        running_stage("deploy", tmp_path, {}),
    ):
        signal.raise_signal(signal.SIGTERM)
    assert read(tmp_path / "run.json")["ended"] == "ended by SIGTERM"


def test_all_folders_are_locked(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    with (
        running_stage("look", first, {}, others=[second]),
        pytest.raises(RequestError, match="another run is writing to it"),
        running_stage("look", second, {}),
    ):
        pass


def test_a_record_of_an_earlier_version_that_cannot_be_read_again_is_replaced(
    tmp_path, monkeypatch
):
    """It named each of very many files: what is done beside it is still done."""
    path = tmp_path / "run.json"
    with running_stage("infer", tmp_path, {}) as stage:
        stage.run.inputs({f"case_{number}/image 0": "0" * 64 for number in range(300)})
    large = path.read_bytes()
    monkeypatch.setattr("interactivenet.system.files._TEXT_BYTES", 15_000)
    with running_stage("infer", tmp_path, {"task": "Task001_A"}):
        pass
    assert read(path)["status"] == "done" and read(path)["arguments"] == {"task": "Task001_A"}
    for mine in (large.replace(b"stage", b"stave"), b"x" * 20_000, b'{"stage": 1}'):
        path.write_bytes(mine)
        with (
            pytest.raises(RequestError, match=r"run\.json: was not written by this program"),
            running_stage("infer", tmp_path, {}),
        ):
            pass
        assert path.read_bytes() == mine
