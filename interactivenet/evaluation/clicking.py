"""A case, corrected by a robot click by click: a model, and the brush, measured after each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from interactivenet.evaluation.click_robots import (
    Click,
    RobotName,
    click_rng,
    is_heeded,
    next_click,
    paint,
)
from interactivenet.evaluation.metrics import Mask, evaluate_masks
from interactivenet.imaging.geometry import Geometry
from interactivenet.metric_names import TOLERANCE_MM
from interactivenet.postprocessing.merging import Segmentation
from interactivenet.prompts.prompt import Prompt
from interactivenet.system.signals import go_on

#: what corrects: the model that is measured, and what it is compared with
MODEL, BRUSH = "model", "brush"
METHODS = (MODEL, BRUSH)


class CorrectableSession(Protocol):
    """An image that is segmented, and then corrected by clicks."""

    def segment(self, points: Sequence[Prompt], /) -> Segmentation:
        """Segment the objects that prompts mark, without corrections."""

    def correct(
        self,
        *,
        positive: NDArray[np.float64] | None = None,
        negative: NDArray[np.float64] | None = None,
        instance: int = 1,
    ) -> Segmentation:
        """Correct an object, by the number of its prompt from 1; points (N, 3) in RAS+ mm."""


@dataclass(frozen=True)
class Clicking:
    """How a case is corrected.

    clicks: how many each object gets at most.  robot: who clicks.  seed: of what it draws.
    """

    clicks: int = 5
    robot: RobotName = "cvpr"
    seed: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {"clicks": self.clicks, "robot": self.robot, "seed": self.seed}


@dataclass(frozen=True)
class CorrectedCase:
    """Rows of a case, see :func:`correct_case`, and what the first result says of its image."""

    rows: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]


def correct_case(
    session: CorrectableSession,
    case: str,
    prompts: Sequence[Prompt],
    truths: Sequence[Mask],
    grid: Geometry,
    clicking: Clicking,
    interrupt: Callable[[], None] = go_on,
) -> CorrectedCase:
    """Segment a case, and correct it by clicks, by the model and by the brush.

    prompts: without corrections.  truths: of each, its object (X, Y, Z).  grid: the scan's, along
    RAS+.  interrupt: raises where this must end; it is asked before every click.

    Returns a row for each method, object, and number of clicks from 0: 'case', 'label', 'name',
    'prompt' (its number from 0), 'method', 'clicks', 'dice', 'nsd', and of the last click
    'positive', 'x_mm', 'y_mm', 'z_mm' (RAS+), 'heeded' (it and all earlier ones of the object) and
    'seconds' (of the model); None where there was none, since no error was left.

    In each round every object gets a click, chosen by the result of the round before: so the
    challenge does it. The model is measured when all of them are in. The brush paints each object
    for itself into the model's first result; its clicks are chosen by its own masks.
    """
    result = session.segment(prompts)
    notes, first = result.notes, result.instance_map
    objects = zip(prompts, truths, strict=True)
    tracks = [
        _Track(case, number, prompt, truth, grid, clicking)
        for number, (prompt, truth) in enumerate(objects)
    ]
    rows = [track.row(MODEL, 0, first == track.number + 1) for track in tracks]
    for step in range(1, clicking.clicks + 1):
        instance_map = result.instance_map
        placed: dict[int, tuple[Click, float]] = {}
        for track in tracks:
            click = track.click(step, instance_map == track.number + 1)
            if click is None:
                continue
            interrupt()
            where = grid.voxel_to_world([click.voxel])
            start = perf_counter()
            if click.positive:
                result = session.correct(positive=where, instance=track.number + 1)
            else:
                result = session.correct(negative=where, instance=track.number + 1)
            placed[track.number] = click, perf_counter() - start
        for track in tracks:
            mask = result.instance_map == track.number + 1
            rows.append(track.row(MODEL, step, mask, *placed.get(track.number, (None, None))))
    for track in tracks:
        track.begin_anew()
        mask = first == track.number + 1
        rows.append(track.row(BRUSH, 0, mask))
        for step in range(1, clicking.clicks + 1):
            interrupt()
            click = track.click(step, mask)
            mask = mask if click is None else paint(mask, click)
            rows.append(track.row(BRUSH, step, mask, click))
    return CorrectedCase(tuple(rows), notes)


class _Track:
    """An object on its way through the clicks."""

    def __init__(
        self,
        case: str,
        number: int,
        prompt: Prompt,
        truth: Mask,
        grid: Geometry,
        clicking: Clicking,
    ) -> None:
        self.number = number
        self._case, self._prompt, self._truth = case, prompt, truth
        self._grid, self._clicking = grid, clicking
        self._clicks: list[Click] = []
        #: the last mask that was measured, and its figures: where nothing changed, they stay
        self._measured: tuple[Mask, float, float] | None = None

    def begin_anew(self) -> None:
        """Forget the clicks."""
        self._clicks = []

    def click(self, step: int, mask: Mask) -> Click | None:
        """Let the robot click, on what is wrong with a mask; None where nothing is."""
        clicking = self._clicking
        rng = click_rng(clicking.seed, self._case, self.number, step)
        click = next_click(clicking.robot, mask, self._truth, self._grid.spacing, rng, self._clicks)
        if click is not None:
            self._clicks.append(click)
        return click

    def row(
        self,
        method: str,
        step: int,
        mask: Mask,
        click: Click | None = None,
        seconds: float | None = None,
    ) -> dict[str, Any]:
        """Measure a mask (X, Y, Z) after the step's click."""
        if self._measured is None or not np.array_equal(self._measured[0], mask):
            metrics = evaluate_masks(mask, self._truth, self._grid.spacing, TOLERANCE_MM)
            self._measured = mask, metrics["dice"], metrics["nsd"]
        _, dice, nsd = self._measured
        x, y, z = (
            [None] * 3 if click is None else self._grid.voxel_to_world([click.voxel])[0].tolist()
        )
        return {
            "case": self._case, "label": self._prompt.label, "name": self._prompt.name,
            "prompt": self.number, "method": method, "clicks": step, "dice": dice, "nsd": nsd,
            "positive": None if click is None else click.positive,
            "x_mm": x, "y_mm": y, "z_mm": z,
            "heeded": None if click is None else is_heeded(mask, self._clicks),
            "seconds": None if seconds is None else round(seconds, 4),
        }  # fmt: skip
