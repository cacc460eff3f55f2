"""Bringing a volume onto the grid of another, by SimpleITK.

For modalities of one patient that lie on grids of their own: the two grids are taken to lie in one
frame of reference, nothing is registered. (resampling.py, in turn, changes the spacing of one.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.itk import make_itk_image
from interactivenet.imaging.size_limits import check_size
from interactivenet.imaging.volume import Volume


@dataclass(frozen=True, eq=False)
class Resampled:
    """An image on another grid.

    Attributes:
        array: Voxels (X, Y, Z) in the stored order of the new grid, float32.
        beyond: Which of these lie outside of the image.
        fill: What they are: the smallest value of the image.
    """

    array: NDArray[np.float32]
    beyond: NDArray[np.bool_]
    fill: float

    @property
    def outside(self) -> float:
        """Share of the new grid that lies outside of the image, 0 to 1."""
        return float(np.count_nonzero(self.beyond) / self.beyond.size)


def resample_linearly(array: Array, source: Geometry, target: Geometry) -> Resampled:
    """Resample an image (X, Y, Z) in the stored order of ``source`` onto the grid ``target``.

    Trilinear between voxel centres, and constant in the outer half of the outermost voxels. What
    lies beyond those has the smallest value of the image. Raises DataError where the two do not
    overlap.
    """
    fill = float(array.min())
    check_size(target.shape, 4)
    moving = make_itk_image(np.asarray(array, dtype=np.float32), source)
    # no value of an image is NaN, so that it marks what was not measured
    new = _resampled(moving, target, sitk.sitkLinear, float("nan"))
    beyond = np.isnan(new)
    if beyond.all():
        raise DataError(f"lies nowhere within the grid that it is resampled onto: {target}")
    new[beyond] = np.float32(fill)
    return Resampled(new, beyond, fill)


def resample_nearest(label: Array, source: Geometry, target: Geometry) -> Array:
    """Bring a label map (X, Y, Z) in the stored order of ``source`` onto the grid ``target``.

    Each voxel has the label of the nearest one, 0 beyond the outermost. Returns the type of
    ``label``.
    """
    check_size(target.shape, label.dtype.itemsize)
    moving = make_itk_image(label, source)
    return _resampled(moving, target, sitk.sitkNearestNeighbor, 0.0).astype(label.dtype)


def onto_grid(volume: Volume, target: Geometry) -> Volume:
    """Return an image of one channel on the grid ``target``; one that lies on it stays as it is.

    A note says that it was resampled, and how much of the grid it does not cover.
    Raises DataError where it covers nothing of it.
    """
    return resampled_onto(volume, target)[0]


def resampled_onto(volume: Volume, target: Geometry) -> tuple[Volume, Resampled | None]:
    """Do as :func:`onto_grid`, and return what was resampled, too; None for nothing."""
    if volume.source.is_same_lattice(target):
        return volume, None
    for grid in (volume.source, target):
        if grid.doubt:
            raise DataError(
                f"cannot be resampled, as it is not certain where it lies: {grid.doubt.reason}"
            )
    resampled = resample_linearly(volume.stored[0], volume.source, target)
    notes = (*volume.notes, describe_resampling(resampled, volume.source, target))
    return Volume.from_stored(resampled.array, target, notes=notes, tags=volume.tags), resampled


def describe_resampling(resampled: Resampled, source: Geometry, target: Geometry) -> str:
    """Say from which grid an image was resampled onto which, and how much it does not cover."""
    text = f"resampled linearly from {_grid(source)} to {_grid(target)}"
    if resampled.outside:
        share = percent(resampled.outside)
        text += f"; {share} of that grid lies outside of it and is {resampled.fill:g}, its lowest"
        text += " value"
    return text


def percent(share: float) -> str:
    """Write a share above 0 in percent, never as 0 or 100 % where it is not."""
    if share >= 1:
        return "100 %"
    return f"{min(max(100 * share, 0.1), 99.9):.1f} %"


def _grid(grid: Geometry) -> str:
    voxels = "x".join(map(str, grid.shape))
    return f"{voxels} voxels of {'x'.join(f'{mm:.4g}' for mm in grid.spacing)} mm"


def _resampled(moving: sitk.Image, target: Geometry, interpolator: int, beyond: float) -> Array:
    reference = make_itk_image(np.zeros((1, 1, 1), np.uint8), Geometry((1, 1, 1), target.affine))
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize([int(n) for n in target.shape])
    resampler.SetOutputOrigin(reference.GetOrigin())
    resampler.SetOutputSpacing(reference.GetSpacing())
    resampler.SetOutputDirection(reference.GetDirection())
    resampler.SetInterpolator(interpolator)
    resampler.SetDefaultPixelValue(beyond)
    new = sitk.GetArrayFromImage(resampler.Execute(moving))
    return np.ascontiguousarray(new.transpose(2, 1, 0))
