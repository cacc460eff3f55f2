"""FreeSurfer's .mgz and .mgh files, through nibabel."""

from __future__ import annotations

import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from interactivenet.errors import DataError, one_line
from interactivenet.imaging.geometry import Array, Geometry


def read_mgh(path: Path) -> tuple[Array, Geometry, tuple[str, ...]]:
    """Read a ``.mgz`` or ``.mgh`` volume as stored: array (X, Y, Z), grid, notes."""
    with path.open("rb"):  # the system's own reason, where it may not be read
        pass
    try:
        image = nib.MGHImage.from_filename(path)
        with nib.openers.ImageOpener(str(path)) as file:  # nibabel's header has 1 in any case
            is_placed = bool(np.frombuffer(file.read(30)[28:], ">i2")[0])
        array = np.asanyarray(image.dataobj)
    except (ImageFileError, HeaderDataError, WrapStructError, OSError, ValueError, EOFError,
            KeyError, zlib.error) as error:  # fmt: skip
        raise DataError(f"is a damaged or truncated MGH file: {one_line(error)}") from error
    shape = tuple(image.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3:
        raise DataError(
            f"has {len(shape)} axes {'x'.join(map(str, shape))}, expected 3 (one file per modality)"
        )
    if not is_placed:
        raise DataError("does not say where its voxels lie (goodRASFlag is 0), expected that it do")
    array = array.reshape(shape)
    return array.astype(array.dtype.newbyteorder("=")), Geometry(shape, image.affine), ()
