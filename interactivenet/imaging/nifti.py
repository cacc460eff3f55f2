"""NIfTI files through nibabel, with gzip by isal (measured in benchmarks/image_io.py)."""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np
from isal import igzip, isal_zlib
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from interactivenet.errors import DataError, one_line
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.nifti_geometry import header_like, is_surface, read_geometry
from interactivenet.imaging.size_limits import Claim, read_bounded
from interactivenet.system.files import read_bytes, write_bytes

#: isal's level: a seventh of the time of zlib's level 6 for 1 % more bytes
GZIP_LEVEL = 2

#: no header of a pair is longer, with its extensions, in bytes
_LONGEST_HEADER = 2**24


def read_nifti(
    path: Path, *, axes: int = 3, use_form: str = ""
) -> tuple[Array, Geometry, tuple[str, ...]]:
    """Read the voxels of a ``.nii``, ``.nii.gz`` or ``.hdr`` and ``.img`` file as stored.

    axes: 3, or 4 for a file of several channels, which come last: (X, Y, Z, C).  use_form: which
    of the header's positions counts.
    Returns the array in the file's type (float32 where the header scales it), the stored grid,
    and notes. Raises DataError for anything that is not one such volume at a valid position.
    """
    data = read_bytes(path, _LONGEST_HEADER) if is_pair(path) else _bytes_of(path, _claim_of)
    with _readable():
        raw = _header_of(data, path)
        geometry, notes = read_geometry(raw, axes, use_form)
        if is_pair(path):
            claim = Claim(
                raw.get_data_shape(), raw.get_data_dtype().itemsize, int(raw["vox_offset"])
            )
            data = _bytes_of(voxel_file(path), lambda _: claim)
        array = _voxels(
            raw, data, int(raw["vox_offset"]) if is_pair(path) else raw.get_data_offset()
        )
    return array.reshape(array.shape[:axes]), geometry, notes


def check_nifti(path: Path) -> None:
    """Raise DataError, without a file's name, where the header of one is not that of a volume.

    What only the voxels show is left to :func:`read_nifti`.
    """
    data = (
        read_bytes(path, _LONGEST_HEADER) if is_pair(path) else _bytes_of(path, lambda head: None)
    )
    with _readable():
        read_geometry(_header_of(data, path), 3, "")


@contextmanager
def _readable() -> Iterator[None]:
    """Turn what nibabel says of a stranger's bytes into DataError."""
    try:
        yield
    except DataError:
        raise
    except (
        KeyError,
        ImageFileError, HeaderDataError, WrapStructError, OSError, ValueError, EOFError,
    ) as error:  # fmt: skip
        raise DataError(f"is not a readable NIfTI file: {one_line(error)}") from error


def _header_of(data: bytes, path: Path) -> nib.Nifti1Header:
    return (nib.Nifti2Header if _is_nifti2(data) else nib.Nifti1Header).from_fileobj(
        io.BytesIO(_checked(data, path)), check=False
    )


def write_nifti(path: Path, array: Array, geometry: Geometry) -> None:
    """Write an array (X, Y, Z) of the stored grid ``geometry`` as ``.nii`` or ``.nii.gz``.

    Where the grid was read from NIfTI its geometry fields are repeated bit for bit; otherwise
    the affine is stored as sform and qform (single precision, as the format has it).
    """
    try:
        header = header_like(geometry)
    except HeaderDataError as error:  # an axis longer than NIfTI-1 can say
        raise DataError(f"{path}: cannot be written as NIfTI: {one_line(error)}") from error
    header.set_data_dtype(array.dtype)
    two = isinstance(header, nib.Nifti2Header)
    image = (nib.Nifti2Image if two else nib.Nifti1Image)(array, None, header)
    buffer = io.BytesIO()
    image.to_stream(buffer)
    data: bytes | memoryview = buffer.getbuffer()  # not copied
    if path.name.lower().endswith(".gz"):
        data = igzip.compress(data, GZIP_LEVEL, mtime=0)  # no time stamp: same input, same bytes
    write_bytes(path, data)


