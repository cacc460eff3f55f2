"""Trainings that end by the clock, and epochs of a given number of steps."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from interactivenet.errors import RequestError
from interactivenet.system.signals import Interrupted
from interactivenet.training import budget as budgets
from interactivenet.training import checkpointing, trainer
from interactivenet.training.budget import Budget
from interactivenet.training.options import TrainingOptions
from interactivenet.training.recipe import OBJECT_GRID
from interactivenet.training.trainer import train_fold
from tests.training.test_resuming import Stop
from tests.training.trained_task import EXACT, QUICK, first_fold, rows, same, weights

MINUTES = replace(QUICK, epochs=None, minutes=0.25, steps=4)


class Time:
    """A clock that every look at it moves on by half a second."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        self.now += 0.5
        return self.now


@pytest.fixture(autouse=True)
def time(monkeypatch):
    clock = Time()
    monkeypatch.setattr(budgets, "time", clock)
    return clock


@pytest.fixture(scope="module")
def ended(planned_task, tmp_path_factory):
    """A training that the clock has ended, and what was said to be left; not to be changed."""
    folder, left = tmp_path_factory.mktemp("ended"), []

    class Seen(Stop):
        def epoch(self, row):
            left.append(row["seconds_left"])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budgets, "time", Time())
        trained = train_fold(first_fold(planned_task), folder, MINUTES, [Seen(0)])
    assert not trained.complete
    return folder, left


@pytest.fixture
def copy(ended, tmp_path):
    """The same, to be changed."""
    shutil.copytree(ended[0], tmp_path / "copy")
    return tmp_path / "copy"


def spent(folder):
    return checkpointing.read_checkpoint(folder / "checkpoint.ckpt")[0]["spent"]


def test_the_clock_ends_the_training_and_lowers_the_learning_rate(ended):
    folder, left = ended
    table = rows(folder)
    assert len(table) > 2
    assert [int(row["step"]) for row in table[:-1]] == [4 * n for n in range(1, len(table))]
    rates = [float(row["learning_rate"]) for row in table]
    assert rates == sorted(rates, reverse=True) and rates[0] > 0.005 and rates[-1] < 0.002
    assert 15 <= spent(folder) < 19  # the end of a step, and the validation
    assert left == sorted(left, reverse=True) and left[-1] == 0
    facts = json.loads((folder / "model_last.json").read_text())
    assert facts["epoch"] == facts["epochs"] == len(table) and facts["minutes"] == 0.25
    for name in ("model_best.safetensors", "curves.png"):
        assert (folder / name).exists()


def test_a_finished_one_is_left_alone_more_minutes_go_on_fewer_are_refused(planned_task, copy):
    fold = first_fold(planned_task)
    first = rows(copy)
    before = (copy / "model_last.safetensors").read_bytes()
    again = train_fold(fold, copy, MINUTES)
    assert again.complete and again.resumed == len(first) == len(again.history)
    assert (copy / "model_last.safetensors").read_bytes() == before
    with pytest.raises(
        RequestError,
        match=r"^`minutes=0\.2`: .* trained for 0\.3 minutes: expected 0\.3 or more; `o",
    ):
        train_fold(fold, copy, replace(MINUTES, minutes=0.2))
    more = train_fold(fold, copy, replace(MINUTES, minutes=0.6))
    assert not more.complete and more.resumed == len(first) < len(more.history)
    assert 36 <= spent(copy) < 40
    assert json.loads((copy / "model_last.json").read_text())["epoch"] == len(more.history)
    # epochs after the one that the clock cut short are whole again
    steps = [int(row["step"]) for row in rows(copy)]
    after = steps[len(first) - 1 :]
    assert after[1] - after[0] == 4


