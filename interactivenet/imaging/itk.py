"""MetaImage and NRRD files, through SimpleITK.

ITK's world is LPS mm: the first two rows of an affine change their sign on the way.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path

import nrrd
import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from interactivenet.errors import DataError, one_line
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.itk_sizes import itemsize_of
from interactivenet.imaging.size_limits import check_size
from interactivenet.system.files import replacing, write_bytes
from interactivenet.system.native_output import silent_libraries

#: zlib's level for .mha and .nrrd: a quarter less time than level 6 for 2 % more bytes
COMPRESSION_LEVEL = 2
_LPS = np.array([-1.0, -1.0, 1.0])

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


def read_itk(path: Path) -> tuple[Array, Geometry, tuple[str, ...]]:
    """Read a ``.mha``, ``.mhd`` or ``.nrrd`` volume as stored: array (X, Y, Z), grid, notes."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    # chosen here, as ITK recognises suffixes in lower case only
    reader.SetImageIO("NrrdImageIO" if path.suffix.lower() == ".nrrd" else "MetaImageIO")
    try:
        reader.ReadImageInformation()
        dimension, components = reader.GetDimension(), reader.GetNumberOfComponents()
        size = reader.GetSize()
        if dimension != 3 and not (dimension == 4 and size[3] == 1):
            hint = " (one file per modality)" if dimension > 3 else ""
            raise DataError(f"has {dimension} axes {'x'.join(map(str, size))}, expected 3{hint}")
        if components != 1:
            raise DataError(f"has {components} values per voxel, expected 1")
        check_size(size, itemsize_of(reader), components)
        if dimension == 4:
            reader.SetExtractSize((*size[:3], 0))
        image = reader.Execute()
    except RuntimeError as error:
        raise DataError(f"is not a readable image: {_last_sentence(error)}") from error
    if path.suffix.lower() == ".nrrd":
        geometry, notes = _nrrd_geometry(path, image)
    else:
        native = ItkGeometry(image.GetSpacing(), image.GetOrigin(), image.GetDirection())
        geometry, notes = Geometry(image.GetSize(), native.affine(), native=native), ()
    return _array(image), geometry, notes


def write_itk(path: Path, array: Array, geometry: Geometry) -> None:
    """Write an array (X, Y, Z) of the stored grid ``geometry`` as compressed .mha or .nrrd."""
    if path.suffix.lower() == ".nrrd":
        _write_nrrd(path, array, geometry)
        return
    image = make_itk_image(array, geometry)
    with replacing(path) as temporary:
        try:
            with silent_libraries():
                sitk.WriteImage(image, str(temporary), True, COMPRESSION_LEVEL)
        except RuntimeError as error:
            raise DataError(f"{path}: cannot be written: {_last_sentence(error)}") from error
        _check_complete(path, temporary, image)


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


def _nrrd_geometry(path: Path, image: sitk.Image) -> tuple[Geometry, tuple[str, ...]]:
    try:
        header = nrrd.read_header(str(path))
    except (nrrd.NRRDError, ValueError, OSError) as error:
        raise DataError(f"is not a readable NRRD file: {one_line(error)}") from error
    sizes = image.GetSize()
    space = str(header.get("space", "")).lower()
    directions, origin = header.get("space directions"), header.get("space origin")
    if directions is None or not space:
        native = ItkGeometry(image.GetSpacing(), image.GetOrigin(), image.GetDirection())
        note = "its header names no space: left and right are a guess (LPS is assumed)"
        return Geometry(sizes, native.affine()), (note,)
    signs = {
        "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1),
        "right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1),
        "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
    }.get(space)  # fmt: skip
    if signs is None:
        raise DataError(f"has space '{space}', expected a patient space such as LPS")
    rows = np.asarray(directions, dtype=np.float64)
    rows = rows[~np.isnan(rows).all(axis=1)]
    if rows.shape != (3, 3):
        raise DataError(f"has space directions of shape {rows.shape}, expected three vectors")
    start = np.zeros(3) if origin is None else np.asarray(origin, dtype=np.float64)
    return Geometry(sizes, _affine(rows.T * np.array(signs)[:, None], start * signs)), ()


def _write_nrrd(path: Path, array: Array, geometry: Geometry) -> None:
    columns = geometry.affine[:3, :3] * _LPS[:, None] + 0.0  # + 0.0: no negative zeros
    header = {
        "space": "left-posterior-superior",
        "kinds": ["domain"] * 3,
        "space directions": columns.T,
        "space origin": geometry.affine[:3, 3] * _LPS + 0.0,
        "encoding": "gzip",
    }
    out = io.BytesIO()
    nrrd.write(out, array, header, index_order="F", compression_level=COMPRESSION_LEVEL)
    # pynrrd dates its files: the same input must give the same bytes
    write_bytes(path, re.sub(rb"# on [^\n]*\n", b"", out.getvalue(), count=1))


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
