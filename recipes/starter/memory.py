"""What the starter has seen before: turned anew, and corrected by a click more."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from interactivenet.planning.plan import Plan
from interactivenet.training.clicks import Clicks, ClickSimulation
from interactivenet.training.random_fields import RandomSource

#: samples that are kept
REMEMBERED = 300
#: a sample with so many clicks is forgotten
MOST_CLICKS = 5


@dataclass
class Remembered:
    """A sample that the network has seen, with clicks or not, and what it found in it.

    image: (C, N, N, N) float16.  label: (1, N, N, N).  found: (N, N, N) probability, float16.
    """

    image: torch.Tensor
    label: torch.Tensor
    found: torch.Tensor
    clicks: Clicks


class Memory:
    """Samples that were seen before: turned anew, they are as good as others, and cost nothing.

    Where the network sees corrections, they come back with a click more, on what it found then:
    no further pass through the network is needed for that.
    """

    def __init__(self, plan: Plan, count: int, seed: int) -> None:
        self._plan, self._count = plan, count
        self._random = RandomSource([seed, 1])
        self._kept: list[Remembered] = []
        self._now: list[Clicks] = []

    def batch(self, image: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Add earlier samples to new ones (B, C, N, N, N)."""
        images, labels = [*image], [*label]
        self._now = [Clicks() for _ in images]
        for _ in range(self._count if self._kept else 0):
            place = int(self._random.host.integers(len(self._kept)))
            again, mask, clicks = self._again(self._kept.pop(place))
            images.append(again)
            labels.append(mask)
            self._now.append(clicks)
        return torch.stack(images), torch.stack(labels)

    def remember(self, image: torch.Tensor, label: torch.Tensor, found: torch.Tensor) -> None:
        """Keep a batch, as the network saw it, with what it found (B, N, N, N)."""
        for one, mask, probability, clicks in zip(image, label, found, self._now, strict=True):
            if len(clicks) < MOST_CLICKS:
                self._kept.append(Remembered(one.half(), mask, probability.half(), clicks))
        self._kept = self._kept[-REMEMBERED:]

    def _again(self, kept: Remembered) -> tuple[torch.Tensor, torch.Tensor, Clicks]:
        """Return a sample with a click more, turned: its clicks turn with it."""
        image, label, clicks = kept.image.float(), kept.label, kept.clicks
        if self._plan.corrections:
            found = kept.found.float()
            clicks.add(image, label, found, self._plan, self._random, ClickSimulation())
        order = self._random.host.permutation(3).tolist()
        flips = [axis for axis in range(3) if self._random.chance(0.5)]
        turned = Clicks()
        for sign, places in clicks.of_sign.items():
            for place in places:
                moved = place[order]
                for axis in flips:
                    moved[axis] = image.shape[1 + axis] - 1 - moved[axis]
                turned.of_sign[sign].append(moved)
        axes, mirrored = [0, *(1 + axis for axis in order)], [1 + axis for axis in flips]
        return image.permute(axes).flip(mirrored), label.permute(axes).flip(mirrored), turned
