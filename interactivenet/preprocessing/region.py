"""Regions: a prompt's surroundings, cut from the scan, resampled and normalised.

The region is the box of the prompt's points with the planned margins, and as much context
around it as another draw of points in the same object can ask for. It is cut on the scan's own
grid and then brought to the target spacing. Preprocessing stores regions; inference makes the
same ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interactivenet.datasets.case import Scan
from interactivenet.datasets.hounsfield import HOUNSFIELD, clipped_channels
from interactivenet.datasets.modalities import is_ct
from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Array, Geometry, box
from interactivenet.imaging.resampling import (
    new_shape,
    orders_for,
    resample_box,
    resample_labels_box,
    resampled_geometry,
    resampling_values,
)
from interactivenet.imaging.resampling_matrices import CONTEXT
from interactivenet.planning.architecture import divisible
from interactivenet.planning.plan import Plan
from interactivenet.preprocessing.normalising import normalise
from interactivenet.preprocessing.object_grid import covered_by, mask_at, origin_in
from interactivenet.preprocessing.object_region import cut_object_region, sample_box
from interactivenet.prompts.prompt import Prompt, points_box
from interactivenet.prompts.simulation import SimulationOptions
from interactivenet.system.memory import check_memory

Indices = NDArray[np.intp]

#: an object of which the target grid holds less than this fraction is as good as lost
KEPT = 0.5
#: of a region: 8 GB in float32
_MOST_VOXELS = 2**31


@dataclass(frozen=True, eq=False)
class Region:
    """A prompt's surroundings on the target grid.

    image: (C, X, Y, Z) float32, normalised; of a plan with a grid of the object's own, as it is.
    label: (X, Y, Z) uint8, 1 in the prompt's object; None where the scan has no label map.
    grid: where the arrays lie; its spacing is the planned one up to the rounding of the shape; of a
        plan with a grid of the object's own, the scan's, or coarser.
    source: the stored grid of the scan.
    start, stop: (3,) first and one past the last voxel of the scan's RAS grid that it covers.
    coverage: fraction of the object's voxels that the planned cut holds; 1 without a label map.
    simulation: how the points were simulated; None where a person placed them.
    volume_ml: of the object in the region, in the scan and on the target grid; None without a label
        map.
    """

    case: str
    prompt: Prompt
    image: NDArray[np.float32]
    label: NDArray[np.uint8] | None
    grid: Geometry
    source: Geometry
    start: Indices
    stop: Indices
    coverage: float = 1.0
    simulation: SimulationOptions | None = None
    volume_ml: tuple[float, float] | None = None


def make_region(scan: Scan, prompt: Prompt, plan: Plan) -> Region:
    """Cut a prompt's region out of a scan, normalise it and resample it to the planned spacing.

    Raises DataError where a point of the prompt lies outside the image.
    """
    grid = scan.image.grid
    low, high = points_box(prompt, grid)
    clipped = clipped_channels(scan.image, plan.modalities)
    if plan.grid is not None:
        of_ct = [clip or is_ct(name) for clip, name in zip(clipped, plan.modalities, strict=True)]
        return _make_object_region(scan, prompt, plan, of_ct)
    spacing, target = np.array(grid.spacing), np.array(plan.spacing)
    margins = plan.cut.margins((high - low) * spacing)
    sides = _sides((high - low) * spacing, margins, plan)
    shape = np.array(grid.shape)
    start = np.clip(np.floor(low - sides[:, 0] / spacing), 0, shape).astype(np.intp)
    stop = np.clip(np.ceil(high + sides[:, 1] / spacing), 0, shape).astype(np.intp)

    size = new_shape(tuple(stop - start), tuple(spacing), tuple(target))
    orders = orders_for(tuple(spacing), tuple(target))
    # the kernel's context: only along axes that are resampled
    reach = np.where(np.array(size) == stop - start, 0, CONTEXT)
    first, last = np.maximum(start - reach, 0), np.minimum(stop + reach, shape)
    inner = box(start - first, stop - first)
    check_size(size, plan.spacing)
    check_memory(
        4 * (resampling_values(last - first, size) + len(scan.image.array) * math.prod(size)),
        f"the surroundings of the points in voxels of {_mm(plan.spacing)} mm",
        "plan again with a coarser `spacing`",
    )
    image = np.empty((len(scan.image.array), *size), np.float32)
    for channel, normalisation in enumerate(plan.normalisation):
        # ordered as resampling takes it, and changed in place: a large scan is held once
        values = scan.image.array[channel][box(first, last)].astype(np.float32, order="C")
        if clipped[channel]:
            values.clip(*HOUNSFIELD, out=values)
        normalise(values, values[inner], normalisation)
        image[channel] = resample_box(values, start - first, stop - first, size, orders)

    label, coverage, volume = None, 1.0, None
    if scan.label is not None:
        mask = scan.objects.mask(prompt, scan.prompts, grid)
        coverage = covered(mask, low, high, margins / spacing[:, None])
        nearest = tuple(order == 0 for order in orders)
        label = resample_labels_box(mask.view(np.uint8), start, stop, size, nearest=nearest)
        volume = (
            float(np.count_nonzero(mask[box(start, stop)]) * spacing.prod() / 1000),
            float(np.count_nonzero(label) * np.prod(spacing * (stop - start) / size) / 1000),
        )
    return Region(
        case=scan.name, prompt=prompt, image=image, label=label,
        grid=resampled_geometry(grid, start, stop, size), source=scan.image.source,
        start=start, stop=stop, coverage=coverage, volume_ml=volume,
    )  # fmt: skip


def _make_object_region(scan: Scan, prompt: Prompt, plan: Plan, clipped: Sequence[bool]) -> Region:
    grid, mask = scan.image.grid, None
    if scan.label is not None:
        mask = scan.objects.mask(prompt, scan.prompts, grid)
    cut = cut_object_region(scan.image.array, mask, grid, prompt, plan, clipped)
    coverage, volume = 1.0, None
    if mask is not None and cut.label is not None:
        sample = sample_box(prompt, plan, grid)
        coverage = covered_by(sample, mask, grid.spacing)
        before = float(np.count_nonzero(mask) * np.prod(grid.spacing) / 1000)
        shape, origin = plan.sample_shape, origin_in(cut.grid, grid)
        inside = mask_at(cut.label, cut.grid, sample, shape, origin)
        inside = inside[sample.voxels_in_scan(shape, grid.spacing, grid.shape)]
        after = float(np.count_nonzero(inside) * sample.cell(shape).prod() / 1000)
        volume = (before * coverage, after)
    return Region(
        case=scan.name, prompt=prompt, image=cut.image, label=cut.label, grid=cut.grid,
        source=scan.image.source, start=cut.start, stop=cut.stop, coverage=coverage,
        volume_ml=volume,
    )  # fmt: skip


def check_size(shape: Sequence[int], spacing: Sequence[float]) -> None:
    """Raise DataError for a grid of more voxels than any memory holds, or than this one does."""
    surroundings = f"the surroundings of the points in voxels of {_mm(spacing)} mm"
    remedy = "plan again with a coarser `spacing`"
    if (count := math.prod(int(n) for n in shape)) > _MOST_VOXELS:
        raise DataError(
            f"the surroundings of the points take {count:.3g} voxels of {_mm(spacing)} mm, more"
            " than fit into memory",
            remedy=remedy,
        )
    check_memory(4 * count, surroundings, remedy)


def _mm(spacing: Sequence[float]) -> str:
    return " x ".join(f"{mm:g}" for mm in spacing)


def covered(mask: Array, low: Indices, high: Indices, margins: NDArray[np.float64]) -> float:
    """Return the fraction of a mask's voxels whose centres lie in a box; 1 for an empty mask.

    low, high: (3,) first and one past the last voxel of a box that is widened by ``margins``
    (3, 2), voxels, and clipped at the image.
    """
    first = np.ceil(low - margins[:, 0] - 0.5).astype(np.intp)
    last = np.floor(high + margins[:, 1] - 0.5).astype(np.intp) + 1
    inside = mask[box(np.maximum(first, 0), np.minimum(last, mask.shape))]
    total = int(np.count_nonzero(mask))
    return int(np.count_nonzero(inside)) / total if total else 1.0


def is_lost(volume_ml: tuple[float, float]) -> bool:
    """Whether the target grid holds less than half of an object, or nothing: in the scan, on it."""
    before, after = volume_ml
    return after == 0 or after < KEPT * before


def effective_coverage(coverage: float, volume_ml: tuple[float, float] | None) -> float:
    """Return the fraction of an object that can be learned.

    That which the planned cut holds; of an object that the target grid has lost, what is left.
    """
    if volume_ml is None or not is_lost(volume_ml):
        return coverage
    before, after = volume_ml
    return coverage * after / before if before else 0.0


def _sides(
    extent: NDArray[np.float64], margins: NDArray[np.float64], plan: Plan
) -> NDArray[np.float64]:
    """How far (3, 2), mm, a region reaches beyond a box of points with the given extent, mm.

    Other points of the same object lie within the margins; their own margins, of the larger
    box, come on top, and so does what makes the sample divisible, all of it on one side where
    the other is at the image's border.
    """
    target = np.array(plan.spacing)
    wider = plan.cut.margins(extent + margins.sum(axis=1))
    # as much as the smallest or the least divisible sample grows, and two voxels for rounding
    smallest = plan.cut.voxels(target, target).sum(axis=1) + 1
    growth = np.maximum(np.array(divisible(smallest, plan.network)) - smallest,
                        np.array(plan.network.divisor) - 1)  # fmt: skip
    return np.asarray(margins + wider + ((growth + 2) * target)[:, None])
