"""Samples: what the network sees of a prompt, and the way back to the scan's own grid.

Two steps, the same in training, validation and inference: the *region* (region.py) is cut from
the scan and resampled; the *cropped sample* is the box of the points with the planned margins in
it, made divisible for the network, with the points' map as a further channel. A new draw of points
needs only a new crop. Everything that is needed to go back is kept in the sample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from interactivenet.encoding import encode_extent, encode_prompts
from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Array, Box, Geometry, box
from interactivenet.imaging.interpolation import interpolate_at
from interactivenet.imaging.resampling import resampled_geometry, restore_box
from interactivenet.planning.architecture import divisible
from interactivenet.planning.decisions import CORRECTION_CHANNELS
from interactivenet.planning.plan import Plan
from interactivenet.preprocessing.object_grid import (
    mask_at,
    origin_in,
    point_maps,
    sample_at,
    standardise,
)
from interactivenet.preprocessing.object_region import sample_box
from interactivenet.preprocessing.region import Indices, Region
from interactivenet.prompts.prompt import Prompt
from interactivenet.system.memory import check_memory


@dataclass(frozen=True, eq=False)
class Sample:
    """One prompt, as the network sees it.

    array: (C + M, X, Y, Z) float32: the normalised channels, the maps of the points, and, where the
        network sees corrections, three channels of 0 last, for these.
    label: (X, Y, Z) uint8, 1 in the object; None where unknown.
    grid: where the array lies, the padding included.
    source: the stored grid of the scan.
    region_start, region_stop: (3,) voxels of the scan's RAS grid that the region covers.
    region_shape: (3,) voxels of the region on the target grid.
    start, stop: (3,) voxels of the region that the sample holds.
    padding: (3, 2) voxels before and after them that hold ``Plan.padding``, and 0 in the map.
    as_stored: whether all this runs along the axes of ``source`` and not along RAS+; only of
        plans with :class:`~interactivenet.planning.plan.Legacy`.
    own_grid: whether the grid is the object's own, whose voxels lie anywhere between the scan's;
        then nothing is padding.
    others: arrays like ``array``, of the same place in further images of the case, for models that
        take one image at a time.
    cut_around: (N, 3) RAS+ mm, the prompt's points and those of its corrections that the sample was
        cut around; empty for those of the prompt alone.
    """

    case: str
    prompt: Prompt
    array: NDArray[np.float32]
    label: NDArray[np.uint8] | None
    grid: Geometry
    source: Geometry
    region_start: Indices
    region_stop: Indices
    region_shape: tuple[int, int, int]
    start: Indices
    stop: Indices
    padding: Indices
    as_stored: bool = False
    own_grid: bool = False
    others: tuple[NDArray[np.float32], ...] = ()
    cut_around: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 3)))

    @property
    def content(self) -> Box:
        """Index of the part that is not padding."""
        return box(self.padding[:, 0], np.array(self.grid.shape) - self.padding[:, 1])


def crop_sample(region: Region, points: ArrayLike, plan: Plan) -> Sample:
    """Cut the box of points (N, 3), RAS+ mm, with its margins, out of a region, and map them.

    The points are the prompt's own or another draw in the same object. The box is clipped at
    the region, grown to what the network takes, with image where the region has some and with
    padding where it ends. Raises DataError where a point lies outside the region.
    """
    grid = region.grid
    points = np.asarray(points, dtype=np.float64)
    outside = int((~grid.contains(points)).sum())
    if outside:
        raise DataError(
            f"{region.case}: {outside} of {len(points)} points lie outside the region that was cut"
            f" around the prompt ({grid})"
        )
    if plan.grid is not None:
        return _crop_object(region, points, plan)
    shape, spacing = np.array(grid.shape), np.array(grid.spacing)
    voxels = grid.nearest_voxel(points)
    low, high = voxels.min(axis=0), voxels.max(axis=0) + 1
    margins = plan.cut.voxels((high - low) * spacing, spacing)
    low = np.maximum(low - margins[:, 0], 0)
    high = np.minimum(high + margins[:, 1], shape)

    size = np.array(divisible(high - low, plan.network))
    first = low - (size - (high - low)) // 2
    check_memory(
        4 * plan.channels * math.prod(size.tolist()),
        f"{region.case}: a sample of {'x'.join(map(str, size.tolist()))} voxels, which the plan's"
        " network asks for,",
    )
    # image rather than padding: move inwards where the region goes on there
    first = np.where(size <= shape, first.clip(0, np.maximum(shape - size, 0)), (shape - size) // 2)
    start, stop = np.maximum(first, 0), np.minimum(first + size, shape)
    padding = np.stack([start - first, first + size - stop], axis=1)

    image = region.image[box(start, stop)]
    content = box(padding[:, 0], size - padding[:, 1])
    seeds: NDArray[np.bool_] = np.zeros(image.shape[1:], dtype=bool)
    seeds[tuple((voxels - start).T)] = True
    array = np.full((plan.channels, *size), plan.padding, np.float32)
    images, maps = array[: len(image)], array[len(image) :]
    images[content] = image
    maps[:] = 0
    maps[0][content] = encode_prompts(image, seeds, grid.spacing, plan.encoding)
    if plan.encoding.extent:
        maps[1] = encode_extent(voxels - first, tuple(size))
    label = None
    if region.label is not None:
        label = np.zeros(tuple(size), np.uint8)
        label[content] = region.label[box(start, stop)]
    return Sample(
        case=region.case, prompt=region.prompt.with_points(points),
        array=array, label=label, grid=resampled_geometry(grid, first, first + size, tuple(size)),
        source=region.source, region_start=region.start, region_stop=region.stop,
        region_shape=grid.shape, start=start, stop=stop, padding=padding,
    )  # fmt: skip


def _crop_object(region: Region, points: NDArray[np.float64], plan: Plan) -> Sample:
    """Take the sample on the grid of the object that the points mark, in one interpolation."""
    scan, shape = region.source.ras, plan.sample_shape
    prompt = region.prompt.with_points(points)
    placed = sample_box(prompt, plan, scan)
    origin = origin_in(region.grid, scan)
    check_memory(
        4 * plan.channels * math.prod(shape),
        f"{region.case}: a sample of {'x'.join(map(str, shape))} voxels, which the plan asks for,",
    )
    image = standardise(sample_at(region.image, region.grid, placed, shape, origin))
    positions = scan.world_to_voxel(points) * scan.spacing
    maps = point_maps(image, positions, placed, plan.encoding)
    clicks = np.zeros((CORRECTION_CHANNELS * plan.corrections, *shape), np.float32)
    label = None
    if region.label is not None:
        label = mask_at(region.label, region.grid, placed, shape, origin)
    start, stop = placed.scan_voxels(scan.spacing, scan.shape)
    return Sample(
        case=region.case, prompt=prompt,
        array=np.concatenate([image, np.stack(maps), clicks]), label=label,
        grid=resampled_geometry(scan, placed.low / scan.spacing + 0.5,
                                placed.high / scan.spacing + 0.5, shape),
        source=region.source, region_start=start, region_stop=stop, region_shape=shape,
        start=np.zeros(3, np.intp), stop=np.array(shape, np.intp),
        padding=np.zeros((3, 2), np.intp), own_grid=True,
    )  # fmt: skip


def padding_values(plan: Plan) -> NDArray[np.float32]:
    """Return what stands beyond a sample in each channel (C,): the plan's padding, 0 in maps."""
    values = np.zeros(plan.channels, np.float32)
    values[: len(plan.modalities)] = plan.padding
    return values


