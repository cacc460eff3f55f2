"""Predictions, and the labels that they are compared with: which files belong together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from interactivenet.datasets.file_matching import SUFFIXED, stems
from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.io import READABLE, suffix_of
from interactivenet.prompts.io import PROMPT_SUFFIXES
from interactivenet.system.files import read_json


@dataclass(frozen=True)
class Pair:
    """A stored prediction and what it is compared with.

    prediction, label: label maps on one lattice.
    images: for pictures; without them there are none.
    prompts: points, for pictures, and to tell objects of one label apart.
    objects: map whose value is 1 + the prompt's number, where prompts share a label.
    record: what was noted of the objects when they were segmented.
    """

    case: str
    prediction: Path
    label: Path
    images: tuple[Path, ...] = ()
    prompts: Path | None = None
    subtype: str | None = None
    objects: Path | None = None
    record: Path | None = None


@dataclass(frozen=True)
class Pairs:
    """What was found to compare.

    missing: case -> why it has no prediction, or cannot be compared.
    warnings: case -> what a user should know.
    """

    pairs: tuple[Pair, ...]
    missing: Mapping[str, str]
    warnings: Mapping[str, str]


def build_pairs(
    predictions: Path,
    labels: Path,
    *,
    images: Path | None = None,
    prompts: Path | None = None,
    subtypes: Mapping[str, str] | None = None,
) -> Pairs:
    """Match predictions and labels, two folders or two files, by their names without suffix.

    images: folder of CASE_0000, CASE_0001 ... or CASE; or the one image of a single case.
    prompts: folder, or file, of points.  subtypes: case -> subtype.
    Beside a prediction, CASE.json with 'objects' is its record, and objects/CASE its objects.

    Raises RequestError where a path does not exist or nothing matches.
    """
    for path in (predictions, labels, images, prompts):
        if path is not None and not path.exists():
            raise RequestError(f"{path} does not exist")
    if predictions.is_file():
        return _single(predictions, labels, images, prompts, subtypes or {})
    if labels.is_file():
        raise RequestError(f"{labels}: is one file, but {predictions} a folder: expected two files")
    for path in (images, prompts):
        if path is not None and path.is_file():
            raise RequestError(f"{path}: is one file, expected a folder as {predictions} is one")
    found, true = _files(predictions), _files(labels)
    pictured = _by_case(images, set(found) | set(true)) if images else {}
    pointed = stems(prompts, PROMPT_SUFFIXES) if prompts else {}
    pairs, missing = [], {}
    warnings = dict.fromkeys(sorted(set(found) - set(true)), f"has no label in {labels}")
    for case, maps in sorted(true.items()):
        mine, points = found.get(case, []), pointed.get(case, [])
        if not mine:
            missing[case] = f"has no prediction in {predictions}"
            continue
        if why := _ambiguous({"label": maps, "prediction": mine, "prompt": points}):
            missing[case] = why
            continue
        lacks = [
            f"no {kind} in {folder}"
            for kind, folder, there in (
                ("image", images, case in pictured), ("points", prompts, bool(points)),
            )
            if folder is not None and not there
        ]  # fmt: skip
        if lacks:
            warnings[case] = f"has {' and '.join(lacks)}"
        pairs.append(_pair(case, mine[0], maps[0], pictured.get(case, ()), points, subtypes or {}))
    if not pairs:
        raise RequestError(
            f"nothing to compare: of the {len(true)} labels in {labels}, none has a prediction"
            f" in {predictions} that could be told by its name ({len(found)} there)"
        )
    return Pairs(tuple(pairs), missing, warnings)


def read_subtypes(path: Path) -> dict[str, str]:
    """Read case -> subtype; raises DataError where the file is no such map."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a JSON object, case -> subtype")
    for case, subtype in content.items():
        if not isinstance(subtype, (str, int)):
            raise DataError(f"{path}: the subtype of {case} is {subtype!r}, expected a word")
    return {case: str(subtype) for case, subtype in content.items()}


def case_name(path: Path) -> str:
    """Return a label map's name without its suffix."""
    return path.name[: len(path.name) - len(suffix_of(path))]


def _single(
    prediction: Path,
    label: Path,
    images: Path | None,
    prompts: Path | None,
    subtypes: Mapping[str, str],
) -> Pairs:
    case = case_name(prediction)
    pictured: tuple[Path, ...] = () if images is None else (images,)
    if images is not None and images.is_dir():  # of cases, or else a DICOM series
        pictured = _by_case(images, {case}).get(case, pictured)
    points = [] if prompts is None else [prompts]
    if prompts is not None and prompts.is_dir():
        points = stems(prompts, PROMPT_SUFFIXES).get(case, [])
    maps = _files(label).get(case, []) if label.is_dir() else [label]
    if not maps:
        raise RequestError(f"{label}: has no label map of {case}")
    if why := _ambiguous({"label": maps, "prompt": points}):
        raise RequestError(f"{case}: {why}")
    return Pairs((_pair(case, prediction, maps[0], pictured, points, subtypes),), {}, {})


def _pair(
    case: str,
    prediction: Path,
    label: Path,
    images: tuple[Path, ...],
    prompts: list[Path],
    subtypes: Mapping[str, str],
) -> Pair:
    folder = prediction.parent
    record = folder / f"{case}.json"
    objects = _files(folder / "objects").get(case, [])
    return Pair(
        case,
        prediction,
        label,
        images,
        prompts[0] if prompts else None,
        subtypes.get(case),
        objects[0] if objects else None,
        record if _is_record(record) else None,
    )


def _is_record(path: Path) -> bool:
    """Whether a file is what `predict` notes, and not a file of points, say.

    One that cannot be read is the case's affair.
    """
    try:
        content = read_json(path) if path.exists() else None
    except DataError:
        return True
    return isinstance(content, dict) and "objects" in content


def _files(folder: Path) -> dict[str, list[Path]]:
    """List the label maps of a folder by case; its subfolders are none."""
    found = {
        name: [path for path in paths if path.is_file()]
        for name, paths in stems(folder, READABLE).items()
    }
    return {name: paths for name, paths in found.items() if paths}


def _by_case(folder: Path, cases: set[str]) -> dict[str, tuple[Path, ...]]:
    """Find the images of each case, CASE or CASE_0000 and so on, in modality order."""
    found: dict[str, list[Path]] = {}
    for stem, paths in sorted(stems(folder, READABLE).items()):
        suffixed = SUFFIXED.fullmatch(stem)
        if stem in cases:
            found.setdefault(stem, []).append(paths[0])
        elif suffixed and suffixed[1] in cases:
            found.setdefault(suffixed[1], []).append(paths[0])
    return {case: tuple(paths) for case, paths in found.items()}


def _ambiguous(files: Mapping[str, list[Path]]) -> str:
    for kind, paths in files.items():
        if len(paths) > 1:
            return f"has {len(paths)} {kind} files for one: {', '.join(p.name for p in paths)}"
    return ""