def is_pair(path: Path) -> bool:
    """Whether a file is the header of a pair, whose voxels are in a file of their own."""
    return path.suffix.lower() == ".hdr"


def voxel_file(header: Path) -> Path:
    """Return the ``.img`` file of a ``.hdr`` file."""
    return header.with_suffix(".IMG" if header.suffix == ".HDR" else ".img")


def _bytes_of(path: Path, claim_of: Callable[[bytes], Claim | None]) -> bytes:
    if not path.exists():
        raise DataError(f"lacks its voxels: {path.name} does not exist beside it")
    try:
        return read_bounded(path, claim_of)
    except (EOFError, igzip.BadGzipFile, zlib.error, isal_zlib.error) as error:  # type: ignore[misc]
        raise DataError(f"is a damaged or truncated gzip file: {one_line(error)}") from error


def _claim_of(head: bytes) -> Claim | None:
    """Return what the first bytes of a file claim; None where they are no header."""
    kind = nib.Nifti2Header if _is_nifti2(head) else nib.Nifti1Header
    try:
        header = kind(head[: kind.template_dtype.itemsize], check=False)
        itemsize, offset = header.get_data_dtype().itemsize, header.get_data_offset()
        axes = int(header["dim"][0])
        shape = [int(n) for n in header["dim"][1 : axes + 1]]
    except (WrapStructError, HeaderDataError, ValueError, OverflowError, KeyError):
        return None  # what is wrong with it is said by who reads it
    if not 1 <= axes <= 7 or min(shape) < 0 or offset < 0 or is_surface(shape):
        return None
    return Claim(shape, itemsize, offset)


def _is_nifti2(data: bytes) -> bool:
    return data[:4] in (b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c")  # sizeof_hdr 540


def _checked(data: bytes, path: Path) -> bytes:
    """Return a file's bytes if it is NIfTI by its mark, of the kind that its name says."""
    if len(data) < 348:
        raise DataError(f"is not a NIfTI file: {len(data)} bytes, a header has 348")
    mark = data[4:7] if _is_nifti2(data) else data[344:347]
    if mark in (b"ni1", b"ni2") and not is_pair(path):
        raise DataError(
            "is a NIfTI header without voxels (.hdr/.img pair), expected one .nii file or the"
            " names .hdr and .img"
        )
    if mark in (b"n+1", b"n+2") and is_pair(path):
        raise DataError("is a whole NIfTI file, expected the name .nii instead of .hdr")
    if mark in (b"n+1", b"n+2", b"ni1", b"ni2"):
        return data
    if is_pair(path) and data[:4] in (b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c"):  # sizeof_hdr 348
        raise DataError(
            "is an Analyze 7.5 header, which does not tell left from right, expected NIfTI"
        )
    raise DataError("is not a NIfTI file: its header lacks the mark 'n+1'")


def _voxels(header: nib.Nifti1Header, data: bytes, offset: int) -> Array:
    """View the voxels in a whole file's bytes, scaled where the header says so."""
    stored = header.get_data_dtype()
    if stored.fields is not None or stored.kind not in "iuf":
        raise DataError(f"has voxels of type {stored}, expected one number per voxel")
    shape = header.get_data_shape()
    count = math.prod(shape)
    if len(data) < offset + count * stored.itemsize:
        raise DataError(
            f"is truncated: {max(0, len(data) - offset)} bytes of voxels, expected"
            f" {count * stored.itemsize}"
        )
    array = np.frombuffer(data, stored, count, offset).reshape(shape, order="F")
    slope, inter = header.get_slope_inter()
    if (slope, inter) not in ((None, None), (1, 0), (1, None)):
        scaled = array * float(slope) + float(inter or 0)
        return np.asarray(scaled, dtype=np.float32 if stored.itemsize <= 4 else np.float64)
    native = stored.newbyteorder("=") if stored.itemsize <= 8 else np.dtype(np.float64)
    return np.asarray(array.astype(native, copy=False))
