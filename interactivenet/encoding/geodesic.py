"""Geodesic distance from seed voxels, over an image."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any, get_args, overload

import numpy as np
from numpy.typing import NDArray

from interactivenet.encoding.layout import FAR
from interactivenet.encoding.on_cpu import geodesic_on_cpu
from interactivenet.encoding.pace import Pace
from interactivenet.encoding.step_cost import StepCost
from interactivenet.errors import DataError
from interactivenet.planning.plan import Kernel, MetricName

if TYPE_CHECKING:
    from torch import Tensor

#: greater ones would overflow where they are squared
MAX_INTENSITY = 1e15
#: up to so many voxels a graphics card is not asked: starting its kernels takes longer
FEW_VOXELS = 12**3
#: from so many voxels on, the kernels of a graphics card are waited for where they are not ready:
#: one CPU core takes longer than compiling them
MANY_VOXELS = 384**3
#: which of the two was faster so far
PACE = Pace()

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
        image's device where the image is a tensor, else an array. What lies on a GPU is computed
        there, or by the CPU where that is faster; "exact" gives the same bits either way.

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
        image, seeds = np.asarray(image), np.asarray(seeds)
        _check_arrays(image, seeds)
        return geodesic_on_cpu(image, seeds, spacing, kernel, iterations, limit, settings)
    _check_arrays(image, seeds)
    if image.device.type != "cpu":
        seeds = torch.as_tensor(seeds, device=image.device)
        channels = image.reshape(-1, *image.shape[-3:])
        if kernel == "scan":
            from interactivenet.encoding.sweeps import geodesic_sweeps

            return geodesic_sweeps(
                channels, seeds, spacing, settings, iterations=iterations, bound=limit
            )
        if kernel == "exact" and seeds.numel() > FEW_VOXELS:
            return _on_the_faster(channels, seeds, spacing, limit, settings)
    if isinstance(seeds, torch.Tensor):
        seeds = seeds.cpu().numpy()
    array = image.detach().cpu().numpy()
    distance = geodesic_on_cpu(array, seeds, spacing, kernel, iterations, limit, settings)
    return torch.from_numpy(distance).to(image.device)


def _on_the_faster(
    image: Tensor, seeds: Tensor, spacing: Spacing, bound: float, metric: StepCost
) -> Tensor:
    """The kernel "exact" of what lies on a graphics card (C, X, Y, Z), there or on the CPU."""
    import torch

    from interactivenet.encoding.card import launcher_for
    from interactivenet.encoding.on_card import geodesic_on_card

    voxels = seeds.numel()
    launcher = launcher_for(image.device, wait=voxels >= MANY_VOXELS)
    # a bound may leave the CPU a ball of voxels in a large volume
    kind = (image.device, metric, len(image), bound)
    way = PACE.choose(kind, voxels) if launcher is not None else "cpu"
    with PACE.timed(way, kind, voxels):
        if launcher is not None and way == "card":
            return geodesic_on_card(image, seeds, spacing, metric, bound, launcher)[0]
        arrays = image.detach().cpu().numpy(), seeds.cpu().numpy()
        distance = geodesic_on_cpu(*arrays, spacing, "exact", 1, bound, metric)
        return torch.from_numpy(distance).to(image.device)


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
