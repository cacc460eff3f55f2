"""The Lightning module: the network of a plan, its loss, its optimiser."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from lightning.pytorch import LightningModule
from monai.losses import DiceCELoss
from torch import Tensor
from torch.nn import Module
from torch.optim import Optimizer

from interactivenet.models.network import build_network
from interactivenet.planning.plan import Plan
from interactivenet.training.clicks import correct_samples
from interactivenet.training.distillation import Teacher, soft_loss
from interactivenet.training.random_fields import RandomSource
from interactivenet.training.recipe import Recipe, recipe_for

Batch = tuple[Tensor, Tensor]
#: a step's number, from 0 -> how much of the training is over before it, 0 to 1
Progress = Callable[[int], float]


class Segmenter(LightningModule):
    """Learns the object of every sample: Dice and cross entropy, at every resolution.

    progress: how far the training is at a step, or how many steps there are in all.
    recipe: by default that of the plan.  teacher: says what is learned, in place of the labels.
    average: the moving average of the network, where the recipe has one.
    losses: of the batches of the epoch so far.  dices: of its validation samples.
    """

    def __init__(
        self,
        plan: Plan,
        progress: Progress | int,
        recipe: Recipe | None = None,
        teacher: Teacher | None = None,
    ) -> None:
        super().__init__()
        self.plan, self.recipe = plan, recipe or recipe_for(plan)
        self.network: Module = build_network(plan.network, plan.channels)
        self.average = self.recipe.averaged(self.network)
        self.losses: list[Tensor] = []
        self.dices: list[Tensor] = []
        self._teacher = teacher
        self._progress = progress if callable(progress) else lambda step: step / progress
        self._loss = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True)
        self._weights = resolution_weights(plan.network.deep_supervision)

    @property
    def outcome(self) -> Module:
        """The network that is validated and saved: the average, where there is one."""
        return self.network if self.average is None else self.average.module

    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        """Take all the weights of a network of the same plan."""
        self.network.load_state_dict(weights)
        if self.average is not None:
            self.average.module.load_state_dict(weights)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of images (B, C, X, Y, Z) and labels (B, 1, X, Y, Z)."""
        image, label = batch
        if self.plan.corrections:
            random = RandomSource(
                [self.plan.seed, self.global_step, self.global_rank], image.device
            )
            correct_samples(image, label, self.plan, self.probability, random)
        target = label if self._teacher is None else self._teacher.probability(image)
        loss = self.loss(self.network(image), target)
        self.losses.append(loss.detach())
        return loss

    def probability(self, image: Tensor) -> Tensor:
        """Return the object's probability (B, X, Y, Z) in images (B, C, X, Y, Z)."""
        finest: Tensor = self.network(image)[:, 0]  # of the resolutions
        return finest.float().softmax(1)[:, 1]

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Weigh the losses of outputs (B, 1 + lower resolutions, 2, X, Y, Z), full one first.

        target: labels (B, 1, X, Y, Z), or a teacher's probabilities (B, X, Y, Z).
        """
        measure = self._loss if self._teacher is None else soft_loss
        with torch.autocast(outputs.device.type, enabled=False):
            losses = [measure(output.float(), target) for output in outputs.unbind(1)]
        weighted = [weight * loss for weight, loss in zip(self._weights, losses, strict=True)]
        return torch.stack(weighted).sum()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Note the Dice of every sample of a batch; 1 where object and prediction are empty."""
        image, label = batch
        output = self.outcome(image)
        predicted, true = output[:, 1:] > output[:, :1], label > 0
        axes = (1, 2, 3, 4)
        both, either = (predicted & true).sum(axes), predicted.sum(axes) + true.sum(axes)
        self.dices.append((2 * both + (either == 0)) / either.clamp(min=1))

    def configure_optimizers(self) -> Optimizer:
        """Return the recipe's optimiser."""
        return self.recipe.build(self.network.parameters())

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set the learning rate of the step."""
        step = self.global_step
        rate = self.recipe.learning_rate(step, self._progress(step))
        for optimizer in self.trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate

    def optimizer_step(self, *arguments: Any, **more: Any) -> None:
        """Make a step, and average the weights that it leaves."""
        super().optimizer_step(*arguments, **more)
        if self.average is not None:
            self.average.update_parameters(self.network)


def resolution_weights(lower: int) -> list[float]:
    """Weigh the full resolution and ``lower`` lower ones: each half of the one above, sum 1."""
    weights = [0.5**level for level in range(1 + lower)]
    return [weight / sum(weights) for weight in weights]
