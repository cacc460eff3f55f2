"""The loaders of a training: batches of samples, drawn by worker processes or in this one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch.utils.data import DataLoader, Subset

from interactivenet.models import device as devices
from interactivenet.preprocessing.folds import Fold
from interactivenet.preprocessing.region_records import record_path
from interactivenet.preprocessing.storage import REGIONS
from interactivenet.system.parallel import available_cores, start_forkserver
from interactivenet.training.budget import OBJECT_GRID_STEPS
from interactivenet.training.dataset import (
    EpochBatches,
    PatchDataset,
    Patches,
    ValidationDataset,
    settle_worker,
)
from interactivenet.training.object_dataset import ObjectDataset, StagedBatches
from interactivenet.training.options import TrainingOptions
from interactivenet.training.read_ahead import ReadAhead
from interactivenet.training.threaded_draws import ThreadedDraws

#: threads that draw samples on a graphics card
_MOST_THREADS = 6
#: modules of which the draws of samples are made
_WORKER_MODULES = (
    "interactivenet.training.dataset",
    "interactivenet.training.object_dataset",
    "interactivenet.encoding.kernels",
)


def drawing_threads() -> int:
    """Return how many threads draw samples on a graphics card: one core is the network's."""
    return max(1, min(available_cores() - 1, _MOST_THREADS))


def epoch_batches(fold: Fold, settings: TrainingOptions) -> EpochBatches:
    """Return what divides the epochs of a training into batches: for this process, its share."""
    return EpochBatches(
        len(fold.learnable), fold.plan.batch_size, fold.seed,
        rank=devices.rank(settings.devices), processes=settings.devices,
        steps=settings.steps or (OBJECT_GRID_STEPS if fold.plan.grid else None),
    )  # fmt: skip


def make_loaders(
    fold: Fold,
    settings: TrainingOptions,
    batches: EpochBatches,
    is_coarse: Callable[[int], bool],
    workers: int,
    device: str,
) -> tuple[Iterable[Any], DataLoader[Any]]:
    """Return the loaders of training batches and of validation batches.

    is_coarse: whether the samples of a step are, with grids of the objects' own.
    workers: processes that draw samples; 0 for this one. Raises DataError where the first sample
    cannot be drawn.
    """

    def options(count: int) -> dict[str, Any]:
        chosen: dict[str, Any] = {"num_workers": count, "pin_memory": device == "cuda"}
        if count:
            chosen["persistent_workers"] = True
            chosen["multiprocessing_context"] = devices.worker_context()
            chosen["worker_init_fn"] = settle_worker
        return chosen

    def patches(names: tuple[str, ...]) -> Patches:
        return Patches(fold.plan, fold.processed, names, fold.seed, settings.augmentation)

    if workers:
        # their parent imports for some seconds once, in place of every one of them, and meanwhile
        start_forkserver(_WORKER_MODULES)
    training: Any = PatchDataset(patches(fold.learnable))
    drawn: EpochBatches | StagedBatches = batches
    if fold.plan.grid is not None:  # drawn where the network is, if no worker draws
        place = "cpu" if workers else device
        training = ObjectDataset(patches(fold.learnable), settings.objects, place)
        drawn = StagedBatches(batches, is_coarse)
    if workers:  # compiles the kernels, which the workers find compiled then
        training[(0, 0, 0) if fold.plan.grid is None else (0, 0, 0, False)]
    names, regions = fold.learnable, training.regions
    drawn_ahead = ReadAhead(
        drawn, batches,
        lambda index: None if names[index] in regions
        else record_path(fold.processed / REGIONS, names[index]).with_name(f"{names[index]}.npz"),
    )  # fmt: skip
    drawing: Any
    if fold.plan.grid is not None and device == "cuda" and not workers:
        drawing = ThreadedDraws(training, drawn_ahead, drawing_threads(), device)
    else:
        drawing = DataLoader(training, batch_sampler=drawn_ahead, **options(workers))
    validation = ValidationDataset(patches(fold.measurable))
    # a process without a share takes the first again: all must validate something
    share = list(range(devices.rank(settings.devices), len(validation), settings.devices)) or [0]
    size = fold.plan.batch_size
    return (
        drawing,
        DataLoader(Subset(validation, share), batch_size=size, **options(min(workers, 2))),
    )
