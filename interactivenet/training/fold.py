"""The training of one fold: from a processed task to weights, interrupted or not."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader

from interactivenet.errors import RequestError
from interactivenet.io.atomic import remove
from interactivenet.plan import Plan, read_plans
from interactivenet.splits import Split
from interactivenet.training import device as devices
from interactivenet.training.augmentation import Augmentation
from interactivenet.training.draws import (
    Draws,
    EpochBatches,
    OwnSamples,
    Patches,
    worker_threads,
)
from interactivenet.training.keeping import (
    BEST,
    CHECKPOINT,
    CURVES,
    LAST,
    METRICS,
    Keeper,
    Observer,
    Signals,
    read_state,
)
from interactivenet.training.module import Segmenter

#: what reading a damaged checkpoint raises
_UNREADABLE = (RuntimeError, OSError, EOFError, KeyError, ValueError, TypeError, UnpicklingError)
#: bound on the norm of a step's gradient, as nnU-Net's
CLIP = 12.0


@dataclass(frozen=True)
class Settings:
    """How a fold is trained.

    device: 'auto', 'cpu' or 'cuda'.  devices: how many graphics cards, or CPU processes.
    precision: 'auto' or a key of ``device.PRECISIONS``.  workers: processes that draw samples,
    None for what suits the machine.  deterministic: the same weights, bit by bit, every time.
    """

    epochs: int = 500
    device: str = "auto"
    devices: int = 1
    precision: str = "auto"
    workers: int | None = None
    deterministic: bool = False
    compile: bool = False
    channels_last: bool = False
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(frozen=True)
class Fold:
    """One fold of a processed task.

    training, validation: names of regions.  cases: names of the validation cases.
    """

    processed: Path
    plan: Plan
    number: int
    training: tuple[str, ...]
    validation: tuple[str, ...]
    cases: tuple[str, ...]


@dataclass(frozen=True)
class Trained:
    """What became of a fold: a row of ``metrics.csv`` per epoch, and the best of them.

    resumed: epochs that an earlier run had finished.
    """

    folder: Path
    history: tuple[Mapping[str, Any], ...]
    best: Mapping[str, Any]
    resumed: int


def read_splits(processed: Path) -> tuple[Split, ...]:
    """Read the folds of a processed task; raises RequestError where it is not planned."""
    content = read_plans(processed / "plans.json")
    return tuple(
        Split(tuple(one["training"]), tuple(one["validation"]), one.get("left_out", ""))
        for one in content.get("splits", [])
    )


def read_fold(processed: Path, number: int) -> Fold:
    """Read one fold of a processed task.

    Raises RequestError where there is no such fold, naming those that there are, or where one of
    its cases has no region.
    """
    path = processed / "plans.json"
    plan, splits = Plan.load(path), read_splits(processed)
    if not 0 <= number < len(splits):
        there = ", ".join(map(str, range(len(splits))))
        raise RequestError(f"-f / --fold {number}: {path} has the folds {there}")
    regions = list(read_plans(path).get("coverage", {}))

    def named(cases: Sequence[str]) -> tuple[str, ...]:
        wanted = set(cases)
        return tuple(sorted(name for name in regions if name.rpartition("__")[0] in wanted))

    split = splits[number]
    training, validation = named(split.training), named(split.validation)
    if not training or not validation:
        raise RequestError(
            f"{path}: fold {number} has {len(training)} regions to train on and {len(validation)}"
            " to validate: run 'interactivenet plan' again"
        )
    return Fold(processed, plan, number, training, validation, split.validation)


def identity(fold: Fold, settings: Settings) -> dict[str, Any]:
    """Return what a training must agree in to be continued, as JSON data."""
    regions = json.dumps([fold.training, fold.validation]).encode()
    return {
        "task": fold.plan.task,
        "plan": fold.plan.digest,
        "fold": fold.number,
        "seed": fold.plan.seed,
        "regions": hashlib.sha256(regions).hexdigest(),
        "precision": devices.choose_precision(
            settings.precision, devices.choose_device(settings.device)
        ),
    }


def train_fold(
    fold: Fold,
    folder: Path,
    settings: Settings,
    observers: Sequence[Observer] = (),
    *,
    overwrite: bool = False,
    warn: Callable[[str], None] = print,
) -> Trained:
    """Train a fold into a folder, or go on with what an interrupted run left there.

    Raises RequestError where the folder holds the training of something else, and
    :class:`.Interrupted` where a signal ended the training, which is saved then.
    """
    device = devices.choose_device(settings.device)
    precision = devices.choose_precision(settings.precision, device)
    what = identity(fold, settings)
    state = None if overwrite else _earlier(folder, what, warn)
    if state is None and not devices.rank():
        clear(folder)
    resumed = len(state["history"]) if state else 0

    workers, warning = devices.choose_workers(settings.workers, device, fold.plan)
    if warning:
        warn(warning)
    batches = EpochBatches(
        len(fold.training), fold.plan.batch_size, fold.plan.seed + fold.number,
        rank=devices.rank(), processes=settings.devices,
    )  # fmt: skip
    signals = Signals()
    keeper = Keeper(folder, settings.epochs, what, batches, signals, observers)
    torch.manual_seed(fold.plan.seed + fold.number)
    module = Segmenter(
        fold.plan, settings.epochs * len(batches), channels_last=settings.channels_last
    )
    if state is not None:
        keeper.restore(state, module)
        if resumed >= settings.epochs:
            return Trained(folder, tuple(keeper.history), keeper.best, resumed)
    if settings.compile:
        module.network.compile()
    with signals.noted(), _quiet(settings):
        trainer = Trainer(
            accelerator="gpu" if device == "cuda" else "cpu",
            devices=settings.devices,
            strategy="ddp" if settings.devices > 1 else "auto",
            precision=devices.PRECISIONS[precision],  # type: ignore[arg-type]
            max_epochs=settings.epochs,
            gradient_clip_val=CLIP,
            # some of CUDA's kernels have no repeatable form: as far as it goes
            deterministic="warn"
            if settings.deterministic and device == "cuda"
            else settings.deterministic,
            benchmark=not settings.deterministic,
            plugins=[LightningEnvironment()],  # whatever SLURM's variables say
            callbacks=[keeper],
            use_distributed_sampler=False,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            default_root_dir=folder,
        )
        trainer.fit(
            module,
            *_loaders(fold, settings, batches, workers),
            ckpt_path=folder / CHECKPOINT if state is not None else None,
            weights_only=True,
        )
    return Trained(folder, tuple(keeper.history), keeper.best, resumed)


def clear(folder: Path) -> None:
    """Remove what a training leaves in its folder."""
    for name in (CHECKPOINT, BEST, LAST, METRICS, CURVES):
        remove(folder / name)
        remove((folder / name).with_suffix(".json"))


def _earlier(
    folder: Path, what: Mapping[str, Any], warn: Callable[[str], None]
) -> dict[str, Any] | None:
    """Read the state of an interrupted or finished training; None where there is none."""
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        state = read_state(path)
        found = state["identity"]
    except _UNREADABLE as error:
        raise RequestError(
            f"{path}: is no checkpoint of this program, or damaged: --overwrite starts anew"
        ) from error
    different = [name for name, value in what.items() if found.get(name) != value]
    if different:
        raise RequestError(
            f"{path}: the training there differs in {', '.join(different)} (such as"
            f" {different[0]} {found.get(different[0])} instead of {what[different[0]]}):"
            " --overwrite starts anew, another --results keeps both"
        )
    return state


def _loaders(
    fold: Fold, settings: Settings, batches: EpochBatches, workers: int
) -> tuple[DataLoader[Any], DataLoader[Any]]:
    plan = fold.plan
    more: dict[str, Any] = {"num_workers": workers, "pin_memory": torch.cuda.is_available()}
    if workers:
        more |= {
            "persistent_workers": True,
            "multiprocessing_context": devices.worker_context(),
            "worker_init_fn": worker_threads,
        }

    def patches(names: tuple[str, ...]) -> Patches:
        seed = plan.seed + fold.number
        return Patches(plan, fold.processed, names, seed, settings.augmentation)

    shown = OwnSamples(patches(fold.validation))
    mine = list(range(devices.rank(), len(shown), settings.devices)) or [0]
    return (
        DataLoader(Draws(patches(fold.training)), batch_sampler=batches, **more),
        DataLoader(torch.utils.data.Subset(shown, mine), batch_size=plan.batch_size, **more),
    )


@contextmanager
def _quiet(settings: Settings) -> Iterator[None]:
    """Keep Lightning's remarks on things that are as they should be out of the log."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
            if settings.deterministic:
                torch.use_deterministic_algorithms(False)
