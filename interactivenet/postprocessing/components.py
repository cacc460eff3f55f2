"""Postprocessing of one object's mask, on the grid of its scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from interactivenet.imaging.components import bounding_box, component_sizes, label_components

Mask = NDArray[np.bool_]
_NO_CLICKS: NDArray[np.intp] = np.empty((0, 3), np.intp)
Component = Literal["all", "largest", "touched", "largest touched"]


@dataclass(frozen=True)
class Postprocessing:
    """What is done with the mask of a prompt, before the prompts of a case are merged.

    fill_holes: background that is enclosed by the mask (face to face) becomes object.
    component: which 26-connected components stay: all, the largest, those that a point of the
        prompt lies in, or the largest of these. Where no point lies in any, the largest.
    Components are chosen first. What a person has clicked on outranks both: no component with a
    positive click goes, no hole with a negative one is filled.
    """

    fill_holes: bool = False
    component: Component = "all"

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "strict": True}

    @property
    def name(self) -> str:
        """What it does, in words; 'none' for nothing."""
        parts = ["fill holes"] * self.fill_holes
        if self.component != "all":
            parts.append(f"{self.component} component{'s' * (self.component == 'touched')}")
        return ", ".join(parts) or "none"

    def apply(
        self,
        mask: Mask,
        points: NDArray[np.intp],
        positive: NDArray[np.intp] = _NO_CLICKS,
        negative: NDArray[np.intp] = _NO_CLICKS,
    ) -> Mask:
        """Process a mask (X, Y, Z); points: (N, 3) voxels, those outside of it are ignored.

        positive, negative: (M, 3) voxels of corrections.
        What lies beyond the mask's border counts as background. Returns the mask itself where
        nothing is changed.
        """
        around = bounding_box(mask)
        if around is None:
            return mask
        first = [side.start for side in around]
        # nothing is changed outside of it: of a large box a small part is held again
        part = mask[around]
        processed = self._apply(part, points - first, positive - first, negative - first)
        if processed is part or np.array_equal(processed, part):
            return mask
        whole = np.zeros_like(mask)
        whole[around] = processed
        return whole

    def _apply(
        self,
        mask: Mask,
        points: NDArray[np.intp],
        positive: NDArray[np.intp],
        negative: NDArray[np.intp],
    ) -> Mask:
        """Process a mask of which there is nothing outside."""
        processed = mask
        if self.component != "all":
            processed = _chosen(processed, points, self.component)
            if processed is not mask and len(positive):
                processed = processed | _touched(mask, positive)
        if self.fill_holes:
            filled = np.asarray(ndimage.binary_fill_holes(processed))
            holes = filled & ~processed
            if holes.any() and len(negative):
                holes &= ~_touched(holes, negative, connectivity=1)
            processed = processed | holes if holes.any() else processed
        return processed


#: what is compared when postprocessing is chosen, the simplest first
CANDIDATES = (
    Postprocessing(),
    Postprocessing(fill_holes=True),
    Postprocessing(component="largest"),
    Postprocessing(component="touched"),
    Postprocessing(True, "largest"),
    Postprocessing(True, "touched"),
    Postprocessing(component="largest touched"),
    Postprocessing(True, "largest touched"),
)


def _chosen(mask: Mask, points: NDArray[np.intp], component: Component) -> Mask:
    numbers, count = label_components(mask)
    if count < 2:
        return mask
    sizes = component_sizes(numbers, count)
    candidates: NDArray[np.integer] = np.arange(1, count + 1)
    if component != "largest":
        touched = _numbers_at(numbers, points)
        if component == "touched" and len(touched):
            return _of_numbers(numbers, touched, count)
        candidates = touched if len(touched) else candidates
    return np.asarray(numbers == candidates[sizes[candidates].argmax()])


def _numbers_at(numbers: NDArray[np.integer], points: NDArray[np.intp]) -> NDArray[np.integer]:
    """Return the numbers, other than 0, of the components that hold points (N, 3)."""
    inside = ((points >= 0) & (points < numbers.shape)).all(axis=1)
    found = np.unique(numbers[tuple(points[inside].T)])
    return found[found > 0]


def _touched(mask: Mask, points: NDArray[np.intp], connectivity: int = 3) -> Mask:
    """Return the components of a mask that hold points (N, 3)."""
    numbers, count = ndimage.label(mask, ndimage.generate_binary_structure(3, connectivity))
    return _of_numbers(numbers, _numbers_at(numbers, points), count)


def _of_numbers(numbers: NDArray[np.integer], chosen: NDArray[np.integer], count: int) -> Mask:
    """Return where one of the chosen numbers is, of 1 to ``count``, 0 for background."""
    is_chosen: Mask = np.zeros(count + 1, dtype=bool)
    is_chosen[chosen] = True
    return np.asarray(is_chosen[numbers])
