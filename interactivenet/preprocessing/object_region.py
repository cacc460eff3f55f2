"""What of a scan a sample on the object's own grid is taken from: a cut on the scan's own voxels.

Nothing is interpolated here, so that the sample is, once. Only where the object's grid is much
coarser than the scan, the cut is filtered and stored with fewer voxels: two for one of the grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from interactivenet.datasets.hounsfield import HOUNSFIELD
from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Array, Geometry, box
from interactivenet.imaging.resampling import (
    resample_box,
    resample_labels_box,
    resampled_geometry,
    resampling_values,
)
from interactivenet.planning.plan import Plan
from interactivenet.preprocessing.object_grid import ObjectBox, assumed_depth, object_box
from interactivenet.prompts.prompt import MARGIN_POINTS, Prompt, spans_no_box
from interactivenet.system.memory import check_memory

Indices = NDArray[np.intp]

#: how far a region reaches beyond the sample's box, for other draws of points, and turned and
#: stretched ones: of its extent along the axis, and at least of its largest
REACH, LEAST_REACH = 0.25, 0.2
#: voxels of the scan along one of the grid from which on a region is stored with fewer
_FINER = 3.0
#: of a Gaussian: deviation of the one whose width at half its height is 1
_DEVIATION = 1 / (2 * math.sqrt(2 * math.log(2)))


@dataclass(frozen=True, eq=False)
class ObjectRegion:
    """A cut around a prompt: the fields of a region that a scan and a plan determine."""

    image: NDArray[np.float32]
    label: NDArray[np.uint8] | None
    grid: Geometry
    start: Indices
    stop: Indices


def sample_box(prompt: Prompt, plan: Plan, grid: Geometry) -> ObjectBox:
    """Place the sample of a prompt; in grid mm of the scan's RAS ``grid``."""
    spacing = np.array(grid.spacing)
    points = grid.world_to_voxel(prompt.points) * spacing
    return object_box(points, assumed_depth(prompt, plan, grid), spacing, plan.cut)


def check_box(prompt: Prompt, grid: Geometry) -> None:
    """Raise DataError where the points of a prompt cannot tell how large the object is.

    They can where they are six and span a box on a scan's ``grid``, or where it is known how deep
    they lie: of an object of a few voxels, each is one.
    """
    if prompt.depth_mm is not None:
        return
    count, flat = len(prompt.points), spans_no_box(prompt, grid) and min(grid.shape) > 1
    if count >= MARGIN_POINTS and not flat:
        return
    found = "all points lie in one plane" if count >= MARGIN_POINTS else f"{count} points"
    raise DataError(
        f"label {prompt.label}: {found}, expected {MARGIN_POINTS} just inside the object's extremes"
        " along the three axes: their box is all that this model sees"
    )


def cut_object_region(
    image: Array,
    mask: Array | None,
    grid: Geometry,
    prompt: Prompt,
    plan: Plan,
    clipped: Sequence[bool],
) -> ObjectRegion:
    """Cut the region of a prompt out of an image (C, X, Y, Z) on its RAS grid.

    mask: (X, Y, Z) bool, the prompt's object; None where unknown.  clipped: which of the channels
    are clipped as a CT is: padding and metal would be all that a deviation tells of.
    """
    spacing, shape = np.array(grid.spacing), np.array(grid.shape)
    sample = sample_box(prompt, plan, grid)
    extents = sample.high - sample.low
    reach = np.maximum(REACH * extents, LEAST_REACH * extents.max())
    # one voxel more on either side: what lies between two is interpolated from both
    start = np.clip(np.floor((sample.low - reach) / spacing) - 1, 0, shape - 1).astype(np.intp)
    stop = np.clip(np.ceil((sample.high + reach) / spacing) + 2, 1, shape).astype(np.intp)
    factor = sample.cell(plan.sample_shape) / spacing
    fewer = np.where(factor >= _FINER, np.ceil(2 * (stop - start) / factor), stop - start)
    size = np.maximum(fewer, 1).astype(int).tolist()
    check_memory(
        4 * (resampling_values(stop - start, size) + len(image) * math.prod(size)),
        f"the surroundings of the points, {'x'.join(map(str, (stop - start).tolist()))} voxels,",
        "resample the scan to larger voxels first",
    )

    values = np.empty((len(image), *size), np.float32)
    for channel, (whole, clip) in enumerate(zip(image, clipped, strict=True)):
        # ordered as resampling takes it, and changed in place: a large scan is held once
        part = whole[box(start, stop)].astype(np.float32, order="C")
        if clip:
            part.clip(*HOUNSFIELD, out=part)
        smooth(part, factor)
        values[channel] = resample_box(part, (0, 0, 0), part.shape, size, 1)
    label = None
    if mask is not None:
        label = resample_labels_box(mask.view(np.uint8), start, stop, size)
    return ObjectRegion(values, label, resampled_geometry(grid, start, stop, size), start, stop)


def smooth(values: NDArray[np.float32], factor: NDArray[np.float64]) -> None:
    """Filter, in place, a volume to be sampled every ``factor`` (3,) voxels, where that is above 1.

    With the Gaussian that widens a voxel's to that of the coarser grid (Cardoso et al., Scale
    factor point spread function matching, MICCAI 2015, doi 10.1007/978-3-319-24571-3_81).
    """
    for axis, ratio in enumerate(factor.tolist()):
        if ratio > 1:
            deviation = _DEVIATION * math.sqrt(ratio**2 - 1)
            gaussian_filter1d(values, deviation, axis, output=values, mode="nearest", truncate=3.0)
