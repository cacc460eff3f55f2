"""What training sees, drawn anew at every step: a region, new points in its object, a patch.

Everything random in a draw comes from the seed, the epoch and the draw's number in it: neither
the number of workers nor an interruption changes what is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from interactivenet.errors import DataError
from interactivenet.planning.plan import Plan
from interactivenet.preprocessing.region import Region
from interactivenet.preprocessing.sample import Sample, crop_sample, padding_values
from interactivenet.preprocessing.storage import REGIONS, load_region
from interactivenet.prompts.simulation import draw_points, find_objects, jitter
from interactivenet.system.signals import ignore
from interactivenet.training.augmentation import (
    Augmentation,
    Placement,
    draw_placement,
    place,
    value_changes,
)
from interactivenet.training.budget import batches_of
from interactivenet.training.region_cache import RegionCache, region_bytes

#: points that a person placed are moved by normal noise of this deviation, mm
PERSON_MM = 2.0
#: points that were simulated are drawn anew, and moved by a deviation of up to this
SIMULATED_MM = 2.0
#: how often a patch of a larger sample is drawn around the object or a point
AIMED = 2 / 3

Key = tuple[int, int, int]


@dataclass(frozen=True)
class Patches:
    """Settings of the draws: what they are made with."""

    plan: Plan
    folder: Path
    names: tuple[str, ...]
    seed: int
    augmentation: Augmentation


class PatchDataset(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Training patches: item (epoch, number, region) is (C, X, Y, Z) float32 and its label.

    The label is (1, X, Y, Z) uint8. Raises DataError where a region cannot be read.
    most: bytes of regions that are kept in memory; None for what the memory that there is allows.
    """

    def __init__(self, patches: Patches, most: int | None = None) -> None:
        self._patches = patches
        self._changes = value_changes(patches.augmentation)
        self.regions: RegionCache[Region] = RegionCache(
            partial(labelled_region, patches.folder, plan=patches.plan), _bytes_of,
            region_bytes() if most is None else most,
        )  # fmt: skip

    def __getitem__(self, key: Key) -> tuple[torch.Tensor, torch.Tensor]:
        """Make one draw."""
        patches = self._patches
        epoch, number, index = key
        rng = np.random.default_rng([patches.seed, epoch, number])
        region = self.regions(patches.names[index])
        sample = crop_sample(region, draw_prompt(region, rng), patches.plan)
        array, label = draw_patch(sample, patches.plan, patches.augmentation, rng)
        if patches.augmentation.values:
            self._changes.set_random_state(int(rng.integers(2**31)))
            images = len(patches.plan.modalities)
            changed = self._changes(torch.from_numpy(array[:images]))
            array[:images] = np.asarray(changed, dtype=np.float32)
        return torch.from_numpy(array), torch.from_numpy(label[None])


