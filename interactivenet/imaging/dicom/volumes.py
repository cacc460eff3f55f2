"""The volumes that the DICOM files of one series make.

Copies are taken once, screenshots and localisers left out, and images of one place told apart.
"""

from __future__ import annotations

import filecmp
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations

import numpy as np
import pydicom

from interactivenet.errors import DataError
from interactivenet.imaging.dicom.files import DicomFile
from interactivenet.imaging.dicom.planes import TRAITS
from interactivenet.imaging.dicom.stack import (
    SAME_PLACE_MM,
    Slice,
    check_alike,
    ordered,
    places,
    stack_affine,
)
from interactivenet.system.names import list_some

#: slices of another orientation that are taken for localisers: how many, and from which angle on
_FEW, _OBLIQUE = 3, np.cos(np.radians(5.0))
#: what scanners call series that others are planned on
_LOCALISER = re.compile(r"locali[sz]er|scout|topogram|surview|\bsurvey\b|3.?plane", re.IGNORECASE)


class _NoVolume(DataError):
    """Images that belong together, but are no scan."""


@dataclass(frozen=True, eq=False)
class Series:
    """A series, or the part of one that is a volume, as 'EchoTime=4.6' of several echoes.

    slices: in the order of their places.  notes: what was left out of it, and else.
    problem: why it cannot be read; '' where it can.  is_volume: whether it is a scan at all,
    though perhaps a broken one, and no localiser or single image.
    """

    file: DicomFile
    slices: tuple[Slice, ...]
    part: str = ""
    notes: tuple[str, ...] = ()
    problem: str = ""
    is_volume: bool = True

    @property
    def uid(self) -> str:
        """Its SeriesInstanceUID, with ':' and the part where it is one."""
        return f"{self.file.series}{self._suffix}"

    @property
    def names(self) -> tuple[str, ...]:
        """What it can be chosen by: its number, UID or description, with ':' and the part."""
        tags = self.file.tags
        own = (tags.get("SeriesNumber", ""), self.file.series, tags.get("SeriesDescription", ""))
        return tuple(f"{name}{self._suffix}" for name in own if name)

    @property
    def _suffix(self) -> str:
        return f":{self.part}" if self.part else ""

    @property
    def title(self) -> str:
        """Its number, or else its UID, its part and its description."""
        tags = self.file.tags
        name = tags.get("SeriesNumber") or self.file.series
        said = f" '{tags['SeriesDescription']}'" if tags.get("SeriesDescription") else ""
        return f"{name}{self._suffix}{said}"

    @property
    def brief(self) -> str:
        """What it is, for lists of many: it says that it is unusable, but not why."""
        return self._described(", unusable")

    def __str__(self) -> str:
        return self._described(f", unusable: it {self.problem}")

    def _described(self, unusable: str) -> str:
        rows, columns = self.file.size
        count = f"{len(self.slices)} slice{'s' if len(self.slices) != 1 else ''}"
        why = unusable if self.problem and self.is_volume else ""
        modality = self.file.tags.get("Modality", "no modality")
        return f"{self.title} ({modality}, {count} of {columns}x{rows}{why})"


def volumes_of(files: list[DicomFile]) -> list[Series]:
    """Return the volumes that the files of one series make: one, if all is as it should be."""
    notes: list[str] = []
    whole = Series(files[0], tuple(Slice(file, plane) for file in files for plane in file.planes))
    if len(whole.slices) and not any(file.planes for file in files[:1]):
        whole = replace(whole, file=whole.slices[0].file)
    try:
        files = _without_copies(files, notes)
        for file in files:
            if file.broken:
                raise DataError(f"holds {file.name}, which {file.broken}")
        slices, is_volume = _of_one_kind([Slice(f, p) for f in files for p in f.planes], notes)
    except DataError as error:
        is_volume = not isinstance(error, _NoVolume)
        return [replace(whole, problem=str(error), notes=tuple(notes), is_volume=is_volume)]
    except OSError as error:
        return [replace(whole, problem=f"cannot be read: {error.strerror or error}")]
    series = Series(slices[0].file, tuple(ordered(slices)), "", tuple(notes), "", is_volume)
    if len(slices) < 2:
        return [_checked(replace(series, is_volume=False))]
    try:
        groups = _told_apart(series.slices)
    except DataError as error:
        return [replace(series, problem=str(error))]
    return [
        _checked(replace(series, slices=tuple(group), part=part, file=group[0].file))
        for part, group in groups
    ]


def _checked(series: Series) -> Series:
    """Note why a series cannot be read, if it cannot."""
    try:
        check_alike(series.slices)
        _, notes = stack_affine(series.slices)
    except DataError as error:
        several = len(series.slices) > 1
        return replace(series, problem=str(error), is_volume=series.is_volume and several)
    if any(one.file.has_table for one in series.slices):
        notes += (
            "its values are as stored: the table of its header (Modality LUT) is not applied",
        )
    if len({one.file.reference for one in series.slices}) > 1:
        notes += ("its slices are of several frames of reference: did the patient move?",)
    if len({one.file.study for one in series.slices}) > 1:
        notes += ("its slices are of several studies",)
    return replace(series, notes=(*series.notes, *notes))


