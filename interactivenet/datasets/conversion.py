"""Placing the files of another program's dataset as a raw task; the source is only read."""

from __future__ import annotations

import errno
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.datasets.file_matching import stems
from interactivenet.datasets.placing import place, remove_tree
from interactivenet.datasets.sources import Source, SourceCase
from interactivenet.datasets.splits import GROUPS
from interactivenet.errors import DataError, RequestError, describe_failure, naming
from interactivenet.imaging.channels import read_grid
from interactivenet.imaging.image_files import files_of
from interactivenet.imaging.io import (
    READABLE,
    ReadOptions,
    read_image,
    read_label,
    suffix_of,
    write_label_array,
    write_volume,
)
from interactivenet.imaging.volume import Volume
from interactivenet.system.files import open_regular, read_object, write_json

#: what an imported task was made from, in its folder
RECORD = "import.json"
#: what it says of single cases, while they are placed
_CASES = ".cases"
#: failures to write that are not one case's fault
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def _mark(source: Source, *settings: object) -> str:
    """Digest of what an import is made from: settings, and every file's name, size and time.

    It is made as it was before there was a CacheKey, whose digests are others: an import that an
    older version made must still count as done.
    """
    digest = hashlib.sha256(repr((source.folder.resolve(), source.modalities, *settings)).encode())
    for case in source.cases:
        for path in case.files:
            status = path.stat()
            identity = (case.subset, str(path), status.st_size, status.st_mtime_ns)
            digest.update(repr(identity).encode())
    return digest.hexdigest()[:8]


@dataclass(frozen=True)
class ImportOptions:
    """How the cases of a source are placed.

    Attributes:
        copy: Copy files, where they could be hard-linked.
        merge_labels: Make every foreground value 1, in new files.
        rois: Which regions of structure sets are which label, 'GTV*=tumour'.
        write: Places a case otherwise than files are placed: takes it and the folders of images
            and labels, and returns what the record is to say of it; raises DataError.
        settings: All else that decides what ``write`` does.
    """

    copy: bool = False
    merge_labels: bool = False
    rois: tuple[str, ...] = ()
    write: Callable[[SourceCase, Path, Path], Mapping[str, Any]] | None = None
    settings: tuple[object, ...] = ()


def import_cases(
    source: Source, target: Path, options: ImportOptions = ImportOptions()
) -> Iterator[str]:
    """Write the source's cases into the raw task folder ``target``, yielding their names.

    Files are hard-linked, or copied where that is impossible, where they are read-only (a link
    would share that) or ``copy`` is set; copies can be written to. 4D images become one file per
    modality, structure sets label maps on the grid of their image, and with ``merge_labels`` every
    foreground value becomes 1 in new files. The folder appears under its name only when it is
    complete, with ``import.json``, which names the source and the cases left out. An import that
    was stopped is continued; one that was done before is left as it is, and yields nothing. Raises
    RequestError where the folder exists and is something else, or the disk is full.
    """
    more = (*((options.rois,) if options.rois else ()), *options.settings)
    mark = _mark(source, options.merge_labels, options.copy, *more)
    partial = target.with_name(f".{target.name}.importing-{mark}")
    if target.exists():
        former = read_object(target / RECORD).get("mark")
        if former == mark:
            return  # done before
        how = ", imported from other files or with other options" if former else ""
        raise RequestError(f"{target} exists{how}: choose another task name, or remove it first")
    left_out, told = dict(source.left_out), partial / _CASES
    try:
        if read_object(partial / RECORD).get("mark") == mark:  # killed in the last moment
            _finish(partial, target)
            yield from (case.name for case in source.cases)
            return
        for begun in target.parent.glob(f".{target.name}.importing-*"):
            if begun != partial:  # from files or with settings that have changed
                remove_tree(begun)
        for case in source.cases:
            images, labels = partial / f"images{case.subset}", partial / f"labels{case.subset}"
            images.mkdir(parents=True, exist_ok=True)
            record = told / f"{case.name}.json"
            try:
                if not record.exists() and (said := _place(source, case, images, labels, options)):
                    write_json(record, dict(said))
            except DataError as error:
                cause = error.__cause__
                if isinstance(cause, OSError) and cause.errno in _OF_THE_DISK:  # of all cases
                    raise RequestError(describe_failure(error)) from error
                left_out[case.name] = describe_failure(error)
                _remove_case(case.name, images, labels)
            yield case.name
        content: dict[str, Any] = {
            "kind": source.kind, "source": str(source.folder.resolve()), "mark": mark,
            "left_out": left_out,
        }  # fmt: skip
        records = [(case.name, told / f"{case.name}.json") for case in source.cases]
        if cases := {name: read_object(path) for name, path in records if path.exists()}:
            content["cases"] = cases
        if groups := {name: patient for name, patient in source.groups.items()
                      if name not in left_out}:  # fmt: skip
            write_json(partial / GROUPS, groups)
        for leftover in partial.glob("*/.*"):  # of an import that was killed while copying
            remove_tree(leftover) if leftover.is_dir() else leftover.unlink()
        write_json(partial / RECORD, content)
        _finish(partial, target)
    except OSError as error:
        raise RequestError(
            f"{error.filename or target}: cannot be written: {error.strerror or error}"
        ) from error


