"""From the places of DICOM slices to the grid of their volume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interactivenet.errors import DataError
from interactivenet.imaging.dicom.files import DicomFile
from interactivenet.imaging.dicom.planes import Plane
from interactivenet.imaging.geometry import LPS_RAS

#: how far a slice may lie from its place in an even stack, as a fraction of the slice distance
_UNEVEN = 0.1
#: the same where positions are written in tenths of a mm: both ends and the slice are rounded
_ROUNDED_MM = 0.1001
#: deviations that are worth a word: a fraction of the slice distance, mm
_NOTED, _NOTED_MM = 0.01, 0.01
#: slices closer than this lie at one place, mm
SAME_PLACE_MM = 1e-3


@dataclass(frozen=True, eq=False)
class Slice:
    """One image of a series."""

    file: DicomFile
    plane: Plane

    @property
    def name(self) -> str:
        """What messages call it."""
        frame = f", frame {self.plane.frame + 1}" if self.file.frames > 1 else ""
        return f"{self.file.name}{frame}"


def ordered(slices: Sequence[Slice]) -> list[Slice]:
    """Sort slices along their normal."""
    along = places(slices)
    return [slices[index] for index in np.argsort(along, kind="stable")]


def places(slices: Sequence[Slice]) -> NDArray[np.float64]:
    """Return where slices lie along the normal of the first, mm."""
    axes = slices[0].plane.orientation
    normal = np.cross(axes[:3], axes[3:])
    return np.array([slice_.plane.position @ normal for slice_ in slices])


def check_alike(slices: Sequence[Slice]) -> None:
    """Raise DataError, naming the odd ones, where slices are not of one size and orientation."""
    sizes = Counter(slice_.file.size for slice_ in slices)
    size, count = sizes.most_common(1)[0]
    odd = [slice_ for slice_ in slices if slice_.file.size != size]
    if odd:
        other = odd[0].file.size
        raise DataError(
            f"has DICOM slices of several sizes: {_names(odd)} of {other[1]}x{other[0]} pixels,"
            f" the other {count} of {size[1]}x{size[0]}: move what is of another scan away"
        )
    spacings = [tuple(np.round(slice_.plane.spacing, 6)) for slice_ in slices]
    usual = np.array(Counter(spacings).most_common(1)[0][0])
    odd = [slice_ for slice_ in slices if not np.allclose(slice_.plane.spacing, usual, rtol=1e-4)]
    if odd:
        raise DataError(
            f"has DICOM slices that differ in pixel spacing: {_names(odd)} has"
            f" {_mm(odd[0].plane.spacing)} mm, others {_mm(usual)} mm"
        )


def stack_affine(slices: Sequence[Slice]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return the affine (4, 4), stored voxel -> RAS+ mm, of ordered slices, and notes.

    It follows from the slices' own positions (PS3.3 C.7.6.2.1.1), not from their thickness, and
    not from ITK's direction, which hides a tilted gantry. Raises DataError where they are not
    evenly spaced.
    """
    planes = [slice_.plane for slice_ in slices]
    first, last = planes[0], planes[-1]
    if len(planes) < 2:
        raise DataError("holds a single DICOM slice, expected a 3D series")
    for slice_ in slices:
        if not np.allclose(slice_.plane.orientation, first.orientation, atol=1e-4):
            raise DataError(
                f"has DICOM slices that differ in orientation, such as {slice_.name} and"
                f" {slices[0].name} (is one of them a localiser?)"
            )
        if not np.allclose(slice_.plane.spacing, first.spacing, rtol=1e-4):
            raise DataError(f"has DICOM slices that differ in pixel spacing, such as {slice_.name}")
    positions = np.stack([plane.position for plane in planes])
    origin, step = first.position, (last.position - first.position) / (len(planes) - 1)
    distance = float(np.linalg.norm(step))
    numbers = np.arange(len(planes))
    apart = positions - (origin + numbers[:, None] * step)
    rounded = False
    if distance == 0 or np.linalg.norm(apart, axis=1).max() > _UNEVEN * distance:
        rounded = distance > 2 * _ROUNDED_MM and _is_rounded(positions, apart)
        if not rounded:
            raise DataError(_uneven(slices, positions))
        step, origin = np.polyfit(numbers, positions, 1)  # nearer than the ends, rounded as all
        distance = float(np.linalg.norm(step))
        apart = positions - (origin + numbers[:, None] * step)
    gaps = np.linalg.norm(apart, axis=1)
    gap = float(gaps.max())
    notes: tuple[str, ...] = ()
    if gap > max(_NOTED * distance, _NOTED_MM):
        farthest = slices[int(gaps.argmax())].name
        why = ": their positions are rounded" if rounded else ""
        notes = (
            f"its slices lie up to {gap:.2g} mm ({farthest}) from even steps of {distance:.4g}"
            f" mm{why}",
        )
    row, column = first.orientation[:3], first.orientation[3:]
    columns = np.stack([row * first.spacing[1], column * first.spacing[0], step], axis=1)
    affine = np.eye(4)
    affine[:3, :3] = columns * LPS_RAS[:, None]
    affine[:3, 3] = origin * LPS_RAS
    return affine + 0.0, notes  # no negative zeros


