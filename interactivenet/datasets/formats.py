"""Datasets of other programs: recognising them, and which files belong to which case."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from interactivenet.datasets.file_matching import SUFFIXED, name_problem, stems
from interactivenet.errors import RequestError
from interactivenet.imaging.io import READABLE, suffix_of
from interactivenet.prompts.prompt import LabelNames
from interactivenet.system.files import read_json
from interactivenet.system.names import composed, list_names, printable


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

    labels: names to take in place of the source's own.
    Raises RequestError where it is none of these, or where no case of it can be imported.
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
                f"{path}: is neither a Decathlon dataset (keys 'modality', 'training') nor"
                " nnU-Net v2 (key 'channel_names')"
            )
    elif (folder / "images").is_dir():
        source = _plain(folder, labels)
    else:
        raise RequestError(
            f"{folder}: no dataset found: expected dataset.json (Decathlon, nnU-Net v2), or the"
            " folders images and labels"
        )
    kept, missing = _existing(list(source.cases))
    source = replace(source, cases=kept, left_out={**source.left_out, **missing})
    source = _without_repeated(_with_safe_names(source))
    if not source.cases:
        reasons = "; ".join(
            f"{name} {reason}" for name, reason in list(source.left_out.items())[:3]
        )
        raise RequestError(
            f"{folder}: no case of this {source.kind} dataset can be imported"
            + (f": {reasons}" if reasons else "")
        )
    return source


def some_of(source: Source, cases: int | None, test_cases: int, seed: int) -> Source:
    """Take some cases of a source with a label, drawn by a seed, and make some of them test cases.

    cases: for training; None for all that are left. Cases of the source that are for testing or
    have no label are left out where anything is asked for. Raises RequestError where there are
    fewer.
    """
    if cases is None and not test_cases:
        return source
    labelled = [case for case in source.cases if case.subset == "Tr" and case.label]
    wanted = test_cases + (1 if cases is None else cases)
    if len(labelled) < wanted:
        raise RequestError(
            f"{source.folder}: has {len(labelled)} labelled cases, but {wanted} were asked for"
        )
    order = random.Random(seed).sample(labelled, len(labelled))
    test, training = order[:test_cases], order[test_cases:][:cases]
    chosen = [*training, *(replace(case, subset="Ts") for case in test)]
    return replace(source, cases=tuple(sorted(chosen, key=lambda case: case.name)))


def _with_safe_names(source: Source) -> Source:
    """Leave out cases whose names would be no names of files, or lead elsewhere."""
    faults = {
        case.name: fault
        for case in source.cases
        if (fault := name_problem(case.name, recorded=case.subset == "Ts"))
    }
    reasons = {**source.left_out, **faults}
    left_out = {printable(name): reason for name, reason in reasons.items()}
    cases = tuple(
        replace(case, name=composed(case.name)) for case in source.cases if case.name not in faults
    )
    return replace(source, cases=cases, left_out=left_out)


def _without_repeated(source: Source) -> Source:
    """Leave out cases that share a name: they would become one."""
    counts = Counter((case.subset, case.name) for case in source.cases)
    repeated = {name: number for (_, name), number in counts.items() if number > 1}
    left_out = {
        **source.left_out,
        **{name: f"{number} cases have this name" for name, number in repeated.items()},
    }
    cases = tuple(case for case in source.cases if case.name not in repeated)
    return replace(source, cases=cases, left_out=left_out)


def _decathlon(folder: Path, content: Mapping[str, Any], labels: LabelNames | None) -> Source:
    try:
        modality = content["modality"]
        modalities = tuple(str(modality[key]) for key in sorted(modality, key=int))
        names = _label_names((int(value), name) for value, name in content["labels"].items())
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
    return Source("Decathlon", folder, modalities, labels or names, kept, left_out)


def _nnunet(folder: Path, content: Mapping[str, Any], labels: LabelNames | None) -> Source:
    path = folder / "dataset.json"
    try:
        channels = content["channel_names"]
        modalities = tuple(str(channels[key]) for key in sorted(channels, key=int))
        ending = str(content["file_ending"])
        given = dict(content["labels"])
        regions = [name for name, value in given.items() if isinstance(value, list)]
        if "ignore" in given:
            raise RequestError(f"{path}: has an 'ignore' label, which is not supported")
        if regions and labels is None:
            raise RequestError(
                f"{path}: labels {', '.join(map(repr, regions))} are regions of several values:"
                " name the values of the label maps with `labels=['VALUE=NAME']`"
            )
        labels = labels or _label_names((int(value), name) for name, value in given.items())
        listed = dict(content.get("dataset") or {})
        cases = [
            SourceCase(
                "Tr",
                name,
                {i: _whole(folder / image) for i, image in enumerate(entry["images"])},
                _whole(folder / entry["label"]),
            )
            for name, entry in sorted(listed.items())
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RequestError(f"{path}: is not an nnU-Net v2 dataset: {error!r}") from error
    if ending not in READABLE:
        raise RequestError(f"{path}: file ending '{ending}', expected {', '.join(READABLE)}")
    kept, left_out = _existing(cases)
    for subset in ("Ts",) if listed else ("Tr", "Ts"):
        images = stems(folder / f"images{subset}", (ending,))
        maps = stems(folder / f"labels{subset}", (ending,))
        cases_of_subset, problems = _match(images, maps, subset, numbered=True)
        kept, left_out = (*kept, *cases_of_subset), {**left_out, **problems}
    return Source("nnU-Net v2", folder, modalities, labels, kept, left_out)


def _plain(folder: Path, labels: LabelNames | None) -> Source:
    images, maps = stems(folder / "images", READABLE), stems(folder / "labels", READABLE)
    cases, left_out = _match(images, maps, "Tr", numbered=False)
    count = 1 + max((index for case in cases for index in case.images), default=0)
    return Source("plain", folder, ("",) * count, labels or LabelNames({}), cases, left_out)


def _label_names(pairs: Iterable[tuple[int, str]]) -> LabelNames:
    """Collect labels but the background; raises RequestError for a value given twice."""
    names: dict[int, str] = {}
    for value, name in sorted(pairs):
        if value in names:
            raise RequestError(f"label value {value} has two names: {names[value]}, {name}")
        if value:
            names[value] = str(name)
    return LabelNames(names)


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
            left_out[stem] = f"has {len(paths)} image files, expected one: {list_names(paths)}"
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
            left_out[name] = f"has {len(files)} label files, expected one: {list_names(files)}"
        elif not files and subset == "Tr":
            left_out[name] = "has no label"
        else:
            cases.append(SourceCase(subset, name, by_modality, files[0] if files else None))
    for name in sorted(set(maps) - set(grouped)):
        left_out.setdefault(name, "has a label but no image")
    return tuple(cases), left_out


def _existing(cases: list[SourceCase]) -> tuple[tuple[SourceCase, ...], dict[str, str]]:
    """Separate the cases whose files all exist from the others, which are left out by name."""
    kept, left_out = [], {}
    for case in cases:
        paths = (*case.images.values(), case.label)
        missing = [path for path in paths if path and not os.path.exists(path)]  # noqa: PTH110
        if missing:
            told = printable(str(missing[0]))
            left_out[case.name] = f"{told[:300]} does not exist"
        else:
            kept.append(case)
    return tuple(kept), left_out


def _whole(path: Path) -> Path:
    """Return a path without links; as it is where these lead in a circle: it does not exist."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path
