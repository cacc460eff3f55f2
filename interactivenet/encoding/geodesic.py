"""Geodesic distance from seed voxels, over an image."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any, get_args, overload

import numpy as np
from numpy.typing import NDArray

from interactivenet.encoding.layout import FAR, SEGMENT, Layout, in_best_order, in_given_order
from interactivenet.encoding.library import check_library
from interactivenet.encoding.step_cost import StepCost, step_lengths
from interactivenet.errors import DataError
from interactivenet.planning.plan import Kernel, MetricName

if TYPE_CHECKING:
    from torch import Tensor

#: greater ones would overflow where they are squared
MAX_INTENSITY = 1e15
#: on a GPU, up to so many voxels are rather computed by the CPU: sweeping them takes thousands of
#: small kernels, one after the other
FEW_VOXELS = 64**3

Spacing = tuple[float, float, float]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@overload
def geodesic_distance(
    image: Floats,
    seeds: Mask,
    spacing: Spacing,
    *,
    kernel: Kernel = ...,
    lamb: float = ...,
    iterations: int = ...,
    bound: float | None = ...,
    metric: MetricName = ...,
    weight: float = ...,
    contrast: float = ...,
) -> Floats: ...


@overload
def geodesic_distance(
    image: Tensor,
    seeds: Tensor | Mask,
    spacing: Spacing,
    *,
    kernel: Kernel = ...,
    lamb: float = ...,
    iterations: int = ...,
    bound: float | None = ...,
    metric: MetricName = ...,
    weight: float = ...,
    contrast: float = ...,
) -> Tensor: ...


def geodesic_distance(
    image: Any,
    seeds: Any,
    spacing: Spacing,
    *,
    kernel: Kernel = "exact",
    lamb: float = 1.0,
    iterations: int = 4,
    bound: float | None = None,
    metric: MetricName = "geodistk",
    weight: float = 0.95,
    contrast: float = 1.0,
) -> Any:
    """Measure the cost of the cheapest path from each voxel to a seed.

    A path goes from voxel to voxel over their 26 neighbours; each of its steps costs what its
    length and the difference of the intensities along it say (Wang et al., DeepIGeoS, IEEE TPAMI
    2019; Criminisi et al., GeoS, ECCV 2008).

    Args:
        image: (X, Y, Z) or (C, X, Y, Z) float32, an array or a tensor, normalised.
        seeds: (X, Y, Z) bool, an array or a tensor: where the distance is 0.
        spacing: distance between voxel centres along X, Y and Z, in mm.
        kernel: "exact" for the cheapest of all paths; "scan" for the cheapest of those that
            GeodisTK's raster scan finds in ``iterations`` iterations, to reproduce its numbers (a
            GPU sweeps as often in an order of its own, which finds other paths); "geodistk" for
            that library itself, which has the metric "geodistk" only.
        lamb: weight of the intensities in the metric "geodistk", from 0 to 1.
        iterations: of the raster scan, 1 or more.
        bound: distances that are not below it are returned as inf; a low bound saves time.
        metric: cost of a step, "geodistk" or "gradient": :class:`.metric.StepCost`.
        weight: of the intensities in the metric "gradient", from 0 to 1.
        contrast: factor on the intensities in the metric "gradient", from 0 to 1000.

    Returns:
        (X, Y, Z) float32, in mm times intensity where ``lamb`` is 1 ("geodistk"). A tensor on the
        image's device where the image is a tensor, computed there if that is a GPU; else an array.

    Raises:
        DataError: an image or seeds that cannot be used.
        ValueError: a setting out of its range.
        RequestError: the library GeodisTK is asked for and not installed.
    """
    settings = StepCost(metric, lamb, weight, contrast)
    limit = _check_settings(spacing, kernel, iterations, bound)
    if kernel == "geodistk" and metric != "geodistk":
        raise ValueError(
            f'kernel "geodistk" does not have the metric {metric!r}: use "exact" or "scan"'
        )
    torch = sys.modules.get("torch")  # whoever has a tensor has imported it
    if torch is None or not isinstance(image, torch.Tensor):
        if torch is not None and isinstance(seeds, torch.Tensor):
            seeds = seeds.cpu().numpy()
        return _on_cpu(np.asarray(image), seeds, spacing, kernel, iterations, limit, settings)
    _check_arrays(image, seeds)
    few = kernel == "exact" and image[(0,) * (image.ndim - 3)].numel() <= FEW_VOXELS
    if image.device.type == "cpu" or kernel == "geodistk" or few:
        if isinstance(seeds, torch.Tensor):
            seeds = seeds.cpu().numpy()
        array = image.detach().cpu().numpy()
        distance = _on_cpu(array, seeds, spacing, kernel, iterations, limit, settings)
        return torch.from_numpy(distance).to(image.device)
    from interactivenet.encoding.sweeps import geodesic_sweeps

    return geodesic_sweeps(
        image.reshape(-1, *image.shape[-3:]),
        torch.as_tensor(seeds, device=image.device),
        spacing,
        settings,
        iterations=iterations if kernel == "scan" else None,
        bound=limit,
    )


def check_spacing(spacing: Spacing) -> None:
    """Raise DataError unless these are three positive numbers, mm."""
    if len(spacing) != 3 or not all(0 < step < math.inf for step in spacing):
        raise DataError(f"spacing must be three positive numbers, got {tuple(spacing)} mm")


def _check_settings(spacing: Spacing, kernel: str, iterations: int, bound: float | None) -> float:
    check_spacing(spacing)
    if kernel not in get_args(Kernel):
        raise ValueError(f"kernel must be one of {get_args(Kernel)}, got {kernel!r}")
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1, got {iterations}")
    if bound is not None and not bound > 0:
        raise ValueError(f"bound must be positive, got {bound}")
    return min(float(FAR), math.inf if bound is None else bound)


def _check_arrays(image: Any, seeds: Any) -> None:
    """Raise DataError where no distance is defined; both may be arrays or tensors."""
    if image.ndim not in (3, 4) or 0 in image.shape:
        raise DataError(
            f"image must have shape (X, Y, Z) or (C, X, Y, Z), got {tuple(image.shape)}"
        )
    if tuple(seeds.shape) != tuple(image.shape[-3:]):
        raise DataError(
            f"seeds must have the image's shape {tuple(image.shape[-3:])}, got {tuple(seeds.shape)}"
        )
    for name, array, expected in (("image", image, "float32"), ("seeds", seeds, "bool")):
        if str(array.dtype).removeprefix("torch.") != expected:
            raise DataError(f"{name} must be {expected}, got {array.dtype}")
    if not seeds.any():
        raise DataError(
            "seeds has no voxel that is True: there is nothing to measure the distance from"
        )
    least, most = float(image.min()), float(image.max())  # NaN where any voxel is
    if not (math.isfinite(least) and math.isfinite(most)):
        raise DataError("image has voxels that are not finite")
    if max(-least, most) > MAX_INTENSITY:
        raise DataError(
            f"image has voxels from {least:.3g} to {most:.3g}, beyond {MAX_INTENSITY:.0e}:"
            " normalise it first"
        )


def _on_cpu(
    image: Any,
    seeds: Any,
    spacing: Spacing,
    kernel: Kernel,
    iterations: int,
    bound: float,
    metric: StepCost,
) -> Floats:
    seeds = np.asarray(seeds)
    _check_arrays(image, seeds)
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
