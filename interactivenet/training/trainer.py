"""The training of one fold: from a processed task to weights, interrupted or not."""

from __future__ import annotations

import logging
import shutil
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
from torch.utils.data import DataLoader, Subset

from interactivenet.errors import DataError, RequestError
from interactivenet.models import device as devices
from interactivenet.preprocessing.folds import Fold
from interactivenet.system.files import remove
from interactivenet.system.signals import Signals
from interactivenet.training.augmentation import Augmentation
from interactivenet.training.checkpointing import (
    BEST,
    CHECKPOINT,
    CURVES,
    LAST,
    METRICS,
    CheckpointCallback,
    Observer,
    WholeCheckpoints,
    read_checkpoint,
)
from interactivenet.training.dataset import (
    EpochBatches,
    PatchDataset,
    Patches,
    ValidationDataset,
    settle_worker,
)
from interactivenet.training.lightning_module import Segmenter

#: what reading a damaged checkpoint raises
_UNREADABLE = (RuntimeError, OSError, EOFError, KeyError, ValueError, TypeError, UnpicklingError)
#: what is made of the weights, in the fold's folder
_DERIVED = ("validation",)
#: bound on the norm of a step's gradient, as nnU-Net's
CLIP = 12.0


@dataclass(frozen=True)
class TrainingOptions:
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
class Trained:
    """What became of a fold: a row of ``metrics.csv`` per epoch, and the best of them.

    resumed: epochs that an earlier run had finished.
    """

    folder: Path
    history: tuple[Mapping[str, Any], ...]
    best: Mapping[str, Any]
    resumed: int


def identity(fold: Fold, settings: TrainingOptions) -> dict[str, Any]:
    """Return what a training must agree in to be continued, as JSON data.

    Not the device, nor its precision: a queue may send the rest to another kind of machine.
    """
    return {
        "task": fold.plan.task,
        "plan": fold.plan.digest,
        "fold": fold.number,
        "seed": fold.plan.seed,
        "regions": fold.digest,
        "devices": settings.devices,
    }


def train_fold(
    fold: Fold,
    folder: Path,
    settings: TrainingOptions,
    observers: Sequence[Observer] = (),
    *,
    overwrite: bool = False,
    warn: Callable[[str], None] = print,
    signals: Signals | None = None,
) -> Trained:
    """Train a fold into a folder, or go on with what an interrupted run left there.

    signals: asks for the end; without it SIGTERM and SIGINT do, while the training lasts.

    Raises RequestError where the folder holds the training of something else or the device's
    memory does not suffice, DataError where a region cannot be read, and
    :class:`~interactivenet.signals.Interrupted` where a signal ended the training, which is
    saved then.
    """
    device = devices.choose_device(settings.device)
    devices.check_devices(settings.devices, device)
    rank = devices.rank(settings.devices)
    what = identity(fold, settings)
    earlier = None if overwrite else _earlier(folder, what, settings)
    if earlier is None and not rank:
        clear(folder)
    resumed = len(earlier[0]["history"]) if earlier else 0
    if 0 < resumed < settings.epochs and not rank:
        warn(f"goes on after epoch {resumed}, the last one that an earlier run has finished")
    workers, warning = devices.choose_workers(settings.workers, device, fold.plan)
    if warning:
        warn(warning)

    batches = EpochBatches(
        len(fold.training), fold.plan.batch_size, fold.seed, rank=rank, processes=settings.devices
    )
    signals = signals or Signals()
    keeper = CheckpointCallback(folder, settings.epochs, what, batches, signals, observers)
    torch.manual_seed(fold.seed)
    module = Segmenter(
        fold.plan, settings.epochs * len(batches), channels_last=settings.channels_last
    )
    if earlier:
        state, weights = earlier
        module.load_state_dict(weights)
        keeper.restore(state, module)
    if resumed < settings.epochs:
        if settings.compile:
            module.network.compile()
        loaders = _loaders(fold, settings, batches, workers, device)
        with signals.noted(), _quiet(settings), _named_errors():
            trainer = _trainer(settings, device, folder, keeper)
            path = folder / CHECKPOINT if earlier else None
            trainer.fit(module, *loaders, ckpt_path=path, weights_only=True)
    return Trained(folder, tuple(keeper.history), keeper.best, resumed)


