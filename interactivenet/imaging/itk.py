"""What all readers and writers through SimpleITK share.

ITK's world is LPS mm: the first two rows of an affine change their sign on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from interactivenet.errors import DataError, one_line
from interactivenet.imaging.geometry import LPS_RAS, Array, Geometry
from interactivenet.system.native_output import silent_libraries

#: zlib's level for .mha and .nrrd: a quarter less time than level 6 for 2 % more bytes
COMPRESSION_LEVEL = 2

sitk.ProcessObject.SetGlobalWarningDisplay(False)  # what matters is checked and reported here


@dataclass(frozen=True)
class ItkGeometry:
    """Spacing, origin and row-major direction as ITK has them (LPS mm)."""

    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]

    def affine(self) -> NDArray[np.float64]:
        """(4, 4), stored voxel -> RAS+ mm."""
        columns = np.reshape(self.direction, (3, 3)) * np.array(self.spacing)
        return _affine(columns, np.array(self.origin))


def make_itk_image(array: Array, geometry: Geometry) -> sitk.Image:
    """Make a SimpleITK image of an array (X, Y, Z) of the stored grid ``geometry``."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(2, 1, 0)))
    native = geometry.native
    if not isinstance(native, ItkGeometry):
        spacing = np.array(geometry.spacing)
        columns = geometry.affine[:3, :3] * LPS_RAS[:, None]
        native = ItkGeometry(
            tuple(spacing.tolist()),
            tuple((geometry.affine[:3, 3] * LPS_RAS).tolist()),
            tuple((columns / spacing).ravel().tolist()),
        )
    image.SetSpacing(native.spacing)
    image.SetOrigin(native.origin)
    image.SetDirection(native.direction)
    return image


def _affine(columns: NDArray[np.float64], origin: NDArray[np.float64]) -> NDArray[np.float64]:
    """Build the RAS+ affine (4, 4) of LPS columns (3, 3) and origin (3,)."""
    affine = np.eye(4)
    affine[:3, :3] = columns * LPS_RAS[:, None]
    affine[:3, 3] = origin * LPS_RAS
    return affine + 0.0  # no negative zeros


def _array(image: sitk.Image) -> Array:
    components = image.GetNumberOfComponentsPerPixel()
    if components != 1:
        raise DataError(f"has {components} values per voxel, expected 1 (a colour image?)")
    return np.asarray(sitk.GetArrayFromImage(image).transpose(2, 1, 0))


def _check_complete(path: Path, temporary: Path, image: sitk.Image) -> None:
    """Read the file back, as ITK does not report every failed write."""
    try:
        with silent_libraries():
            back = sitk.ReadImage(str(temporary))
    except RuntimeError as error:
        raise DataError(f"{path}: could not be written completely (is the disk full?)") from error
    if back.GetSize() != image.GetSize():
        raise DataError(f"{path}: could not be written completely (is the disk full?)")


def _last_sentence(error: RuntimeError) -> str:
    """Take the last sentence of ITK's long report."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return one_line(lines[-1].split("): ")[-1]) if lines else "unknown reason"
