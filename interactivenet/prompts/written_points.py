"""Prompts as named points, which text formats hold: the counterpart of ``named_points``."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from interactivenet.prompts.corrections import BACKGROUND, SIGNS, Correction
from interactivenet.prompts.point_names import NamedPoint
from interactivenet.prompts.prompt import LabelNames, Prompt


def to_named_points(
    prompts: Sequence[Prompt], labels: LabelNames | None = None
) -> list[NamedPoint]:
    """Flatten prompts; a second object of the same label is named ``name#2`` and so on.

    Corrections come last, each object's in their order: ``name+``, ``name-``, of a second object
    ``name+#2``. Points of the background that all objects share are written once.

    labels: of the task; where one of them is called ``name+``, corrections are ``name#1+``.
    """
    points = []
    names = [prompt.name or str(prompt.label) for prompt in prompts]
    numbers = [names[: number + 1].count(name) for number, name in enumerate(names)]
    for prompt, name, number in zip(prompts, names, numbers, strict=True):
        called = f"{name}#{number}" if number > 1 else name
        points += [NamedPoint(called, (x, y, z)) for x, y, z in prompt.points.tolist()]
    taken = {name.lower() for name in (*names, *(labels.names.values() if labels else ()))}
    shared = shared_background(prompts)
    waiting = [list(prompt.corrections) for prompt in prompts]
    for background in (*shared, None):
        for corrections, name, number in zip(waiting, names, numbers, strict=True):
            while corrections:
                correction = corrections.pop(0)
                if shared and _is_background(correction):
                    break
                points.append(_named(correction, name, number, taken))
        if background is not None:
            points.append(NamedPoint(BACKGROUND, background.position))
    return points


def shared_background(prompts: Sequence[Prompt]) -> tuple[Correction, ...]:
    """Return the points of the background, where all prompts have the same in the same order."""
    of_each = [
        [correction for correction in prompt.corrections if _is_background(correction)]
        for prompt in prompts
    ]
    positions = [[correction.position for correction in background] for background in of_each]
    if not positions or any(each != positions[0] for each in positions):
        return ()
    return tuple(of_each[0])


def _is_background(correction: Correction) -> bool:
    return not correction.positive and correction.name == BACKGROUND


def _named(correction: Correction, name: str, number: int, taken: Collection[str]) -> NamedPoint:
    sign = SIGNS[correction.positive]
    called = f"{name}{sign}#{number}" if number > 1 else f"{name}{sign}"
    if f"{name}{sign}".lower() in taken:  # which is a label's name
        called = f"{name}#{number}{sign}"
    return NamedPoint(called, correction.position, positive=correction.positive)
