"""What a training leaves behind while it runs: checkpoint, weights, metrics; and its end."""

from __future__ import annotations

import csv
import io
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from interactivenet.io.atomic import replacing, write_text
from interactivenet.network import save_weights
from interactivenet.training.curves import save_curves
from interactivenet.training.draws import EpochBatches
from interactivenet.training.module import Segmenter

CHECKPOINT, METRICS, CURVES = "checkpoint.ckpt", "metrics.csv", "curves.png"
BEST, LAST = "model_best.safetensors", "model_last.safetensors"
#: weight of the past in the moving average of the validation Dice, as nnU-Net's
_PAST = 0.9
#: seconds after which the curves are drawn again
_DRAW_AFTER = 60.0
#: of our part of a checkpoint
_STATE = "interactivenet"

Row = Mapping[str, Any]


class Interrupted(Exception):
    """A signal ended the training, which was saved.  number: of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number


class Observer(Protocol):
    """Is told how a training goes on."""

    def step(self, epoch: int, batch: int, batches: int) -> None:
        """Batch ``batch`` of ``batches`` of an epoch, both from 1, was trained."""

    def epoch(self, row: Row) -> None:
        """An epoch was finished: a row of metrics.csv, with 'best' and 'seconds_left'."""


class Signals:
    """Notes SIGTERM and SIGINT while it is entered, instead of ending the process at once.

    The second one of either ends it as usual.  received: number of the signal, 0 for none.
    """

    def __init__(self) -> None:
        self.received = 0

    @contextmanager
    def noted(self) -> Iterator[Signals]:
        """Note signals inside; outside of the main thread there are none to note."""
        numbers = (signal.SIGTERM, signal.SIGINT)
        before: dict[signal.Signals, Any] = {}
        try:
            for number in numbers:
                before[number] = signal.signal(number, self._note)
        except ValueError:  # not the main thread
            pass
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.received:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.received = number


class Keeper(Callback):
    """Keeps the state of a training on disk, epoch by epoch.

    identity: what the checkpoint is of; one of anything else is not continued.
    history: a row per finished epoch.
    """

    def __init__(
        self,
        folder: Path,
        epochs: int,
        identity: Mapping[str, Any],
        batches: EpochBatches,
        signals: Signals,
        observers: Sequence[Observer],
    ) -> None:
        self.history: list[dict[str, Any]] = []
        self._folder, self._epochs, self._identity = folder, epochs, dict(identity)
        self._batches, self._signals, self._observers = batches, signals, observers
        self._trained = 0  # batches of the epoch so far
        self._since = time.monotonic()
        self._drawn = 0.0
        self._before = 0.0  # seconds that the epoch took before an interruption

    def restore(self, state: Mapping[str, Any], module: Segmenter) -> None:
        """Take over our part of a checkpoint."""
        self.history = [dict(row) for row in state["history"]]
        self._trained, self._before = state["batches"], state["seconds"]
        self._batches.resume(len(self.history), self._trained)
        module.losses = list(torch.tensor(state["losses"]).unbind()) if state["losses"] else []

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Start the clock."""
        self._since = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count, tell, and, where a signal came, save and end."""
        self._trained += 1
        for observer in self._observers:
            observer.step(len(self.history) + 1, self._trained, len(self._batches))
        # the last batch's epoch is finished first
        if self._trained < len(self._batches) and self._ended(trainer):
            self._save(trainer)
            raise Interrupted(self._signals.received or signal.SIGTERM)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what the epoch brought; where a signal came, end."""
        assert isinstance(pl_module, Segmenter)
        row = self._row(trainer, pl_module)
        self.history.append(row)
        pl_module.losses, pl_module.dices = [], []
        self._trained, self._before, self._since = 0, 0.0, time.monotonic()
        self._batches.epoch = len(self.history)
        # the checkpoint last: whoever is killed before it does the epoch, and all of this, again
        if trainer.is_global_zero:
            self._write(pl_module, row)
        self._save(trainer)
        ended = self._ended(trainer)
        seconds = [one["seconds"] for one in self.history[-10:]]
        left = sum(seconds) / len(seconds) * (self._epochs - row["epoch"])
        for observer in self._observers:
            observer.epoch({**row, "best": self.best is row, "seconds_left": left})
        if ended and row["epoch"] < self._epochs:
            raise Interrupted(self._signals.received or signal.SIGTERM)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]
    ) -> None:
        """Add our part to a checkpoint."""
        checkpoint[_STATE] = {
            "identity": self._identity,
            "history": self.history,
            "batches": self._trained,
            "losses": [float(loss) for loss in pl_module.losses],
            "seconds": self._before + time.monotonic() - self._since if self._trained else 0.0,
        }

    @property
    def best(self) -> dict[str, Any]:
        """The row of the epoch with the highest moving average; of equals, the first."""
        return max(self.history, key=lambda row: row["dice_average"])

    def _row(self, trainer: Trainer, module: Segmenter) -> dict[str, Any]:
        loss = torch.stack(module.losses).mean()
        found = torch.cat(module.dices)
        sums = torch.stack([found.sum(), found.new_tensor(float(len(found)))])
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
            "seconds": round(self._before + time.monotonic() - self._since, 3),
        }

    def _ended(self, trainer: Trainer) -> bool:
        if trainer.world_size == 1:
            return bool(self._signals.received)
        return trainer.strategy.reduce_boolean_decision(bool(self._signals.received), all=False)

    def _save(self, trainer: Trainer) -> None:
        with replacing(self._folder / CHECKPOINT) as temporary:
            trainer.save_checkpoint(temporary)

    def _write(self, module: Segmenter, row: Row) -> None:
        """Write all but the checkpoint."""
        final = row["epoch"] == self._epochs
        if self.best is row:
            self._weights(BEST, module, row)
        if final:
            self._weights(LAST, module, row)
        self._metrics()
        if final or time.monotonic() - self._drawn > _DRAW_AFTER:
            self._drawn = time.monotonic()
            title = f"{self._identity['task']}, fold {self._identity['fold']}"
            save_curves(self._folder / CURVES, self.history, title)

    def _weights(self, name: str, module: Segmenter, row: Row) -> None:
        facts = {**self._identity, "epoch": row["epoch"], "epochs": self._epochs,
                 "dice": row["dice"], "dice_average": row["dice_average"]}  # fmt: skip
        save_weights(self._folder / name, module.network, facts)

    def _metrics(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.history)
        write_text(self._folder / METRICS, text.getvalue())


def read_state(path: Path) -> dict[str, Any]:
    """Read our part of a checkpoint.

    Raises the errors of ``torch.load`` where it is damaged, KeyError where it is not ours.
    """
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    state = content[_STATE]
    assert isinstance(state, dict)
    return state
