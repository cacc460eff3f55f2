"""RTSTRUCT and DICOM SEG as label maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interactivenet.errors import DataError, naming
from interactivenet.imaging.components import Mask
from interactivenet.imaging.dicom.header import Header
from interactivenet.imaging.dicom.identity import SeriesIdentity
from interactivenet.imaging.dicom.opening import read_dataset
from interactivenet.imaging.geometry import Array, Geometry
from interactivenet.imaging.size_limits import check_size
from interactivenet.imaging.structures.reading.rasterising import Contour, rasterise
from interactivenet.imaging.structures.reading.roi_names import RoiNames, listed_rois
from interactivenet.imaging.structures.reading.rtstruct_contours import (
    contours_of,
    unlisted_contours,
)
from interactivenet.imaging.structures.reading.seg_reading import read_segments
from interactivenet.imaging.structures.reading.structure_files import (
    StructureFile,
    describe,
    differences,
    structure_kind,
)
from interactivenet.imaging.volume import Volume

NO_ROIS = RoiNames()


def read_structures(
    path: Path,
    *,
    names: Mapping[int, str] | None = None,
    rois: RoiNames = NO_ROIS,
    image: tuple[Path, Geometry] | None = None,
) -> Volume:
    """Read an RTSTRUCT or DICOM SEG as a label map (1, X, Y, Z) along RAS+.

    Args:
        path: The file.
        names: Value of a label -> its name; None where unknown.
        rois: Which ROIs, or segments, are which label; see :meth:`RoiNames.match`. Without any,
            and without names, segments of a SEG have their own numbers.
        image: Path and stored grid of the image, which contours need to become voxels; a SEG
            comes on its own grid without it.

    Returns:
        The label map, on the image's grid where there is one. Where labels overlap, the one that
        ``rois`` names last lies above; without these, the one of the highest value. ``notes`` say
        so, with counts, and what else was noticed.

    Raises:
        DataError: The file, which is named, cannot be read; holds no ROI of a label; or lies
            elsewhere than the image, or in other planes.
        RequestError: ``rois`` contradict each other, or say a label that is none of ``names``.
    """
    names = names or None
    with naming(path):
        kind = structure_kind(path)
        if kind == "RTSTRUCT" and image is None:
            raise DataError(
                "is an RTSTRUCT, whose contours say nothing of voxels: it is read on the grid of"
                " the image that it was drawn on, which is not given"
            )
        header = Header(read_dataset(path, pixels=kind == "SEG"))
        file = describe(path, header)
        of_roi, said = label_values(file, rois, names)
        notes = [*said, *_strangers(file, of_roi, image)]
        mask_of: Callable[[Sequence[int]], Mask]
        if kind == "SEG":
            segments = read_segments(path, header, image)
            grid, mask_of = segments.grid, segments.mask
            notes += segments.notes
        else:
            assert image is not None
            grid = image[1]
            check_size(grid.shape, 2)
            if strange := unlisted_contours(header, [roi.number for roi in file.rois]):
                notes.append(
                    f"left out {sum(strange.values())} contours of ROIs that it does not list:"
                    f" {', '.join(map(str, sorted(strange)))}"
                )
            regions = _Regions(contours_of(header, of_roi), file, grid, notes)
            mask_of = regions.mask
        order = [rois.values(names)[label.casefold()] for label in rois.labels]
        label, more = _merged(mask_of, of_roi, order or sorted(set(of_roi.values())), grid, names)
    return Volume.from_stored(label, grid, notes=(*notes, *more))


@dataclass(frozen=True, eq=False)
class _Regions:
    """Contours by the numbers of their ROIs, of a file, for a grid; notes: gets what is noticed."""

    contours: Mapping[int, Sequence[Contour]]
    file: StructureFile
    grid: Geometry
    notes: list[str]

    def mask(self, numbers: Sequence[int]) -> Mask:
        """Mark the voxels (X, Y, Z) of some ROIs, in the grid's stored order."""
        mask: Mask = np.zeros(self.grid.shape, dtype=bool)
        for roi in self.file.rois:
            if roi.number in numbers:
                try:
                    own, notes = rasterise(self.contours[roi.number], self.grid)
                except DataError as error:
                    raise DataError(f"its ROI '{roi.name}' {error}") from error
                mask |= own
                self.notes.extend(f"ROI '{roi.name}': {note}" for note in notes)
        return mask


