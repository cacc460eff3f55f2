"""Clicks as 3D Slicer sends them: margin points first, corrections after, and balls until then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.geometry import Geometry
from interactivenet.prompts.corrections import Correction
from interactivenet.prompts.prompt import MARGIN_POINTS

#: of one kind, in one request: nobody clicks so often
_MOST = 1000
#: radius of the ball that shows a point, in voxels of the finest axis
_BALL_VOXELS = 2.0


@dataclass(frozen=True, eq=False)
class Clicks:
    """The clicks on one segment.

    foreground, background: voxel centres (N, 3), RAS+ mm, in the order in which they were placed.
    The order between the two is not known.
    """

    foreground: NDArray[np.float64]
    background: NDArray[np.float64]

    @property
    def margin_points(self) -> NDArray[np.float64]:
        """The first six of the foreground (N, 3), RAS+ mm, or as many as there are."""
        return self.foreground[:MARGIN_POINTS]

    @property
    def is_complete(self) -> bool:
        """Whether there are enough margin points to ask a model."""
        return len(self.foreground) >= MARGIN_POINTS

    @property
    def message(self) -> str:
        """What is there of what is needed, as one reads it: '3 of 6 points'."""
        waiting = len(self.background)
        placed = f"{len(self.margin_points)} of {MARGIN_POINTS} points"
        if not waiting or self.is_complete:
            return placed
        clicks = "1 background click waits" if waiting == 1 else f"{waiting} background clicks wait"
        return f"{placed}; {clicks} for them"

    def corrections(self, earlier: Sequence[Correction] = ()) -> tuple[Correction, ...]:
        """Return the clicks after the margin points, as corrections in their order.

        earlier: those of the request before. What is still there of them stays in its order, and
        what is new comes after: positive clicks first, as they are not dated.
        """
        positive, negative = self.foreground[MARGIN_POINTS:], self.background
        new = [
            Correction((x, y, z), is_positive)
            for positions, is_positive in ((positive, True), (negative, False))
            for x, y, z in positions.tolist()
        ]
        kept = []
        for correction in earlier:
            if correction in new:
                new.remove(correction)
                kept.append(correction)
        return (*kept, *new)


def read_clicks(params: Mapping[str, Any], grid: Geometry) -> Clicks:
    """Read the clicks of a request on an image with this stored grid.

    Raises RequestError where they are no lists of voxel indices, DataError, naming the click, where
    one lies outside the image.
    """
    return Clicks(*(_positions(params, kind, grid) for kind in ("foreground", "background")))


def _positions(params: Mapping[str, Any], kind: str, grid: Geometry) -> NDArray[np.float64]:
    given = params.get(kind) or []
    try:
        voxels = np.array(given, np.float64).reshape(len(given), 3)
    except (TypeError, ValueError):
        voxels = np.full((1, 3), np.nan)
    if len(voxels) > _MOST or not np.isfinite(voxels).all():
        raise RequestError(
            f"the {kind} points are not understood",
            expected=f"at most {_MOST} voxel indices [[i, j, k], ...]",
        )
    positions = grid.voxel_to_world(voxels)
    for number in np.flatnonzero(~grid.contains(positions)).tolist():
        i, j, k = (f"{index:.6g}" for index in voxels[number])
        x, y, z = grid.shape
        raise DataError(
            f"{kind} point {number + 1} lies outside the image: at voxel {i}, {j}, {k} of"
            f" {x} x {y} x {z}; delete it, and place it within the image"
        )
    return positions


def draw_balls(points: NDArray[np.float64], grid: Geometry) -> NDArray[np.uint8]:
    """Draw a small ball at each point (N, 3), RAS+ mm, of a stored grid.

    Returns a map (X, Y, Z) in the order of the stored grid, 1 within the balls.
    """
    mask = np.zeros(grid.shape, np.uint8)
    spacing = np.array(grid.spacing)
    radius = _BALL_VOXELS * spacing.min()
    reach = np.floor(radius / spacing).astype(int)
    for voxel in grid.nearest_voxel(points):
        first = np.maximum(voxel - reach, 0)
        last = np.minimum(voxel + reach, np.array(grid.shape) - 1)
        around = tuple(slice(start, stop + 1) for start, stop in zip(first, last, strict=True))
        offsets = zip(np.ogrid[around], voxel, spacing, strict=True)
        x, y, z = ((axis - centre) * mm for axis, centre, mm in offsets)
        mask[around] |= x**2 + y**2 + z**2 <= radius**2
    return mask
