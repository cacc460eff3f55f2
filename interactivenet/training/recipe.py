"""How weights are trained: the optimiser, its learning rate over the training, their average."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor
from torch.nn import Module, Parameter
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from interactivenet.planning.plan import Plan

_Tensors = tuple[Tensor, ...] | list[Tensor]
#: a warm-up takes at most this share of the training
_LONGEST_WARM_UP = 0.1
_MOMENTUM = 0.99
#: exponent of the polynomial decay
_EXPONENT = 0.9


@dataclass(frozen=True)
class Recipe:
    """How the weights of a network are trained.

    optimiser: 'sgd' is stochastic gradient descent with Nesterov's momentum 0.99.
    rate: largest learning rate.  clip: bound on the norm of a step's gradient.
    warm_up: steps over which the learning rate rises, at most a tenth of the training.
    decay: how it falls to 0 over the rest: 'polynomial', of exponent 0.9, or half a 'cosine'.
    average: weight of the past in the moving average of the weights, which is what is validated and
        saved then; None for none.
    coarse: share of the training, its beginning, in which objects with a grid of their own are seen
        on fewer voxels, which costs a fraction of the time.
    """

    optimiser: Literal["sgd", "adamw"]
    rate: float
    weight_decay: float
    clip: float
    warm_up: int
    decay: Literal["polynomial", "cosine"]
    average: float | None = None
    coarse: float = 0.0

    def build(self, parameters: Iterable[Parameter]) -> Optimizer:
        """Return the optimiser of these parameters."""
        if self.optimiser == "adamw":
            return AdamW(parameters, self.rate, weight_decay=self.weight_decay)
        return SGD(
            parameters, self.rate, momentum=_MOMENTUM, weight_decay=self.weight_decay, nesterov=True
        )

    def learning_rate(self, step: int, progress: float) -> float:
        """Return the learning rate of a step.

        step: its number, from 0.  progress: how much of the training is over before it, 0 to 1.
        """
        start = 0.0
        if self.warm_up:
            if step < self.warm_up and progress < _LONGEST_WARM_UP:
                return self.rate * max((step + 1) / self.warm_up, progress / _LONGEST_WARM_UP)
            # where the warm-up ended; exactly, if all steps take the same share of the training
            start = min(_LONGEST_WARM_UP, self.warm_up * progress / max(step, 1))
        left = max(1 - (progress - start) / (1 - start), 0.0)
        if self.decay == "cosine":
            return self.rate * (1 - math.cos(math.pi * left)) / 2
        return float(self.rate * left**_EXPONENT)

    def averaged(self, network: Module) -> AveragedModel | None:
        """Return a copy of a network that will hold the moving average of its weights, or None.

        The n-th average keeps (1 + n) / (10 + n) of the past, up to ``average``: what the first
        steps left is soon forgotten.
        """
        if self.average is None:
            return None
        most = self.average

        def update(averaged: _Tensors, current: _Tensors, count: Tensor | int) -> None:
            past = min(most, (1 + int(count)) / (10 + int(count)))
            get_ema_multi_avg_fn(past)(averaged, current, count)  # type: ignore[no-untyped-call]

        copy = AveragedModel(network, multi_avg_fn=update)
        copy.requires_grad_(False)
        return copy


#: nnU-Net's (Isensee et al., Nature Methods 2021, doi 10.1038/s41592-020-01008-z)
SPACING_GRID = Recipe("sgd", 0.01, 3e-5, clip=12.0, warm_up=0, decay="polynomial")
#: measured in a trial on objects of many kinds
OBJECT_GRID = Recipe(
    "adamw", 1.5e-3, 0.02, clip=5.0, warm_up=100, decay="cosine", average=0.998, coarse=0.6
)  # fmt: skip
#: from trained weights on: smaller steps, of which the first are smaller still
SPACING_GRID_FINE_TUNING = replace(SPACING_GRID, rate=0.003, warm_up=100)
OBJECT_GRID_FINE_TUNING = replace(OBJECT_GRID, rate=5e-4)


def recipe_for(plan: Plan, *, fine_tuning: bool = False) -> Recipe:
    """Return the recipe of a plan; fine_tuning: for a training that starts from trained weights."""
    if plan.grid is None:
        return SPACING_GRID_FINE_TUNING if fine_tuning else SPACING_GRID
    return OBJECT_GRID_FINE_TUNING if fine_tuning else OBJECT_GRID
