"""Where a NIfTI header places its voxels: by its sform, by its qform, or nowhere.

A header has two positions, and programs differ in which they take: nibabel takes the sform, ITK
and 3D Slicer often the qform. Where it has neither (both codes 0), nibabel centres the image and
takes its first axis to run to the left (here called the sform); ITK and 3D Slicer put the first
voxel at (0, 0, 0), with axes to the left, posterior and superior (here called the qform).
"""

from __future__ import annotations

from collections.abc import Sequence

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from interactivenet.errors import DataError, one_line
from interactivenet.imaging.geometry import SAME_GRID_MM, Doubt, Geometry

#: the header's fields that place the voxels, copied from a reference header bit for bit
_GEOMETRY_FIELDS = (
    "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d",
    "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z",
)  # fmt: skip
_UNITS = {1: "metres", 3: "micrometres"}
#: positions that are closer than this, in voxels, mean the same voxel
_SAME_VOXEL = 0.5

Affine = NDArray[np.float64]


def read_geometry(
    header: nib.Nifti1Header, axes: int, use_form: str = ""
) -> tuple[Geometry, tuple[str, ...]]:
    """Read the place of the voxels from a header that nibabel has not mended; with notes.

    axes: 3, or 4 where the last are channels.  use_form: which position counts where there are two.
    """
    shape = _shape(header, axes)
    pixdim = header["pixdim"][1:4].astype(float)
    if not (pixdim > 0).all() or not np.isfinite(pixdim).all():
        raise DataError(f"voxel spacing must be positive, got {_mm(pixdim)} in its header (pixdim)")
    unit = int(header["xyzt_units"]) & 7
    if unit in _UNITS:
        raise DataError(f"gives its geometry in {_UNITS[unit]}, expected millimetres")
    sform, qform = _coded_forms(header)
    if sform is not None and qform is not None:
        return _of_two(header, shape, pixdim, {"sform": sform, "qform": qform}, use_form)
    if sform is not None:
        return _placed(header, shape, sform), _odd_spacing(shape, sform, pixdim)
    if qform is not None:
        return _placed(header, shape, qform), ()
    return _of_none(header, shape, pixdim, use_form)


def header_like(geometry: Geometry) -> nib.Nifti1Header:
    """Make a header for a grid: the one that it was read with, or one of its affine."""
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


def is_surface(shape: Sequence[int]) -> bool:
    """Whether axes are those of values on a surface, of which FreeSurfer has more than 32767."""
    return tuple(shape[:3]) in ((-1, 1, 1), (27307, 1, 6))


def _shape(header: nib.Nifti1Header, axes: int) -> tuple[int, int, int]:
    count = int(header["dim"][0])
    if not 1 <= count <= 7:
        raise DataError(f"is not a NIfTI file: {count} axes in its header")
    shape = tuple(int(n) for n in header["dim"][1 : count + 1])
    if is_surface(shape):
        vertices = int(header["glmin"]) if shape[0] == -1 else 163842
        raise DataError(
            f"holds values at the {vertices} vertices of a FreeSurfer surface, expected a 3D image"
        )
    while len(shape) > axes and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != axes:
        hint = " (one file per modality)" if len(shape) > axes else ""
        raise DataError(f"has {len(shape)} axes {'x'.join(map(str, shape))}, expected {axes}{hint}")
    return shape[0], shape[1], shape[2]


def _coded_forms(header: nib.Nifti1Header) -> tuple[Affine | None, Affine | None]:
    """Return sform and qform, each None where its code is 0; an invalid qform beside a sform, too.

    Raises DataError where the only one is invalid.
    """
    sform = header.get_sform(coded=True)[0]
    try:
        qform = header.get_qform(coded=True)[0]
    except (HeaderDataError, ValueError) as error:
        if sform is None:
            raise DataError(f"has no valid orientation: {one_line(error)}") from error
        return sform, None
    if sform is not None and qform is not None and not np.isfinite(qform).all():
        return sform, None
    return sform, qform


