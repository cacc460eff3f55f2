"""Trainings that are interrupted, killed, continued, or refused."""

import json
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from interactivenet.errors import RequestError
from interactivenet.models.network import build_network, load_weights
from interactivenet.system.signals import Interrupted
from interactivenet.training import checkpointing
from interactivenet.training.lightning_module import Segmenter
from interactivenet.training.trainer import train_fold
from tests.training.trained_task import EXACT, NAME, QUICK, first_fold, rows, same, weights


class Stop:
    """Sends a signal to this process after a number of batches."""

    def __init__(self, after, number=signal.SIGTERM):
        self.left, self.number = after, number

    def step(self, epoch, batch, batches):
        self.left -= 1
        if not self.left:
            signal.raise_signal(self.number)

    def epoch(self, row):
        pass


class Killed(BaseException):
    """Stands for a kill -9: nothing is saved."""


@pytest.mark.parametrize("after", [4, 10, 15, 20])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_the_same_command_goes_on(
    planned_task, uninterrupted, tmp_path, after, number
):
    """In the middle of an epoch and with its last batch; bit by bit."""
    fold, settings = first_fold(planned_task), replace(EXACT, epochs=3)
    with pytest.raises(Interrupted) as ended:
        train_fold(fold, tmp_path, settings, [Stop(after, number)])
    assert ended.value.number == number
    state, _ = checkpointing.read_checkpoint(tmp_path / "checkpoint.ckpt")
    assert len(state["history"]) * 10 + state["batches"] == after
    trained = train_fold(fold, tmp_path, settings)
    assert trained.resumed == after // 10 and len(trained.history) == 3
    assert same(weights(tmp_path), weights(uninterrupted))
    for row, expected in zip(rows(tmp_path), rows(uninterrupted), strict=True):
        assert all(row[name] == expected[name] for name in row if name != "seconds")
    assert (tmp_path / "model_best.safetensors").read_bytes() == (
        uninterrupted / "model_best.safetensors"
    ).read_bytes()


def killed_at(monkeypatch, name, call, original=None):
    """Make the n-th call of a function of ``checkpointing`` a kill -9, halfway through its work."""
    calls = []
    function = original or getattr(checkpointing, name)

    def broken(*arguments, **more):
        calls.append(1)
        if len(calls) == call:
            raise Killed
        return function(*arguments, **more)

    monkeypatch.setattr(checkpointing, name, broken)


@pytest.mark.parametrize("name", ["save_weights", "write_csv", "save_curves"])
def test_killed_while_writing(planned_task, uninterrupted, tmp_path, monkeypatch, name):
    fold, settings = first_fold(planned_task), replace(EXACT, epochs=3)
    with monkeypatch.context() as patch:
        killed_at(patch, name, 1 if name == "save_curves" else 2)
        with pytest.raises(Killed):
            train_fold(fold, tmp_path, settings)
    train_fold(fold, tmp_path, settings)
    assert same(weights(tmp_path), weights(uninterrupted))
    assert same(weights(tmp_path, "best"), weights(uninterrupted, "best"))


def test_killed_while_writing_the_checkpoint(planned_task, uninterrupted, tmp_path, monkeypatch):
    fold, settings = first_fold(planned_task), replace(EXACT, epochs=3)
    calls, save = [], torch.save

    def half(content, path):
        calls.append(path)
        if len(calls) == 2:
            path.write_bytes(b"half a checkpoint")
            raise Killed
        return save(content, path)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", half)
        with pytest.raises(Killed):
            train_fold(fold, tmp_path, settings)
    assert {path.parent for path in calls} == {tmp_path}  # and nowhere else
    assert len(checkpointing.read_checkpoint(tmp_path / "checkpoint.ckpt")[0]["history"]) == 1
    assert train_fold(fold, tmp_path, settings).resumed == 1  # nothing lost but the epoch
    assert same(weights(tmp_path), weights(uninterrupted))


def test_a_signal_in_validation_and_in_the_last_epoch(planned_task, tmp_path, monkeypatch):
    """Lightning's own handling of SIGTERM would end the process with 0, and save nothing."""
    fold = first_fold(planned_task)
    fold = replace(fold, validation=fold.validation * 3, plan=replace(fold.plan, batch_size=1))
    step = Segmenter.validation_step
    for epoch in (1, 2):

        def signalled(self, batch, index, epoch=epoch):
            if self.current_epoch == epoch - 1 and index == 1:
                signal.raise_signal(signal.SIGTERM)
            return step(self, batch, index)

        monkeypatch.setattr(Segmenter, "validation_step", signalled)
        with pytest.raises(Interrupted) as ended:
            train_fold(fold, tmp_path, QUICK)
        assert ended.value.number == signal.SIGTERM
        assert len(rows(tmp_path)) == epoch  # the epoch was finished and kept
    assert (tmp_path / "model_last.safetensors").exists()
    assert train_fold(fold, tmp_path, QUICK).resumed == 2


