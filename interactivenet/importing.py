"""Importing datasets of other programs as raw tasks; the source is only ever read."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from interactivenet.case_files import SUFFIXED, stems
from interactivenet.errors import DataError, RequestError, naming, one_line
from interactivenet.io.atomic import read_json, read_object, replacing, write_json
from interactivenet.io.images import (
    READABLE,
    read_label,
    read_volume,
    suffix_of,
    write_label,
    write_volume,
)
from interactivenet.prompts import LabelNames

#: what an imported task was made from, in its folder
RECORD = "import.json"


@dataclass(frozen=True)
class SourceCase:
    """One case of a source.

    images: modality -> file; where ``stacked``, one 4D file of all modalities.
    """

    subset: str  # "Tr" or "Ts"
    name: str
    images: Mapping[int, Path]
    label: Path | None = None
    stacked: bool = False


@dataclass(frozen=True)
class Source:
    """A dataset to import. Modalities or labels are empty where it does not name them.

    left_out: case -> why it cannot be imported.
    """

    kind: str
    folder: Path
    modalities: tuple[str, ...]
    labels: LabelNames
    cases: tuple[SourceCase, ...] = field(repr=False)
    left_out: Mapping[str, str] = field(default_factory=dict)


def find_source(folder: Path, labels: LabelNames | None = None) -> Source:
    """Recognise a dataset: Decathlon, nnU-Net v2, or a plain folder of images/ and labels/.

    labels: names given by the user, which take the place of the source's own.
    """
    path = folder / "dataset.json"
    if path.exists():
        content = read_json(path)
        if isinstance(content, dict) and "channel_names" in content:
            source = _nnunet(folder, content, labels)
        elif isinstance(content, dict) and "modality" in content and "training" in content:
            source = _decathlon(folder, content, labels)
        else:
            raise RequestError(
                f"{path}: is neither of the Decathlon (keys 'modality', 'training') nor of"
                " nnU-Net v2 (key 'channel_names')"
            )
    elif (folder / "images").is_dir():
        source = _plain(folder, labels)
    else:
        raise RequestError(
            f"{folder}: no dataset found: expected dataset.json (Decathlon, nnU-Net v2), or the"
            " folders images and labels"
        )
    if not source.cases:
        reasons = "; ".join(f"{name} {why}" for name, why in list(source.left_out.items())[:3])
        raise RequestError(
            f"{folder}: no case of this {source.kind} dataset can be imported"
            + (f": {reasons}" if reasons else "")
        )
    return source


def import_cases(
    source: Source, target: Path, *, copy: bool = False, merge_labels: bool = False
) -> Iterator[str]:
    """Write the source's cases into the raw task folder ``target``, yielding their names.

    Files are hard-linked, or copied where that is impossible or ``copy`` is set; 4D images
    become one file per modality, and with ``merge_labels`` every foreground value becomes 1 in
    new files. The folder appears under its name only when it is complete, with ``import.json``,
    which names the source and the cases left out. An import that was stopped goes on where it
    was; one that was done before is left as it is, and yields nothing. Raises RequestError where
    the folder exists and is something else.
    """
    settings = f"{source.folder.resolve()}|{merge_labels}|{copy}|{len(source.modalities)}"
    mark = hashlib.sha256(settings.encode()).hexdigest()[:8]
    partial = target.with_name(f".{target.name}.importing-{mark}")
    if target.exists():
        if read_object(target / RECORD).get("mark") == mark:
            return  # done before
        raise RequestError(f"{target} exists: choose another task name, or remove it first")
    left_out = dict(source.left_out)
    try:
        for case in source.cases:
            images, labels = partial / f"images{case.subset}", partial / f"labels{case.subset}"
            images.mkdir(parents=True, exist_ok=True)
            try:
                if case.label:
                    _import_label(case, case.label, labels, copy, merge_labels)
                _import_images(case, images, len(source.modalities), copy)
            except DataError as error:
                left_out[case.name] = one_line(error)
            yield case.name
        record = {"kind": source.kind, "source": str(source.folder.resolve()), "mark": mark}
        write_json(partial / RECORD, {**record, "left_out": left_out})
        partial.rename(target)
    except OSError as error:
        raise RequestError(
            f"{error.filename or target}: cannot be written: {error.strerror or error}"
        ) from error


def _import_images(case: SourceCase, folder: Path, modalities: int, copy: bool) -> None:
    if case.stacked:
        _split(case, folder, modalities)
        return
    for index, path in case.images.items():
        stem = f"{case.name}_{index:04d}"
        if _has_parts(path):
            volume = read_volume(path)
            write_volume(folder / f"{stem}.mha", volume.array[0], volume.source)
        else:
            _place(path, folder / f"{stem}{suffix_of(path)}", copy)


def _import_label(case: SourceCase, label: Path, folder: Path, copy: bool, merge: bool) -> None:
    if not merge and not _has_parts(label):
        _place(label, folder / f"{case.name}{suffix_of(label)}", copy)
        return
    path = folder / f"{case.name}.nii.gz"
    if not path.exists():
        volume = read_label(label)
        array = (volume.array[0] > 0).astype(np.uint8) if merge else volume.array[0]
        write_label(path, array, volume.source)


def _has_parts(path: Path) -> bool:
    """Whether the voxels are in another file, which would be lost under a new name."""
    suffix = suffix_of(path)
    if suffix != ".nrrd":
        return suffix == ".mhd"
    try:
        with path.open("rb") as file:
            header = file.read(65536).partition(b"\n\n")[0].lower()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    return b"\ndata file:" in header or b"\ndatafile:" in header


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
    """Hard-link or copy a file, or copy a DICOM folder, under its final name in one step."""
    if target.exists():
        return
    with replacing(target) as temporary:
        if source.is_dir():
            shutil.copytree(source, temporary)
            return
        if not copy:
            with suppress(OSError):  # another disk, or no hard links here
                os.link(source.resolve(), temporary)
                return
        shutil.copyfile(source, temporary)


def _decathlon(folder: Path, content: Mapping[str, Any], labels: LabelNames | None) -> Source:
    try:
        modality = content["modality"]
        modalities = tuple(str(modality[key]) for key in sorted(modality, key=int))
        names = {int(v): str(n) for v, n in content["labels"].items() if int(v)}
        listed = [("Tr", folder / e["image"], folder / e["label"]) for e in content["training"]]
        for entry in content.get("test", []):
            image = folder / (entry["image"] if isinstance(entry, dict) else entry)
            label = folder / "labelsTs" / image.name
            listed.append(("Ts", image, label if label.exists() else None))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RequestError(
            f"{folder / 'dataset.json'}: is not a Decathlon dataset: {error!r}"
        ) from error
    cases = [
        SourceCase(
            subset, image.name.removesuffix(suffix_of(image)), {0: image}, label,
            stacked=len(modalities) > 1,
        )
        for subset, image, label in listed
    ]  # fmt: skip
    kept, left_out = _existing(cases)
    names_given = labels or LabelNames(dict(sorted(names.items())))
    return Source("Decathlon", folder, modalities, names_given, kept, left_out)


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
    if labels is None:
        if regions:
            raise RequestError(
                f"{path}: labels {', '.join(map(repr, regions))} are regions of several values:"
                " name the values of the label maps with -l VALUE=NAME"
            )
        names = {int(value): str(name) for name, value in given.items() if int(value)}
        labels = LabelNames(dict(sorted(names.items())))
    listed = content.get("dataset") or {}
    cases = [
        SourceCase(
            "Tr", name, {i: (folder / image).resolve() for i, image in enumerate(entry["images"])},
            (folder / entry["label"]).resolve(),
        )
        for name, entry in sorted(listed.items())
    ]  # fmt: skip
    kept, left_out = _existing(cases)
    for subset in ("Ts",) if listed else ("Tr", "Ts"):
        images = stems(folder / f"images{subset}", (ending,))
        maps = stems(folder / f"labels{subset}", (ending,))
        found, problems = _match(images, maps, subset, numbered=True)
        kept, left_out = (*kept, *found), {**left_out, **problems}
    return Source("nnU-Net v2", folder, modalities, labels, kept, left_out)


def _plain(folder: Path, labels: LabelNames | None) -> Source:
    images, maps = stems(folder / "images", READABLE), stems(folder / "labels", READABLE)
    cases, left_out = _match(images, maps, "Tr", numbered=False)
    count = 1 + max((index for case in cases for index in case.images), default=0)
    return Source("plain", folder, ("",) * count, labels or LabelNames({}), cases, left_out)


def _match(
    images: Mapping[str, list[Path]], maps: Mapping[str, list[Path]], subset: str, *, numbered: bool
) -> tuple[tuple[SourceCase, ...], dict[str, str]]:
    """Match images to label maps by name; ``numbered``: every image ends in _0000 or so."""
    grouped: dict[str, dict[int, Path]] = {}
    left_out: dict[str, str] = {}
    for stem, paths in sorted(images.items()):
        suffixed = SUFFIXED.fullmatch(stem)
        whole = not numbered and (stem in maps or not suffixed or suffixed[1] not in maps)
        if len(paths) > 1:
            left_out[stem] = f"has {len(paths)} files for one: {', '.join(p.name for p in paths)}"
        elif whole:
            grouped.setdefault(stem, {})[0] = paths[0]
        elif suffixed:
            grouped.setdefault(suffixed[1], {})[int(suffixed[2])] = paths[0]
        else:
            left_out[stem] = f"{paths[0].name} has no modality suffix such as _0000"
    cases = []
    for name, by_modality in sorted(grouped.items()):
        files = maps.get(name, [])
        if len(files) > 1:
            left_out[name] = f"has {len(files)} label files: {', '.join(p.name for p in files)}"
        elif not files and subset == "Tr":
            left_out[name] = "has no label"
        else:
            cases.append(SourceCase(subset, name, by_modality, files[0] if files else None))
    for name in sorted(set(maps) - set(grouped)):
        left_out.setdefault(name, "has a label but no image")
    return tuple(cases), left_out


def _existing(cases: list[SourceCase]) -> tuple[tuple[SourceCase, ...], dict[str, str]]:
    """Part the cases whose files are all there from the others, which are left out by name."""
    kept, left_out = [], {}
    for case in cases:
        missing = [p for p in (*case.images.values(), case.label) if p and not p.exists()]
        if missing:
            left_out[case.name] = f"{missing[0]} does not exist"
        else:
            kept.append(case)
    return tuple(kept), left_out
