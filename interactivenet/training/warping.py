"""How an object is turned, stretched and bent before points are placed in it.

Positions are in mm in two spaces: the *scan's*, along a region's axes from its first voxel, and the
*patient's* as the draw has made him, turned and stretched, in which points are simulated and the
sample's box lies. A warp brings positions from the second to the first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from interactivenet.training.random_fields import RandomSource

#: side of the lattice on which an elastic field is drawn
_FIELD = 12


@dataclass(frozen=True)
class Warping:
    """How much objects are varied.

    turned: deviation of the angle about each axis, degrees.  stretched: largest logarithm of the
    factor along each axis.  bent: deviations, of the object's extents, of which one is drawn.
    mirrored: whether axes are mirrored, each half of the time, and permuted, half of the time.
    """

    turned: float = 12.0
    stretched: float = 0.2
    bent: tuple[float, ...] = (0.0, 0.02, 0.04, 0.07)
    mirrored: bool = False


#: of objects as they are
STRAIGHT = Warping(turned=0.0, stretched=0.0, bent=(0.0,))


def draw_axes(warping: Warping, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the matrix (3, 3) that brings the scan's mm to the patient's: turned and stretched."""
    matrix = np.eye(3)
    for axis, angle in enumerate(rng.normal(0, math.radians(warping.turned), 3)):
        first, second = (index for index in range(3) if index != axis)
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = math.cos(angle)
        turn[first, second], turn[second, first] = -math.sin(angle), math.sin(angle)
        matrix = matrix @ turn
    if warping.mirrored:
        matrix = matrix * rng.choice([-1.0, 1.0], 3)
        if rng.random() < 0.5:
            matrix = matrix[rng.permutation(3)]
    stretch = np.exp(rng.uniform(-warping.stretched, warping.stretched, 3))
    return np.asarray(matrix * stretch[:, None])


@dataclass(frozen=True, eq=False)
class Warp:
    """From the patient's mm to the scan's: bent about the object, then straightened.

    inverse: (3, 3) patient -> scan.  low, extent: (3,) mm, the object's box in the patient.
    field: (3, F, F, F) displacements over twice that box, of its extents; None for none.
    """

    inverse: Tensor
    low: Tensor
    extent: Tensor
    field: Tensor | None

    def __call__(self, positions: Tensor) -> Tensor:
        """Bring positions (..., 3), mm in the patient, to mm in the scan."""
        if self.field is not None:
            at = (positions - self.low) / self.extent  # 0 to 1 in the object's box
            grid = (at - 0.5).flip(-1).reshape(1, -1, 1, 1, 3)  # -1 to 1 in twice that
            moved = grid_sample(
                self.field[None], grid, "bilinear", padding_mode="border", align_corners=True
            )
            shift = moved[0, :, :, 0, 0].T.reshape(positions.shape)
            positions = positions + shift * self.extent
        return positions @ self.inverse.T


def draw_warp(
    voxels: Tensor, spacing: Tensor, warping: Warping, random: RandomSource
) -> tuple[Warp, NDArray[np.float64]]:
    """Draw a warp for the object of some voxels (M, 3), floats, of a region.

    spacing: (3,) of the region, mm. Returns the warp, whose box is the object's with a little
    around it, and the matrix scan -> patient.
    """
    matrix = draw_axes(warping, random.host)
    axes = torch.as_tensor(matrix, dtype=torch.float32, device=voxels.device)
    there = (voxels * spacing) @ axes.T
    low, high = there.amin(0), there.amax(0)
    # voxels have an extent, and what is bent needs room
    edge = (high - low) * 0.08 + (axes.abs() @ spacing) / 2
    deviation = random.choose(warping.bent)
    field = None
    if deviation > 0:
        knots = int(random.host.integers(3, 7))
        field = random.smooth(3, (_FIELD,) * 3, knots) * deviation
    extent = high - low + 2 * edge
    return Warp(torch.linalg.inv(axes), low - edge, extent, field), matrix


def look(array: Tensor, voxels: Tensor, *, nearest: bool = False) -> Tensor:
    """Interpolate an array (C, X, Y, Z) at positions (..., 3) in voxels: (C, ...).

    Beyond the outermost voxels, their values repeat.
    """
    size = torch.tensor(array.shape[1:], dtype=torch.float32, device=array.device)
    grid = ((2 * voxels + 1) / size - 1).flip(-1).reshape(1, -1, 1, 1, 3)
    mode = "nearest" if nearest else "bilinear"
    values = grid_sample(
        array[None].float(), grid, mode, padding_mode="border", align_corners=False
    )
    return values[0, :, :, 0, 0].reshape(len(array), *voxels.shape[:-1])
