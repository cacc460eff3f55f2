"""Datasets that a ``dataset.json`` of another program describes: Decathlon, nnU-Net v1 and v2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from interactivenet.datasets.file_matching import stems
from interactivenet.datasets.listed_names import listed_labels, listed_modalities
from interactivenet.datasets.sources import (
    Source,
    SourceCase,
    existing,
    match_files,
    missing,
    stem_of,
)
from interactivenet.datasets.task import has_own_list
from interactivenet.errors import RequestError
from interactivenet.imaging.io import READABLE, suffix_of
from interactivenet.prompts.prompt import LabelNames
from interactivenet.system.files import read_json

LIST = "dataset.json"
#: names in a message at most
_MOST = 5


def read_dataset_json(folder: Path, labels: LabelNames | None) -> Source:
    """Read a dataset with a ``dataset.json``, without reading its images.

    With 'channel_names', or without a list 'training', the folders say what the cases are (nnU-Net
    v2); else the list does (Decathlon, and nnU-Net v1, whose list leaves out the number of the
    modality that files have).  labels: names to take in place of the file's own.
    Raises RequestError where the file is none of these, or is unclear.
    """
    path = folder / LIST
    content = read_json(path)
    if not isinstance(content, dict):
        raise RequestError(f"{path}: is not a JSON object", expected=_EXPECTED)
    keys = [key for key in ("channel_names", "modality") if key in content]
    if not keys or "labels" not in content:
        lacking = "'labels'" if keys else "'modality' and 'channel_names'"
        raise RequestError(f"{path}: lacks {lacking}", expected=_EXPECTED)
    if content.get("training") and has_own_list(folder):
        raise RequestError(
            f"{folder}: is a task of InteractiveNet already",
            remedy="copy it into the folder of raw tasks, under the name of a task",
        )
    modalities = [listed_modalities(path, key, content[key]) for key in keys]
    if len(set(modalities)) > 1:
        both = "; ".join(
            f"'{key}' {', '.join(names)}" for key, names in zip(keys, modalities, strict=True)
        )
        raise RequestError(f"{path}: names its modalities twice, and differently: {both}")
    names, notes = listed_labels(path, content["labels"], labels)
    if keys[0] == "channel_names" or not content.get("training"):
        return _from_folders(folder, content, modalities[0], names, notes)
    return _from_list(folder, content, modalities[0], names, notes)


_EXPECTED = (
    "a Decathlon or nnU-Net v1 dataset (keys 'modality', 'labels', 'training') or nnU-Net v2 (keys"
    " 'channel_names', 'labels', 'file_ending')"
)


def _from_list(
    folder: Path,
    content: Mapping[str, Any],
    modalities: tuple[str, ...],
    labels: LabelNames,
    notes: Sequence[str],
) -> Source:
    path = folder / LIST
    try:
        listed = [
            _listed_case(folder, subset, entry, len(modalities))
            for key, subset in (("training", "Tr"), ("validation", "Ts"), ("test", "Ts"))
            for entry in _entries(content, key)
        ]
        if held_out := len(content.get("validation") or []):
            notes = [*notes, f"the cases for validation ({held_out}) become test cases"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RequestError(f"{path}: is not a list of cases: {error!r}", expected=_EXPECTED) from (
            error
        )
    cases, left_out = existing(listed)
    left_out |= {case.name: "has no label" for case in cases
                 if case.subset == "Tr" and case.label is None}  # fmt: skip
    cases = tuple(case for case in cases if case.name not in left_out)
    notes = [*notes, *_unlisted(folder, listed)]
    numbered = any(not case.stacked and _is_numbered(case.images[0]) for case in cases)
    kind = "nnU-Net v1" if numbered else "Decathlon"
    return Source(kind, folder, modalities, labels, cases, left_out, tuple(notes))


def _entries(content: Mapping[str, Any], key: str) -> list[Any]:
    entries = content.get(key) or []
    if not isinstance(entries, list):
        raise TypeError(f"'{key}' is no list")
    return entries


def _listed_case(folder: Path, subset: str, entry: Any, modalities: int) -> SourceCase:
    """Find the files of an entry of a list: of all modalities in one, or numbered ones."""
    given = entry["image"] if isinstance(entry, dict) else entry
    label = folder / entry["label"] if isinstance(entry, dict) and entry.get("label") else None
    if isinstance(given, list):  # in the order of the modalities
        images = {index: folder / image for index, image in enumerate(given)}
        if len(images) != modalities:
            raise ValueError(f"{given[:1]} has {len(images)} images for {modalities} modalities")
        name, stacked = _base(images[0]), False
    else:
        image = folder / given
        name, numbered = _base(image), _numbered(image, modalities)
        stacked = modalities > 1
        if not missing(image) and not (stacked and _is_numbered(image)):
            if label and stem_of(label) == stem_of(image):
                name = stem_of(image)
            images = {0: image}
        elif not all(missing(file) for file in numbered.values()):
            images, stacked = numbered, False
        else:
            images = {0: image}
    if subset == "Ts" and label is None:
        suffix = suffix_of(images[0]) or ".nii.gz"
        beside = folder / "labelsTs" / f"{name}{suffix}"
        label = None if missing(beside) else beside
    return SourceCase(subset, name, images, label, stacked)


def _numbered(image: Path, modalities: int) -> dict[int, Path]:
    """Return the files of all modalities of the case that an image is listed for."""
    base, suffix = _base(image), suffix_of(image)
    return {index: image.with_name(f"{base}_{index:04d}{suffix}") for index in range(modalities)}


def _base(image: Path) -> str:
    """Return the name of the case of an image: without suffix and the number of modality 0."""
    stem = stem_of(image)
    return stem.removesuffix("_0000") or stem


def _is_numbered(image: Path) -> bool:
    return stem_of(image).endswith("_0000")


def _unlisted(folder: Path, listed: Sequence[SourceCase]) -> Iterator[str]:
    """Say which images the list of a dataset does not name."""
    images = [image for case in listed for image in case.images.values()]
    used = {image.resolve() for image in images if not missing(image)}
    for subset in ("Tr", "Ts"):
        place = folder / f"images{subset}"
        names = [
            path.name
            for paths in stems(place, READABLE).values()
            for path in paths
            if path.resolve() not in used
        ]
        if names:
            some = ", ".join(names[:_MOST]) + (" ..." if len(names) > _MOST else "")
            number = f"{len(names)} images" if len(names) > 1 else "an image"
            yield f"{LIST} does not list {number} of {place.name}, not imported: {some}"


def _from_folders(
    folder: Path,
    content: Mapping[str, Any],
    modalities: tuple[str, ...],
    labels: LabelNames,
    notes: Sequence[str],
) -> Source:
    path = folder / LIST
    ending = content.get("file_ending")
    if ending is not None and str(ending).lower() not in READABLE:
        raise RequestError(f"{path}: file ending '{ending}', expected {', '.join(READABLE)}")
    endings = (str(ending).lower(),) if ending is not None else READABLE
    try:
        listed = dict(content.get("dataset") or {})
        cases = [
            SourceCase(
                "Tr",
                name,
                {i: (folder / image).resolve() for i, image in enumerate(entry["images"])},
                (folder / entry["label"]).resolve(),
            )
            for name, entry in sorted(listed.items())
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RequestError(f"{path}: is not an nnU-Net v2 dataset: {error!r}") from error
    kept, left_out = existing(cases)
    if listed:
        notes = [*notes, *(note for note in _unlisted(folder, cases) if "imagesTr" in note)]
    for subset in ("Ts",) if listed else ("Tr", "Ts"):
        found, problems = match_files(
            folder / f"images{subset}", folder / f"labels{subset}", subset, endings,
            modalities=len(modalities),
        )  # fmt: skip
        kept = (*kept, *found)
        for name, problem in problems.items():
            left_out[name] = f"{left_out[name]}; {problem}" if name in left_out else problem
    kind = "nnU-Net v2" if "channel_names" in content else "nnU-Net"
    return Source(kind, folder, modalities, labels, kept, left_out, tuple(notes))
