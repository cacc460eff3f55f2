"""Whether a DICOM SEG that was made is what was outlined, before anybody gets it."""

from __future__ import annotations

from typing import Any

import numpy as np

from interactivenet.errors import DataError
from interactivenet.imaging.dicom.single_bits import unpack_frame
from interactivenet.imaging.dicom.volumes import Series
from interactivenet.imaging.structures.writing.on_series import PlacedStructures

#: how far a frame may lie from its slice, as a fraction of the slice distance: rounded positions
_NEAR = 0.25


def check_frames(dataset: Any, placed: PlacedStructures, series: Series) -> None:
    """Raise DataError where a frame of a SEG differs from what is outlined on its slice.

    A frame's slice is the one that lies where it lies: its position, pixels and the image that it
    refers to are compared, each with what the series and the structures have. Of several
    frames of one place in a multi-frame file, the one that belongs to the series is referred to.
    """
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    positions = np.stack([one.plane.position for one in series.slices])
    shared = dataset.SharedFunctionalGroupsSequence[0]
    seen = set()
    for place, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        frame = unpack_frame(dataset.PixelData, place, (rows, columns))
        position = np.array(group.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        apart = np.linalg.norm(positions - position, axis=1)
        number = int(apart.argmin())
        named = group if "SegmentIdentificationSequence" in group else shared
        segment = int(named.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        one = series.slices[number]
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        if one.file.frames > 1:
            source.ReferencedFrameNumber = one.plane.frame + 1
        if (
            apart[number] > _NEAR * placed.grid.spacing[2]
            or str(source.ReferencedSOPInstanceUID) != one.file.uid
            or not np.array_equal(frame.T != 0, placed.map[:, :, number] == segment)
        ):
            raise DataError(
                f"the DICOM SEG that was made has another outline on {one.name} than was given:"
                " it is not written (please report it)"
            )
        seen.add((segment, number))
    if len(seen) != len(placed.structures) * len(series.slices):
        raise DataError(
            f"the DICOM SEG that was made has {len(seen)} frames, expected"
            f" {len(placed.structures) * len(series.slices)}: it is not written (please report it)"
        )
