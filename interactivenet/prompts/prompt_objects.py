"""Which voxels of a label map belong to a prompt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from interactivenet.imaging.components import bounding_box, label_components
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.prompts.prompt import Prompt


class PromptObjects:
    """The objects that prompts point at, in a label map (X, Y, Z) along RAS+ or None.

    An object is a 26-connected component, or several, of the voxels of the prompt's label.
    """

    def __init__(self, label: Array | None) -> None:
        self.label = label
        self._components_of: dict[int, _Components] = {}

    def voxels(self, prompt: Prompt, grid: Geometry) -> NDArray[np.intp]:
        """Return the voxels (N, 3) of the components that the prompt's points touch.

        Without a label map, or where they touch none, (0, 3).
        """
        if self.label is None:
            return np.empty((0, 3), np.intp)
        return self._components(prompt.label).voxels(grid.ras.nearest_voxel(prompt.points))

    def mask(self, prompt: Prompt, prompts: Sequence[Prompt], grid: Geometry) -> NDArray[np.bool_]:
        """Mark the voxels of the label map that are the prompt's object.

        All voxels of its label, but not the components that only others of the case's
        ``prompts`` of that label touch. A prompt that is not one of them is another draw of
        points in one of their objects: those that share a component with it do not count as
        others.
        """
        assert self.label is not None
        mask = np.asarray(self.label == prompt.label)
        rivals = [item for item in prompts if item.label == prompt.label and item is not prompt]
        if not rivals:
            return mask
        is_listed = any(item is prompt for item in prompts)
        components = self._components(prompt.label)
        own = components.touched(grid.ras.nearest_voxel(prompt.points))
        for rival in rivals:
            voxels = grid.ras.nearest_voxel(rival.points)
            if is_listed or not own & components.touched(voxels):
                mask[tuple(components.voxels(voxels, but=own).T)] = False
        return mask

    def count(self, label: int) -> int:
        """Count the components of a label."""
        return len(self._components(label).boxes) if self.label is not None else 0

    def _components(self, label: int) -> _Components:
        if label not in self._components_of:
            assert self.label is not None
            self._components_of[label] = _Components(np.asarray(self.label == label))
        return self._components_of[label]


class _Components:
    """The components of a mask, numbered from 1 in the mask's bounding box."""

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        box = bounding_box(mask) or (slice(0, 1),) * 3
        self.start = np.array([extent.start for extent in box], dtype=np.intp)
        self.numbers, _ = label_components(mask[box])
        self.boxes = ndimage.find_objects(self.numbers)

    def touched(self, voxels: NDArray[np.intp]) -> set[int]:
        """Numbers of the components that hold one of the voxels (N, 3)."""
        inner = voxels - self.start
        inside = ((inner >= 0) & (inner < self.numbers.shape)).all(axis=1)
        numbers = np.unique(self.numbers[tuple(inner[inside].T)])
        return {int(number) for number in numbers if number}

    def voxels(self, touching: NDArray[np.intp], but: set[int] | None = None) -> NDArray[np.intp]:
        """Voxels (N, 3) of the components that hold one of the given voxels, ``but`` some."""
        parts = [np.empty((0, 3), np.intp)]
        for number in sorted(self.touched(touching) - (but or set())):
            box = self.boxes[number - 1]
            start = self.start + [extent.start for extent in box]
            parts.append(np.argwhere(self.numbers[box] == number) + start)
        return np.concatenate(parts)