def _is_rounded(positions: NDArray[np.float64], apart: NDArray[np.float64]) -> bool:
    """Whether places are uneven only because they are written in tenths of a mm.

    apart: (N, 3) mm, how far each is from its place in an even stack.
    """
    off = np.abs(apart).max(axis=0)
    along = positions[:, off > 1e-6] * 10
    in_tenths = np.allclose(along, np.rint(along), rtol=0, atol=1e-6)
    return bool(in_tenths and off.max() <= _ROUNDED_MM)


def _uneven(slices: Sequence[Slice], positions: NDArray[np.float64]) -> str:
    """Say where slices are not evenly spaced."""
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    usual = float(np.median(steps))
    axis = int(np.argmax(np.ptp(positions, axis=0)))
    holes = np.rint(steps / usual).astype(int) - 1 if usual > 0 else np.zeros(len(steps), int)
    even = np.abs(steps - (holes + 1) * usual) <= max(_UNEVEN * usual, 2 * _ROUNDED_MM)
    if usual > 4 * _ROUNDED_MM and even.all() and holes.min() >= 0 and holes.any():
        gaps = [
            f"{holes[index]} between {slices[index].name} and {slices[index + 1].name} ("
            f"{'xyz'[axis]} = {positions[index, axis]:.2f} and {positions[index + 1, axis]:.2f} mm)"
            for index in np.flatnonzero(holes).tolist()
        ]
        more = f", and {len(gaps) - 3} more gaps" if len(gaps) > 3 else ""
        return (
            f"has {len(slices)} DICOM slices that are not evenly spaced ({steps.min():.4g} to"
            f" {steps.max():.4g} mm apart): {holes.sum()} missing, {', '.join(gaps[:3])}{more}"
        )
    worst = int(np.argmax(np.abs(steps - usual)))
    return (
        f"has {len(slices)} DICOM slices that are not evenly spaced ({steps.min():.4g} to"
        f" {steps.max():.4g} mm apart, mostly {usual:.4g}): a slice is missing, repeated or from"
        f" another scan, see {slices[worst].name} and {slices[worst + 1].name} ({'xyz'[axis]} ="
        f" {positions[worst, axis]:.2f} and {positions[worst + 1, axis]:.2f} mm)"
    )


def _names(slices: Sequence[Slice]) -> str:
    more = f" and {len(slices) - 3} more" if len(slices) > 3 else ""
    return ", ".join(slice_.name for slice_ in slices[:3]) + more


def _mm(spacing: NDArray[np.float64]) -> str:
    return "x".join(f"{value:.6g}" for value in spacing)
