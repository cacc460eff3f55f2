"""Outlines as a DICOM RT Structure Set (RTSTRUCT), by pydicom: what planning systems keep.

PS3.3 A.19: an ROI per structure, closed planar contours on the series' own slices in its frame of
reference, with the real instances that they lie on.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from interactivenet import __version__
from interactivenet.imaging.dicom.stack import Slice
from interactivenet.imaging.dicom.volumes import Series
from interactivenet.imaging.geometry import Array
from interactivenet.imaging.structures.codes.structure_codes import Code
from interactivenet.imaging.structures.structure import Structure, StructureSet, Written
from interactivenet.imaging.structures.writing.dicom_writing import write_on_series
from interactivenet.imaging.structures.writing.mask_contours import contours_of
from interactivenet.imaging.structures.writing.on_series import PlacedStructures
from interactivenet.imaging.structures.writing.rtstruct_checking import check_contours
from interactivenet.imaging.structures.writing.source_headers import (
    REPEATED,
    SourceHeaders,
    dicom_text,
)

_NAME = "InteractiveNet"
#: Detached Study Management, retired: what structure sets say that a study is, in all systems
_STUDY = "1.2.840.10008.3.1.2.3.1"


def write_rtstruct(path: Path, structures: StructureSet, series: Series) -> Written:
    """Write structures as an RTSTRUCT of the series that they were outlined on.

    Contours run along the edges of voxels, so that the centres inside of them are the voxels
    outlined; holes are keyholes. They are compared with what was outlined before anything is
    written. No file is written of structures without a voxel. The file appears whole, or not at
    all. Raises DataError, naming the series' folder, where the series is no whole scan, where the
    structures lie on another grid, and where its headers lack what an RTSTRUCT needs.
    """
    return write_on_series(path, structures, series, "RTSTRUCT", _dataset, check_contours)


def _dataset(
    structures: StructureSet,
    placed: PlacedStructures,
    headers: SourceHeaders,
    series: Series,
    names: Mapping[int, str],
) -> Dataset:
    first, now = headers.first, datetime.now()
    dataset = Dataset()
    dataset.file_meta = _meta()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = RTStructureSetStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID
    dataset.InstanceCreationDate = dataset.StructureSetDate = f"{now:%Y%m%d}"
    dataset.InstanceCreationTime = dataset.StructureSetTime = f"{now:%H%M%S}"
    for keyword in REPEATED:
        if keyword in first:
            dataset[keyword] = copy.deepcopy(first[keyword])
    dataset.Modality = "RTSTRUCT"
    dataset.SeriesInstanceUID = generate_uid()
    dataset.SeriesNumber = str(2000 + headers.series_number)
    dataset.SeriesDescription = dicom_text(structures.description) or _NAME
    dataset.OperatorsName = ""
    dataset.Manufacturer = _NAME
    dataset.ManufacturerModelName = dicom_text(structures.model) or _NAME
    dataset.SoftwareVersions = __version__
    dataset.FrameOfReferenceUID = first.FrameOfReferenceUID
    dataset.PositionReferenceIndicator = first.get("PositionReferenceIndicator", "")
    dataset.InstanceNumber = "1"
    dataset.StructureSetLabel = _NAME
    dataset.StructureSetName = dicom_text(structures.description) or _NAME
    if structures.model_digest:
        dataset.StructureSetDescription = (
            f"Weights of the model (SHA-256): {structures.model_digest}"
        )
    dataset.ReferencedFrameOfReferenceSequence = Items(
        [_frame_of_reference(first, headers, series)]
    )
    dataset.StructureSetROISequence = Items(
        _roi(place, one, names[one.number], first) for place, one in enumerate(placed.structures, 1)
    )
    dataset.ROIContourSequence = Items(
        _contours(place, one, placed.map == place, headers, series)
        for place, one in enumerate(placed.structures, 1)
    )
    dataset.RTROIObservationsSequence = Items(
        _observation(place, one) for place, one in enumerate(placed.structures, 1)
    )
    dataset.ApprovalStatus = "UNAPPROVED"
    return dataset


def _meta() -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = RTStructureSetStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    # the one that all systems know; the explicit ones end a contour after 64 KiB
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return meta


def _frame_of_reference(first: Any, headers: SourceHeaders, series: Series) -> Dataset:
    images = Items(
        _image(header, one) for header, one in zip(headers.of_slices, series.slices, strict=True)
    )
    of_series = _item(SeriesInstanceUID=first.SeriesInstanceUID, ContourImageSequence=images)
    study = _item(
        ReferencedSOPClassUID=_STUDY,
        ReferencedSOPInstanceUID=first.StudyInstanceUID,
        RTReferencedSeriesSequence=Items([of_series]),
    )
    return _item(
        FrameOfReferenceUID=first.FrameOfReferenceUID,
        RTReferencedStudySequence=Items([study]),
    )


def _image(header: Any, one: Slice) -> Dataset:
    image = _item(
        ReferencedSOPClassUID=header.SOPClassUID, ReferencedSOPInstanceUID=header.SOPInstanceUID
    )
    if one.file.frames > 1:
        image.ReferencedFrameNumber = str(one.plane.frame + 1)
    return image


def _roi(place: int, structure: Structure, name: str, first: Any) -> Dataset:
    roi = _item(
        ROINumber=str(place),
        ReferencedFrameOfReferenceUID=first.FrameOfReferenceUID,
        ROIName=name,
        ROIGenerationAlgorithm="MANUAL" if structure.is_manual else "SEMIAUTOMATIC",
    )
    if structure.expected_dice is not None:
        roi.ROIGenerationDescription = f"expected Dice {structure.expected_dice:.2f}"
    return roi


def _contours(
    place: int, structure: Structure, mask: Array, headers: SourceHeaders, series: Series
) -> Dataset:
    contours: list[Dataset] = []
    for number in np.flatnonzero(mask.any(axis=(0, 1))).tolist():
        one, header = series.slices[number], headers.of_slices[number]
        for polygon in contours_of(mask[:, :, number]):
            across, down = one.plane.orientation[:3], one.plane.orientation[3:]
            between_rows, between_columns = one.plane.spacing
            points = (
                one.plane.position
                + polygon[:, :1] * between_columns * across
                + polygon[:, 1:] * between_rows * down
            )
            contour = _item(
                ContourImageSequence=Items([_image(header, one)]),
                ContourGeometricType="CLOSED_PLANAR",
                NumberOfContourPoints=str(len(points)),
                ContourNumber=str(len(contours) + 1),
                ContourData=_decimals(points.ravel().tolist()),
            )
            contours.append(contour)
    return _item(
        ROIDisplayColor=[str(value) for value in structure.codes.colour],
        ContourSequence=Items(contours),
        ReferencedROINumber=str(place),
    )


def _observation(place: int, structure: Structure) -> Dataset:
    return _item(
        ObservationNumber=str(place),
        ReferencedROINumber=str(place),
        ROIObservationLabel=dicom_text(structure.name, 16),
        RTROIInterpretedType=structure.codes.roi_type,
        ROIInterpreter="",
        RTROIIdentificationCodeSequence=Items([_concept(structure.codes.type)]),
    )


def _concept(code: Code) -> Dataset:
    return _item(CodeValue=code.value, CodingSchemeDesignator=code.scheme, CodeMeaning=code.meaning)


def _decimals(numbers: Sequence[float]) -> list[str]:
    """Write mm to a millionth: at most 16 characters, as DS has them, of any place in a patient."""
    return [f"{number:.6f}".rstrip("0").rstrip(".") for number in numbers]


def _item(**elements: Any) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item
