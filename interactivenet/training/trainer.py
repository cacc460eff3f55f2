"""The training of one fold: from a processed task to weights, interrupted or not."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import Trainer

from interactivenet.errors import DataError, RequestError
from interactivenet.models import device as devices
from interactivenet.models.fold_results import CHECKPOINT, METRICS, VALIDATION
from interactivenet.models.start_saw import SEEN, START_SAW
from interactivenet.preprocessing.folds import Fold
from interactivenet.system.cache_key import CacheKey
from interactivenet.system.files import remove
from interactivenet.system.signals import Signals
from interactivenet.training.budget import Budget
from interactivenet.training.checkpointing import (
    BEST,
    CURVES,
    LAST,
    CheckpointCallback,
    Observer,
    WholeCheckpoints,
    read_checkpoint,
    seconds_spent,
)
from interactivenet.training.distillation import TEACHER, Teacher
from interactivenet.training.lightning_messages import named_errors, quiet_lightning
from interactivenet.training.lightning_module import Segmenter
from interactivenet.training.loaders import epoch_batches, make_loaders
from interactivenet.training.options import TrainingOptions
from interactivenet.training.recipe import recipe_for
from interactivenet.training.starting import Start, start_saw, take_weights

#: what reading a damaged checkpoint raises
_UNREADABLE = (RuntimeError, OSError, EOFError, KeyError, ValueError, TypeError, UnpicklingError)
#: epochs where the clock ends the training; Lightning's own 'no limit' restarts otherwise
_NO_END = 2**31


@dataclass(frozen=True)
class Trained:
    """What became of a fold: a row of ``metrics.csv`` per epoch, and the best of them.

    resumed: epochs that an earlier run had finished.  complete: whether that was all of them.
    """

    folder: Path
    history: tuple[Mapping[str, Any], ...]
    best: Mapping[str, Any]
    resumed: int
    complete: bool = False


def identity(
    fold: Fold,
    settings: TrainingOptions,
    start: Start | None = None,
    teacher: Teacher | None = None,
) -> CacheKey:
    """Return what a training must agree in to be continued.

    Not how long it lasts, which may be changed, and not the device, nor its precision: a queue may
    send the rest to another kind of machine.
    """
    content = {
        "task": fold.plan.task,
        "plan": fold.plan.digest,
        "fold": fold.number,
        "seed": fold.plan.seed,
        "regions": fold.digest,
        "devices": settings.devices,
    }
    if fold.empty:  # which an earlier version trained on
        content["left_out"] = list(fold.empty)
    if settings.steps or fold.plan.grid:
        content["steps"] = len(epoch_batches(fold, settings))
    if start:
        content["start"] = start.facts
    if teacher:
        content[TEACHER] = list(teacher.digests)
    return CacheKey(content)


def origin(
    fold: Fold, start: Start | None = None, teacher: Teacher | None = None
) -> dict[str, Any]:
    """Return which images a training's weights will have seen, as JSON data for their facts."""
    before = start.seen if start and start.seen else frozenset()
    if teacher:
        before |= teacher.seen
    saw = start_saw(start, fold)
    return {
        SEEN: sorted(fold.training_images | before),
        **({START_SAW: saw.as_json()} if saw else {}),
    }


def train_fold(
    fold: Fold,
    folder: Path,
    settings: TrainingOptions,
    observers: Sequence[Observer] = (),
    *,
    start: Start | None = None,
    teacher: Teacher | None = None,
    overwrite: bool = False,
    warn: Callable[[str], None] = print,
    signals: Signals | None = None,
) -> Trained:
    """Train a fold into a folder, or continue what an interrupted run left there.

    start: the model whose weights it starts from; what ``settings.start`` names.
    teacher: what it learns from instead of the labels, and starts from.
    signals: asks for the end; without it SIGTERM and SIGINT do, while the training lasts.

    Raises RequestError where the folder holds another training, nothing of the start fits, or the
    device's memory does not suffice, DataError where a region cannot be read, and
    :class:`~interactivenet.system.signals.Interrupted` where a signal ended the training, which is
    saved then.
    """
    device = devices.choose_device(settings.device)
    devices.check_devices(settings.devices, device)
    fold.check_learnable()
    rank = devices.rank(settings.devices)
    key, budget = identity(fold, settings, start, teacher), settings.budget
    earlier = None if overwrite else _earlier(folder, key, settings)
    torch.manual_seed(fold.seed)
    recipe = recipe_for(fold.plan, fine_tuning=bool(start or teacher))
    batches = epoch_batches(fold, settings)
    signals = signals or Signals()
    callback = CheckpointCallback(
        folder, budget, key.content, batches, signals, observers, origin(fold, start, teacher)
    )
    module = Segmenter(fold.plan, callback.progress, recipe, teacher)
    if teacher:
        module.start_from(teacher.first_weights)
    taken = take_weights(module.network, fold.plan, start) if start else None
    if earlier is None and not rank:
        clear(folder)
        if start and taken:
            warn(taken.describe(start))
    resumed = len(earlier[0]["history"]) if earlier else 0
    complete = earlier is not None and _is_complete(earlier[0], budget)
    if resumed and not complete and not rank:
        warn(f"continuing after epoch {resumed}, the last that an earlier run finished")
    workers, warning = devices.choose_workers(settings.workers, device, fold.plan)
    if warning:
        warn(warning)
    if earlier:
        state, weights = earlier
        module.load_state_dict(weights)
        callback.restore(state, module)
    if not complete:
        coarse = partial(callback.is_before, recipe.coarse)
        loaders = make_loaders(fold, settings, batches, coarse, workers, device)
        with signals.noted(), quiet_lightning(), named_errors(fold.plan):
            trainer = _trainer(settings, device, folder, callback, recipe.clip)
            path = folder / CHECKPOINT if earlier else None
            trainer.fit(module, *loaders, ckpt_path=path, weights_only=True)
    return Trained(folder, tuple(callback.history), callback.best, resumed, complete)


