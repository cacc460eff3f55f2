"""Folds: trained, killed, resumed, repeated; on odd data too."""

import csv
import json
import os
import shutil
import signal
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from interactivenet.errors import DataError, RequestError
from interactivenet.io.atomic import write_json
from interactivenet.network import build_network, count_parameters, load_weights
from interactivenet.signals import Interrupted
from interactivenet.training import keeping
from interactivenet.training.fold import read_fold, read_splits
from interactivenet.training.module import Segmenter, resolution_weights
from interactivenet.training.run import Settings, train_fold
from tests.training.trained_task import NAME, QUICK, first_fold, make_task

EXACT = replace(QUICK, deterministic=True)


class Stop:
    """Sends a signal to this process after a number of batches."""

    def __init__(self, after, number=signal.SIGTERM):
        self.left, self.number = after, number

    def step(self, epoch, batch, batches):
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), self.number)

    def epoch(self, row):
        pass


class Killed(BaseException):
    """Stands for a kill -9: nothing is saved."""


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def weights(folder, which="last"):
    return load_file(folder / f"model_{which}.safetensors")


def same(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def uninterrupted(planned_task, tmp_path_factory):
    """A deterministic training, in one go."""
    folder = tmp_path_factory.mktemp("whole")
    train_fold(first_fold(planned_task), folder, replace(EXACT, epochs=3))
    return folder


def test_what_is_written(planned_task, uninterrupted):
    folder, fold = uninterrupted, first_fold(planned_task)
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint.ckpt", "curves.png", "metrics.csv", "model_best.json",
        "model_best.safetensors", "model_last.json", "model_last.safetensors",
    ]  # fmt: skip
    table = rows(folder)
    assert [row["epoch"] for row in table] == ["1", "2", "3"]
    assert [row["step"] for row in table] == ["10", "20", "30"]
    assert float(table[-1]["loss"]) < float(table[0]["loss"])
    # the learning rate falls over the epochs that were asked for
    rates = [float(row["learning_rate"]) for row in table]
    assert rates == pytest.approx([0.01 * (1 - step / 30) ** 0.9 for step in (9, 19, 29)])
    average = float(table[0]["dice"])
    for row in table[1:]:
        average = 0.9 * average + 0.1 * float(row["dice"])
        assert float(row["dice_average"]) == pytest.approx(average)
    facts = json.loads((folder / "model_last.json").read_text())
    assert facts["epoch"] == facts["epochs"] == 3 and facts["plan"] == fold.plan.digest
    assert facts["dice"] == pytest.approx(float(table[-1]["dice"]))
    network = build_network(fold.plan.network, fold.plan.channels)
    read = load_weights(folder / "model_last.safetensors", network)
    assert {**read, "sha256": facts["sha256"]} == facts


def test_the_same_weights_twice(planned_task, uninterrupted, tmp_path):
    train_fold(first_fold(planned_task), tmp_path, replace(EXACT, epochs=3))
    assert same(weights(tmp_path), weights(uninterrupted))
    for which in ("best", "last"):
        name = f"model_{which}.safetensors"
        assert (tmp_path / name).read_bytes() == (uninterrupted / name).read_bytes()


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
    state, _ = keeping.read_checkpoint(tmp_path / "checkpoint.ckpt")
    assert len(state["history"]) * 10 + state["batches"] == after
    trained = train_fold(fold, tmp_path, settings)
    assert trained.resumed == after // 10 and len(trained.history) == 3
    assert same(weights(tmp_path), weights(uninterrupted))
    for one, other in zip(rows(tmp_path), rows(uninterrupted), strict=True):
        assert all(one[name] == other[name] for name in one if name != "seconds")
    assert (tmp_path / "model_best.safetensors").read_bytes() == (
        uninterrupted / "model_best.safetensors"
    ).read_bytes()


def killed_at(monkeypatch, name, call, original=None):
    """Make the n-th call of a function of ``keeping`` a kill -9, halfway through its work."""
    calls = []
    function = original or getattr(keeping, name)

    def broken(*arguments, **more):
        calls.append(1)
        if len(calls) == call:
            raise Killed
        return function(*arguments, **more)

    monkeypatch.setattr(keeping, name, broken)


