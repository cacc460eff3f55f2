"""Which writer makes the files of which format."""

from __future__ import annotations

from pathlib import Path

from interactivenet.imaging.structures.structure import StructureSet, Written
from interactivenet.inference.export_formats import ExportFormat
from interactivenet.inference.exporting.source_series import SourceSeries


def write_export(
    kind: ExportFormat, path: Path, structures: StructureSet, found: SourceSeries | None
) -> Written:
    """Write structures in a format; found: the series, for formats that refer to one."""
    if kind == "seg.nrrd":
        from interactivenet.imaging.structures.writing.slicer_writing import (
            write_slicer_segmentation,
        )

        return write_slicer_segmentation(path, structures)
    assert found is not None
    if kind == "dcm-seg":
        from interactivenet.imaging.structures.writing.seg_writing import write_seg

        return write_seg(path, structures, found.series)
    from interactivenet.imaging.structures.writing.rtstruct_writing import write_rtstruct

    return write_rtstruct(path, structures, found.series)
