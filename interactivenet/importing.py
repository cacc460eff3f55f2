"""Importing datasets of other programs as raw tasks; the source is only ever read."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.case_files import stems
from interactivenet.errors import DataError, RequestError, naming, one_line
from interactivenet.io.atomic import read_json, replacing
from interactivenet.io.images import READABLE, read_label, suffix_of, write_label, write_volume
from interactivenet.prompts import LabelNames


@dataclass(frozen=True)
class SourceCase:
    """One case of a source: one image per modality, or one 4D image of all."""

    subset: str  # "Tr" or "Ts"
    name: str
    images: tuple[Path, ...]
    label: Path | None = None


@dataclass(frozen=True)
class Source:
    """A dataset to import. Modalities or labels are empty where it does not name them."""

    kind: str
    folder: Path
    modalities: tuple[str, ...]
    labels: LabelNames
    cases: tuple[SourceCase, ...] = field(repr=False)


def find_source(folder: Path, labels: LabelNames | None = None) -> Source:
    """Recognise a dataset: Decathlon, nnU-Net v2, or a plain folder of images/ and labels/.

    labels: names given by the user, which take the place of the source's own.
    """
    if not folder.is_dir():
        raise RequestError(f"{folder} is not a folder")
    path = folder / "dataset.json"
    if path.exists():
        content = read_json(path)
        if isinstance(content, dict) and "channel_names" in content:
            return _nnunet(folder, content, labels)
        if isinstance(content, dict) and "modality" in content and "training" in content:
            return _decathlon(folder, content, labels)
        raise RequestError(
            f"{path}: is neither of the Decathlon (keys 'modality', 'training') nor of nnU-Net v2"
            " (key 'channel_names')"
        )
    if (folder / "images").is_dir():
        return _plain(folder, labels)
    raise RequestError(
        f"{folder}: no dataset found: expected dataset.json (Decathlon, nnU-Net v2), or the"
        " folders images and labels"
    )


def import_cases(
    source: Source, target: Path, *, copy: bool = False, merge_labels: bool = False
) -> Iterator[tuple[str, str]]:
    """Write the source's cases into the raw task folder ``target``.

    Yields each case's name with '', or with the reason why it was left out.

    Files are hard-linked, or copied where that is impossible or ``copy`` is set; 4D images
    become one file per modality, and with ``merge_labels`` every foreground value becomes 1 in
    new files. The folder appears under its name only when it is complete; an import that was
    stopped goes on where it was.
    """
    settings = f"{source.folder.resolve()}|{merge_labels}|{len(source.modalities)}"
    mark = hashlib.sha256(settings.encode()).hexdigest()[:8]
    partial = target.with_name(f".{target.name}.importing-{mark}")
    if target.exists():
        raise RequestError(f"{target} exists: choose another task name, or remove it first")
    try:
        for case in source.cases:
            images, labels = partial / f"images{case.subset}", partial / f"labels{case.subset}"
            images.mkdir(parents=True, exist_ok=True)
            try:
                if case.label:
                    _import_label(case, case.label, labels, copy, merge_labels)
                _import_images(case, images, len(source.modalities), copy)
                yield case.name, ""
            except DataError as error:
                yield case.name, one_line(error)
        partial.rename(target)
    except OSError as error:
        raise RequestError(
            f"{error.filename or target}: cannot be written: {error.strerror or error}"
        ) from error


def _import_images(case: SourceCase, folder: Path, modalities: int, copy: bool) -> None:
    if len(case.images) == 1 and modalities > 1:
        _split(case, folder, modalities)
        return
    for index, path in enumerate(case.images):
        suffix = suffix_of(path)
        _place(path, folder / f"{case.name}_{index:04d}{suffix}", copy)


def _import_label(case: SourceCase, label: Path, folder: Path, copy: bool, merge: bool) -> None:
    if not merge:
        _place(label, folder / f"{case.name}{suffix_of(label)}", copy)
        return
    path = folder / f"{case.name}.nii.gz"
    if not path.exists():
        volume = read_label(label)
        write_label(path, (volume.array[0] > 0).astype(np.uint8), volume.source)


def _split(case: SourceCase, folder: Path, modalities: int) -> None:
    """Write each channel of a 4D NIfTI image as a file of its own."""
    from interactivenet.io.nifti import read_nifti

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


def _place(source: Path, target: Path, copy: bool) -> None:
    """Hard-link or copy a file, or a DICOM folder, under its final name in one step."""
    if target.exists():
        return
    if source.is_dir():
        shutil.copytree(source, target)
        return
    with replacing(target) as temporary:
        if not copy:
            try:
                os.link(source.resolve(), temporary)
                return
            except OSError:
                pass  # another disk, or no hard links here
        shutil.copyfile(source, temporary)


def _decathlon(folder: Path, content: Mapping[str, Any], labels: LabelNames | None) -> Source:
    try:
        modality = content["modality"]
        names = {int(v): str(n) for v, n in content["labels"].items() if int(v)}
        cases = []
        for entry in content["training"]:
            image = folder / entry["image"]
            cases.append(SourceCase("Tr", _stem(image), (image,), folder / entry["label"]))
        for entry in content.get("test", []):
            image = folder / (entry["image"] if isinstance(entry, dict) else entry)
            label = folder / "labelsTs" / image.name
            cases.append(
                SourceCase("Ts", _stem(image), (image,), label if label.exists() else None)
            )
        modalities = tuple(str(modality[key]) for key in sorted(modality, key=int))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RequestError(
            f"{folder / 'dataset.json'}: is not a Decathlon dataset: {error!r}"
        ) from error
    return _complete(
        Source("Decathlon", folder, modalities, labels or LabelNames(names), tuple(cases))
    )


def _nnunet(folder: Path, content: Mapping[str, Any], labels: LabelNames | None) -> Source:
    path = folder / "dataset.json"
    try:
        channels = content["channel_names"]
        modalities = tuple(str(channels[key]) for key in sorted(channels, key=int))
        ending = str(content["file_ending"])
        given = dict(content["labels"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RequestError(f"{path}: is not an nnU-Net v2 dataset: {error!r}") from error
    if ending not in READABLE:
        raise RequestError(f"{path}: file ending '{ending}', expected {', '.join(READABLE)}")
    if "ignore" in given:
        raise RequestError(f"{path}: has an 'ignore' label, which is not supported")
    regions = [name for name, value in given.items() if isinstance(value, list)]
    if regions and labels is None:
        raise RequestError(
            f"{path}: labels {', '.join(map(repr, regions))} are regions of several values:"
            " name the values of the label maps with -l VALUE=NAME"
        )
    if labels is None:
        names = {int(value): str(name) for name, value in given.items() if int(value)}
        labels = LabelNames(dict(sorted(names.items())))
    cases = []
    listed = content.get("dataset")
    if listed:
        for name, entry in sorted(listed.items()):
            images = tuple((folder / image).resolve() for image in entry["images"])
            cases.append(SourceCase("Tr", name, images, (folder / entry["label"]).resolve()))
    for subset in ("Ts",) if listed else ("Tr", "Ts"):
        found = stems(folder / f"images{subset}", (ending,))
        for name in sorted({stem[:-5] for stem in found}):
            images = tuple(
                folder / f"images{subset}" / f"{name}_{i:04d}{ending}"
                for i in range(len(modalities))
            )
            label = folder / f"labels{subset}" / f"{name}{ending}"
            cases.append(SourceCase(subset, name, images, label if label.exists() else None))
    return _complete(Source("nnU-Net v2", folder, modalities, labels, tuple(cases)))


def _plain(folder: Path, labels: LabelNames | None) -> Source:
    images, maps = stems(folder / "images", READABLE), stems(folder / "labels", READABLE)
    cases = []
    for name, paths in sorted(maps.items()):
        if name in images:
            cases.append(SourceCase("Tr", name, (images[name][0],), paths[0]))
            continue
        several = sorted(s for s in images if s[:-5] == name and s[-4:].isdigit() and s[-5] == "_")
        if several:
            found = tuple(images[stem][0] for stem in several)
            cases.append(SourceCase("Tr", name, found, paths[0]))
    if not cases:
        raise RequestError(
            f"{folder}: no file in labels has the name of one in images (or CASE_0000 and so on)"
        )
    count = max(len(case.images) for case in cases)
    return Source("plain", folder, ("",) * count, labels or LabelNames({}), tuple(cases))


def _complete(source: Source) -> Source:
    """Refuse a source that names files which are not there, before anything is written."""
    if not source.cases:
        raise RequestError(f"{source.folder}: the {source.kind} dataset has no cases")
    for case in source.cases:
        for path in (*case.images, *([case.label] if case.label else [])):
            if not path.exists():
                raise RequestError(f"{path} does not exist, but case {case.name} needs it")
    return source


def _stem(path: Path) -> str:
    return path.name[: len(path.name) - len(suffix_of(path))]