def check_training(
    fold: Fold,
    folder: Path,
    settings: TrainingOptions,
    *,
    start: Start | None = None,
    overwrite: bool = False,
) -> None:
    """Raise RequestError where a training is refused before it begins, as :func:`train_fold` does.

    There is no such device, or the folder holds another training.
    """
    device = devices.choose_device(settings.device)
    devices.check_devices(settings.devices, device)
    devices.choose_precision(settings.precision, device)
    fold.check_learnable()
    if not overwrite:
        _earlier(folder, identity(fold, settings, start), settings)


def clear(folder: Path) -> None:
    """Remove what a training leaves in its folder, and what was made of its weights."""
    for name in (CHECKPOINT, BEST, LAST, METRICS, CURVES):
        remove(folder / name)
        remove((folder / name).with_suffix(".json"))
    shutil.rmtree(folder / VALIDATION, ignore_errors=True)


def _earlier(
    folder: Path, key: CacheKey, settings: TrainingOptions
) -> tuple[dict[str, Any], Mapping[str, Any]] | None:
    """Read the checkpoint of an interrupted or finished training; None where there is none."""
    path = folder / CHECKPOINT
    if not path.exists():
        left = [name for name in (BEST, LAST) if (folder / name).exists()]
        if left:
            raise RequestError(
                f"{folder}: has {left[0]} but no {CHECKPOINT} to continue from",
                remedy="`overwrite=True` removes it and starts over",
            )
        return None
    try:
        state, weights = read_checkpoint(path)
        earlier, epochs, batches = state["identity"], len(state["history"]), state["batches"]
        spent = seconds_spent(state)
    except _UNREADABLE as error:
        raise RequestError(
            f"{path}: is damaged, or is not an InteractiveNet checkpoint",
            remedy="`overwrite=True` starts over",
        ) from error
    if different := key.differences(earlier):
        first = different[0]
        raise RequestError(
            f"{path}: belongs to another training, which differs in {', '.join(different)}"
            f" ({first} {earlier.get(first)} instead of {key.content.get(first)})",
            remedy="`overwrite=True` starts over; another results folder keeps both",
        )
    begun = epochs + bool(batches)
    if settings.epochs is not None and begun > settings.epochs:
        raise RequestError(
            f"{path} has already reached epoch {begun}", field="epochs", value=settings.epochs,
            expected=f"{begun} or more", remedy="`overwrite=True` starts over",
        )  # fmt: skip
    minutes = settings.minutes
    if minutes is None and (by_clock := state.get("minutes")) is not None:
        raise RequestError(
            f"{path}: is of a training of {by_clock:g} minutes, not of a number of epochs",
            remedy=f"`minutes={by_clock:g}`, or more, goes on; `overwrite=True` starts over",
        )
    # the last epoch's validation takes a little more than the minutes that were asked for
    if minutes is not None and minutes != state.get("minutes") and 60 * minutes < spent:
        raise RequestError(
            f"{path} was already trained for {spent / 60:.1f} minutes", field="minutes",
            value=minutes, expected=f"{math.ceil(spent / 6) / 10:g} or more",
            remedy="`overwrite=True` starts over",
        )  # fmt: skip
    return state, weights


def training_differs(folder: Path, key: CacheKey) -> list[str]:
    """Return in what an earlier training in a folder differs from one that is due; [] for none.

    key: of that, as of :func:`identity`. What cannot be read is left to the training.
    """
    try:
        state, _ = read_checkpoint(folder / CHECKPOINT)
        return key.differences(state["identity"])
    except (*_UNREADABLE, DataError):
        return []


def _is_complete(state: Mapping[str, Any], budget: Budget) -> bool:
    """Whether an earlier run has trained, from our part of its checkpoint, all that is asked."""
    finished = len(state["history"])
    return bool(
        finished and not state["batches"] and budget.is_over(finished, seconds_spent(state))
    )


def _trainer(
    settings: TrainingOptions, device: str, folder: Path, callback: CheckpointCallback, clip: float
) -> Trainer:
    precision = devices.choose_precision(settings.precision, device)
    return Trainer(
        accelerator="gpu" if device == "cuda" else "cpu",
        devices=settings.devices,
        strategy="ddp" if settings.devices > 1 else "auto",
        precision=devices.PRECISIONS[precision],  # type: ignore[arg-type]
        max_epochs=settings.epochs or _NO_END,
        gradient_clip_val=clip,
        # some of CUDA's kernels have no repeatable form: as far as it goes
        deterministic="warn" if settings.deterministic and device == "cuda"
        else settings.deterministic,
        benchmark=not settings.deterministic,
        plugins=[LightningEnvironment(), WholeCheckpoints()],  # whatever SLURM's variables say
        callbacks=[callback],
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )  # fmt: skip
