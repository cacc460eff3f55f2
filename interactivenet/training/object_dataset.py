"""The draws of a training on the object's own grid: real objects of a task, and made-up ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from interactivenet.planning.plan import Plan
from interactivenet.training.dataset import EpochBatches, Patches, labelled_region
from interactivenet.training.made_up import LabelledImage, make_up, recoloured
from interactivenet.training.object_samples import (
    ObjectAugmentation,
    draw_sample,
    labelled_image,
)
from interactivenet.training.random_fields import RandomSource
from interactivenet.training.region_cache import RegionCache, region_bytes

#: of the plan's voxels along each axis, how many a coarse sample has, about
_COARSE = 5 / 8

#: of a draw: epoch, number in it, region, and whether its sample is coarse
ObjectKey = tuple[int, int, int, bool]


class ObjectDataset(Dataset[tuple[Tensor, Tensor]]):
    """Training samples on the object's own grid: item (epoch, number, region, coarse).

    It is (C, N, N, N) float32 and its label (1, N, N, N) uint8, on ``device``; N is the plan's, or
    that of :func:`coarser`. Raises DataError where a region cannot be read.
    most: bytes of regions that are kept in memory; None for what the memory that there is allows.
    """

    def __init__(
        self,
        patches: Patches,
        augmentation: ObjectAugmentation,
        device: torch.device | str = "cpu",
        most: int | None = None,
    ) -> None:
        grid = patches.plan.grid
        assert grid is not None
        # of a task's own objects, the patient's axes say something
        mirrored = grid.mirrored or augmentation.warping.mirrored
        warping = replace(augmentation.warping, mirrored=mirrored)
        self._augmentation = replace(augmentation, warping=warping)
        self._patches, self._device = patches, device
        self._plans = {False: patches.plan, True: coarser(patches.plan)}
        kept = region_bytes(torch.device(device).type) if most is None else most
        self.regions: RegionCache[LabelledImage] = RegionCache(self._read, _bytes_of, kept)

    def __getitem__(self, key: ObjectKey) -> tuple[Tensor, Tensor]:
        """Make one draw."""
        epoch, number, index, coarse = key
        plan = self._plans[coarse]
        random = RandomSource([self._patches.seed, epoch, number], self._device)
        if random.chance(self._augmentation.made_up):
            thing = make_up(len(plan.modalities), random)
        else:
            thing = self.regions(self._patches.names[index])
            if random.chance(self._augmentation.recoloured):
                thing = recoloured(thing, random)
        sample, label = draw_sample(thing, plan, self._augmentation, random)
        return sample, label[None].to(torch.uint8)

    def _read(self, name: str) -> LabelledImage:
        patches = self._patches
        region = labelled_region(patches.folder, name, patches.plan)
        return labelled_image(region, patches.plan, self._device)


def _bytes_of(thing: LabelledImage) -> int:
    return sum(part.nbytes for part in (thing.image, thing.mask, thing.pointed))


class StagedBatches(Sampler[list[ObjectKey]]):
    """The batches of an epoch, of samples that are coarse as long as ``is_coarse`` (of a step)."""

    def __init__(self, batches: EpochBatches, is_coarse: Callable[[int], bool]) -> None:
        self._batches, self._is_coarse = batches, is_coarse

    def __len__(self) -> int:
        """Count the batches of an epoch for one process."""
        return len(self._batches)

    def __iter__(self) -> Iterator[list[ObjectKey]]:
        """Yield the batches of the epoch that are left."""
        for step, keys in self._batches.steps():
            coarse = self._is_coarse(step)
            yield [(*key, coarse) for key in keys]


def coarser(plan: Plan) -> Plan:
    """Return the plan of a training's beginning: fewer voxels, which the network can take.

    The object fills the same share of them. A step on 40 voxels along each axis costs a sixth of
    one on 64. Progressive learning: Tan and Le, ICML 2021, arXiv 2104.00298.
    """
    network = plan.network
    x, y, z = (
        max(round(n * _COARSE / divisor) * divisor, smallest)
        for n, divisor, smallest in zip(
            plan.sample_shape, network.divisor, network.smallest, strict=True
        )
    )
    return replace(plan, sample_shape=(x, y, z))
