"""What a training leaves behind while it runs: checkpoint, weights, metrics; and its end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGTERM
from typing import Any, Protocol

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch import Callback, LightningModule, Trainer

from interactivenet.errors import DataError
from interactivenet.models.fold_results import CHECKPOINT, METRICS, WEIGHTS
from interactivenet.models.network import save_weights
from interactivenet.plotting.curves import save_curves
from interactivenet.system.files import check_regular, read_object, replacing, write_csv
from interactivenet.system.signals import Interrupted, Signals
from interactivenet.training.budget import Budget, Clock, Row
from interactivenet.training.dataset import EpochBatches
from interactivenet.training.lightning_module import Segmenter

CURVES = "curves.png"
BEST, LAST = WEIGHTS["best"], WEIGHTS["last"]
#: weight of the past in the moving average of the validation Dice, as nnU-Net's
_PAST = 0.9
#: seconds after which the curves are drawn again
_DRAW_AFTER = 60.0
#: of our part of a checkpoint
_STATE = "interactivenet"


class Observer(Protocol):
    """Is told the progress of a training."""

    def step(self, epoch: int, batch: int, batches: int) -> None:
        """Batch ``batch`` of ``batches`` of an epoch, both from 1, was trained."""

    def epoch(self, row: Row) -> None:
        """An epoch was finished: a row of metrics.csv, with 'best' and 'seconds_left'."""


class CheckpointCallback(Callback):
    """Keeps the state of a training on disk, epoch by epoch.

    budget: what ends the training.
    identity: what the checkpoint is of; one of anything else is not continued.
    origin: what the weights say beside it of what they were made from.
    history: a row per finished epoch.
    """

    def __init__(
        self,
        folder: Path,
        budget: Budget,
        identity: Mapping[str, Any],
        batches: EpochBatches,
        signals: Signals,
        observers: Sequence[Observer],
        origin: Mapping[str, Any],
    ) -> None:
        self.history: list[dict[str, Any]] = []
        self._folder, self._budget, self._identity = folder, budget, dict(identity)
        self._origin = dict(origin)
        self._batches, self._signals, self._observers = batches, signals, observers
        self._trained = 0  # batches of the epoch so far
        self._clock = Clock()
        self._began = 0.0  # what the clock showed when the epoch began
        self._progress = 0.0
        self._drawn = 0.0

    def restore(self, state: Mapping[str, Any], module: Segmenter) -> None:
        """Take over our part of a checkpoint."""
        self.history = [dict(row) for row in state["history"]]
        self._trained = state["batches"]
        spent = seconds_spent(state)
        self._clock.restore(spent)
        self._began = spent - state["seconds"]
        self._batches.resume(len(self.history), self._trained)
        module.losses = [torch.tensor(loss) for loss in state["losses"]]
        if self.history and not self._trained:  # weights of a finished epoch
            self._complete(module)

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Start the clock, and take the signals back from Lightning, which would exit with 0."""
        self._signals.take()
        self._clock.start()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note how far the training is."""
        seconds = self._clock.seconds
        if self._budget.minutes is not None and trainer.world_size > 1:
            # all processes must train with one learning rate
            told = torch.tensor(seconds, device=trainer.strategy.root_device)
            seconds = float(trainer.strategy.reduce(told, reduce_op="mean"))
        step = trainer.global_step
        self._progress = self._budget.progress(step, len(self._batches), seconds)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count, tell, and, where a signal came, save and end."""
        self._trained += 1
        for observer in self._observers:
            observer.step(len(self.history) + 1, self._trained, len(self._batches))
        if self._trained == len(self._batches):
            return  # its epoch is finished first
        if self._budget.minutes is not None and self._is_over(trainer):
            trainer.should_stop = True  # after the epoch, which ends here, and its validation
        elif self._ended(trainer):
            self._save(trainer)
            raise Interrupted(self._signals.received or SIGTERM)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what the epoch brought; where a signal came, end."""
        assert isinstance(pl_module, Segmenter)
        row = self._row(trainer, pl_module)
        self.history.append(row)
        pl_module.losses, pl_module.dices = [], []
        self._trained, self._began = 0, self._clock.seconds
        self._batches.epoch = len(self.history)
        over = self._is_over(trainer)
        trainer.should_stop = over
        self._save(trainer)
        # a run that is killed from here on is completed when the training continues
        if trainer.is_global_zero:
            self._write(pl_module, final=over)
        ended = self._ended(trainer)
        left = self._budget.seconds_left(self.history, self._clock.seconds)
        for observer in self._observers:
            observer.epoch({**row, "best": self.best is row, "seconds_left": left})
        if ended:
            raise Interrupted(self._signals.received or SIGTERM)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]
    ) -> None:
        """Add our part to a checkpoint."""
        checkpoint[_STATE] = {
            "identity": self._identity,
            "history": self.history,
            "batches": self._trained,
            "losses": [float(loss) for loss in pl_module.losses],
            "seconds": self._clock.seconds - self._began if self._trained else 0.0,
            "spent": self._clock.seconds,
            "minutes": self._budget.minutes,
        }

    def progress(self, step: int) -> float:
        """Return how much of the training was over before the step that is trained, 0 to 1."""
        return self._progress

    def is_before(self, share: float, step: int) -> bool:
        """Whether less than a share of the training is over at a step that is about to be drawn."""
        over = self._budget.progress(step, len(self._batches), self._clock.seconds)
        return over < share

    @property
    def best(self) -> dict[str, Any]:
        """The row of the epoch with the highest moving average; of equals, the first."""
        return max(self.history, key=lambda row: row["dice_average"])

    def _row(self, trainer: Trainer, module: Segmenter) -> dict[str, Any]:
        # those of before an interruption were read to the processor
        loss = torch.stack([loss.to(module.device) for loss in module.losses]).mean()
        dices = torch.cat(module.dices)
        sums = torch.stack([dices.sum(), dices.new_tensor(float(len(dices)))])
        loss = trainer.strategy.reduce(loss, reduce_op="mean")
        sums = trainer.strategy.reduce(sums, reduce_op="sum")
        dice = float(sums[0] / sums[1])
        average = dice
        if self.history:
            average = _PAST * self.history[-1]["dice_average"] + (1 - _PAST) * dice
        return {
            "epoch": len(self.history) + 1,
            "step": trainer.global_step,
            "loss": float(loss),
            "dice": dice,
            "dice_average": average,
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "seconds": round(self._clock.seconds - self._began, 3),
        }

    def _ended(self, trainer: Trainer) -> bool:
        """Whether a signal came, to any of the processes."""
        return self._any(trainer, bool(self._signals.received))

    def _is_over(self, trainer: Trainer) -> bool:
        """Whether the budget is used up, by the clock of any of the processes."""
        over = self._budget.is_over(len(self.history), self._clock.seconds)
        return over if self._budget.minutes is None else self._any(trainer, over)

    @staticmethod
    def _any(trainer: Trainer, decision: bool) -> bool:
        if trainer.world_size == 1:
            return decision
        return trainer.strategy.reduce_boolean_decision(decision, all=False)

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self._folder / CHECKPOINT)

    def _write(self, module: Segmenter, *, final: bool) -> None:
        """Write all but the checkpoint; final: after the last epoch."""
        row = self.history[-1]
        if self.best is row:
            self._weights(BEST, module, row)
        if final:
            self._weights(LAST, module, row)
        self._metrics()
        if final or time.monotonic() - self._drawn > _DRAW_AFTER:
            self._drawn = time.monotonic()
            title = f"{self._identity['task']}, fold {self._identity['fold']}"
            save_curves(self._folder / CURVES, self.history, title)

    def _complete(self, module: Segmenter) -> None:
        """Write what a run that was killed, or was to be longer, did not get to."""
        row = self.history[-1]
        final = self._budget.is_over(len(self.history), self._clock.seconds)
        wanted = [name for name, due in ((BEST, self.best is row), (LAST, final)) if due]
        if any(_epoch_of(self._folder / name) != row["epoch"] for name in wanted):
            self._write(module, final=final)
        self._metrics()

    def _weights(self, name: str, module: Segmenter, row: Row) -> None:
        facts = {**self._identity, "epoch": row["epoch"], "epochs": self._budget.epochs,
                 "dice": row["dice"], "dice_average": row["dice_average"],
                 **self._origin}  # fmt: skip
        if self._budget.minutes is not None:
            facts |= {"epochs": row["epoch"], "minutes": self._budget.minutes}
        save_weights(self._folder / name, module.outcome, facts)

    def _metrics(self) -> None:
        write_csv(self._folder / METRICS, self.history)


class WholeCheckpoints(TorchCheckpointIO):
    """Writes checkpoints in their own folder, whole or not at all, and onto the disk."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write a checkpoint; raises DataError where the system refuses."""
        with replacing(Path(path), durable=True) as temporary:
            torch.save(checkpoint, temporary)


def read_checkpoint(path: Path) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Read our part of a checkpoint, and the module's state.

    Raises the errors of ``torch.load`` where it is damaged, KeyError where it is not ours.
    """
    check_regular(path)
    content = torch.load(path, map_location="cpu", weights_only=True)
    return content[_STATE], content["state_dict"]


def seconds_spent(state: Mapping[str, Any]) -> float:
    """Return the seconds that a training has taken, from our part of its checkpoint."""
    # earlier versions did not write the sum
    rows = sum(row["seconds"] for row in state["history"])
    return float(state.get("spent", rows + state["seconds"]))


def _epoch_of(weights: Path) -> int:
    """Return the epoch of weights by the JSON beside them; 0 where there are none."""
    try:
        facts = read_object(weights.with_suffix(".json")) if weights.exists() else {}
    except DataError:
        facts = {}
    return int(facts.get("epoch", 0))
