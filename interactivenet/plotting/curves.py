"""A picture of how a training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from interactivenet.plotting.canvas import new_figure, save_picture


def save_curves(path: Path, history: Sequence[Mapping[str, Any]], title: str) -> None:
    """Draw loss, validation Dice and learning rate over the epochs of ``metrics.csv``."""

    def column(name: str) -> list[float]:
        return [row[name] for row in history]

    epochs = column("epoch")
    figure = new_figure(8, 6)  # a constrained layout would draw it twice
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    figure.subplots_adjust(left=0.1, right=0.91, bottom=0.08, top=0.94, hspace=0.06)
    above.plot(epochs, column("loss"), color="tab:blue")
    above.set_ylabel("training loss", color="tab:blue")
    dice = above.twinx()
    dice.plot(epochs, column("dice"), color="tab:orange", alpha=0.4, label="validation")
    dice.plot(epochs, column("dice_average"), color="tab:orange", label="moving average")
    best = max(history, key=lambda row: row["dice_average"])
    dice.plot(best["epoch"], best["dice_average"], "o", color="tab:orange", label="best")
    dice.set_ylabel("Dice, target grid", color="tab:orange")
    dice.set_ylim(0, 1)
    dice.legend(loc="center right")
    above.set_title(title)
    below.plot(epochs, column("learning_rate"), color="tab:green")
    below.set_ylabel("learning rate")
    below.set_xlabel("epoch")
    below.xaxis.get_major_locator().set_params(integer=True)
    save_picture(figure, path, 110)
