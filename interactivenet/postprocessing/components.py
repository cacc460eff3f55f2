"""Postprocessing of one object's mask, on the grid of its scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from interactivenet.imaging.components import label_components

Mask = NDArray[np.bool_]
Component = Literal["all", "largest", "touched", "largest touched"]


@dataclass(frozen=True)
class Postprocessing:
    """What is done with the mask of a prompt, before the prompts of a case are merged.

    fill_holes: background that is enclosed by the mask (face to face) becomes object.
    component: which 26-connected components stay: all, the largest, those that a point of the
        prompt lies in, or the largest of these. Where no point lies in any, the largest.
    Components are chosen first.
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

    def apply(self, mask: Mask, points: NDArray[np.intp]) -> Mask:
        """Process a mask (X, Y, Z); points: (N, 3) voxels, those outside of it are ignored.

        What lies beyond the mask's border counts as background. Returns the mask itself where
        nothing is changed.
        """
        processed = mask
        if self.component != "all":
            processed = _chosen(processed, points, self.component)
        if self.fill_holes:
            filled = ndimage.binary_fill_holes(processed)
            processed = processed if np.array_equal(filled, processed) else np.asarray(filled)
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
    sizes = np.bincount(numbers.ravel())
    sizes[0] = 0
    candidates = np.arange(1, count + 1)
    if component != "largest":
        inside = ((points >= 0) & (points < mask.shape)).all(axis=1)
        touched = np.unique(numbers[tuple(points[inside].T)])
        touched = touched[touched > 0]
        if component == "touched" and len(touched):
            return np.asarray(np.isin(numbers, touched))
        candidates = touched if len(touched) else candidates
    return np.asarray(numbers == candidates[sizes[candidates].argmax()])
