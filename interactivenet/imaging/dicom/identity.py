"""Whose and which a DICOM series is, kept with its grid."""

from __future__ import annotations

from dataclasses import dataclass

from interactivenet.imaging.dicom.files import DicomFile


@dataclass(frozen=True)
class SeriesIdentity:
    """What a grid knows of the series that it is of, as its ``native``; '' where nobody says.

    patient: PatientID.  study, series: their UIDs.  frame_of_reference: UID of what positions are
    relative to: outlines with the same one lie where they seem to lie.
    """

    patient: str
    study: str
    series: str
    frame_of_reference: str


def identity_of(file: DicomFile) -> SeriesIdentity:
    """Return the identity of the series that a file belongs to."""
    return SeriesIdentity(file.tags.get("PatientID", ""), file.study, file.series, file.reference)