def _finish(partial: Path, target: Path) -> None:
    """Give a complete folder its name."""
    if (partial / _CASES).exists():
        remove_tree(partial / _CASES)
    partial.rename(target)


def _place(
    source: Source, case: SourceCase, images: Path, labels: Path, options: ImportOptions
) -> Mapping[str, Any]:
    """Place a case; returns what the record says of it, where there is anything to say."""
    if options.write:
        return options.write(case, images, labels)
    said: Mapping[str, Any] = {}
    if case.label:
        said = _import_label(source, case, case.label, labels, options)
    _import_images(case, images, len(source.modalities), options.copy)
    return said


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


def _import_label(
    source: Source, case: SourceCase, label: Path, folder: Path, options: ImportOptions
) -> Mapping[str, Any]:
    from interactivenet.imaging.structures.reading.structure_files import structure_kind

    path, merge = folder / f"{case.name}.nii.gz", options.merge_labels
    if label.is_file() and structure_kind(label):
        return _import_structures(source, case, label, path, options)
    if not merge and not _has_parts(label):
        place(label, folder / f"{case.name}{suffix_of(label)}", options.copy)
    elif not path.exists():
        _write_label(path, read_label(label), merge=merge)
    return {}


def _import_structures(
    source: Source, case: SourceCase, label: Path, path: Path, options: ImportOptions
) -> Mapping[str, Any]:
    """Write the outlines of a structure set, or of a DICOM SEG, as a label map on its image."""
    from interactivenet.imaging.structures.reading.label_maps import label_values
    from interactivenet.imaging.structures.reading.roi_names import RoiNames
    from interactivenet.imaging.structures.reading.structure_files import read_structure_header

    image = case.images[min(case.images)]
    names = None if options.merge_labels else source.labels.names
    volume = read_label(
        label, ReadOptions(rois=options.rois), names=names, image=(image, read_grid([image]))
    )
    if not volume.array.any():
        raise DataError(f"{label}: outlines no voxel of {image}")
    _write_label(path, volume, merge=options.merge_labels)
    header = read_structure_header(label)
    values, _ = label_values(header, RoiNames.parse(options.rois), names)
    called = {
        roi.name: names[values[roi.number]] if names else "1"  # merged
        for roi in header.rois
        if roi.number in values
    }
    return {
        "structure_set": {"uid": header.uid, "kind": header.kind, "rois": called},
        "notes": [f"{label.name}: {note}" for note in volume.notes],
    }


def _write_label(path: Path, label: Volume, *, merge: bool) -> None:
    """Write a label map; merge: with 1 for every label."""
    array = label.array[0]
    write_label_array(path, (array > 0).astype(np.uint8) if merge else array, label.source)


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
