"""The DICOM series that a case was segmented on: where its results go back to.

It is that of the case's record, unless its files have changed; or else one of a tree that is given:
by its UID, or, of a case that was segmented from another format, by its grid and its values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.errors import DataError, describe_failure
from interactivenet.imaging.dicom.pixels import read_values
from interactivenet.imaging.dicom.reading import folder_of, grid_of
from interactivenet.imaging.dicom.series import Contents, contents_of
from interactivenet.imaging.dicom.volumes import Series
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import ReadOptions, read_image, suffix_of
from interactivenet.imaging.lattice import describe_difference
from interactivenet.imaging.volume import Volume
from interactivenet.inference.exporting.recorded_source import RecordedSource
from interactivenet.system.files import sha256
from interactivenet.system.names import list_some

#: values of two images that differ by less, of their range, are the same: formats round
_SAME_VALUES = 1e-3


@dataclass(frozen=True, eq=False)
class SourceSeries:
    """A series that results are written for.

    digest: of its files.  notes: what a user should know of how it was found, and of the series.
    """

    series: Series
    digest: str
    notes: tuple[str, ...] = ()


class SourceFinder:
    """Finds the series of cases; the headers of each folder are read once.

    images: folders, with folders in them, where series are looked for that are not where a record
    says, or that no record names.
    """

    def __init__(self, images: Sequence[Path] = ()) -> None:
        self._images = tuple(images)
        self._contents: Callable[[Path], Contents] = cache(contents_of)

    def find(self, source: RecordedSource, grid: Geometry) -> SourceSeries:
        """Find the series of a case.

        grid: the stored grid of the case's results.
        Raises DataError, in one line, where there is none, where it has changed since the case was
        segmented, and where it is not clear which one is meant.
        """
        try:
            return self._recorded(source, grid)
        except DataError as error:
            if not self._images:
                raise
            reason = error
        among = [series for path in self._images for series in self._contents(path).series]
        if source.uid:
            return self._by_uid(source, grid, among, reason)
        return self._by_grid(source, grid, among)

    def _recorded(self, source: RecordedSource, grid: Geometry) -> SourceSeries:
        """Return the series that a record names, from where it says."""
        path = source.image
        if path is None:
            raise DataError(
                "its record does not say which image was segmented",
                remedy="give the folder of its series as `images`",
            )
        if not source.uid and suffix_of(path):
            raise DataError(
                f"{path}: is no DICOM series, which DICOM results refer to",
                remedy="`export(results='RESULTS', images='FOLDER')` takes the folder of the series"
                " that it was made from",
            )
        if not path.exists():
            raise DataError(
                f"{path}: does not exist any more",
                remedy="give the folder that its series is in now as `images`",
            )
        series = self._one_of(source, grid, self._contents(path).series, str(path))
        hashes = _hashes(series)
        changed = source.changed(hashes)
        if changed:
            raise DataError(
                f"{path}: has changed since it was segmented: {list_some(changed)}",
                remedy="segment it again",
            )
        here = grid_of(series)
        if not grid.is_same_lattice(here):
            raise DataError(
                f"{path}: has changed since it was segmented, the outlines lie on another grid:"
                f" {describe_difference(grid, here)}",
                remedy="segment it again",
            )
        return SourceSeries(series, _digest(hashes))

    def _by_uid(
        self, source: RecordedSource, grid: Geometry, among: Sequence[Series], reason: DataError
    ) -> SourceSeries:
        where = ", ".join(map(str, self._images))
        if not any(_has_uid(series, source.uid) for series in among):
            raise DataError(f"{reason.message}; {where} has no series {source.uid}")
        series = self._one_of(source, grid, among, where)
        hashes = _hashes(series)
        changed = source.changed(hashes)
        place = folder_of(series)
        notes = [f"its series was found in {place}"]
        if changed:
            notes.append(
                f"{len(changed)} of the {len(hashes)} files of its series in {place} are not those"
                " that were segmented, though they have the same UID: look whether it is the same"
                " scan"
            )
        here = grid_of(series)
        if here.ras.shape != grid.ras.shape:
            notes.append(
                f"its series in {place} has {_times(here)} voxels, and the outlines have"
                f" {_times(grid)}: slices were lost or added since it was segmented"
            )
        return SourceSeries(series, _digest(hashes), tuple(notes))

    def _one_of(
        self, source: RecordedSource, grid: Geometry, among: Sequence[Series], where: str
    ) -> Series:
        """Return the series of a record's UID; of several parts, the one on the grid."""
        found = [
            series
            for series in among
            if (_has_uid(series, source.uid) if source.uid else _lies_on(series, grid))
        ]
        if len(found) > 1:
            named = [one for one in found if source.wanted and source.wanted in one.names]
            found = named or [one for one in found if _lies_on(one, grid)] or found
        if not found:
            raise DataError(
                f"{where}: holds no series {source.uid or 'on the grid of the outlines'} any more",
                remedy="give the folder that it is in now as `images`",
            )
        if len(found) > 1:
            raise DataError(
                f"{where}: holds {len(found)} volumes that could be the one that was segmented:"
                f" {list_some([str(one) for one in found])}"
            )
        if found[0].problem:
            raise DataError(f"{where}: {found[0].problem}")
        return found[0]

    def _by_grid(
        self, source: RecordedSource, grid: Geometry, among: Sequence[Series]
    ) -> SourceSeries:
        """Return the only series on a grid, with the values of the image that was segmented."""
        where = ", ".join(map(str, self._images))
        if grid.doubt is not None:
            raise DataError(f"the outlines may lie in two places: {grid.doubt.reason}")
        on_grid = [one for one in among if _lies_on(one, grid)]
        if not on_grid:
            raise DataError(
                f"{where}: holds no series on the grid of the outlines, {grid}; it holds"
                f" {list_some([str(one) for one in among]) or 'none at all'}"
            )
        image = source.unchanged_image()
        found = on_grid
        if image is not None:
            volume = read_image(image, ReadOptions(use_form=source.use_form))
            found = [one for one in on_grid if _has_values(one, volume)]
            if not found:
                raise DataError(
                    f"{where}: holds {list_some([str(one) for one in on_grid])} on the grid of the"
                    f" outlines, but with other values than {image}"
                )
        if len(found) > 1:
            raise DataError(
                f"{where}: holds {len(found)} series that it could have been segmented on:"
                f" {list_some([f'{one} {one.file.series}' for one in found])}",
                remedy="give the folder of the one that is meant as `images`",
            )
        (series,) = found
        how = (
            "by its grid alone: look whether it is this patient's"
            if image is None
            else f"by its grid and its values, which are those of {image.name}"
        )
        note = f"its series {series.file.series} was found in {folder_of(series)} {how}"
        return SourceSeries(series, _digest(_hashes(series)), (note,))


