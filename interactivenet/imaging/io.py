"""Images and label maps of any supported format, as Volumes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from interactivenet.errors import DataError, naming
from interactivenet.imaging.geometry import Array, Geometry, Volume

READABLE = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd")
#: label maps are 32-bit at most
MAX_LABEL = 2**32 - 1
WRITABLE = (".nii.gz", ".nii", ".mha", ".nrrd")


def suffix_of(path: Path, suffixes: Sequence[str] = READABLE) -> str:
    """Return which of ``suffixes`` the file name ends with; '' for none."""
    name = path.name.lower()
    return next((suffix for suffix in suffixes if name.endswith(suffix)), "")


def read_image(path: Path) -> Volume:
    """Read one image: NIfTI, MetaImage, NRRD, or the folder of a DICOM series.

    Returns a Volume with array (1, X, Y, Z) along RAS+, in the file's number type.
    Raises DataError, naming the file, where it is not a whole, finite, orthogonal 3D volume.
    """
    path = Path(path)
    with naming(path):
        array, geometry, notes = _read_stored(path)
        check_finite(array)
        return Volume.from_stored(array, geometry, notes=notes)


def read_channels(paths: Sequence[Path]) -> Volume:
    """Read the modalities of a case into one Volume (C, X, Y, Z).

    Raises DataError with both geometries where they do not share one grid.
    """
    return join_channels([read_image(path) for path in paths], paths)


def join_channels(volumes: Sequence[Volume], paths: Sequence[Path]) -> Volume:
    """Join the channels of volumes into one Volume, on the grid of the first.

    paths: where the volumes come from, for messages.
    Raises DataError with both geometries where they do not share one grid.
    """
    for path, volume in zip(paths[1:], volumes[1:], strict=True):
        check_same_lattice(path, volume.source, paths[0], volumes[0].source)
    source = volumes[0].source
    array = np.concatenate([volume.array for volume in volumes])
    notes = tuple(note for volume in volumes for note in volume.notes)
    return Volume.from_stored(source.from_ras(array), source, notes=notes)


def read_label(path: Path) -> Volume:
    """Read a label map: whole numbers from 0, returned in the smallest unsigned type.

    Float files with whole values are accepted, and noted. Raises DataError otherwise.
    """
    volume = read_image(path)
    array, notes = volume.array, volume.notes
    with naming(path):
        if array.dtype.kind == "f":
            whole = np.rint(array)
            if not np.array_equal(whole, array):
                odd = array[whole != array].ravel()[0]
                raise DataError(f"holds label values that are not whole, such as {odd:g}")
            notes = (*notes, f"labels are stored as {array.dtype}, read as whole numbers")
            array = whole
        if array.size and array.min() < 0:
            raise DataError(f"holds the negative label value {array.min():g}, expected 0 or more")
        if array.size and array.max() > MAX_LABEL:
            raise DataError(f"holds the label value {array.max():g}, expected at most {MAX_LABEL}")
        stored = volume.source.from_ras(array.astype(label_type(array)))
        return Volume.from_stored(stored, volume.source, notes=notes)


def write_volume(path: Path, array: Array, grid: Geometry) -> None:
    """Write an array (X, Y, Z) along RAS+ on the stored grid ``grid``, compressed.

    The format follows the name: .nii.gz, .nii, .mha or .nrrd. The geometry written is the
    grid's, exactly as it was read. Nothing is left under ``path`` if writing fails.
    """
    path = Path(path)
    suffix = suffix_of(path, WRITABLE)
    stored = np.asfortranarray(grid.from_ras(array))
    if suffix in (".nii", ".nii.gz"):
        from interactivenet.imaging.nifti import write_nifti

        write_nifti(path, stored, grid)
    elif suffix:
        from interactivenet.imaging.itk import write_itk

        write_itk(path, stored, grid)
    else:
        raise DataError(f"{path}: cannot be written: expected one of {', '.join(WRITABLE)}")


def write_label(path: Path, array: Array, grid: Geometry) -> None:
    """Write a label map (X, Y, Z) along RAS+ as the smallest unsigned type that holds it."""
    write_volume(path, array.astype(label_type(array)), grid)


def label_type(array: Array) -> np.dtype[np.unsignedinteger]:
    """Return the smallest unsigned type that holds the values of a label map."""
    return np.dtype(np.min_scalar_type(int(array.max(initial=0))))


def check_finite(array: Array) -> None:
    """Raise DataError where voxels are NaN or infinite."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        count = int(array.size - np.isfinite(array).sum())
        raise DataError(f"has {count} voxels that are NaN or infinite, expected none")


def check_same_lattice(path: Path, grid: Geometry, other: Path, expected: Geometry) -> None:
    """Raise DataError, with both geometries, where two files do not share one voxel grid."""
    if not grid.is_same_lattice(expected):
        raise DataError(f"{path}: grid differs: {grid}; expected that of {other}: {expected}")


def _read_stored(path: Path) -> tuple[Array, Geometry, tuple[str, ...]]:
    try:
        if path.is_dir():
            from interactivenet.imaging.itk import read_dicom

            return read_dicom(path)
        if not path.exists():
            raise DataError("does not exist")
        suffix = suffix_of(path)
        if suffix in (".nii", ".nii.gz"):
            from interactivenet.imaging.nifti import read_nifti

            return read_nifti(path)
        if suffix:
            from interactivenet.imaging.itk import read_itk

            with path.open("rb"):  # the system's own reason, where it may not be read
                return read_itk(path)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}") from error
    if path.suffix.lower() == ".dcm":
        raise DataError("is one DICOM file: give the folder of its series")
    raise DataError(f"is of no readable format: expected {', '.join(READABLE)} or a DICOM folder")