def test_finished_trainings_are_not_trained_again(planned_task, uninterrupted):
    fold, settings = first_fold(planned_task), replace(EXACT, epochs=3)
    before = (uninterrupted / "model_last.safetensors").stat().st_mtime_ns
    trained = train_fold(fold, uninterrupted, settings)
    assert trained.resumed == 3 and trained.best["epoch"] in (1, 2, 3)
    assert (uninterrupted / "model_last.safetensors").stat().st_mtime_ns == before


def test_overwrite_starts_anew_and_more_epochs_go_on(planned_task, tmp_path):
    fold = first_fold(planned_task)
    train_fold(fold, tmp_path, replace(QUICK, epochs=1))
    trained = train_fold(fold, tmp_path, replace(QUICK, epochs=2))
    assert trained.resumed == 1 and len(trained.history) == 2
    again = train_fold(fold, tmp_path, replace(QUICK, epochs=1), overwrite=True)
    assert again.resumed == 0 and len(rows(tmp_path)) == 1


def test_a_machine_of_another_kind_goes_on(planned_task, tmp_path):
    """Whether it trains in bfloat16 is the machine's."""
    fold = first_fold(planned_task)
    train_fold(fold, tmp_path, replace(QUICK, epochs=1, precision="bf16"))
    trained = train_fold(fold, tmp_path, replace(QUICK, epochs=2, precision="fp32"))
    assert trained.resumed == 1 and np.isfinite(trained.history[1]["loss"])


def test_another_training_is_not_continued(planned_task, tmp_path):
    train_fold(first_fold(planned_task), tmp_path, replace(QUICK, epochs=1))
    with pytest.raises(
        RequestError, match=r"differs in fold, regions \(fold 0 instead of 1\): `over"
    ):
        train_fold(first_fold(planned_task, 1), tmp_path, QUICK)
    fold = first_fold(planned_task)
    other = replace(fold, plan=replace(fold.plan, batch_size=3))
    with pytest.raises(RequestError, match="differs in plan"):
        train_fold(other, tmp_path, QUICK)


def test_other_data_under_the_same_names_are_not_continued(planned_task, tmp_path):
    """A corrected label often leaves the plan as it was."""
    root = tmp_path / "task"
    shutil.copytree(planned_task, root)
    fold = first_fold(root)
    train_fold(fold, tmp_path / "out", replace(QUICK, epochs=1))
    path = root / "processed" / NAME / "regions" / f"{fold.training[0]}.json"
    record = json.loads(path.read_text())
    (label,) = (name for name in record["made_from"]["files"] if name.startswith("labelsTr/"))
    record["made_from"]["files"][label] = "0" * 64
    path.write_text(json.dumps(record))
    with pytest.raises(RequestError, match="differs in regions"):
        train_fold(first_fold(root), tmp_path / "out", QUICK)
    with pytest.raises(RequestError, match="differs in devices"):
        train_fold(fold, tmp_path / "out", replace(QUICK, devices=2))


def test_fewer_epochs_than_there_are(planned_task, tmp_path):
    fold = first_fold(planned_task)
    with pytest.raises(Interrupted):
        train_fold(fold, tmp_path, replace(QUICK, epochs=5), [Stop(14)])
    with pytest.raises(
        RequestError, match=r"`epochs=1`: .* already reached epoch 2: expected 2 or more; `o"
    ):
        train_fold(fold, tmp_path, replace(QUICK, epochs=1))
    with pytest.raises(Interrupted):
        train_fold(fold, tmp_path, replace(QUICK, epochs=5), [Stop(6)])  # the end of epoch 2
    assert not (tmp_path / "model_last.safetensors").exists()
    trained = train_fold(fold, tmp_path, replace(QUICK, epochs=2))  # that is enough after all
    assert (
        trained.resumed == 2
        and json.loads((tmp_path / "model_last.json").read_text())["epoch"] == 2
    )
    network = build_network(fold.plan.network, fold.plan.channels)
    load_weights(tmp_path / "model_last.safetensors", network)


def test_weights_without_a_checkpoint_are_not_thrown_away(planned_task, tmp_path):
    fold = first_fold(planned_task)
    train_fold(fold, tmp_path, replace(QUICK, epochs=1))
    (tmp_path / "checkpoint.ckpt").unlink()
    with pytest.raises(RequestError, match=r"has model_best\.safetensors but no checkpoint"):
        train_fold(fold, tmp_path, QUICK)
    assert (tmp_path / "model_last.safetensors").exists()
    (tmp_path / "validation").mkdir()
    train_fold(fold, tmp_path, replace(QUICK, epochs=1), overwrite=True)
    assert not (tmp_path / "validation").exists()  # it was of the old weights


def test_a_damaged_checkpoint_is_named(planned_task, tmp_path):
    fold = first_fold(planned_task)
    for content in (b"", b"garbage", b"PK\x03\x04half"):
        (tmp_path / "checkpoint.ckpt").write_bytes(content)
        with pytest.raises(RequestError, match=r"checkpoint\.ckpt: is damaged, or is not an"):
            train_fold(fold, tmp_path, QUICK)
    torch.save({"other": 1}, tmp_path / "checkpoint.ckpt")
    with pytest.raises(RequestError, match=r"checkpoint\.ckpt: is damaged, or is not an"):
        train_fold(fold, tmp_path, QUICK)
