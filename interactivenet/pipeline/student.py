"""How the network is trained that an ensemble is distilled into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # torch takes seconds to import
    from interactivenet.training.options import TrainingOptions

#: of the folds' epochs, those of a student
SHARE = 0.2


@dataclass(frozen=True)
class StudentOptions:
    """How a distilled network is trained; what is not named here, as its folds were.

    Args:
        epochs: Number of epochs; a fifth of the folds' unless minutes are given.
        minutes: How long it is trained instead.
        device: 'cuda', 'cpu', or 'auto': CUDA where there is a device.
        precision: 'bf16', 'fp16' (CUDA only), 'fp32', or 'auto'.
        workers: Number of processes that draw samples; None for what suits the machine.
        deterministic: Train reproducibly: the same weights, bit by bit, but slower.
    """

    epochs: int | None = None
    minutes: float | None = None
    device: str = "auto"
    precision: str = "auto"
    workers: int | None = None
    deterministic: bool = False

    def training(self, facts: Mapping[str, Any]) -> TrainingOptions:
        """Return the options of its training; facts: of the weights of a fold.

        Raises RequestError where a value cannot be used.
        """
        from interactivenet.training.options import TrainingOptions

        epochs, steps, before = self.epochs, facts.get("steps"), facts.get("epochs")
        if epochs is None and self.minutes is None and isinstance(before, int):
            epochs = max(1, round(SHARE * before))
        return TrainingOptions(
            epochs, self.device, precision=self.precision, workers=self.workers,
            deterministic=self.deterministic, minutes=self.minutes,
            steps=steps if isinstance(steps, int) else None,
        )  # fmt: skip
