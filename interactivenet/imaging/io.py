"""Images and label maps of any supported format, as Volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike

from interactivenet.errors import DataError, RequestError, naming
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.label_values import as_label, label_type
from interactivenet.imaging.size_limits import check_data_files, size_limit
from interactivenet.imaging.volume import Volume
from interactivenet.system.files import check_regular_members, open_regular
from interactivenet.system.native_output import silent_libraries

READABLE = (".nii.gz", ".nii", ".mha", ".mhd", ".seg.nrrd", ".nrrd", ".nhdr", ".hdr")
#: what is a label beside these: RTSTRUCT and DICOM SEG; first the names that exports have
READABLE_LABELS = (*READABLE, ".seg.dcm", ".rtstruct.dcm", ".dcm")
WRITABLE = (".nii.gz", ".nii", ".mha", ".nrrd")


@dataclass(frozen=True)
class ReadOptions:
    """How a file is read that can be read in several ways.

    use_form: which of a NIfTI header's two positions counts where they differ; '' for the sform,
    where nothing depends on it: points in mm are then refused.  series: which series of a DICOM
    folder, by number, UID or description; '' for its only one.  max_gb: GB of voxels that it may
    have; None for a third of the available memory, or what the variable interactivenet_max_gb says.
    rois: which ROIs of an RTSTRUCT, or segments of a DICOM SEG, are which label, such as
    'GTV_Mass*=tumour'.  channel_series: ``series`` for each image of a case by itself.
    resample_to: number of the image of a case whose grid the others are resampled onto; None where
    all must lie on one.
    """

    use_form: Literal["", "sform", "qform"] = ""
    series: str = ""
    max_gb: float | None = None
    rois: tuple[str, ...] = ()
    channel_series: tuple[str, ...] = ()
    resample_to: int | None = None

    def __post_init__(self) -> None:
        if self.use_form not in ("", "sform", "qform"):
            raise RequestError(field="use_form", value=self.use_form, expected="'sform' or 'qform'")

    def as_json(self) -> dict[str, Any]:
        """Return what was chosen as JSON data; nothing where nothing was."""
        chosen: dict[str, Any] = {
            "use_form": self.use_form, "series": self.series, "rois": list(self.rois),
            "channel_series": list(self.channel_series),
        }  # fmt: skip
        chosen = {name: value for name, value in chosen.items() if value}
        if self.resample_to is not None:
            chosen["resample_to"] = self.resample_to
        return chosen

    def of_channel(self, number: int) -> ReadOptions:
        """Return how one image of a case is read, by itself."""
        series = self.channel_series[number] if self.channel_series else self.series
        return replace(self, series=series, channel_series=(), resample_to=None)


AS_IT_IS = ReadOptions()


def suffix_of(path: Path, suffixes: Sequence[str] = READABLE) -> str:
    """Return which of ``suffixes`` the file name ends with; '' for none."""
    name = path.name.lower()
    return next((suffix for suffix in suffixes if name.endswith(suffix)), "")


def read_image(path: Path | str, options: ReadOptions = AS_IT_IS) -> Volume:
    """Read one image.

    Args:
        path: a NIfTI (.nii, .nii.gz, .hdr with .img), MetaImage (.mha, .mhd) or NRRD (.nrrd,
            .nhdr) file, the folder of a DICOM series, or of studies with one series that is a
            volume, or a multi-frame DICOM file.
        options: which of several ways to read it.

    Returns:
        The image with its voxels as (1, X, Y, Z) along RAS+, in the file's number type, and the
        grid (shape, affine in mm) that it is stored on; its ``notes`` say what is doubtful or was
        left out, its ``tags`` of which patient, study and series a DICOM image is.

    Raises:
        DataError: the file, which is named, is not a complete 3D volume of finite values on an
            orthogonal grid.
    """
    path = Path(path)
    with naming(path), size_limit(options.max_gb):
        array, geometry, notes, tags = _read_stored(path, options)
        check_finite(array)
        return Volume.from_stored(array, geometry, notes=notes, tags=[tags])


def read_label(
    path: Path | str,
    options: ReadOptions = AS_IT_IS,
    *,
    names: Mapping[int, str] | None = None,
    image: tuple[Path, Geometry] | None = None,
) -> Volume:
    """Read a label map: whole numbers from 0, where 0 is the background.

    Args:
        path: a file of any format that :func:`read_image` reads, or a segmentation that 3D Slicer
            has saved (.seg.nrrd), of one or several layers; an RTSTRUCT or DICOM SEG, or the
            folder of one.
        options: which of several ways to read it; of outlines, which ROIs are which label.
        names: label values and their names, which the names of segments and ROIs are matched with;
            a segment of Slicer's that has none of them keeps its value.
        image: path and stored grid of the image that it belongs to. A label map of another extent
            on the same lattice, as Slicer cuts them, is brought onto it. An RTSTRUCT cannot be read
            without it.

    Returns:
        The label map with its voxels as (1, X, Y, Z) along RAS+, in the smallest unsigned type
        that holds them. A file of floating-point numbers is accepted where all are whole but for
        rounding; its ``notes`` say so, and what else was done to it.

    Raises:
        DataError: the file, which is named, cannot be read, holds values that are negative, not
            whole or above 2^32 - 1, or segments that are none of ``names``; or it does not lie on
            the lattice of ``image``, or not within it.
    """
    path = Path(path)
    volume = _read_outlines(path, options, names, image) or read_image(path, options)
    return as_label(path, volume, image)


def write_volume(
    path: Path | str, array: Array, grid: Geometry, dtype: DTypeLike | None = None
) -> None:
    """Write an array (X, Y, Z) along RAS+ on the stored grid ``grid``, compressed.

    dtype: of the file; by default the array's own. The format follows the name: .nii.gz, .nii, .mha
    or .nrrd. The geometry written is the grid's, exactly as it was read. Nothing is left under
    ``path`` if writing fails.
    """
    path = Path(path)
    suffix = suffix_of(path, WRITABLE)
    # in the file's type and order at once: a large array is copied but once
    stored = np.asarray(grid.from_ras(array), dtype=dtype, order="F")
    if suffix in (".nii", ".nii.gz"):
        from interactivenet.imaging.nifti import write_nifti

        write_nifti(path, stored, grid)
    elif suffix == ".mha":
        from interactivenet.imaging.metaimage import write_metaimage

        write_metaimage(path, stored, grid)
    elif suffix == ".nrrd":
        from interactivenet.imaging.nrrd import write_nrrd

        write_nrrd(path, stored, grid)
    else:
        raise DataError(
            f"{path}: cannot be written in this format: expected one of {', '.join(WRITABLE)}"
        )


def write_label(path: Path | str, label: Volume) -> None:
    """Write a label map on the grid that it came from, compressed.

    Args:
        path: the file to write; the ending of its name, .nii.gz, .nii, .mha or .nrrd, decides the
            format.
        label: one channel of whole numbers from 0; written in the smallest unsigned type that
            holds them, its geometry exactly as it was read.

    Raises:
        DataError: the name has another ending, the file cannot be written (one that was there
            before is kept), or the label map has several channels, or values that are negative or
            not whole.
    """
    if len(label.array) != 1:
        raise DataError(f"{path}: a label map has one channel, got {len(label.array)}")
    write_label_array(path, label.array[0], label.source)


def write_label_array(path: Path | str, array: Array, grid: Geometry) -> None:
    """Write a label map (X, Y, Z) along RAS+ on the stored grid ``grid``, as :func:`write_label`.

    Raises DataError as that does.
    """
    if array.dtype.kind not in "bu" and array.size:
        if array.min() < 0:
            raise DataError(f"{path}: a label map holds no negative values, got {array.min():g}")
        if array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
            raise DataError(f"{path}: a label map holds whole numbers, got fractions")
    write_volume(path, array, grid, label_type(array))


def check_finite(array: Array) -> None:
    """Raise DataError where voxels are NaN or infinite."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        count = int(array.size - np.isfinite(array).sum())
        raise DataError(f"has {count} voxels that are NaN or infinite, expected none")


