"""Encodings: maps in [0, 1] that are 1 at the points of a prompt."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interactivenet.encoding.geodesic import Spacing, check_spacing, geodesic_distance
from interactivenet.errors import DataError
from interactivenet.planning.plan import Encoding

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@overload
def encode_prompts(image: Floats, seeds: Mask, spacing: Spacing, encoding: Encoding) -> Floats: ...


@overload
def encode_prompts(
    image: Tensor, seeds: Tensor | Mask, spacing: Spacing, encoding: Encoding
) -> Tensor: ...


def encode_prompts(image: Any, seeds: Any, spacing: Spacing, encoding: Encoding) -> Any:
    """Turn the points of a prompt into a map that is 1 at the points and falls towards 0.

    Args:
        image: (X, Y, Z) or (C, X, Y, Z) float32, normalised; an array or a tensor.
        seeds: (X, Y, Z) bool: the voxels of the points.
        spacing: distance between voxel centres along X, Y and Z, in mm.
        encoding: the kind of map and its settings, as the plan has them.

    Returns:
        (X, Y, Z) float32 with values in [0, 1]: ``exp(-distance)`` for the kind "geodesic",
        ``exp(-d / sigma_mm)`` for "euclidean", ``exp(-d^2 / (2 sigma_mm^2))`` for "gaussian", 0
        everywhere for "none". A tensor on the image's device where the image is one.

    Raises:
        DataError: an image, seeds or a spacing that cannot be used.
        RequestError: the library GeodisTK is asked for and not installed.
    """
    if encoding.kind == "geodesic":
        distance = geodesic_distance(
            image,
            seeds,
            spacing,
            kernel=encoding.kernel,
            lamb=encoding.lamb,
            iterations=encoding.iterations,
            bound=encoding.bound,
            metric=encoding.metric,
            weight=encoding.weight,
            contrast=encoding.contrast,
        )
        if isinstance(distance, np.ndarray):
            return np.exp(-distance)
        return distance.neg_().exp_()
    if tuple(seeds.shape) != tuple(image.shape[-3:]):
        raise DataError(
            f"seeds must have the image's shape {tuple(image.shape[-3:])}, got {tuple(seeds.shape)}"
        )
    torch = sys.modules.get("torch")
    if encoding.kind == "none":
        return image[(0,) * (image.ndim - 3)] * 0
    if torch is not None and isinstance(seeds, torch.Tensor):
        seeds = seeds.cpu().numpy()
    falls_off = _gaussian if encoding.kind == "gaussian" else _exponential
    encoded = falls_off(_distance_mm(np.asarray(seeds), spacing), encoding.sigma_mm)
    if torch is not None and isinstance(image, torch.Tensor):
        return torch.from_numpy(encoded).to(image.device)
    return encoded


def encode_extent(points: ArrayLike, shape: tuple[int, ...]) -> Floats:
    """Draw the ellipsoid through the extent of points (N, 3), voxels, on a grid.

    Returns (X, Y, Z) float32: 1 at the centre of the points' box, 1/2 on the ellipsoid whose
    half axes are those of the box, towards 0 away from it: 2^-r^2, r the distance from the
    centre in half axes.
    """
    points = np.asarray(points, dtype=np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    centre, half = (low + high) / 2, (high - low + 1) / 2  # a voxel has an extent, too
    x, y, z = (
        np.exp2(-(((np.arange(n) - c) / h) ** 2))
        for n, c, h in zip(shape, centre, half, strict=True)
    )
    return np.asarray(x[:, None, None] * y[:, None] * z, dtype=np.float32)


def _distance_mm(seeds: Mask, spacing: Spacing) -> NDArray[np.float64]:
    """Distance of each voxel from the nearest seed, mm."""
    from scipy import ndimage

    check_spacing(spacing)
    if seeds.ndim != 3 or seeds.dtype != bool:
        raise DataError(f"seeds must be (X, Y, Z) bool, got {seeds.shape} {seeds.dtype}")
    if not seeds.any():
        raise DataError(
            "seeds has no voxel that is True: there is nothing to measure the distance from"
        )
    return np.asarray(ndimage.distance_transform_edt(~seeds, sampling=spacing))


def _exponential(distance: NDArray[np.float64], sigma: float) -> Floats:
    return np.exp(-distance / sigma).astype(np.float32)


def _gaussian(distance: NDArray[np.float64], sigma: float) -> Floats:
    return np.exp(-0.5 * (distance / sigma) ** 2).astype(np.float32)