@pytest.mark.parametrize("after", [3, 4, 6])
def test_interruptions_stop_the_clock(planned_task, tmp_path, after, time):
    fold = first_fold(planned_task)
    with pytest.raises(Interrupted):
        train_fold(fold, tmp_path, MINUTES, [Stop(after)])
    counted = spent(tmp_path)
    assert 0 < counted < 15
    time.now += 1e6  # a night in the queue
    trained = train_fold(fold, tmp_path, MINUTES)
    assert trained.resumed == after // 4 and 15 <= spent(tmp_path) < 19
    steps = [int(row["step"]) for row in rows(tmp_path)]
    assert steps[:-1] == [4 * n for n in range(1, len(steps))]  # the epoch was gone on with
    assert sum(float(row["seconds"]) for row in rows(tmp_path)) == pytest.approx(
        spent(tmp_path), abs=4
    )


def test_killed_at_the_very_end(planned_task, copy):
    """After the checkpoint, before the weights."""
    fold = first_fold(planned_task)
    epochs = len(rows(copy))
    (copy / "model_last.safetensors").unlink()
    assert train_fold(fold, copy, MINUTES).complete
    assert json.loads((copy / "model_last.json").read_text())["epoch"] == epochs
    assert (copy / "model_last.safetensors").exists()


def test_epochs_do_not_go_on_with_what_the_clock_has_ended(planned_task, copy):
    """500 are usual: a command without its minutes would train for days, at the first rate."""
    fold = first_fold(planned_task)
    before = rows(copy)
    with pytest.raises(RequestError, match=r"is of a training of .* minutes, not of a number of"):
        train_fold(fold, copy, replace(QUICK, epochs=len(before) + 1, steps=4))
    assert rows(copy) == before


def test_checkpoints_of_earlier_versions_have_their_epochs_summed():
    state = {"history": [{"seconds": 2.0}, {"seconds": 3.0}], "seconds": 0.5}
    assert checkpointing.seconds_spent(state) == 5.5


def test_epochs_and_minutes_exclude_each_other():
    assert TrainingOptions().epochs == 500 and TrainingOptions(minutes=3).epochs is None
    with pytest.raises(RequestError, match=r"^`minutes=3`: expected no `epochs` beside it"):
        TrainingOptions(epochs=3, minutes=3)
    assert [str(Budget(1)), str(Budget(2)), str(Budget(None, 1.5))] == [
        "1 epoch", "2 epochs", "1.5 minutes",
    ]  # fmt: skip


def test_epochs_of_a_given_number_of_steps(planned_task, tmp_path):
    fold, settings = first_fold(planned_task), replace(QUICK, epochs=2, steps=3)
    train_fold(fold, tmp_path, settings)
    assert [row["step"] for row in rows(tmp_path)] == ["3", "6"]
    rate = float(rows(tmp_path)[-1]["learning_rate"])
    assert rate == pytest.approx(0.01 * (1 - 5 / 6) ** 0.9)
    with pytest.raises(RequestError, match=r"differs in steps \(steps 3 instead of 4\)"):
        train_fold(fold, tmp_path, replace(settings, steps=4))


def test_averaged_weights_are_saved_and_an_interruption_does_not_change_them(
    planned_task, tmp_path, monkeypatch
):
    monkeypatch.setattr(trainer, "recipe_for", lambda plan, fine_tuning: OBJECT_GRID)
    fold, settings = first_fold(planned_task), replace(EXACT, epochs=2, steps=5)
    train_fold(fold, tmp_path / "whole", settings)
    for after in (3, 2, 3):
        with pytest.raises(Interrupted):
            train_fold(fold, tmp_path / "parts", settings, [Stop(after)])
    train_fold(fold, tmp_path / "parts", settings)
    for which in ("best", "last"):
        parts, whole = (weights(tmp_path / name, which) for name in ("parts", "whole"))
        assert same(parts, whole)
    _, state = checkpointing.read_checkpoint(tmp_path / "whole" / "checkpoint.ckpt")
    averaged = {
        name.removeprefix("average.module."): value
        for name, value in state.items() if name.startswith("average.module.")
    }  # fmt: skip
    assert same(whole, averaged)  # and the network's own beside them
    assert not all(torch.equal(state[f"network.{name}"], value) for name, value in whole.items())