def clear(folder: Path) -> None:
    """Remove what a training leaves in its folder, and what was made of its weights."""
    for name in (CHECKPOINT, BEST, LAST, METRICS, CURVES):
        remove(folder / name)
        remove((folder / name).with_suffix(".json"))
    for name in _DERIVED:
        shutil.rmtree(folder / name, ignore_errors=True)


def _earlier(
    folder: Path, what: Mapping[str, Any], settings: TrainingOptions
) -> tuple[dict[str, Any], Mapping[str, Any]] | None:
    """Read the checkpoint of an interrupted or finished training; None where there is none."""
    path = folder / CHECKPOINT
    if not path.exists():
        left = [name for name in (BEST, LAST) if (folder / name).exists()]
        if left:
            raise RequestError(
                f"{folder}: has {left[0]} but no {CHECKPOINT} to go on from: --overwrite removes"
                " it and starts anew"
            )
        return None
    try:
        state, weights = read_checkpoint(path)
        found, epochs, batches = state["identity"], len(state["history"]), state["batches"]
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
    if epochs + bool(batches) > settings.epochs:
        raise RequestError(
            f"-e / --epochs {settings.epochs}: {path} is of epoch {epochs + bool(batches)} already:"
            " expected at least that (--overwrite starts anew)"
        )
    return state, weights


def _trainer(
    settings: TrainingOptions, device: str, folder: Path, keeper: CheckpointCallback
) -> Trainer:
    precision = devices.choose_precision(settings.precision, device)
    return Trainer(
        accelerator="gpu" if device == "cuda" else "cpu",
        devices=settings.devices,
        strategy="ddp" if settings.devices > 1 else "auto",
        precision=devices.PRECISIONS[precision],  # type: ignore[arg-type]
        max_epochs=settings.epochs,
        gradient_clip_val=CLIP,
        # some of CUDA's kernels have no repeatable form: as far as it goes
        deterministic="warn" if settings.deterministic and device == "cuda"
        else settings.deterministic,
        benchmark=not settings.deterministic,
        plugins=[LightningEnvironment(), WholeCheckpoints()],  # whatever SLURM's variables say
        callbacks=[keeper],
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )  # fmt: skip


def _loaders(
    fold: Fold, settings: TrainingOptions, batches: EpochBatches, workers: int, device: str
) -> tuple[DataLoader[Any], DataLoader[Any]]:
    def more(count: int) -> dict[str, Any]:
        found: dict[str, Any] = {"num_workers": count, "pin_memory": device == "cuda"}
        if count:
            found["persistent_workers"] = True
            found["multiprocessing_context"] = devices.worker_context()
            found["worker_init_fn"] = settle_worker
        return found

    def patches(names: tuple[str, ...]) -> Patches:
        return Patches(fold.plan, fold.processed, names, fold.seed, settings.augmentation)

    shown = ValidationDataset(patches(fold.validation))
    # a process without a share takes the first again: all must validate something
    mine = list(range(devices.rank(settings.devices), len(shown), settings.devices)) or [0]
    size = fold.plan.batch_size
    return (
        DataLoader(PatchDataset(patches(fold.training)), batch_sampler=batches, **more(workers)),
        DataLoader(Subset(shown, mine), batch_size=size, **more(min(workers, 2))),
    )


@contextmanager
def _named_errors() -> Iterator[None]:
    """Turn what Lightning and the loader's workers raise into our one line, where it is known."""
    try:
        yield
    except DataError as error:
        lines = str(error).strip().splitlines()
        if len(lines) == 1:
            raise
        # from a worker process: its whole traceback, the message at its end
        raise DataError(lines[-1].partition(": ")[2]) from error
    except torch.OutOfMemoryError as error:
        raise RequestError(
            "the graphics card's memory does not suffice: 'interactivenet plan' with a smaller"
            " --memory-gb (or --preset small) makes smaller samples and batches"
        ) from error


@contextmanager
def _quiet(settings: TrainingOptions) -> Iterator[None]:
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
