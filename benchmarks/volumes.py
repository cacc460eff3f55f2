"""The volumes on which geodesic distances are timed: a lesion, texture, noise, and six points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SPACING = (1.0, 1.0, 3.0)  # mm
SEED = 0

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


def make_volume(shape: tuple[int, int, int]) -> tuple[Floats, Mask]:
    """Return an image (X, Y, Z), mean 0 and deviation 1, and the voxels of six points."""
    rng = np.random.default_rng(SEED)

    def texture(sigma_mm: float) -> NDArray[np.float64]:
        noise = ndimage.gaussian_filter(rng.standard_normal(shape), [sigma_mm / s for s in SPACING])
        return np.asarray(noise / noise.std())

    centre = np.multiply(shape, SPACING) / 2
    radii = 0.22 * (2 * centre).min() * np.array((1.3, 1.0, 0.9))
    at = np.moveaxis(np.indices(shape), 0, -1) * np.array(SPACING) - centre
    depth = radii.min() * (1 - np.linalg.norm(at / radii, axis=-1))  # mm inside the surface
    image = 2 / (1 + np.exp(-depth)) + 0.8 * texture(6) + 0.3 * texture(2) + 0.25 * texture(0.6)
    seeds = np.zeros(shape, dtype=bool)
    for axis in range(3):
        for side in (-1, 1):
            point = centre.copy()
            point[axis] += side * 0.95 * radii[axis]
            seeds[tuple(np.rint(point / SPACING).astype(int))] = True
    return ((image - image.mean()) / image.std()).astype(np.float32), seeds