@pytest.mark.parametrize("name", ["save_weights", "write_text", "save_curves"])
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
    assert len(keeping.read_checkpoint(tmp_path / "checkpoint.ckpt")[0]["history"]) == 1
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
                os.kill(os.getpid(), signal.SIGTERM)
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
    with pytest.raises(RequestError, match=r"differs in fold.*--overwrite"):
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
    path.write_text(path.read_text().replace('"label"', '"label" ', 1))
    with pytest.raises(RequestError, match="differs in regions"):
        train_fold(first_fold(root), tmp_path / "out", QUICK)
    with pytest.raises(RequestError, match="differs in devices"):
        train_fold(fold, tmp_path / "out", replace(QUICK, devices=2))


def test_fewer_epochs_than_there_are(planned_task, tmp_path):
    fold = first_fold(planned_task)
    with pytest.raises(Interrupted):
        train_fold(fold, tmp_path, replace(QUICK, epochs=5), [Stop(14)])
    with pytest.raises(RequestError, match=r"--epochs 1: .* is of epoch 2 already"):
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
        with pytest.raises(RequestError, match=r"checkpoint\.ckpt: is no checkpoint"):
            train_fold(fold, tmp_path, QUICK)
    torch.save({"other": 1}, tmp_path / "checkpoint.ckpt")
    with pytest.raises(RequestError, match=r"checkpoint\.ckpt: is no checkpoint"):
        train_fold(fold, tmp_path, QUICK)


def test_folds_that_do_not_exist(planned_task):
    with pytest.raises(RequestError, match=r"has the folds 0, 1$"):
        read_fold(planned_task / "processed" / NAME, 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"deep": True},
        {"precision": "bf16"},
        {"channels_last": True},
        {"workers": 1},
    ],
    ids=str,
)
def test_other_ways_to_train(planned_task, tmp_path, changes):
    fold = first_fold(planned_task)
    if changes.pop("deep", False):
        fold = replace(fold, plan=replace(fold.plan, batch_size=1))
    trained = train_fold(fold, tmp_path, replace(QUICK, epochs=1, **changes))
    assert np.isfinite(trained.history[0]["loss"])


def constant(region):
    region["image"][:] = 0


def filled(region):
    region["label"][:] = 1


def empty(region):
    region["label"][:] = 0


@pytest.mark.parametrize("change", [constant, filled, empty])
def test_odd_regions_train(planned_task, tmp_path, change):
    root = tmp_path / "task"
    shutil.copytree(planned_task, root)
    for path in (root / "processed" / NAME / "regions").glob("*.npz"):
        arrays = dict(np.load(path))
        change(arrays)
        np.savez(path, **arrays)
    trained = train_fold(first_fold(root), tmp_path / "out", replace(QUICK, epochs=1))
    assert np.isfinite(trained.history[0]["loss"])


def test_one_case_to_train_and_one_to_validate(tmp_path):
    root = make_task(tmp_path, cases=2)
    fold = first_fold(root)
    assert len(fold.training) == len(fold.validation) == 1
    trained = train_fold(fold, tmp_path / "out", replace(QUICK, epochs=1))
    assert np.isfinite(trained.history[0]["loss"])


def test_a_region_that_is_gone_is_named(planned_task, tmp_path):
    fold = first_fold(planned_task)
    with pytest.raises(DataError, match=r"no_such__1\.json"):
        train_fold(replace(fold, training=("no_such__1",)), tmp_path, QUICK)


def test_errors_in_workers_are_one_line(planned_task, tmp_path):
    root = tmp_path / "task"
    shutil.copytree(planned_task, root)
    for path in (root / "processed" / NAME / "regions").glob("*.npz"):
        path.write_bytes(b"broken")
    with pytest.raises(DataError, match=r"^[^\n]*\.npz: is no region[^\n]*$"):
        train_fold(first_fold(root), tmp_path / "out", replace(QUICK, workers=1))