def _without_copies(files: list[DicomFile], notes: list[str]) -> list[DicomFile]:
    """Take each image once; raises DataError where two that differ say that they are one."""
    kept: dict[str, DicomFile] = {}
    copies: list[DicomFile] = []
    for file in files:
        first = kept.setdefault(file.uid or str(file.path), file)
        if first is file:
            continue
        if not _same_content(first, file):
            raise DataError(
                f"holds {first.name} and {file.name}, which have one SOPInstanceUID but"
                " differ: remove the wrong one"
            )
        copies.append(file)
    if copies:
        names = list_some([file.name for file in copies])
        notes.append(f"{len(copies)} of its files are copies of others, taken once: {names}")
    return list(kept.values())


def _same_content(first: DicomFile, second: DicomFile) -> bool:
    if filecmp.cmp(first.path, second.path, shallow=False):
        return True
    if first.broken or second.broken or len(first.planes) != len(second.planes):
        return False
    facts = ("series", "size", "photometric", "bits", "signed", "transfer_syntax", "values")
    return (
        all(getattr(first, name) == getattr(second, name) for name in facts)
        and all(
            np.array_equal(a.position, b.position)
            and np.array_equal(a.orientation, b.orientation)
            and np.array_equal(a.spacing, b.spacing)
            and (a.slope, a.intercept) == (b.slope, b.intercept)
            for a, b in zip(first.planes, second.planes, strict=True)
        )
        and _pixel_bytes(first) == _pixel_bytes(second)
    )


def _pixel_bytes(file: DicomFile) -> bytes:
    return bytes(pydicom.dcmread(file.path, force=True).get("PixelData", b""))


def _of_one_kind(slices: list[Slice], notes: list[str]) -> tuple[list[Slice], bool]:
    """Leave out screenshots and localisers among slices; say whether what is left is a scan.

    Raises DataError where slices of several orientations could all be meant.
    """
    captures = [one for one in slices if "Secondary Capture" in one.file.kind]
    if 0 < len(captures) < len(slices):
        slices = [one for one in slices if one not in captures]
        notes.append(f"left out secondary captures: {list_some([one.name for one in captures])}")
    localisers = [one for one in slices if one.file.is_localiser]
    if 0 < len(localisers) < len(slices):
        slices = [one for one in slices if not one.file.is_localiser]
        notes.append(f"left out localisers: {list_some([one.name for one in localisers])}")
    described = slices[0].file.tags.get("SeriesDescription", "")
    is_volume = not (slices[0].file.is_localiser or _LOCALISER.search(described))
    if not is_volume:
        notes.append("its images call themselves localisers")
    groups: list[list[Slice]] = []
    for one in slices:
        axes = one.plane.orientation
        for group in groups:
            if np.allclose(axes, group[0].plane.orientation, atol=1e-3):
                group.append(one)
                break
        else:
            groups.append([one])
    groups.sort(key=len, reverse=True)
    main = groups[0]
    for group in groups[1:]:
        normals = [np.cross(s.plane.orientation[:3], s.plane.orientation[3:]) for s in
                   (main[0], group[0])]  # fmt: skip
        turned = abs(float(normals[0] @ normals[1])) < _OBLIQUE
        if not turned or len(group) > _FEW or len(main) <= _FEW:
            raise (_NoVolume if turned else DataError)(
                "has DICOM slices that differ in orientation (is one of them a localiser?):"
                f" {len(main)} as {main[0].name}, {len(group)} as {group[0].name}"
            )
        notes.append(f"left out, as localisers: {list_some([one.name for one in group])}")
    return main, is_volume


def _told_apart(slices: Sequence[Slice]) -> list[tuple[str, list[Slice]]]:
    """Part slices of which several lie at one place; one part, '', where none do.

    Raises DataError where nothing in the headers tells them apart.
    """
    along = places(slices)
    repeated = np.flatnonzero(np.diff(along) < SAME_PLACE_MM)
    if not len(repeated):
        return [("", list(slices))]
    traits = list(dict.fromkeys(chain(TRAITS, *(one.plane.traits for one in slices))))
    varied = [
        trait for trait in traits if len({one.plane.traits.get(trait, "") for one in slices}) > 1
    ]
    for chosen in chain(combinations(varied, 1), combinations(varied[:6], 2)):
        groups: dict[str, list[Slice]] = defaultdict(list)
        for one in slices:
            values = [f"{trait}={one.plane.traits.get(trait, '')}" for trait in chosen]
            groups[",".join(values).replace("\\", "/")].append(one)
        if all(
            len(group) > 1 and (np.diff(places(group)) >= SAME_PLACE_MM).all()
            for group in groups.values()
        ):
            return list(groups.items())
    first, second = slices[repeated[0]], slices[repeated[0] + 1]
    raise DataError(
        f"has {len(slices)} DICOM slices, of which {len(repeated)} are repeated: {first.name} and"
        f" {second.name} lie at one place, and nothing says which belongs to the scan"
    )
