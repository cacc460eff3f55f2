"""An ensemble as the teacher of one network (Hinton et al., arXiv 1503.02531).

The student sees the samples of every training, of all cases, and learns the mean probability of the
teacher's networks in place of the outlines: cross entropy, and Dice with squared denominators
(Milletari et al., V-Net, arXiv 1606.04797), which, unlike that with sums, is best where the student
says just what the teacher does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import Module

from interactivenet.errors import RequestError
from interactivenet.models.model import Model
from interactivenet.models.network import load_network
from interactivenet.models.start_saw import seen_images
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.preprocessing.folds import Fold, read_fold

#: in the facts of distilled weights: SHA-256 of the teacher's
TEACHER = "teacher"
#: keeps a Dice of nothing with nothing from being 0 / 0
_SMOOTH = 1e-5


class Teacher:
    """The networks of a model, which say what a student is to learn.

    model: of the student's plan, trained by this program. Raises RequestError for a single network,
    DataError where weights cannot be read.
    seen: the images that trained any of them, as far as their files say.
    """

    def __init__(self, model: Model) -> None:
        if len(model.weights) < 2:
            raise RequestError(
                f"{model.name}: is one network, which there is nothing to distil from",
                expected="two trained folds or more",
            )
        self.digests = model.digests
        self._networks: list[Module] = []
        seen: set[str] = set()
        for path in model.weights:
            network, facts = load_network(path, model.plan)
            self._networks.append(network.eval().requires_grad_(False))
            seen |= seen_images(facts) or set()
        self.seen = frozenset(seen)

    @property
    def first_weights(self) -> Mapping[str, Tensor]:
        """What the student starts from: the weights of the first network."""
        return self._networks[0].state_dict()

    @torch.no_grad()
    def probability(self, image: Tensor) -> Tensor:
        """Return the mean probability (B, X, Y, Z) of the object in images (B, C, X, Y, Z)."""
        total = torch.zeros(image.shape[:1] + image.shape[2:], device=image.device)
        for network in self._networks:
            total += network.to(image.device)(image).float().softmax(1)[:, 1]
        return total / len(self._networks)


def soft_loss(scores: Tensor, target: Tensor) -> Tensor:
    """Return the loss of scores (B, 2, X, Y, Z) against probabilities (B, X, Y, Z)."""
    logs = scores.log_softmax(1)
    entropy = -(target * logs[:, 1] + (1 - target) * logs[:, 0]).mean()
    probability = scores.softmax(1)[:, 1]
    axes = (1, 2, 3)
    both = (probability * target).sum(axes)
    squares = (probability**2).sum(axes) + (target**2).sum(axes)
    dice = (2 * both + _SMOOTH) / (squares + _SMOOTH)
    return entropy + (1 - dice).mean()


def every_case(planned: PlannedTask, folds: Sequence[int]) -> Fold:
    """Return a fold that trains on all that trained or validated these folds.

    Its validation is that of the first, which it trains on, too: it shows that a training goes
    well, and says nothing of unseen cases. Raises as :func:`read_fold` does.
    """
    every = [read_fold(planned, number) for number in folds]
    names = {name for fold in every for name in (*fold.training, *fold.validation)}
    first = every[0]
    return Fold(
        planned.folder, planned.plan, first.number, tuple(sorted(names)), first.validation,
        first.cases,
    )  # fmt: skip