def _of_two(
    header: nib.Nifti1Header,
    shape: tuple[int, int, int],
    pixdim: Affine,
    forms: dict[str, Affine],
    use_form: str,
) -> tuple[Geometry, tuple[str, ...]]:
    """Place a volume whose header has both positions."""
    used = use_form or "sform"
    other = "qform" if used == "sform" else "sform"
    geometry = _placed(header, shape, forms[used])
    try:
        apart = geometry.difference_mm(Geometry(shape, forms[other]))
    except DataError:
        apart = float("inf")
    if apart <= 100 * SAME_GRID_MM:
        notes: tuple[str, ...] = ()
    elif use_form:
        notes = (
            f"its {other} places its corners {apart:.3g} mm away: the {used} is used, as asked for",
        )
    else:
        notes = (
            f"sform and qform place its corners {apart:.3g} mm apart: the sform is used,"
            " other programs may use the qform",
        )
        if _voxels_apart(geometry, forms["qform"]) > _SAME_VOXEL:
            doubt = Doubt(f"its sform and its qform place it up to {apart:.3g} mm apart", forms)
            geometry = _placed(header, shape, forms["sform"], doubt)
    if used == "sform":
        notes += _odd_spacing(shape, forms["sform"], pixdim)
    return geometry, notes


def _of_none(
    header: nib.Nifti1Header, shape: tuple[int, int, int], pixdim: Affine, use_form: str
) -> tuple[Geometry, tuple[str, ...]]:
    """Place a volume whose header has no position, as one of the programs does that guess it."""
    forms = {
        "sform": np.asarray(header.get_base_affine(), np.float64),
        "qform": np.diag([-pixdim[0], -pixdim[1], pixdim[2], 1.0]),
    }
    reason = "its header gives no orientation (sform_code and qform_code are 0)"
    if not use_form:
        apart = Geometry(shape, forms["sform"]).difference_mm(Geometry(shape, forms["qform"]))
        doubt = Doubt(
            f"{reason}: nibabel (called sform here), and ITK and 3D Slicer (qform), place it up to"
            f" {apart:.3g} mm apart",
            forms,
        )
        note = f"{reason}: left and right are a guess"
        return _placed(header, shape, forms["sform"], doubt), (note,)
    guess = "as nibabel guesses" if use_form == "sform" else "as ITK and 3D Slicer guess"
    return _placed(header, shape, forms[use_form]), (f"{reason}: placed {guess}, as asked for",)


def _placed(
    header: nib.Nifti1Header,
    shape: tuple[int, int, int],
    affine: Affine,
    doubt: Doubt | None = None,
) -> Geometry:
    """Make the grid; of the header it keeps only what places the voxels, little-endian."""
    kept = type(header)()
    for name in _GEOMETRY_FIELDS:
        kept[name] = header[name]
    kept["pixdim"][:4] = header["pixdim"][:4]
    kept["xyzt_units"] = header["xyzt_units"]
    return Geometry(shape, affine, native=kept, doubt=doubt)


def _voxels_apart(geometry: Geometry, affine: Affine) -> float:
    """Return how far corners of the volume move along an axis, in voxels, with another affine."""
    corners = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(geometry.shape) - 1)
    places = corners @ affine[:3, :3].T + affine[:3, 3]
    return float(np.abs(geometry.world_to_voxel(places) - corners).max())


def _odd_spacing(shape: tuple[int, int, int], sform: Affine, pixdim: Affine) -> tuple[str, ...]:
    """Note where the sizes of voxels, which the header has twice, contradict each other."""
    spacing = Geometry(shape, sform).spacing
    if np.abs(np.array(spacing) / pixdim - 1).max() <= 1e-3:
        return ()
    return (
        f"pixdim {_mm(pixdim)} contradicts the spacing of its sform {_mm(spacing)}: the sform is"
        " used",
    )


def _mm(values: Affine | tuple[float, ...]) -> str:
    return f"({', '.join(f'{value:g}' for value in values)}) mm"
