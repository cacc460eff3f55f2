"""Outlines as a DICOM Segmentation (SEG), by highdicom: what archives and viewers keep.

One object: BINARY, a segment per structure, all frames, on the series' own grid, in its study and
frame of reference. The array is given with its affine, as a plain one whose source images
stand in another order would be written onto wrong planes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from interactivenet import __version__
from interactivenet.errors import DataError, one_line
from interactivenet.imaging.dicom.volumes import Series
from interactivenet.imaging.structures.codes import Code
from interactivenet.imaging.structures.on_series import PlacedStructures, on_series
from interactivenet.imaging.structures.source_headers import SourceHeaders, read_source_headers
from interactivenet.imaging.structures.structure import Structure, StructureSet, Written
from interactivenet.system.files import replacing

#: characters of a DICOM LO element
_LONG = 64
_NAME = "InteractiveNet"
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_seg(path: Path, structures: StructureSet, series: Series) -> Written:
    """Write structures as a DICOM SEG of the series that they were outlined on.

    No file is written of structures without a voxel. The file appears whole, or not at all.
    Raises DataError where the series is no whole scan, where the structures lie on another grid,
    and where its headers lack what a SEG needs.
    """
    placed = on_series(structures, series)
    if not placed.structures:
        return Written(False, placed.notes)
    headers = read_source_headers(series)
    try:
        dataset = _dataset(structures, placed, headers, series)
        with replacing(path) as temporary:
            dataset.save_as(temporary, enforce_file_format=True)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # of a stranger's header
        raise DataError(
            f"{series.file.path.parent}: no DICOM SEG can be made of its headers:"
            f" {type(error).__name__}: {one_line(error)}"
        ) from error
    return Written(True, placed.notes)


def _dataset(
    structures: StructureSet, placed: PlacedStructures, headers: SourceHeaders, series: Series
) -> Any:
    import highdicom
    from pydicom.uid import ExplicitVRLittleEndian

    affine = (_LPS @ placed.grid.affine)[:, [2, 1, 0, 3]]  # of slice, row, column
    volume = highdicom.Volume(
        np.ascontiguousarray(placed.map.transpose(2, 1, 0)), affine, coordinate_system="PATIENT"
    )
    for header in headers.of_files:
        _correct_measures(header, placed)
    number = series.file.tags.get("SeriesNumber", "")
    return highdicom.seg.Segmentation(
        source_images=headers.of_files,
        pixel_array=volume,
        segmentation_type="BINARY",
        segment_descriptions=[
            _segment(place, one, structures) for place, one in enumerate(placed.structures, 1)
        ],
        series_instance_uid=highdicom.UID(),
        series_number=1000 + (int(number) % 1000 if number.isdigit() else 0),
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer=_NAME,
        manufacturer_model_name=(structures.model or _NAME)[:_LONG],
        software_versions=__version__,
        device_serial_number=(structures.model_digest or __version__)[:_LONG],
        content_label=_NAME.upper(),
        content_description=structures.description[:_LONG] or None,
        content_creator_name=_NAME,
        series_description=(structures.description or _NAME)[:_LONG],
        specific_character_set="ISO_IR 192",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        omit_empty_frames=False,  # OHIF would show the others on wrong slices
    )


def _correct_measures(header: Any, placed: PlacedStructures) -> None:
    """Have the distance of slices in a header as their positions have it.

    highdicom repeats it, and what scanners write there is a gap, a thickness, or missing.
    """
    if "SharedFunctionalGroupsSequence" in header:
        return
    distance = placed.grid.spacing[2]
    header.SpacingBetweenSlices = f"{distance:.10g}"
    if not header.get("SliceThickness"):
        header.SliceThickness = f"{distance:.10g}"


def _segment(place: int, structure: Structure, structures: StructureSet) -> Any:
    import highdicom
    from pydicom.sr.codedict import codes as terms

    codes = structure.codes
    algorithm = None
    if not structure.is_manual:
        parameters = {"points": "of a person"}
        if structures.model:
            parameters["model"] = structures.model
        if structures.model_digest:
            parameters["weights SHA-256"] = structures.model_digest
        if structure.expected_dice is not None:
            parameters["expected Dice"] = f"{structure.expected_dice:.2f}"
        algorithm = highdicom.AlgorithmIdentificationSequence(
            name=f"{_NAME} {structures.model}".strip()[:_LONG],
            family=terms.cid7162.ArtificialIntelligence,
            version=__version__,
            source=_NAME,
            parameters=parameters,
        )
    segment = highdicom.seg.SegmentDescription(
        segment_number=place,
        segment_label=structure.name[:_LONG],
        segmented_property_category=_concept(codes.category),
        segmented_property_type=_concept(codes.type),
        algorithm_type="MANUAL" if structure.is_manual else "SEMIAUTOMATIC",
        algorithm_identification=algorithm,
        tracking_uid=structure.tracking_uid,
        tracking_id=structure.name[:_LONG],
        anatomic_regions=[_concept(codes.region)] if codes.region else None,
        display_color=highdicom.color.CIELabColor.from_rgb(*codes.colour),
    )
    if codes.type_modifier:
        modifier = [_concept(codes.type_modifier)]
        segment.SegmentedPropertyTypeCodeSequence[
            0
        ].SegmentedPropertyTypeModifierCodeSequence = modifier
    return segment


def _concept(code: Code) -> Any:
    import highdicom

    return highdicom.sr.CodedConcept(code.value, code.scheme, code.meaning)
