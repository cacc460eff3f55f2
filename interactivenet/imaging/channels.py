"""The images of a case as the channels of one Volume, on one grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from interactivenet.errors import DataError, naming
from interactivenet.imaging.geometry import Geometry
from interactivenet.imaging.io import AS_IT_IS, ReadOptions, read_image, suffix_of
from interactivenet.imaging.lattice import check_same_lattice
from interactivenet.imaging.size_limits import size_limit
from interactivenet.imaging.volume import Volume


def read_channels(paths: Sequence[Path], options: ReadOptions = AS_IT_IS) -> Volume:
    """Read the modalities of a case into one Volume (C, X, Y, Z).

    Where ``options`` name an image to resample to, the others are brought onto its grid, which a
    note says of each; else all must share one. Raises DataError with both geometries where they do
    not.
    """
    volumes = [read_image(path, options.of_channel(n)) for n, path in enumerate(paths)]
    if options.resample_to is not None:
        from interactivenet.imaging.grid_resampling import onto_grid

        grid = volumes[options.resample_to].source
        for number, path in enumerate(paths):
            with naming(path):
                volumes[number] = onto_grid(volumes[number], grid)
    named = _names_of_series(volumes) if options.channel_series else ()
    return join_channels(volumes, paths, named or channel_names(paths, options))


def read_grid(paths: Sequence[Path], options: ReadOptions = AS_IT_IS) -> Geometry:
    """Return the grid of what :func:`read_channels` reads; of DICOM, from headers alone.

    Raises DataError, naming the file, where it cannot be read.
    """
    reference = options.resample_to or 0
    path, options = paths[reference], options.of_channel(reference)
    if path.is_file() and suffix_of(path):
        return read_image(path, options).source
    from interactivenet.imaging.dicom.reading import read_dicom_grid

    with naming(path), size_limit(options.max_gb):
        if not path.exists():
            raise DataError("does not exist")
        return read_dicom_grid(path, options.series)


def join_channels(
    volumes: Sequence[Volume], paths: Sequence[Path], names: Sequence[str] = ()
) -> Volume:
    """Join the channels of volumes into one Volume, on the grid of the first.

    paths: where the volumes come from, for messages; names: what these call them, short.
    Raises DataError with both geometries where they do not share one grid.
    """
    for path, volume in zip(paths[1:], volumes[1:], strict=True):
        check_same_lattice(path, volume.source, paths[0], volumes[0].source)
    source = volumes[0].source
    arrays = [volume.array for volume in volumes]
    array = np.concatenate(arrays) if len(arrays) > 1 else arrays[0]
    names = names or short_names(paths)
    several = len(volumes) > 1  # of one alone, whoever tells its notes knows the name
    notes = tuple(
        f"{name}: {note}" if several else note
        for name, volume in zip(names, volumes, strict=True)
        for note in volume.notes
    )
    patients = {tags.get("PatientID", "") for volume in volumes for tags in volume.tags} - {""}
    if len(patients) > 1:
        notes += (f"its channels are of several patients: {', '.join(sorted(patients))}",)
    tags = [tags for volume in volumes for tags in volume.tags]
    return Volume.from_stored(source.from_ras(array), source, notes=notes, tags=tags)


def short_names(paths: Sequence[Path]) -> tuple[str, ...]:
    """Return the names of files, for messages; whole paths where two have the same name."""
    names = tuple(path.name for path in paths)
    return names if len(set(names)) == len(names) else tuple(str(path) for path in paths)


def _names_of_series(volumes: Sequence[Volume]) -> tuple[str, ...]:
    """Return names of series by their headers, as 'MR, series 7'; none where two are alike."""
    names = []
    for volume in volumes:
        tags = volume.tags[0]
        number = tags.get("SeriesNumber") or tags.get("SeriesInstanceUID", "")
        names.append(f"{tags.get('Modality', 'series')}, series {number}")
    return tuple(names) if len(set(names)) == len(names) else ()


def channel_names(paths: Sequence[Path], options: ReadOptions = AS_IT_IS) -> tuple[str, ...]:
    """Return the names of a case's images, for messages; of series in one folder with their UID."""
    names = short_names(paths)
    if len(set(names)) == len(names) or not options.channel_series:
        return names
    folders = [path.name for path in paths]
    return tuple(
        f"{name}, series {series}"
        for name, series in zip(folders, options.channel_series, strict=True)
    )
