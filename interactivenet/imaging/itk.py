"""DICOM series, and what all readers and writers through SimpleITK share.

ITK's world is LPS mm: the first two rows of an affine change their sign on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from interactivenet.errors import DataError, one_line
from interactivenet.imaging.geometry import Array, Geometry

#: zlib's level for .mha and .nrrd: a quarter less time than level 6 for 2 % more bytes
COMPRESSION_LEVEL = 2
_LPS = np.array([-1.0, -1.0, 1.0])
#: how far a slice may lie from its place in an even stack, as a fraction of the slice distance
_UNEVEN = 0.1

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
        columns = geometry.affine[:3, :3] * _LPS[:, None]
        native = ItkGeometry(
            tuple(spacing.tolist()),
            tuple((geometry.affine[:3, 3] * _LPS).tolist()),
            tuple((columns / spacing).ravel().tolist()),
        )
    image.SetSpacing(native.spacing)
    image.SetOrigin(native.origin)
    image.SetDirection(native.direction)
    return image


def read_dicom(folder: Path) -> tuple[Array, Geometry, tuple[str, ...]]:
    """Read the one DICOM series of a folder: array (X, Y, Z) as stored, grid, notes.

    The grid follows from the slices' own positions (PS3.3 C.7.6.2.1.1), not from their
    thickness, and not from ITK's direction, which hides a tilted gantry. Raises DataError for
    no or several series, uneven, missing or repeated slices, and multi-frame files.
    """
    series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if not series:
        raise DataError("holds no DICOM series")
    if len(series) > 1:
        raise DataError(
            f"holds {len(series)} DICOM series ({', '.join(series)}), expected one per folder"
        )
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series[0])
    slices = [_Slice.read(name) for name in names]
    affine = _stack_affine(slices)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(names)
    if len({part.values for part in slices}) > 1:
        # slices scaled differently: ITK would take the first slice's type for all
        reader.SetOutputPixelType(sitk.sitkFloat64)
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise DataError(f"is not a readable DICOM series: {_last_sentence(error)}") from error
    array = _array(image)
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    elif array.dtype == np.int32 and array.min() >= -32768 and array.max() <= 32767:
        array = array.astype(np.int16)
    return array, Geometry(image.GetSize(), affine), ()


@dataclass(frozen=True)
class _Slice:
    position: NDArray[np.float64]
    orientation: NDArray[np.float64]  # (6,): along a row, along a column
    spacing: NDArray[np.float64]  # between rows, between columns
    values: tuple[str, ...]  # all that decides how ITK turns stored into real values

    @staticmethod
    def read(name: str) -> _Slice:
        reader = sitk.ImageFileReader()
        reader.SetFileName(name)
        try:
            reader.ReadImageInformation()
        except RuntimeError as error:
            raise DataError(
                f"{Path(name).name} is not readable: {_last_sentence(error)}"
            ) from error

        def text(key: str) -> str:
            return str(reader.GetMetaData(key)).strip() if reader.HasMetaDataKey(key) else ""

        if text("0028|0008") not in ("", "1"):
            raise DataError(
                f"{Path(name).name} is a multi-frame DICOM file, expected one file per slice"
                " (convert it to NIfTI first)"
            )

        def numbers(key: str, count: int, attribute: str) -> NDArray[np.float64]:
            try:
                values = np.array([float(part) for part in text(key).split("\\")])
            except ValueError:
                values = np.empty(0)
            if len(values) != count:
                raise DataError(f"{Path(name).name} has no {attribute}: its position is unknown")
            return values

        return _Slice(
            numbers("0020|0032", 3, "ImagePositionPatient"),
            numbers("0020|0037", 6, "ImageOrientationPatient"),
            numbers("0028|0030", 2, "PixelSpacing"),
            tuple(text(key) for key in ("0028|1052", "0028|1053", "0028|0101", "0028|0103")),
        )


def _stack_affine(slices: list[_Slice]) -> NDArray[np.float64]:
    first, last = slices[0], slices[-1]
    if len(slices) < 2:
        raise DataError("holds a single DICOM slice, expected a 3D series")
    for part in slices:
        if not np.allclose(part.orientation, first.orientation, atol=1e-4):
            raise DataError(
                "has DICOM slices that differ in orientation (is one of them a localiser?)"
            )
        if not np.allclose(part.spacing, first.spacing, rtol=1e-4):
            raise DataError("has DICOM slices that differ in pixel spacing")
    positions = np.stack([part.position for part in slices])
    step = (last.position - first.position) / (len(slices) - 1)
    distance = float(np.linalg.norm(step))
    even = first.position + np.arange(len(slices))[:, None] * step
    gap = float(np.linalg.norm(positions - even, axis=1).max())
    if distance == 0 or gap > _UNEVEN * distance:
        steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
        raise DataError(
            f"has {len(slices)} DICOM slices that are not evenly spaced ({steps.min():.4g} to"
            f" {steps.max():.4g} mm apart): a slice is missing, repeated or from another scan"
        )
    row, column = first.orientation[:3], first.orientation[3:]
    columns = np.stack([row * first.spacing[1], column * first.spacing[0], step], axis=1)
    return _affine(columns, first.position)


def _affine(columns: NDArray[np.float64], origin: NDArray[np.float64]) -> NDArray[np.float64]:
    """Build the RAS+ affine (4, 4) of LPS columns (3, 3) and origin (3,)."""
    affine = np.eye(4)
    affine[:3, :3] = columns * _LPS[:, None]
    affine[:3, 3] = origin * _LPS
    return affine + 0.0  # no negative zeros


def _array(image: sitk.Image) -> Array:
    components = image.GetNumberOfComponentsPerPixel()
    if components != 1:
        raise DataError(f"has {components} values per voxel, expected 1 (a colour image?)")
    return np.asarray(sitk.GetArrayFromImage(image).transpose(2, 1, 0))


def _check_complete(path: Path, temporary: Path, image: sitk.Image) -> None:
    """Read the file back, as ITK does not report every failed write."""
    try:
        back = sitk.ReadImage(str(temporary))
    except RuntimeError as error:
        raise DataError(f"{path}: could not be written completely (is the disk full?)") from error
    if back.GetSize() != image.GetSize():
        raise DataError(f"{path}: could not be written completely (is the disk full?)")


def _last_sentence(error: RuntimeError) -> str:
    """Take the last sentence of ITK's long report."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return one_line(lines[-1].split("): ")[-1]) if lines else "unknown reason"
