"""The draws of a training on the object's own grid: real objects of a task, and made-up ones."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from interactivenet.training.dataset import Key, Patches, labelled_region
from interactivenet.training.made_up import LabelledImage, make_up, recoloured
from interactivenet.training.object_samples import (
    ObjectAugmentation,
    draw_sample,
    labelled_image,
)
from interactivenet.training.random_fields import RandomSource

#: values of images that all processes together keep in memory: half a GB
_MOST_VALUES = 2**27


class ObjectDataset(Dataset[tuple[Tensor, Tensor]]):
    """Training samples on the object's own grid: item (epoch, number, region).

    It is (C, N, N, N) float32 and its label (1, N, N, N) uint8, on ``device``. Raises DataError
    where a region cannot be read.
    """

    def __init__(
        self, patches: Patches, augmentation: ObjectAugmentation, device: torch.device | str = "cpu"
    ) -> None:
        grid = patches.plan.grid
        assert grid is not None
        # of a task's own objects, the patient's axes say something
        warping = replace(augmentation.warping, mirrored=grid.mirrored)
        self._augmentation = replace(augmentation, warping=warping)
        self._patches, self._device = patches, device
        self._kept: dict[str, LabelledImage] = {}
        self._values = 0

    def __getitem__(self, key: Key) -> tuple[Tensor, Tensor]:
        """Make one draw."""
        epoch, number, index = key
        plan = self._patches.plan
        random = RandomSource([self._patches.seed, epoch, number], self._device)
        if random.chance(self._augmentation.made_up):
            thing = make_up(len(plan.modalities), random)
        else:
            thing = self._thing(self._patches.names[index])
            if random.chance(self._augmentation.recoloured):
                thing = recoloured(thing, random)
        sample, label = draw_sample(thing, plan, self._augmentation, random)
        return sample, label[None].to(torch.uint8)

    def _thing(self, name: str) -> LabelledImage:
        """Read a region, or take it from memory: as many as fit are kept."""
        if name in self._kept:
            return self._kept[name]
        region = labelled_region(self._patches.folder, name, self._patches.plan)
        thing = labelled_image(region, self._patches.plan, self._device)
        worker = get_worker_info()
        if self._values + thing.image.numel() <= _MOST_VALUES // (
            worker.num_workers if worker else 1
        ):
            self._values += thing.image.numel()
            self._kept[name] = thing
        return thing
