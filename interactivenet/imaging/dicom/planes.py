"""Where the images of a DICOM file lie, classic ones and the frames of enhanced ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interactivenet.errors import DataError
from interactivenet.imaging.dicom.header import Header, required_floats

#: what may tell several images of one place apart, the most telling first
TRAITS = (
    "TemporalPositionIdentifier", "AcquisitionNumber", "EchoTime", "EchoNumbers",
    "DiffusionBValue", "InversionTime", "TriggerTime", "NominalPercentageOfCardiacPhase",
    "ImageType", "FlipAngle", "ConvolutionKernel", "SliceThickness", "FrameReferenceTime",
    "AcquisitionTime",
)  # fmt: skip
#: the same in the functional groups of a frame: macro -> its elements
_MACROS = {
    "FrameContentSequence": ("TemporalPositionIndex", "FrameAcquisitionNumber", "StackID"),
    "MREchoSequence": ("EffectiveEchoTime",),
    "MRDiffusionSequence": ("DiffusionBValue",),
    "CardiacSynchronizationSequence": ("NominalPercentageOfCardiacPhase",),
    "CTImageFrameTypeSequence": ("FrameType",),
    "MRImageFrameTypeSequence": ("FrameType",),
    "CTReconstructionSequence": ("ConvolutionKernel",),
}


@dataclass(frozen=True, eq=False)
class Plane:
    """One image in a file.

    frame: its number, from 0.  position: (3,) of its first voxel, LPS mm.
    orientation: (6,) along a row, along a column.  spacing: (2,) between rows, between columns.
    slope, intercept: from stored to real values.  traits: what may tell it from others of its
    place.
    """

    frame: int
    position: NDArray[np.float64]
    orientation: NDArray[np.float64]
    spacing: NDArray[np.float64]
    slope: float
    intercept: float
    traits: Mapping[str, str]
    rescale_type: str = ""


def planes_of(header: Header) -> tuple[Plane, ...]:
    """Return where the images of a file lie.

    Raises DataError, with the reason alone, where it does not say.
    """
    frames = header.items("PerFrameFunctionalGroupsSequence")
    if frames:
        if len(frames) != header.frames:
            raise DataError(f"describes {len(frames)} of its {header.frames} frames")
        shared = header.items("SharedFunctionalGroupsSequence")[:1]
        return tuple(
            _frame(number, header, [frame, *shared]) for number, frame in enumerate(frames)
        )
    if header.frames > 1:
        raise DataError(f"has {header.frames} frames without positions")
    traits = {keyword: header.text(keyword) for keyword in TRAITS}
    return (_plane(0, header, [header], [header], [header], [header], traits),)


def _frame(number: int, header: Header, groups: list[Header]) -> Plane:
    """Return a frame's plane; groups: its own functional groups, then the shared ones."""

    def macro(keyword: str) -> list[Header]:
        return [item for group in groups for item in group.items(keyword)[:1]]

    traits = {
        keyword: next((text for item in macro(name) if (text := item.text(keyword))), "")
        for name, keywords in _MACROS.items()
        for keyword in keywords
        if macro(name)
    }
    return _plane(
        number,
        header,
        macro("PlanePositionSequence"),
        macro("PlaneOrientationSequence"),
        macro("PixelMeasuresSequence"),
        [*macro("PixelValueTransformationSequence"), header],
        traits,
    )


def _plane(
    number: int,
    header: Header,
    position: list[Header],
    orientation: list[Header],
    measures: list[Header],
    scaling: list[Header],
    traits: Mapping[str, str],
) -> Plane:
    where = "its position"
    axes = required_floats(orientation, "ImageOrientationPatient", 6, where)
    for axis in (axes[:3], axes[3:]):
        if abs(np.linalg.norm(axis) - 1) > 0.01:
            raise DataError(f"has an ImageOrientationPatient that is none: {_joined(axes)}")
    spacing = required_floats(measures, "PixelSpacing", 2, "the size of its pixels")
    if spacing.min() <= 0:
        raise DataError(f"has a PixelSpacing of {_joined(spacing)} mm, expected more than 0")
    place = required_floats(position, "ImagePositionPatient", 3, where)
    scaled = next((item for item in scaling if item.has("RescaleSlope")), header)
    slope, intercept = _scale(scaled, "RescaleSlope", 1.0), _scale(scaled, "RescaleIntercept", 0.0)
    rescale_type = scaled.text("RescaleType")
    return Plane(number, place, axes, spacing, slope, intercept, traits, rescale_type)


def _scale(header: Header, keyword: str, default: float) -> float:
    if not header.text(keyword):
        return default
    if (number := header.floats(keyword, 1)) is None:
        raise DataError(f"has a {keyword} of '{header.text(keyword)}', expected a number")
    return float(number[0])


def _joined(numbers: NDArray[np.float64]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)