def _read_outlines(
    path: Path,
    options: ReadOptions,
    names: Mapping[int, str] | None,
    image: tuple[Path, Geometry] | None,
) -> Volume | None:
    """Read outlines of another program as a label map; None where a file is an image."""
    if not path.exists() or suffix_of(path) not in ("", ".nrrd", ".seg.nrrd", ".nhdr"):
        return None
    from interactivenet.imaging.structures.reading.formats import read_outlines

    with size_limit(options.max_gb):
        return read_outlines(path, names=names, rois=options.rois, image=image)


def _read_stored(
    path: Path, options: ReadOptions
) -> tuple[Array, Geometry, tuple[str, ...], Mapping[str, str]]:
    try:
        if path.is_dir():
            from interactivenet.imaging.dicom.reading import read_dicom

            check_regular_members(path)
            with silent_libraries():
                return read_dicom(path, options.series)
        if not path.exists():
            raise DataError("does not exist")
        suffix = suffix_of(path)
        if suffix in (".nii", ".nii.gz", ".hdr"):
            from interactivenet.imaging.nifti import read_nifti

            return *read_nifti(path, use_form=options.use_form), {}
        if suffix in (".mha", ".mhd"):
            from interactivenet.imaging.metaimage import read_metaimage

            check_data_files(path)
            return *read_metaimage(path), {}
        if suffix:
            from interactivenet.imaging.nrrd import read_nrrd

            check_data_files(path)
            return *read_nrrd(path), {}
        if path.suffix.lower() == ".img":
            raise DataError("holds the voxels of a .hdr file: expected the .hdr file")
        if path.suffix.lower() == ".dcm" or _is_dicom(path):
            from interactivenet.imaging.dicom.reading import read_dicom

            with silent_libraries():
                return read_dicom(path, options.series)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}") from error
    raise DataError(f"has no readable format: expected {', '.join(READABLE)} or a DICOM folder")


def _is_dicom(path: Path) -> bool:
    """Whether a file of any name has DICOM's mark."""
    if not path.is_file():
        return False
    with open_regular(path) as file:
        return file.read(132)[128:] == b"DICM"
