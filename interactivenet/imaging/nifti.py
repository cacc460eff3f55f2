"""NIfTI files through nibabel, with gzip by isal (measured in benchmarks/image_io.py)."""

from __future__ import annotations

import math
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
from isal import igzip, isal_zlib
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from interactivenet.errors import DataError, one_line
from interactivenet.imaging.geometry import SAME_GRID_MM, Array, Geometry
from interactivenet.imaging.size_limits import Claim, read_bounded
from interactivenet.system.files import write_bytes

#: isal's level: a seventh of the time of zlib's level 6 for 1 % more bytes
GZIP_LEVEL = 2

#: the header's fields that place the voxels, copied from a reference header bit for bit
_GEOMETRY_FIELDS = (
    "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d",
    "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z",
)  # fmt: skip
_GZIP_MAGIC = b"\x1f\x8b"
_UNITS = {1: "metres", 3: "micrometres"}


def read_nifti(path: Path, *, axes: int = 3) -> tuple[Array, Geometry, tuple[str, ...]]:
    """Read the voxels of a ``.nii`` or ``.nii.gz`` file as stored.

    axes: 3, or 4 for a file of several channels, which come last: (X, Y, Z, C).
    Returns the array in the file's type (float32 where the header scales it), the stored grid,
    and notes. Raises DataError for anything that is not one such volume at a valid position.
    """
    data = _bytes_of(path)
    try:
        raw = (nib.Nifti2Header if _is_nifti2(data) else nib.Nifti1Header).from_fileobj(
            _reader(data), check=False
        )
        geometry, notes = _geometry(raw, axes)
        array = _voxels(raw, data)
    except DataError:
        raise
    except (
        KeyError,
        ImageFileError, HeaderDataError, WrapStructError, OSError, ValueError, EOFError,
    ) as error:  # fmt: skip
        raise DataError(f"is not a readable NIfTI file: {one_line(error)}") from error
    return array.reshape(array.shape[:axes]), geometry, notes


def write_nifti(path: Path, array: Array, geometry: Geometry) -> None:
    """Write an array (X, Y, Z) of the stored grid ``geometry`` as ``.nii`` or ``.nii.gz``.

    Where the grid was read from NIfTI its geometry fields are repeated bit for bit; otherwise
    the affine is stored as sform and qform (single precision, as the format has it).
    """
    try:
        header = _header_like(geometry)
    except HeaderDataError as error:  # an axis longer than NIfTI-1 can say
        raise DataError(f"{path}: cannot be written as NIfTI: {one_line(error)}") from error
    header.set_data_dtype(array.dtype)
    two = isinstance(header, nib.Nifti2Header)
    image = (nib.Nifti2Image if two else nib.Nifti1Image)(array, None, header)
    data = image.to_bytes()
    if path.name.lower().endswith(".gz"):
        data = igzip.compress(data, GZIP_LEVEL, mtime=0)  # no time stamp: same input, same bytes
    write_bytes(path, data)


def _bytes_of(path: Path) -> bytes:
    try:
        return read_bounded(path, _claim_of)
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
    if not 1 <= axes <= 7 or min(shape) < 0 or offset < 0:
        return None
    return Claim(shape, itemsize, offset)


