"""What a user chooses about a training."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from interactivenet.errors import RequestError
from interactivenet.models.device import PRECISIONS
from interactivenet.training.augmentation import Augmentation
from interactivenet.training.budget import Budget
from interactivenet.training.object_samples import ObjectAugmentation

#: of a training for which neither epochs nor minutes are given
EPOCHS = 500
#: what a fold can be trained on
_DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class TrainingOptions:
    """How a fold is trained.

    Args:
        epochs: Number of epochs of the whole training, over which the learning rate falls; 500
            unless minutes are given.
        minutes: How long the whole training takes instead, validation of its epochs included. The
            learning rate falls with the clock, whose time is kept over interruptions. What is
            trained depends on the machine's speed then: two runs differ, interrupted or not,
            ``deterministic`` or not.
        steps: Steps of an epoch; by default a batch for every so many objects, 10 at the least, and
            100 with a grid of the object's own.
        start: Trained model to start from: the folder or the zip of a bundle, the name of an
            installed model, or 'starter'. The weights that fit are taken.
        device: 'cuda', 'cpu', or 'auto': CUDA where there is a device.
        devices: How many graphics cards, or CPU processes, train the fold together.
        precision: 'bf16', 'fp16' (CUDA only), 'fp32', or 'auto': bf16 where the device multiplies
            in it.
        workers: Number of processes that draw samples; None for what suits the machine.
        deterministic: Train reproducibly: the same weights, bit by bit, but slower.
        augmentation: How samples are varied.
        objects: How they are varied with a grid of the object's own, instead.

    Raises:
        RequestError: A value is not one of these, or both epochs and minutes are given.
    """

    epochs: int | None = None
    device: str = "auto"
    devices: int = 1
    precision: str = "auto"
    workers: int | None = None
    deterministic: bool = False
    augmentation: Augmentation = field(default_factory=Augmentation)
    objects: ObjectAugmentation = field(default_factory=ObjectAugmentation)
    minutes: float | None = None
    steps: int | None = None
    start: str | Path | None = None

    def __post_init__(self) -> None:
        if self.minutes is not None and self.epochs is not None:
            raise RequestError(
                field="minutes", value=self.minutes,
                expected="no `epochs` beside it: either of them ends the training",
            )  # fmt: skip
        if self.minutes is None and self.epochs is None:
            object.__setattr__(self, "epochs", EPOCHS)
        precisions = ("auto", *PRECISIONS)
        rules = {
            "epochs": (self.epochs is None or self.epochs >= 1, "1 or more"),
            "device": (self.device in _DEVICES, f"one of {', '.join(_DEVICES)}"),
            "devices": (self.devices >= 1, "1 or more"),
            "precision": (self.precision in precisions, f"one of {', '.join(precisions)}"),
            "workers": (self.workers is None or self.workers >= 0, "0 or more"),
            "minutes": (
                self.minutes is None or 0 < self.minutes < math.inf, "a number above 0"
            ),
            "steps": (self.steps is None or self.steps >= 1, "1 or more"),
        }  # fmt: skip
        for name, (fits, expected) in rules.items():
            if not fits:
                raise RequestError(field=name, value=getattr(self, name), expected=expected)

    @property
    def budget(self) -> Budget:
        """What ends the training."""
        return Budget(self.epochs, self.minutes)
