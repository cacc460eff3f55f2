"""FreeSurfer's .mgz and .mgh files, by nibabel's reading of their header."""

from __future__ import annotations

import io
import math
import zlib
from pathlib import Path

import numpy as np
from isal import isal_zlib
from nibabel.freesurfer.mghformat import MGHError, MGHHeader
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from interactivenet.errors import DataError, one_line
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.size_limits import Claim, read_bounded

#: where the voxels begin, and where in the header it says whether their place is known, in bytes
_VOXELS_AT, _PLACED_AT = 284, 28


def read_mgh(path: Path) -> tuple[Array, Geometry, tuple[str, ...]]:
    """Read a ``.mgz`` or ``.mgh`` volume as stored: array (X, Y, Z), grid, notes."""
    try:
        data = read_bounded(path, _claim_of)
        header = MGHHeader.from_fileobj(io.BytesIO(data))
        shape, stored = tuple(map(int, header.get_data_shape())), header.get_data_dtype()
        with np.errstate(all="ignore"):
            affine = header.get_affine()
    except (EOFError, OSError, zlib.error, isal_zlib.error) as error:  # type: ignore[misc]
        raise DataError(f"is a damaged or truncated MGH file: {one_line(error)}") from error
    except (
        MGHError, HeaderDataError, WrapStructError, ValueError, TypeError, LookupError,
    ) as error:  # fmt: skip
        raise DataError(f"is a damaged or truncated MGH file: {one_line(error)}") from error
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3:
        raise DataError(
            f"has {len(shape)} axes {'x'.join(map(str, shape))}, expected 3 (one file per modality)"
        )
    if not any(data[_PLACED_AT : _PLACED_AT + 2]):  # nibabel's header has 1 in any case
        raise DataError("does not say where its voxels lie (goodRASFlag is 0), expected that it do")
    geometry = Geometry((shape[0], shape[1], shape[2]), affine)
    expected = math.prod(geometry.shape) * stored.itemsize
    if len(data) < _VOXELS_AT + expected:
        found = max(0, len(data) - _VOXELS_AT)
        raise DataError(f"is truncated: {found} bytes of voxels, expected {expected}")
    array = np.frombuffer(data, stored, math.prod(shape), _VOXELS_AT).reshape(shape, order="F")
    return array.astype(stored.newbyteorder("=")), geometry, ()


def _claim_of(head: bytes) -> Claim | None:
    """Return what the first bytes of a file claim; None where they are no header."""
    try:
        header = MGHHeader.from_fileobj(io.BytesIO(head))
        shape = tuple(map(int, header.get_data_shape()))
        itemsize = int(header.get_data_dtype().itemsize)
    except (MGHError, HeaderDataError, WrapStructError, ValueError, TypeError, LookupError):
        return None  # what is wrong with it is said by who reads it
    return Claim(shape, itemsize, _VOXELS_AT) if min(shape, default=-1) > 0 else None
