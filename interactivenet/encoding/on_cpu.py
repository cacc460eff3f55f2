"""Geodesic distance on a CPU: volumes laid out for the compiled kernels of numba, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from interactivenet.encoding.layout import FAR, SEGMENT, Layout, in_best_order, in_given_order
from interactivenet.encoding.library import check_library
from interactivenet.encoding.step_cost import StepCost, step_lengths
from interactivenet.planning.plan import Kernel

Spacing = tuple[float, float, float]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


def geodesic_on_cpu(
    image: Floats,
    seeds: Mask,
    spacing: Spacing,
    kernel: Kernel,
    iterations: int,
    bound: float,
    metric: StepCost,
) -> Floats:
    """Cost of the cheapest path from each voxel to a seed, (X, Y, Z) float32.

    image: (X, Y, Z) or (C, X, Y, Z) float32.  seeds: (X, Y, Z) bool.  spacing: mm. The other
    settings are those of :func:`~interactivenet.encoding.geodesic.geodesic_distance`, checked.
    """
    channels = image.reshape(-1, *image.shape[-3:])
    if kernel == "geodistk":
        distance = _by_library(channels, seeds, spacing, metric.lamb, iterations)
    elif kernel == "scan":
        distance = _by_raster_scan(channels, seeds, spacing, metric, iterations)
    else:
        distance = _by_settling(channels, seeds, spacing, metric, bound)
    if distance.max() >= bound:
        distance[distance >= bound] = np.inf
    return distance


def _by_settling(
    image: Floats, seeds: Mask, spacing: Spacing, metric: StepCost, bound: float
) -> Floats:
    from interactivenet.encoding.kernels import SCRATCH, settle

    layout = in_best_order(seeds.shape, spacing)
    steps, general = _coefficients(image, spacing, metric, layout)
    distance = layout.start(seeds)
    key, row_key, plane_key, sources = _first_visits(seeds, layout)
    settle(
        layout.pad(image),
        distance.reshape(-1),
        layout.padded,
        layout.shape[2],
        np.ascontiguousarray(steps.reshape(9, 3, 3)),
        general,
        key,
        sources,
        row_key,
        plane_key,
        np.full((SCRATCH, 2 * SEGMENT), FAR),
        np.float32(bound),
        np.float32(_typical_step(image, spacing, metric, layout.order[2]) * 3),
    )
    return layout.crop(distance)


def _by_raster_scan(
    image: Floats, seeds: Mask, spacing: Spacing, metric: StepCost, iterations: int
) -> Floats:
    from interactivenet.encoding.kernels import ABREAST, SCRATCH, raster_scan

    layout = in_given_order(seeds.shape)
    steps, general = _coefficients(image, spacing, metric, layout)
    # GeodisTK's forward mask: planes and rows beside, and the steps along x that it looks at
    forward = (
        (-1, -1, (0, 1, 2)), (-1, 0, (0, 1)), (0, -1, (0, 1, 2)), (1, -1, (0, 1, 2)), (1, 0, (0,)),
    )  # fmt: skip
    masked = np.empty((2, 6, 3, 3), dtype=np.float32)
    beside = np.empty((2, 5, 2), dtype=np.int64)
    for way, sign in enumerate((1, -1)):
        for n, (plane, row, sides) in enumerate(forward):
            masked[way, n] = steps[1 + plane, 1 + row]
            outside = [1 + sign * (side - 1) for side in range(3) if side not in sides]
            masked[way, n, outside, 1] = FAR
            beside[way, n] = sign * plane, sign * row
        masked[way, 5] = steps[1, 1]
    distance = layout.start(seeds)
    scratch = np.full((ABREAST, SCRATCH, layout.padded[2]), FAR)
    raster_scan(
        layout.pad(image),
        distance.reshape(-1),
        layout.padded,
        layout.shape[2],
        masked,
        beside,
        general,
        scratch,
        iterations,
    )
    return layout.crop(distance)


def _by_library(
    image: Floats, seeds: Mask, spacing: Spacing, lamb: float, iterations: int
) -> Floats:
    check_library("geodistk")
    import GeodisTK

    last = image[0] if len(image) == 1 else np.moveaxis(image, 0, -1)
    distance = GeodisTK.geodesic3d_raster_scan(
        np.ascontiguousarray(last),
        np.ascontiguousarray(seeds, dtype=np.uint8),
        np.asarray(spacing, dtype=np.float32),
        lamb,
        iterations,
    )
    return np.asarray(distance, dtype=np.float32)


def _coefficients(
    image: Floats, spacing: Spacing, metric: StepCost, layout: Layout
) -> tuple[Floats, Floats | None]:
    """The kernels' coefficients (3, 3, 3, 3) of the steps along z, y, x, and of the cost."""
    lengths = step_lengths(spacing).transpose(layout.order)
    linear = metric.linear(lengths) if len(image) == 1 else None
    if linear is not None:
        return linear, None
    return metric.of_length(lengths), metric.coefficients


def _first_visits(seeds: Mask, layout: Layout) -> tuple[Floats, Floats, Floats, NDArray[np.int64]]:
    """Keys of segments, rows and planes, and the bits of their sources: what is beside a seed."""
    planes, rows, _ = layout.padded
    key = np.full((planes, rows, layout.segments + 2), FAR)
    voxels = np.unravel_index(np.flatnonzero(seeds), seeds.shape)
    z, y, x = (voxels[axis] for axis in layout.order)
    touched = np.unique(np.stack([z + 1, y + 1, x // SEGMENT + 1]), axis=1)
    for step in np.indices((3, 3, 3)).reshape(3, -1).T - 1:
        key[tuple(touched + step[:, None])] = 0
    sources = np.where(key == 0, 0b111111111, 0)
    row_key = key.min(axis=2)
    return key.reshape(-1), row_key.reshape(-1), row_key.min(axis=1), sources.reshape(-1)


def _typical_step(image: Floats, spacing: Spacing, metric: StepCost, axis: int) -> float:
    """Mean cost of a step along an axis, over some of the image."""
    lines = np.moveaxis(image, 1 + axis, -1)
    every = max(1, round((image[0].size / 50_000) ** 0.5))
    lines = lines[:, :: min(every, lines.shape[1]), :: min(every, lines.shape[2])]
    difference = np.linalg.norm(np.diff(lines.astype(np.float64), axis=-1), axis=0)
    mean = float(metric.cost(difference, spacing[axis]).mean()) if difference.size else 0.0
    return min(max(mean, 1e-6), 1e20)
