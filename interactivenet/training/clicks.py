"""Clicks as a person would make them, drawn while a network trains.

In the training step, since the clicks answer what the network finds wrong at that moment (Sakinis
et al., arXiv 1903.08205; Diaz-Pinto et al., DeepEdit, arXiv 2305.10655): a forward pass without
gradients for each click, then the click where the error is deep.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import max_pool3d, pad

from interactivenet.encoding.clicks import put_clicks
from interactivenet.planning.plan import Plan
from interactivenet.training.random_fields import RandomSource

#: images (B, C, X, Y, Z) -> the object's probability (B, X, Y, Z)
Predict = Callable[[Tensor], Tensor]
#: an error this deep, in voxels, is as good to click on as any deeper one
_DEEPEST = 12


@dataclass(frozen=True)
class ClickSimulation:
    """How samples are corrected before a network learns from them.

    shares: of the samples that get 0, 1, 2 ... clicks.  deepest: of the clicks, those in the
    deepest voxel of the error; the others lie anywhere in it, rather where it is deep.
    moved: standard deviation of where a click lies beside its voxel, voxels along each axis.
    unseen: of the turns, those in which the sample does not see what was found before.
    """

    shares: tuple[float, ...] = (0.5, 0.15, 0.12, 0.1, 0.08, 0.05)
    deepest: float = 0.5
    moved: float = 0.7
    unseen: float = 0.1


class Clicks:
    """The clicks on one sample so far, positive and negative, in its voxels."""

    def __init__(self) -> None:
        self.of_sign: dict[bool, list[Tensor]] = {True: [], False: []}

    def __len__(self) -> int:
        """Count them."""
        return len(self.of_sign[True]) + len(self.of_sign[False])

    def add(
        self,
        image: Tensor,
        label: Tensor,
        before: Tensor,
        plan: Plan,
        random: RandomSource,
        simulation: ClickSimulation,
    ) -> None:
        """Click on what is wrong with a sample, if anything is, and put that into its channels.

        image: (C, X, Y, Z), changed.  label: (1, X, Y, Z).  before: (X, Y, Z), what was found.
        """
        truth = label[0] > 0
        voxel = draw_click((before >= 0.5) != truth, random, deepest=simulation.deepest)
        if voxel is None:
            return
        x, y, z = voxel.tolist()
        moved = random.host.normal(0, simulation.moved, 3)
        place = voxel + torch.as_tensor(moved, dtype=torch.float32, device=voxel.device)
        self.of_sign[bool(truth[x, y, z])].append(place)
        positive, negative = (
            torch.stack(found) if (found := self.of_sign[sign]) else place.new_empty(0, 3)
            for sign in (True, False)
        )
        unseen = random.chance(simulation.unseen)
        put_clicks(image, plan, positive, negative, None if unseen else before)


@torch.no_grad()
def correct_samples(
    image: Tensor,
    label: Tensor,
    plan: Plan,
    predict: Predict,
    random: RandomSource,
    simulation: ClickSimulation = ClickSimulation(),
) -> None:
    """Put simulated corrections into a batch of samples, in place.

    image: (B, C, X, Y, Z); its last three channels are those of corrections.  label: (B, 1, X, Y,
    Z), above 0 in the object.  A sample in which nothing is wrong gets no click in that turn.
    """
    shares = simulation.shares
    counts = random.host.choice(len(shares), size=len(image), p=shares)
    clicks = [Clicks() for _ in counts]
    for turn in range(int(counts.max(initial=0))):
        due = [index for index, count in enumerate(counts) if count > turn]
        # two at least: torch leaves a single sample on a CPU to kernels that are four times slower
        found = predict(image[due if len(due) > 1 else due * 2])
        for index, before in zip(due, found, strict=False):
            clicks[index].add(image[index], label[index], before, plan, random, simulation)


def draw_click(wrong: Tensor, random: RandomSource, *, deepest: float) -> Tensor | None:
    """Draw a voxel (3,) of an error (X, Y, Z) bool; None where nothing is wrong.

    deepest: chance that it is the deepest one; else any, as likely as it is deep.
    """
    if not wrong.any():
        return None
    depth = depths(wrong)
    flat = depth.flatten()
    if random.chance(deepest):
        place = int(flat.argmax())
    else:
        shares = flat.double().cumsum(0)
        at = random.uniform(0.0, 1.0) * float(shares[-1])
        place = int(torch.searchsorted(shares, torch.tensor(at, device=shares.device), right=True))
    _, side_y, side_z = wrong.shape
    return torch.tensor(
        [place // (side_y * side_z), place // side_z % side_y, place % side_z], device=wrong.device
    )


def depths(mask: Tensor) -> Tensor:
    """Return how deep each voxel of a mask (X, Y, Z) lies, in voxels along its axes; 0 outside.

    Depths beyond 12 count as 12; beyond the volume is none of the mask.
    """
    left = mask.float()[None, None]
    depth = left.clone()
    for _ in range(_DEEPEST - 1):
        left = -max_pool3d(-pad(left, (1,) * 6), 3, 1)
        if not left.any():
            break
        depth += left
    return depth[0, 0]
