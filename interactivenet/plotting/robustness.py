"""A figure of how much the result depends on where exactly the points are."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from interactivenet.plotting.canvas import new_figure, save_picture

_OBJECT, _MEAN = "#9aa5b1", "#0b62a4"


def save_robustness(path: Path, dice: Mapping[str, Mapping[Any, Sequence[float]]]) -> None:
    """Draw Dice against perturbation: a line per object with its repeats' range, and the mean.

    dice: perturbation, in the order of the axis -> object -> Dice of its repeats; every
    perturbation has the same objects.
    """
    objects = list(next(iter(dice.values())))
    figure = new_figure(8, 4.5)
    axes = figure.subplots()
    places = range(len(dice))
    for key in objects:
        repeats = [by_object[key] for by_object in dice.values()]
        means = [statistics.fmean(values) for values in repeats]
        axes.plot(places, means, color=_OBJECT, linewidth=0.7)
        for place, values in zip(places, repeats, strict=True):
            axes.plot([place, place], [min(values), max(values)], color=_OBJECT, linewidth=0.7)
    means = [
        statistics.fmean(statistics.fmean(values) for values in by_object.values())
        for by_object in dice.values()
    ]
    axes.plot(places, means, color=_MEAN, linewidth=2.2, marker="o", label="mean of all objects")
    for place, mean in zip(places, means, strict=True):
        axes.annotate(f"{mean:.3f}", (place, mean), (0, 9), textcoords="offset points",
                      ha="center", color=_MEAN, fontweight="bold")  # fmt: skip
    axes.plot([], [], color=_OBJECT, label="one object: mean and range of its repeats")
    axes.set_xticks(places, list(dice))
    axes.set_ylabel("Dice")
    axes.set_title(f"Dice with perturbed points, {len(objects)} objects", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e4e7eb")
    axes.legend(frameon=False, loc="lower left")
    figure.tight_layout()
    save_picture(figure, path, 130)
