"""Which files an image is made of."""

from __future__ import annotations

from pathlib import Path

from interactivenet.imaging.io import suffix_of


def files_of(path: Path, series: str = "") -> dict[str, Path]:
    """Return all files that an image, or label map, or anything else is made of, by their names.

    series: number, UID or description of one, of whose files alone a DICOM image is.
    Of a folder, its files and those of folders in it, by their paths in it. Otherwise the file
    itself as '', and what holds the voxels that a header names beside it: a change of theirs is a
    change of the image.
    """
    if series:
        from interactivenet.imaging.dicom.reading import series_files

        return series_files(path, series)
    if path.is_dir():
        from interactivenet.imaging.dicom.files import regular_files

        inside = [file for file in regular_files(path) if file.is_file()]
        return {file.relative_to(path).as_posix(): file for file in inside}
    suffix, beside = suffix_of(path), []
    if suffix == ".hdr":
        from interactivenet.imaging.nifti import voxel_file

        beside = [voxel_file(path)]
    elif suffix in (".nrrd", ".nhdr", ".seg.nrrd"):
        from interactivenet.imaging.nrrd import data_files

        beside = data_files(path)
    elif suffix in (".mha", ".mhd"):
        from interactivenet.imaging.metaimage import data_files

        beside = data_files(path)
    return {"": path, **{file.name: file for file in beside if file.is_file()}}
