"""Folds: trained, repeated; on odd data too."""

import json
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from interactivenet.errors import DataError, RequestError
from interactivenet.models.device import kept_choice_of_kernels
from interactivenet.models.network import build_network, load_weights
from interactivenet.training.lightning_module import Segmenter
from interactivenet.training.options import TrainingOptions
from interactivenet.training.trainer import train_fold
from tests.training.trained_task import (
    EXACT,
    NAME,
    QUICK,
    first_fold,
    make_task,
    rows,
    same,
    weights,
)


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


def test_folds_that_do_not_exist(planned_task):
    with pytest.raises(RequestError, match=r"^`fold=2`: .*no such fold: expected one of 0, 1$"):
        first_fold(planned_task, 2)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"precision": "bf16"},
        {"workers": 1},
    ],
    ids=str,
)
def test_other_ways_to_train(planned_task, tmp_path, changes):
    fold = first_fold(planned_task)
    fold = replace(fold, plan=replace(fold.plan, batch_size=1))
    trained = train_fold(fold, tmp_path, replace(QUICK, epochs=1, **changes))
    assert np.isfinite(trained.history[0]["loss"])


@pytest.mark.parametrize("deterministic", [False, True])
def test_the_choice_of_kernels_is_left_as_it_was(planned_task, tmp_path, deterministic):
    """As that of a notebook that has made torch deterministic itself."""
    options = replace(QUICK, epochs=1, deterministic=deterministic)
    with kept_choice_of_kernels():
        torch.use_deterministic_algorithms(not deterministic, warn_only=not deterministic)
        train_fold(first_fold(planned_task), tmp_path, options)
        assert torch.are_deterministic_algorithms_enabled() != deterministic
        assert torch.is_deterministic_algorithms_warn_only_enabled() != deterministic


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
    fold = first_fold(root)
    regions = root / "processed" / NAME / "regions"
    (regions / f"{fold.training[1]}.npz").write_bytes(b"broken")  # the first is drawn here, too
    with pytest.raises(DataError, match=r"^[^\n]*\.npz: is damaged[^\n]*$"):
        train_fold(fold, tmp_path / "out", replace(QUICK, workers=1))


def test_outside_of_the_main_thread(planned_task, tmp_path):
    done = []

    def train():
        done.append(train_fold(first_fold(planned_task), tmp_path, replace(QUICK, epochs=1)))

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert len(done[0].history) == 1


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("epochs", 0, "1 or more"),
        ("device", "tpu", "one of auto, cpu, cuda"),
        ("devices", 0, "1 or more"),
        ("precision", "fp8", "one of auto, bf16, fp16, fp32"),
        ("workers", -1, "0 or more"),
        ("minutes", 0, "a number above 0"),
        ("minutes", float("inf"), "a number above 0"),
        ("steps", 0, "1 or more"),
    ],
)
def test_options_out_of_range_are_named(field, value, expected):
    with pytest.raises(RequestError) as error:
        TrainingOptions(**{field: value})
    assert str(error.value) == f"`{field}={value!r}`: expected {expected}"


def test_a_card_with_too_little_memory(planned_task, tmp_path, monkeypatch):
    fold = first_fold(planned_task)

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Segmenter, "training_step", full)
    with pytest.raises(
        RequestError, match=r"memory: run `plan\(task=.*\)` again with.*`memory_gb`, such as 4:"
    ):
        train_fold(fold, tmp_path, QUICK)
