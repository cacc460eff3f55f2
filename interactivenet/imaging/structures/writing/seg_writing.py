"""Outlines as a DICOM Segmentation (SEG), by highdicom: what archives and viewers keep.

One object: BINARY, a segment per structure, all frames, on the series' own grid, in its study and
frame of reference. The planes of the array are given with their positions, as they would be taken
from source images in whatever order those stand; and what came of it is compared, frame by
frame, with what was outlined.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet import __version__
from interactivenet.errors import DataError
from interactivenet.imaging.dicom.reading import folder_of
from interactivenet.imaging.dicom.volumes import Series
from interactivenet.imaging.geometry import LPS_RAS
from interactivenet.imaging.structures.codes.structure_codes import Code
from interactivenet.imaging.structures.structure import Structure, StructureSet, Written
from interactivenet.imaging.structures.writing.dicom_writing import write_on_series
from interactivenet.imaging.structures.writing.on_series import PlacedStructures
from interactivenet.imaging.structures.writing.seg_checking import check_frames
from interactivenet.imaging.structures.writing.source_headers import SourceHeaders, dicom_text

_NAME = "InteractiveNet"
#: persons, whom highdicom names in its warnings: it does not get to know them
_PERSONS = ("PatientName", "ReferringPhysicianName")


def write_seg(path: Path, structures: StructureSet, series: Series) -> Written:
    """Write structures as a DICOM SEG of the series that they were outlined on.

    No file is written of structures without a voxel. The file appears whole, or not at all.
    Raises DataError where the series is no whole scan, where the structures lie on another grid,
    and where its headers lack what a SEG needs.
    """
    return write_on_series(path, structures, series, "DICOM SEG", _dataset, check_frames)


def _dataset(
    structures: StructureSet,
    placed: PlacedStructures,
    headers: SourceHeaders,
    series: Series,
    names: Mapping[int, str],
) -> Any:
    import highdicom
    from pydicom.uid import ExplicitVRLittleEndian

    if len(headers.of_files) > 1 and any(
        "SharedFunctionalGroupsSequence" in header for header in headers.of_files
    ):
        raise DataError(
            f"{folder_of(series)}: has its slices in {len(headers.of_files)} multi-frame files: a"
            " DICOM SEG can be made of one such file, or of one file per slice"
        )
    for header in headers.of_files:
        _correct_geometry(header, placed)
    first = headers.first
    persons = {keyword: first[keyword].value for keyword in _PERSONS}
    for keyword in _PERSONS:
        setattr(first, keyword, "Nobody^")
    dataset = highdicom.seg.Segmentation(
        source_images=headers.of_files,
        pixel_array=np.ascontiguousarray(placed.map.transpose(2, 1, 0)),
        plane_positions=[
            highdicom.PlanePositionSequence("PATIENT", one.plane.position) for one in series.slices
        ],
        segmentation_type="BINARY",
        segment_descriptions=[
            _segment(place, one, names[one.number], structures)
            for place, one in enumerate(placed.structures, 1)
        ],
        series_instance_uid=highdicom.UID(),
        series_number=1000 + headers.series_number,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer=_NAME,
        manufacturer_model_name=dicom_text(structures.model) or _NAME,
        software_versions=__version__,
        device_serial_number=dicom_text(structures.model_digest) or __version__,
        content_label=_NAME.upper(),
        content_description=dicom_text(structures.description) or None,
        content_creator_name=f"{_NAME}^",
        series_description=dicom_text(structures.description) or _NAME,
        specific_character_set="ISO_IR 192",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        omit_empty_frames=False,  # OHIF would show the others on wrong slices
    )
    for keyword, person in persons.items():
        setattr(dataset, keyword, person)
    return dataset


def _correct_geometry(header: Any, placed: PlacedStructures) -> None:
    """Have the geometry that all slices share in a header as their positions have it.

    highdicom repeats it, and what scanners write as distance of slices is a gap, a thickness, or
    missing; orientations that differ by rounding it refuses.
    """
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    across, down, along = placed.grid.spacing
    axes = LPS_RAS[:, None] * placed.grid.affine[:3, :2] / np.array([across, down])
    shared = header
    measures, orientation = header, header
    if "SharedFunctionalGroupsSequence" in header:
        shared = header.SharedFunctionalGroupsSequence[0]
        measures, orientation = Dataset(), Dataset()
        shared.PixelMeasuresSequence = Sequence([measures])
        shared.PlaneOrientationSequence = Sequence([orientation])
    thickness = header.get("SliceThickness") or 0
    measures.PixelSpacing = [f"{down:.10g}", f"{across:.10g}"]
    measures.SpacingBetweenSlices = f"{along:.10g}"
    measures.SliceThickness = thickness if thickness > 0 else f"{along:.10g}"
    orientation.ImageOrientationPatient = [f"{value:.10g}" for value in axes.T.ravel() + 0.0]


def _segment(place: int, structure: Structure, name: str, structures: StructureSet) -> Any:
    import highdicom
    from pydicom.sr.codedict import codes as terms

    codes = structure.codes
    algorithm = None
    if not structure.is_manual:
        known = {"Model": structures.model, "SHA-256 of its weights": structures.model_digest}
        parameters = {name: text for name, text in known.items() if text}
        if structure.expected_dice is not None:
            parameters["Expected Dice"] = f"{structure.expected_dice:.2f}"
        algorithm = highdicom.AlgorithmIdentificationSequence(
            name=dicom_text(f"{_NAME} {structures.model}"),
            family=terms.cid7162.ArtificialIntelligence,
            version=__version__,
            source=_NAME,
            parameters=parameters or None,
        )
    segment = highdicom.seg.SegmentDescription(
        segment_number=place,
        segment_label=name,
        segmented_property_category=_concept(codes.category),
        segmented_property_type=_concept(codes.type),
        algorithm_type="MANUAL" if structure.is_manual else "SEMIAUTOMATIC",
        algorithm_identification=algorithm,
        tracking_uid=structure.tracking_uid,
        tracking_id=name,
        anatomic_regions=[_concept(codes.region)] if codes.region else None,
        display_color=highdicom.color.CIELabColor.from_rgb(*codes.colour),
    )
    if codes.type_modifier:
        kind = segment.SegmentedPropertyTypeCodeSequence[0]
        kind.SegmentedPropertyTypeModifierCodeSequence = [_concept(codes.type_modifier)]
    return segment


def _concept(code: Code) -> Any:
    import highdicom

    return highdicom.sr.CodedConcept(code.value, code.scheme, code.meaning)
