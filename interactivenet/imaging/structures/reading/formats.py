"""Outlines of other programs as label maps: which format a file has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from interactivenet.errors import DataError, naming
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.volume import Volume


def read_outlines(
    path: Path,
    *,
    names: Mapping[int, str] | None,
    rois: Sequence[str],
    image: tuple[Path, Geometry] | None,
) -> Volume | None:
    """Read what 3D Slicer has saved, an RTSTRUCT or a DICOM SEG; None for any other file.

    path: of a file, or of a folder that holds one RTSTRUCT or SEG.  names, image: as for
    ``read_label``.  rois: as its options have them.
    Raises DataError, naming the file, where it cannot be read.
    """
    if path.name.lower().endswith((".nrrd", ".nhdr")) and path.is_file():
        return _read_slicer(path, names)
    from interactivenet.imaging.structures.reading.label_maps import read_structures
    from interactivenet.imaging.structures.reading.roi_names import RoiNames
    from interactivenet.imaging.structures.reading.structure_files import find_structure_file

    file = find_structure_file(path)
    if file is None:
        return None
    return read_structures(file, names=names, rois=RoiNames.parse(rois), image=image)


def _read_slicer(path: Path, names: Mapping[int, str] | None) -> Volume | None:
    from interactivenet.imaging.structures.reading.slicer_reading import (
        read_segmentation,
        read_segments,
    )

    with naming(path):
        try:
            segments = read_segments(path)
            if not segments:
                return None
            array, geometry, notes = read_segmentation(path, segments, names)
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror or error}") from error
    return Volume.from_stored(array, geometry, notes=notes)