def restore(probability: Array, sample: Sample) -> NDArray[np.float32]:
    """Put a sample's probability (..., X, Y, Z) back on the case's grid; 0 outside the cut.

    Returns (..., X, Y, Z) float32 along the RAS+ axes of the scan, by linear interpolation
    inside the cut, whatever the padding holds. Where the planned spacing is the scan's own, every
    voxel keeps its value. ``imaging.io.write_volume(path, array, sample.source)`` writes it.
    """
    values, start = restored_part(probability, sample)
    whole = np.zeros((*values.shape[:-3], *sample.source.ras.shape), np.float32)
    whole[box(start, start + values.shape[-3:])] = values
    return whole


def restored_part(
    probability: Array, sample: Sample, *, nearest: bool = False, dtype: DTypeLike = np.float32
) -> tuple[NDArray[Any], Indices]:
    """Like :func:`restore`, but only the box of the cut, and the voxel (3,) where it starts.

    nearest: each voxel takes the nearest value instead; with a threshold afterwards this is
    resampling the label back, not the probability.  dtype: of the values, rounded at the end.
    """
    if probability.shape[-3:] != sample.grid.shape:
        raise ValueError(
            f"probability must have shape (..., {', '.join(map(str, sample.grid.shape))}),"
            f" got {probability.shape}"
        )
    if sample.own_grid:
        return _between(probability, sample, nearest, dtype), sample.region_start
    values, start = restore_box(
        probability[sample.content],
        sample.start,
        sample.region_shape,
        tuple(sample.region_stop - sample.region_start),
        nearest=nearest,
        dtype=dtype,
    )
    start = np.asarray(start) + sample.region_start
    if sample.as_stored:
        values, (x, y, z) = sample.source.box_to_ras(values, start)
        start = np.array([x, y, z], dtype=np.intp)
    return values, start


def _between(probability: Array, sample: Sample, nearest: bool, dtype: DTypeLike) -> NDArray[Any]:
    """Interpolate a probability on an object's own grid at the scan's voxels inside its box."""
    scan = sample.source.ras
    ends = np.stack([sample.region_start, sample.region_stop - 1])
    # both grids have the same axes: what is true of two corners is true of all
    first, last = sample.grid.world_to_voxel(scan.voxel_to_world(ends))
    counts = (sample.region_stop - sample.region_start).tolist()
    positions = [np.linspace(a, b, n) for a, b, n in zip(first, last, counts, strict=True)]
    return interpolate_at(probability, positions, nearest=nearest, dtype=dtype)
