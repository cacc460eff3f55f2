"""The training of one fold: from a processed task to weights, interrupted or not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader, Subset

from interactivenet.errors import RequestError
from interactivenet.models import device as devices
from interactivenet.models.fold_results import CHECKPOINT, METRICS, VALIDATION
from interactivenet.preprocessing.folds import Fold
from interactivenet.system.cache_key import CacheKey
from interactivenet.system.files import remove
from interactivenet.system.signals import Signals
from interactivenet.training.augmentation import Augmentation
from interactivenet.training.checkpointing import (
    BEST,
    CURVES,
    LAST,
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
from interactivenet.training.lightning_messages import named_errors, quiet_lightning
from interactivenet.training.lightning_module import Segmenter

#: what reading a damaged checkpoint raises
_UNREADABLE = (RuntimeError, OSError, EOFError, KeyError, ValueError, TypeError, UnpicklingError)
#: what a fold can be trained on
_DEVICES = ("auto", "cpu", "cuda")
#: bound on the norm of a step's gradient, as nnU-Net's
CLIP = 12.0


@dataclass(frozen=True)
class TrainingOptions:
    """How a fold is trained.

    Args:
        epochs: Number of epochs of the whole training, over which the learning rate falls.
        device: 'cuda', 'cpu', or 'auto': CUDA where there is a device.
        devices: How many graphics cards, or CPU processes, train the fold together.
        precision: 'bf16', 'fp16' (CUDA only), 'fp32', or 'auto': bf16 where the device multiplies
            in it.
        workers: Number of processes that draw samples; None for what suits the machine.
        deterministic: Train reproducibly: the same weights, bit by bit, but slower.
        augmentation: How samples are varied.

    Raises:
        RequestError: A value is not one of these.
    """

    epochs: int = 500
    device: str = "auto"
    devices: int = 1
    precision: str = "auto"
    workers: int | None = None
    deterministic: bool = False
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        precisions = ("auto", *devices.PRECISIONS)
        rules = {
            "epochs": (self.epochs >= 1, "1 or more"),
            "device": (self.device in _DEVICES, f"one of {', '.join(_DEVICES)}"),
            "devices": (self.devices >= 1, "1 or more"),
            "precision": (self.precision in precisions, f"one of {', '.join(precisions)}"),
            "workers": (self.workers is None or self.workers >= 0, "0 or more"),
        }
        for name, (fits, expected) in rules.items():
            if not fits:
                raise RequestError(field=name, value=getattr(self, name), expected=expected)


@dataclass(frozen=True)
class Trained:
    """What became of a fold: a row of ``metrics.csv`` per epoch, and the best of them.

    resumed: epochs that an earlier run had finished.
    """

    folder: Path
    history: tuple[Mapping[str, Any], ...]
    best: Mapping[str, Any]
    resumed: int


def identity(fold: Fold, settings: TrainingOptions) -> CacheKey:
    """Return what a training must agree in to be continued.

    Not the device, nor its precision: a queue may send the rest to another kind of machine.
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
    return CacheKey(content)


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
    """Train a fold into a folder, or continue what an interrupted run left there.

    signals: asks for the end; without it SIGTERM and SIGINT do, while the training lasts.

    Raises RequestError where the folder holds another training or the device's memory does not
    suffice, DataError where a region cannot be read, and
    :class:`~interactivenet.system.signals.Interrupted` where a signal ended the training, which is
    saved then.
    """
    device = devices.choose_device(settings.device)
    devices.check_devices(settings.devices, device)
    fold.check_learnable()
    rank = devices.rank(settings.devices)
    key = identity(fold, settings)
    earlier = None if overwrite else _earlier(folder, key, settings)
    if earlier is None and not rank:
        clear(folder)
    resumed = len(earlier[0]["history"]) if earlier else 0
    if 0 < resumed < settings.epochs and not rank:
        warn(f"continuing after epoch {resumed}, the last that an earlier run finished")
    workers, warning = devices.choose_workers(settings.workers, device, fold.plan)
    if warning:
        warn(warning)

    batches = EpochBatches(
        len(fold.learnable), fold.plan.batch_size, fold.seed, rank=rank, processes=settings.devices
    )
    signals = signals or Signals()
    callback = CheckpointCallback(folder, settings.epochs, key.content, batches, signals, observers)
    torch.manual_seed(fold.seed)
    module = Segmenter(fold.plan, settings.epochs * len(batches))
    if earlier:
        state, weights = earlier
        module.load_state_dict(weights)
        callback.restore(state, module)
    if resumed < settings.epochs:
        loaders = _loaders(fold, settings, batches, workers, device)
        with signals.noted(), quiet_lightning(), named_errors(fold.plan):
            trainer = _trainer(settings, device, folder, callback)
            path = folder / CHECKPOINT if earlier else None
            trainer.fit(module, *loaders, ckpt_path=path, weights_only=True)
    return Trained(folder, tuple(callback.history), callback.best, resumed)


def check_training(
    fold: Fold, folder: Path, settings: TrainingOptions, *, overwrite: bool = False
) -> None:
    """Raise RequestError where a training is refused before it begins, as :func:`train_fold` does.

    There is no such device, or the folder holds another training.
    """
    device = devices.choose_device(settings.device)
    devices.check_devices(settings.devices, device)
    devices.choose_precision(settings.precision, device)
    fold.check_learnable()
    if not overwrite:
        _earlier(folder, identity(fold, settings), settings)


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
    if begun > settings.epochs:
        raise RequestError(
            f"{path} has already reached epoch {begun}", field="epochs", value=settings.epochs,
            expected=f"{begun} or more", remedy="`overwrite=True` starts over",
        )  # fmt: skip
    return state, weights


def _trainer(
    settings: TrainingOptions, device: str, folder: Path, callback: CheckpointCallback
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
        callbacks=[callback],
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
    def options(count: int) -> dict[str, Any]:
        chosen: dict[str, Any] = {"num_workers": count, "pin_memory": device == "cuda"}
        if count:
            chosen["persistent_workers"] = True
            chosen["multiprocessing_context"] = devices.worker_context()
            chosen["worker_init_fn"] = settle_worker
        return chosen

    def patches(names: tuple[str, ...]) -> Patches:
        return Patches(fold.plan, fold.processed, names, fold.seed, settings.augmentation)

    training = PatchDataset(patches(fold.learnable))
    validation = ValidationDataset(patches(fold.measurable))
    # a process without a share takes the first again: all must validate something
    share = list(range(devices.rank(settings.devices), len(validation), settings.devices)) or [0]
    size = fold.plan.batch_size
    return (
        DataLoader(training, batch_sampler=batches, **options(workers)),
        DataLoader(Subset(validation, share), batch_size=size, **options(min(workers, 2))),
    )
