"""Which files on disk an image is made of."""

from __future__ import annotations

from pathlib import Path

from interactivenet.imaging.io import suffix_of


def files_of(path: Path) -> list[Path]:
    """Return all files that an image, or label map, is made of: those of a folder, or a file.

    With the voxels that a header names beside it: a change of theirs is a change of the image.
    """
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.is_file())
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
    return [path, *(file for file in beside if file.is_file())]
