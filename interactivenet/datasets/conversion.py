"""Placing the files of another program's dataset as a raw task; the source is only read."""

from __future__ import annotations

import errno
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from interactivenet.datasets.file_matching import stems
from interactivenet.datasets.placing import place, remove_tree
from interactivenet.datasets.sources import Source, SourceCase
from interactivenet.errors import DataError, RequestError, describe_failure, naming
from interactivenet.imaging.image_files import files_of
from interactivenet.imaging.io import (
    READABLE,
    read_image,
    read_label,
    suffix_of,
    write_label_array,
    write_volume,
)
from interactivenet.system.files import open_regular, read_object, write_json

#: what an imported task was made from, in its folder
RECORD = "import.json"
#: failures to write that are not one case's fault
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def _mark(source: Source, *settings: object) -> str:
    """Digest of what an import is made from: settings, and every file's name, size and time.

    It is made as it was before there was a CacheKey, whose digests are others: an import that an
    older version made must still count as done.
    """
    digest = hashlib.sha256(repr((source.folder.resolve(), source.modalities, *settings)).encode())
    for case in source.cases:
        for path in (*case.images.values(), case.label):
            if path:
                status = path.stat()
                identity = (case.subset, str(path), status.st_size, status.st_mtime_ns)
                digest.update(repr(identity).encode())
    return digest.hexdigest()[:8]


def import_cases(
    source: Source, target: Path, *, copy: bool = False, merge_labels: bool = False
) -> Iterator[str]:
    """Write the source's cases into the raw task folder ``target``, yielding their names.

    Files are hard-linked, or copied where that is impossible, where they are read-only (a link
    would share that) or ``copy`` is set; copies can be written to. 4D images become one file per
    modality, and with ``merge_labels`` every foreground value becomes 1 in new files. The folder
    appears under its name only when it is complete, with ``import.json``, which names the source
    and the cases left out. An import that was stopped is continued; one that was done before is
    left as it is, and yields nothing. Raises RequestError where the folder exists and is something
    else, or the disk is full.
    """
    mark = _mark(source, merge_labels, copy)
    partial = target.with_name(f".{target.name}.importing-{mark}")
    if target.exists():
        if read_object(target / RECORD).get("mark") == mark:
            return  # done before
        raise RequestError(f"{target} exists: choose another task name, or remove it first")
    left_out = dict(source.left_out)
    try:
        for begun in target.parent.glob(f".{target.name}.importing-*"):
            if begun != partial:  # from files or with settings that have changed
                remove_tree(begun)
        for case in source.cases:
            images, labels = partial / f"images{case.subset}", partial / f"labels{case.subset}"
            images.mkdir(parents=True, exist_ok=True)
            try:
                if case.label:
                    _import_label(case, case.label, labels, copy, merge_labels)
                _import_images(case, images, len(source.modalities), copy)
            except DataError as error:
                cause = error.__cause__
                if isinstance(cause, OSError) and cause.errno in _OF_THE_DISK:  # of all cases
                    raise RequestError(describe_failure(error)) from error
                left_out[case.name] = describe_failure(error)
                _remove_case(case.name, images, labels)
            yield case.name
        record = {"kind": source.kind, "source": str(source.folder.resolve()), "mark": mark}
        for leftover in partial.glob("*/.*"):  # of an import that was killed while copying
            remove_tree(leftover) if leftover.is_dir() else leftover.unlink()
        write_json(partial / RECORD, {**record, "left_out": left_out})
        partial.rename(target)
    except OSError as error:
        raise RequestError(
            f"{error.filename or target}: cannot be written: {error.strerror or error}"
        ) from error


def _remove_case(name: str, images: Path, labels: Path) -> None:
    """Remove what was already placed of a case that is left out."""
    image = re.compile(re.escape(name) + r"_\d{4}")
    for folder, is_its in ((images, image.fullmatch), (labels, name.__eq__)):
        for stem, paths in stems(folder, READABLE).items():
            for path in paths if is_its(stem) else ():
                remove_tree(path) if path.is_dir() else path.unlink()


def _import_images(case: SourceCase, folder: Path, modalities: int, copy: bool) -> None:
    if case.stacked:
        _split(case, folder, modalities)
        return
    for index, path in case.images.items():
        stem = f"{case.name}_{index:04d}"
        if _has_parts(path):
            volume = read_image(path)
            write_volume(folder / f"{stem}.mha", volume.array[0], volume.source)
        else:
            place(path, folder / f"{stem}{suffix_of(path)}", copy)


def _import_label(case: SourceCase, label: Path, folder: Path, copy: bool, merge: bool) -> None:
    if not merge and not _has_parts(label):
        place(label, folder / f"{case.name}{suffix_of(label)}", copy)
        return
    path = folder / f"{case.name}.nii.gz"
    if not path.exists():
        volume = read_label(label)
        array = (volume.array[0] > 0).astype(np.uint8) if merge else volume.array[0]
        write_label_array(path, array, volume.source)


def _has_parts(path: Path) -> bool:
    """Whether the voxels are in another file, which would be lost under a new name."""
    if path.is_dir():
        return False
    try:
        with open_regular(path):  # the system's own reason, where it may not be read
            pass
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    return suffix_of(path) in (".mhd", ".nhdr", ".hdr") or len(files_of(path)) > 1


def _split(case: SourceCase, folder: Path, modalities: int) -> None:
    """Write each channel of a 4D NIfTI image as a file of its own."""
    from interactivenet.imaging.nifti import read_nifti

    targets = [folder / f"{case.name}_{index:04d}.nii.gz" for index in range(modalities)]
    if all(path.exists() for path in targets):
        return
    path = case.images[0]
    with naming(path):
        if suffix_of(path) not in (".nii", ".nii.gz"):
            raise DataError("is one file for several modalities, expected 4D NIfTI")
        try:
            array, geometry, _ = read_nifti(path, axes=4)
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror or error}") from error
        if array.shape[3] != modalities:
            raise DataError(f"has {array.shape[3]} channels, expected {modalities} modalities")
    for index, target in enumerate(targets):
        write_volume(target, geometry.to_ras(array[..., index]), geometry)
