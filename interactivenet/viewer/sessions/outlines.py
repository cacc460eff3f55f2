"""What the page is told of the objects: which have an outline, what is known of it, what lacks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from interactivenet.evaluation.diameters import largest_diameters
from interactivenet.imaging.components import bounding_box
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.postprocessing.merging import Segmentation, SegmentedObject
from interactivenet.prompts.prompt import MARGIN_POINTS
from interactivenet.viewer.annotations.annotation_record import MadeBy
from interactivenet.viewer.sessions.annotation import ObjectState
from interactivenet.viewer.sessions.guidance import next_step

Quality = Literal["quick", "full"]


@dataclass(frozen=True, eq=False)
class ObjectOutline:
    """What is known of one object.

    segmented: None where it has no outline.  problems: why it has none, beside missing points.
    made_by: what its outline comes from.
    """

    state: ObjectState
    segmented: SegmentedObject | None = None
    diameters_mm: tuple[float, float] = (0.0, 0.0)
    problems: tuple[str, ...] = ()
    made_by: MadeBy = "model"

    def as_json(self) -> dict[str, Any]:
        """Return it as the page reads it."""
        placed, found = len(self.state.points), self.segmented
        return {
            "id": self.state.id,
            "placed": placed,
            "needed": MARGIN_POINTS,
            "next": next_step(self.state.points),
            "complete": found is not None,
            "problems": list(self.problems),
            "made_by": self.made_by if found else None,
            "volume_ml": found.volume_ml if found else None,
            "diameters_mm": list(self.diameters_mm) if found else None,
            "expected_dice": found.expected_dice if found else None,
            "needs_review": found.needs_review if found else None,
            "reasons": list(found.reasons) if found else [],
        }


@dataclass(frozen=True, eq=False)
class Outlines:
    """The outlines of a state of the objects.

    instance: (X, Y, Z) along RAS+, value n = n-th object of the state; None where none has an
    outline.  seconds: that it took.
    """

    objects: tuple[ObjectOutline, ...]
    instance: Array | None
    quality: Quality
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    revision: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return it as the page reads it, but the outline's address."""
        return {
            "revision": self.revision,
            "quality": self.quality,
            "seconds": round(self.seconds, 3),
            "objects": [each.as_json() for each in self.objects],
            "notes": list(self.notes),
        }


def describe_outlines(
    states: Sequence[ObjectState],
    places: Sequence[int],
    problems: Mapping[int, str],
    result: Segmentation | None,
    painted: Collection[str] = (),
) -> Outlines:
    """Say what is known of each object of a state.

    places: in the state, from 0, of the objects of the result.  problems: by place, why an object
    has no outline.  painted: ids of objects whose outline a person has painted.
    """
    objects = [
        ObjectOutline(state, problems=(problems[place],) if place in problems else ())
        for place, state in enumerate(states)
    ]
    if result is None:
        return Outlines(tuple(objects), None, "full")
    numbers = np.zeros(len(places) + 1, np.uint8 if len(states) < 2**8 else np.uint16)
    numbers[1:] = np.array(places) + 1
    for number, place in enumerate(places):
        state = states[place]
        made_by: MadeBy = "corrections" if state.corrections else "model"
        objects[place] = ObjectOutline(
            state, result.objects[number],
            _diameters(result.instance_map, number + 1, result.source.ras),
            made_by="brush" if state.id in painted else made_by,
        )  # fmt: skip
    instance = numbers[result.instance_map]
    return Outlines(tuple(objects), instance, "full", notes=result.notes)


def _diameters(instance: NDArray[np.int16], number: int, grid: Geometry) -> tuple[float, float]:
    """Measure the largest axial and 3D diameter, mm, of an object in an instance map."""
    mask = instance == number
    box = bounding_box(mask)
    return (0.0, 0.0) if box is None else largest_diameters(mask[box], grid.spacing)
