"""A DICOM object of structures on their series: placed, made, compared, and written whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from interactivenet.errors import naming
from interactivenet.imaging.dicom.reading import folder_of
from interactivenet.imaging.dicom.volumes import Series
from interactivenet.imaging.structures.structure import StructureSet, Written
from interactivenet.imaging.structures.writing.on_series import PlacedStructures, on_series
from interactivenet.imaging.structures.writing.source_headers import (
    SourceHeaders,
    dicom_names,
    failure,
    read_source_headers,
)
from interactivenet.system.files import replacing

#: makes a dataset of: the structures, as they are and on the series; its headers; the series; names
Make = Callable[[StructureSet, PlacedStructures, SourceHeaders, Series, Mapping[int, str]], Any]
#: raises DataError where a dataset is not what was outlined
Check = Callable[[Any, PlacedStructures, Series], None]


def write_on_series(
    path: Path, structures: StructureSet, series: Series, kind: str, make: Make, check: Check
) -> Written:
    """Write structures as one DICOM object of the series that they were outlined on.

    kind: what the object is called in messages. It is compared with what was outlined before
    anything is written. No file is written of structures without a voxel. The file appears whole,
    or not at all. Raises DataError, naming the series' folder, where the series is no whole scan,
    where the structures lie on another grid, and where its headers lack what the object needs.
    """
    placed = on_series(structures, series)
    if not placed.structures:
        return Written(False, placed.notes)
    headers = read_source_headers(series)
    names, renamed = dicom_names(placed.structures)
    try:
        dataset = make(structures, placed, headers, series, names)
        with naming(folder_of(series)):
            check(dataset, placed, series)
        with replacing(path) as temporary:
            dataset.save_as(temporary, enforce_file_format=True)
    except (AttributeError, LookupError, TypeError, ValueError) as error:  # of a stranger's header
        raise failure(kind, series, headers, error) from error
    return Written(True, (*placed.notes, *renamed, *headers.notes))
