"""Volumes as bytes of a NIfTI file, for the page, and masks from it."""

from __future__ import annotations

import nibabel
import numpy as np
from isal import igzip

from interactivenet.datasets.hounsfield import some_values
from interactivenet.imaging.geometry import Array, Geometry

#: isal's level for what does not leave the machine, most often
_LEVEL = 1
#: types that every reader of NIfTI knows; others become float32
_TYPES = {"uint8", "int16", "uint16", "int32", "float32"}


def nifti_bytes(array: Array, grid: Geometry) -> bytes:
    """Return an array (X, Y, Z) along RAS+ as a gzipped NIfTI file on the stored ``grid``.

    The header has one position, the one that counts, in both of its forms.
    """
    stored = np.asfortranarray(grid.from_ras(array))
    if stored.dtype == np.bool_:
        stored = stored.view(np.uint8)
    if stored.dtype.name not in _TYPES:
        stored = stored.astype(np.float32)
    image = nibabel.Nifti1Image(stored, None)
    image.set_sform(grid.affine, code="scanner")
    image.set_qform(grid.affine, code="scanner")
    image.header.set_xyzt_units("mm", "sec")
    return bytes(igzip.compress(image.to_bytes(), _LEVEL, mtime=0))


def window_of(array: Array, is_ct: bool) -> tuple[float, float]:
    """Return the values (X, Y, Z) to show as black and as white.

    Of a CT, those of soft tissue; else the first and the 99th percentile of what is not zero.
    """
    if is_ct:
        return -160.0, 240.0
    some = some_values(array)
    some = some[some != 0]
    if not some.size:
        return 0.0, 1.0
    low, high = np.percentile(some, (1, 99)).tolist()
    return (low, high) if high > low else (low, low + 1)