def _is_nifti2(data: bytes) -> bool:
    return data[:4] in (b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c")  # sizeof_hdr 540


def _reader(data: bytes):  # type: ignore[no-untyped-def]
    import io

    if len(data) < 348:
        raise DataError(f"is not a NIfTI file: {len(data)} bytes, a header has 348")
    if data[344:347] not in (b"n+1", b"ni1") and not _is_nifti2(data):
        raise DataError("is not a NIfTI file: its header lacks the mark 'n+1'")
    if data[344:347] == b"ni1":
        raise DataError("is a NIfTI header without voxels (.hdr/.img pair), expected one .nii file")
    return io.BytesIO(data)


def _geometry(header: nib.Nifti1Header, axes: int) -> tuple[Geometry, tuple[str, ...]]:
    """Read the place of the voxels from a header that nibabel has not mended."""
    count = int(header["dim"][0])
    if not 1 <= count <= 7:
        raise DataError(f"is not a NIfTI file: {count} axes in its header")
    shape = tuple(int(n) for n in header["dim"][1 : count + 1])
    while len(shape) > axes and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != axes:
        hint = " (one file per modality)" if len(shape) > axes else ""
        raise DataError(f"has {len(shape)} axes {'x'.join(map(str, shape))}, expected {axes}{hint}")
    pixdim = header["pixdim"][1:4].astype(float)
    if not (pixdim > 0).all() or not np.isfinite(pixdim).all():
        raise DataError(
            "voxel spacing must be positive, got "
            f"({', '.join(f'{p:g}' for p in pixdim)}) mm in its header (pixdim)"
        )
    unit = int(header["xyzt_units"]) & 7
    if unit in _UNITS:
        raise DataError(f"gives its geometry in {_UNITS[unit]}, expected millimetres")
    notes = []
    sform, qform = header.get_sform(coded=True), _coded_qform(header)
    if sform[1] > 0:
        affine = sform[0]
    elif qform[1] > 0:
        affine = qform[0]
    else:
        affine = header.get_base_affine()
        notes.append(
            "its header gives no orientation (sform_code and qform_code are 0):"
            " left and right are a guess"
        )
    geometry = Geometry((shape[0], shape[1], shape[2]), affine, native=_geometry_header(header))
    if sform[1] > 0 and qform[1] > 0 and qform[0] is not None:
        try:
            apart = geometry.difference_mm(Geometry(geometry.shape, qform[0]))
        except DataError:
            apart = float("inf")
        if apart > 100 * SAME_GRID_MM:
            notes.append(
                f"sform and qform place its corners {apart:.3g} mm apart: the sform is used,"
                " other programs may use the qform"
            )
    sizes = np.abs(np.array(geometry.spacing) / pixdim - 1)
    if sform[1] > 0 and sizes.max() > 1e-3:
        notes.append(
            f"pixdim ({', '.join(f'{p:g}' for p in pixdim)}) mm contradicts the spacing of its"
            f" sform ({', '.join(f'{s:g}' for s in geometry.spacing)}) mm: the sform is used"
        )
    return geometry, tuple(notes)


def _coded_qform(header: nib.Nifti1Header):  # type: ignore[no-untyped-def]
    try:
        return header.get_qform(coded=True)
    except (HeaderDataError, ValueError) as error:
        if int(header["sform_code"]) > 0:
            return None, 0
        raise DataError(f"has no valid orientation: {one_line(error)}") from error


def _geometry_header(header: nib.Nifti1Header) -> nib.Nifti1Header:
    """Keep only what places the voxels, little-endian."""
    kept = type(header)()
    for name in _GEOMETRY_FIELDS:
        kept[name] = header[name]
    kept["pixdim"][:4] = header["pixdim"][:4]
    kept["xyzt_units"] = header["xyzt_units"]
    return kept


def _header_like(geometry: Geometry) -> nib.Nifti1Header:
    if isinstance(geometry.native, nib.Nifti1Header):  # Nifti2Header is one, too
        header = geometry.native.copy()
        header.set_data_shape(geometry.shape)
        header["pixdim"][:4] = geometry.native["pixdim"][:4]
        return header
    header = nib.Nifti1Header()
    header.set_data_shape(geometry.shape)
    header.set_sform(geometry.affine, code="scanner")
    header.set_qform(geometry.affine, code="scanner")
    header.set_xyzt_units("mm", "sec")
    return header


def _voxels(header: nib.Nifti1Header, data: bytes) -> Array:
    """View the voxels in a whole file's bytes, scaled where the header says so."""
    stored = header.get_data_dtype()
    if stored.fields is not None or stored.kind not in "iuf":
        raise DataError(f"has voxels of type {stored}, expected one number per voxel")
    shape = header.get_data_shape()
    count, offset = math.prod(shape), header.get_data_offset()
    if len(data) < offset + count * stored.itemsize:
        raise DataError(
            f"is truncated: {len(data) - offset} bytes of voxels, expected"
            f" {count * stored.itemsize}"
        )
    array = np.frombuffer(data, stored, count, offset).reshape(shape, order="F")
    slope, inter = header.get_slope_inter()
    if (slope, inter) not in ((None, None), (1, 0), (1, None)):
        scaled = array * float(slope) + float(inter or 0)
        return np.asarray(scaled, dtype=np.float32 if stored.itemsize <= 4 else np.float64)
    return np.asarray(array.astype(stored.newbyteorder("="), copy=False))