class ValidationDataset(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Validation patches: item i is region i with its own points, as inference would see it.

    Of what is larger than the plan's sample shape, the middle.
    """

    def __init__(self, patches: Patches) -> None:
        self._patches = patches

    def __len__(self) -> int:
        """Count the regions."""
        return len(self._patches.names)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Make one sample."""
        plan = self._patches.plan
        region = labelled_region(self._patches.folder, self._patches.names[index], plan)
        sample = crop_sample(region, region.prompt.points, plan)
        assert sample.label is not None
        centre = (np.array(sample.grid.shape) - 1) / 2
        placement = Placement(centre, None, (False, False, False))
        array, label = place(
            sample.array, sample.label, plan.sample_shape, placement, padding_values(plan)
        )
        return torch.from_numpy(array), torch.from_numpy(label[None])


class EpochBatches(Sampler[list[Key]]):
    """Batches of keys for :class:`PatchDataset`, in an order that the seed and the epoch give.

    An epoch draws every region once; a few regions so often that there are ten batches.
    Of several processes, each takes its share of every epoch.

    steps: batches of an epoch for each process, however many regions there are; None for the above.
    epoch: the one that the next iteration is of, from 0.
    """

    def __init__(
        self,
        regions: int,
        batch_size: int,
        seed: int,
        *,
        rank: int = 0,
        processes: int = 1,
        steps: int | None = None,
    ) -> None:
        self.epoch = 0
        self._trained = (0, 0)
        self._regions, self._batch_size, self._seed = regions, batch_size, seed
        self._rank, self._processes = rank, processes
        self._batches = steps or -(-batches_of(regions, batch_size) // processes)

    def __len__(self) -> int:
        """Count the batches of an epoch for one process."""
        return self._batches

    def resume(self, epoch: int, batches: int) -> None:
        """Go on with an epoch of which some batches were trained before an interruption."""
        self.epoch = epoch
        self._trained = (epoch, batches)

    def __iter__(self) -> Iterator[list[Key]]:
        """Yield the batches of the epoch that are left."""
        return (keys for _, keys in self.steps())

    def steps(self) -> Iterator[tuple[int, list[Key]]]:
        """Yield them with the number of their step in the whole training, from 0."""
        rng = np.random.default_rng([self._seed, self.epoch])
        wanted = self._batches * self._processes * self._batch_size
        turns = -(-wanted // self._regions)
        order = np.concatenate([rng.permutation(self._regions) for _ in range(turns)])[:wanted]
        epoch, trained = self._trained
        for batch in range(trained if epoch == self.epoch else 0, self._batches):
            first = (batch * self._processes + self._rank) * self._batch_size
            yield (
                self.epoch * self._batches + batch,
                [
                    (self.epoch, number, int(order[number]))
                    for number in range(first, first + self._batch_size)
                ],
            )


def labelled_region(folder: Path, name: str, plan: Plan) -> Region:
    """Read a region of a processed task; raises DataError where it has no label."""
    region = load_region(folder / REGIONS, name, plan)
    if region.label is None:
        raise DataError(f"{folder / REGIONS / name}.npz: has no label: nothing to learn from")
    return region


def _bytes_of(region: Region) -> int:
    return region.image.nbytes + (0 if region.label is None else region.label.nbytes)


def draw_prompt(region: Region, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw points (N, 3), RAS+ mm, in a region's object.

    Simulated ones are drawn anew as they were, and moved a little; those that a person placed
    are moved. A region whose object is not in it keeps its points.
    """
    assert region.label is not None
    grid, simulation = region.grid, region.simulation
    objects = find_objects(
        region.label > 0,
        per_component=False,
        largest_only=simulation is not None and simulation.largest_component,
    )
    if not objects:
        return region.prompt.points
    if simulation is None:
        voxels, deviation = grid.nearest_voxel(region.prompt.points), PERSON_MM
    else:
        scan = region.source.ras.spacing
        voxels = draw_points(objects[0], grid.spacing, simulation, rng, scan)
        deviation = rng.uniform(0, SIMULATED_MM)
    # a lesion of a few voxels on the target grid holds no more points
    voxels = voxels[: len(objects[0].voxels)]
    return grid.voxel_to_world(jitter(voxels, objects[0], grid.spacing, deviation, rng))


def draw_patch(
    sample: Sample, plan: Plan, augmentation: Augmentation, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Cut a patch of the plan's sample shape out of a sample, turned, zoomed and mirrored.

    Along an axis where the sample is no larger, the patch is centred; else it lies anywhere in
    it, most often with a voxel of the object or one of the points inside.
    """
    assert sample.label is not None
    size, whole = np.array(plan.sample_shape), np.array(sample.grid.shape)
    room = np.maximum(whole - size, 0)
    low, high = np.zeros(3), room.astype(float)
    if room.any() and rng.random() < AIMED:
        aims = sample.grid.nearest_voxel(sample.prompt.points)
        inside = np.argwhere(sample.label)
        if len(inside) and rng.random() < 0.5:
            aims = inside
        aim = aims[rng.integers(len(aims))]
        low, high = np.maximum(aim - size + 1, 0), np.minimum(aim, room)
    start = np.where(room > 0, np.floor(rng.uniform(low, np.maximum(high, low) + 1)), 0)
    start = np.minimum(start, room)
    centre = np.where(room > 0, start + (size - 1) / 2, (whole - 1) / 2)
    placement = draw_placement(centre, sample.grid.spacing, augmentation, rng)
    return place(sample.array, sample.label, plan.sample_shape, placement, padding_values(plan))


def settle_worker(_: int) -> None:
    """Keep a worker process of the loader to one thread, and signals from ending it."""
    from threadpoolctl import threadpool_limits

    ignore()
    torch.set_num_threads(1)
    threadpool_limits(1)
