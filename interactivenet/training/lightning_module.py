"""The Lightning module: the network of a plan, its loss, its optimiser."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import LightningModule
from monai.losses import DiceCELoss
from torch import Tensor
from torch.optim import SGD, Optimizer

from interactivenet.models.network import build_network
from interactivenet.planning.plan import Plan

LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.01, 0.99, 3e-5
#: exponent of the learning rate's decay
DECAY = 0.9

Batch = tuple[Tensor, Tensor]


class Segmenter(LightningModule):
    """Learns the object of every sample: Dice and cross entropy, at every resolution.

    total_steps: of the whole training, over which the learning rate decays.
    losses: of the batches of the epoch so far.  dices: of its validation samples.
    """

    def __init__(self, plan: Plan, total_steps: int) -> None:
        super().__init__()
        self.network: torch.nn.Module = build_network(plan.network, plan.channels)
        self.losses: list[Tensor] = []
        self.dices: list[Tensor] = []
        self._total_steps = total_steps
        self._loss = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True)
        self._weights = resolution_weights(plan.network.deep_supervision)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of images (B, C, X, Y, Z) and labels (B, 1, X, Y, Z)."""
        image, label = batch
        loss = self.loss(self.network(image), label)
        self.losses.append(loss.detach())
        return loss

    def loss(self, outputs: Tensor, label: Tensor) -> Tensor:
        """Weigh the losses of outputs (B, 1 + lower resolutions, 2, X, Y, Z), full one first."""
        with torch.autocast(outputs.device.type, enabled=False):
            losses = [self._loss(output.float(), label) for output in outputs.unbind(1)]
        weighted = [weight * loss for weight, loss in zip(self._weights, losses, strict=True)]
        return torch.stack(weighted).sum()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Note the Dice of every sample of a batch; 1 where object and prediction are empty."""
        image, label = batch
        output = self.network(image)
        predicted, true = output[:, 1:] > output[:, :1], label > 0
        axes = (1, 2, 3, 4)
        both, either = (predicted & true).sum(axes), predicted.sum(axes) + true.sum(axes)
        self.dices.append((2 * both + (either == 0)) / either.clamp(min=1))

    def configure_optimizers(self) -> Optimizer:
        """Return stochastic gradient descent with Nesterov's momentum."""
        return SGD(
            self.network.parameters(), LEARNING_RATE, momentum=MOMENTUM,
            weight_decay=WEIGHT_DECAY, nesterov=True,
        )  # fmt: skip

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set the learning rate of the step: polynomial decay over the whole training."""
        left = max(1 - self.global_step / self._total_steps, 0.0)
        for optimizer in self.trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * left**DECAY


def resolution_weights(lower: int) -> list[float]:
    """Weigh the full resolution and ``lower`` lower ones: each half of the one above, sum 1."""
    weights = [0.5**level for level in range(1 + lower)]
    return [weight / sum(weights) for weight in weights]