def test_outside_of_the_main_thread(planned_task, tmp_path):
    done = []

    def train():
        done.append(train_fold(first_fold(planned_task), tmp_path, replace(QUICK, epochs=1)))

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert len(done[0].history) == 1


def test_the_full_resolution_weighs_most(planned_task):
    assert resolution_weights(0) == [1.0]
    assert resolution_weights(2) == pytest.approx([4 / 7, 2 / 7, 1 / 7])
    plan = first_fold(planned_task).plan
    module = Segmenter(plan, 10)
    module.train()
    outputs = module.network(torch.randn(1, plan.channels, *plan.sample_shape))
    assert outputs.shape == (1, 1 + plan.network.deep_supervision, 2, *plan.sample_shape)
    label = torch.zeros(1, 1, *plan.sample_shape)
    label[..., :8] = 1
    right = torch.stack([20 * (1 - label), 20 * label], 1)[:, :, 0] - 10
    # the first output right and the others wrong costs less than the other way round
    levels = [right] + [-right] * plan.network.deep_supervision
    good = module.loss(torch.stack(levels, 1), label)
    bad = module.loss(torch.stack(levels[::-1], 1), label)
    assert good < bad and module.loss(torch.stack([right] * len(levels), 1), label) < 0.01


def test_the_loss_is_dice_and_cross_entropy(planned_task):
    module = Segmenter(first_fold(planned_task).plan, 10)
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(2, 2, 6, 5, 4, generator=generator)
    label = (torch.rand(2, 1, 6, 5, 4, generator=generator) > 0.6).float()
    p = torch.softmax(output, 1)[:, 1]
    y = label[:, 0]
    axes = (1, 2, 3)
    dice = 1 - (2 * (p * y).sum(axes)) / (p.sum(axes) + y.sum(axes))
    entropy = -(y * p.log() + (1 - y) * (1 - p).log()).mean()
    levels = module.loss(torch.stack([output] * len(module._weights), 1), label)
    assert float(levels) == pytest.approx(float(dice.mean() + entropy), rel=1e-4)


def test_validation_dice_is_per_sample(planned_task, monkeypatch):
    module = Segmenter(first_fold(planned_task).plan, 10)
    label = torch.zeros(3, 1, 4, 4, 4)
    label[0, ..., :2] = 1
    label[1, ..., :2] = 1
    output = torch.zeros(3, 2, 4, 4, 4)
    output[:, 1] = -1
    output[0, 1, ..., :2] = 1  # right
    output[1, 1, ..., 1:3] = 1  # half right
    module.network = torch.nn.Identity()
    module.validation_step((output, label), 0)  # the third: nothing, and nothing found
    assert torch.cat(module.dices).tolist() == pytest.approx([1.0, 0.5, 1.0])


def test_weights_of_other_networks_are_refused(planned_task, uninterrupted, tmp_path):
    plan = first_fold(planned_task).plan
    network = build_network(plan.network, plan.channels)
    assert count_parameters(network) == sum(p.numel() for p in network.parameters()) > 1000
    path = uninterrupted / "model_best.safetensors"
    other = build_network(plan.network, plan.channels + 1)
    with pytest.raises(DataError, match="are of another network"):
        load_weights(path, other)
    with pytest.raises(DataError, match="cannot be read as weights"):
        load_weights(tmp_path / "no.safetensors", network)
    half = tmp_path / "half.safetensors"
    half.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="cannot be read as weights"):
        load_weights(half, network)


def test_unreadable_plans(tmp_path):
    with pytest.raises(RequestError, match="does not exist"):
        read_fold(tmp_path, 0)
    write_json(tmp_path / "plans.json", {"schema_version": 1})
    with pytest.raises(DataError, match="schema_version is 1"):
        read_fold(tmp_path, 0)
    write_json(tmp_path / "plans.json", {"schema_version": 2, "plan": {}, "splits": []})
    with pytest.raises(RequestError, match="has no folds"):
        read_splits(tmp_path)


def test_settings_by_default():
    assert Settings().epochs == 500