def label_values(
    file: StructureFile, rois: RoiNames, names: Mapping[int, str] | None
) -> tuple[dict[int, int], tuple[str, ...]]:
    """Return number of an ROI, or segment, -> label value, and notes.

    rois, names: as for :func:`read_structures`, which raises the same: without any, segments of a
    SEG have their own numbers.
    """
    if file.kind != "SEG" or rois.patterns or names:
        values, notes = rois.match([roi.name for roi in file.rois], names or None)
        return {roi.number: values[roi.name] for roi in file.rois if roi.name in values}, notes
    if not file.rois:
        raise DataError("holds no segments")
    listed = ", ".join(f"{roi.number}='{roi.name}'" for roi in file.rois)
    notes = (f"its segments are read by their numbers: {listed}",)
    return {roi.number: roi.number for roi in file.rois}, notes


def _strangers(
    file: StructureFile, of_roi: dict[int, int], image: tuple[Path, Geometry] | None
) -> list[str]:
    """Say where a file is not of the patient, or not of the place, that the image is of.

    of_roi: number of an ROI -> value; ROIs of another frame of reference than the image's are left
    out, where others have that one. Raises DataError where nothing says which of several it is.
    """
    of_image = image[1].native if image else None
    of_image = of_image if isinstance(of_image, SeriesIdentity) else None
    frames = file.frames_of(of_roi)
    notes = []
    if len(set(frames.values())) > 1:
        expected = of_image.frame_of_reference if of_image else ""
        left = [number for number, frame in frames.items() if frame != expected]
        if len(left) == len(frames):
            named = ", ".join(f"'{roi.name}' ({frames[roi.number]})" for roi in file.rois
                              if roi.number in frames)  # fmt: skip
            raise DataError(
                f"has ROIs of several frames of reference, {named}: expected one, that of the image"
                f" ({expected or 'unknown'})"
            )
        named = listed_rois([roi.name for roi in file.rois if roi.number in left])
        notes.append(f"left out its ROIs of another frame of reference than the image's: {named}")
        for number in left:
            del of_roi[number], frames[number]
    if of_image is not None:
        notes += differences(file, of_image, next(iter(frames.values()), ""))
    return notes


def _merged(
    mask_of: Callable[[Sequence[int]], Mask],
    of_roi: Mapping[int, int],
    order: Sequence[int],
    grid: Geometry,
    names: Mapping[int, str] | None,
) -> tuple[Array, list[str]]:
    """Put ROIs into one map (X, Y, Z) as stored, in the order of their values; and notes.

    mask_of: gives the mask of the ROIs of some numbers.  of_roi: number -> value.

    Raises DataError where nothing is left of a label that had voxels.
    """
    label = np.zeros(grid.shape, np.min_scalar_type(max(order)))
    notes, filled = [], []
    for value in order:
        own = [number for number, of_value in of_roi.items() if of_value == value]
        if not own:
            continue
        mask = mask_of(own)
        below = label[mask]
        for other in np.unique(below[below > 0]).tolist():
            count = np.count_nonzero(below == other)
            notes.append(
                f"{count} voxels of {_called(other, names)} are in {_called(value, names)}, too:"
                " they are read as the latter"
            )
        if mask.any():
            filled.append(value)
        else:
            notes.append(f"nothing in it is {_called(value, names)}")
        label[mask] = value
    left = set(np.unique(label).tolist())
    for value in filled:
        if value not in left:
            raise DataError(
                f"has nothing left of {_called(value, names)}, which lies under others: a label map"
                " has one label per voxel"
            )
    return label, notes


def _called(value: int, names: Mapping[int, str] | None) -> str:
    name = names.get(value, "") if names else ""
    return f"label {value}={name}" if name else f"label {value}"