def _times(grid: Geometry) -> str:
    return "x".join(map(str, grid.shape))


def _has_uid(series: Series, uid: str) -> bool:
    """Whether a series, or the part of one, has the UID of a record, which may name the part."""
    return uid in (series.file.series, series.uid)


def _lies_on(series: Series, grid: Geometry) -> bool:
    if series.problem or not series.is_volume:
        return False
    try:
        return grid_of(series).is_same_lattice(grid)
    except DataError:
        return False


def _has_values(series: Series, image: Volume) -> bool:
    """Whether a series on the grid of an image has its values, in any of its channels."""
    try:
        values = Volume.from_stored(read_values(series.slices), grid_of(series)).array[0]
    except (DataError, OSError, RuntimeError) as error:
        raise DataError(f"{folder_of(series)}: {describe_failure(error)}") from error
    apart = _SAME_VALUES * max(1.0, float(np.ptp(values.astype(np.float64))))
    return any(np.allclose(channel, values, rtol=0, atol=apart) for channel in image.array)


def _hashes(series: Series) -> Mapping[str, str]:
    """SHA-256 of each file of a series, by its name."""
    files = {one.file.path: one.file.name for one in series.slices}
    return {name: sha256(path) for path, name in files.items()}


def _digest(hashes: Mapping[str, Any]) -> str:
    return hashlib.sha256("\n".join(sorted(hashes.values())).encode()).hexdigest()
