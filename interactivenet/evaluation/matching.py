"""Predictions, and the labels that they are compared with: which files belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from interactivenet.datasets.file_matching import SUFFIXED, is_one_structure, name_problem, stems
from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.io import AS_IT_IS, READABLE, READABLE_LABELS, ReadOptions, suffix_of
from interactivenet.prompts.io import PROMPT_SUFFIXES
from interactivenet.system.files import read_json, read_object
from interactivenet.system.names import composed, list_names, printable


@dataclass(frozen=True)
class Pair:
    """A stored prediction and what it is compared with.

    prediction, label: label maps on one lattice; or outlines, RTSTRUCT or DICOM SEG, a label's in
    the file or in the folder of one.
    images: for pictures; without them there are none.
    prompts: points, for pictures, and to tell objects of one label apart.
    objects: map whose value is 1 + the prompt's number, where prompts share a label.
    record: what was noted of the objects when they were segmented.
    reading: how the files are read, where there are several ways.
    """

    case: str
    prediction: Path
    label: Path
    images: tuple[Path, ...] = ()
    prompts: Path | None = None
    subtype: str | None = None
    objects: Path | None = None
    record: Path | None = None
    reading: ReadOptions = AS_IT_IS


@dataclass(frozen=True)
class Pairs:
    """Predictions and labels that belong together.

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
    reading: ReadOptions = AS_IT_IS,
) -> Pairs:
    """Match predictions and labels, two folders or two files, by their names without suffix.

    images: folder of CASE_0000, CASE_0001 ... or CASE; or the one image of a single case.
    prompts: folder, or file, of points.  subtypes: case -> subtype.  reading: how the files are
    read, where there are several ways.
    Beside a prediction, CASE.json with 'objects' is its record, and objects/CASE its objects.

    Raises RequestError where a path does not exist or nothing matches.
    """
    for path in (predictions, labels, images, prompts):
        if path is not None and not path.exists():
            raise RequestError(f"{path} does not exist")
    if predictions.is_file():
        single = _single(predictions, labels, images, prompts, subtypes or {})
        return replace(single, pairs=_read_as(single.pairs, reading))
    if labels.is_file():
        raise RequestError(
            f"{labels} is a file, but {predictions} is a folder: expected two files or two folders"
        )
    for path in (images, prompts):
        if path is not None and path.is_file():
            raise RequestError(f"{path} is a file: expected a folder, as {predictions} is one")
    predicted, labelled = _predictions(predictions), _files(labels, folders=True)
    images_of, repeated = _by_case(images, set(predicted) | set(labelled)) if images else ({}, {})
    points_of = stems(prompts, PROMPT_SUFFIXES) if prompts else {}
    pairs, missing = [], {}
    unlabelled = sorted(set(predicted) - set(labelled))
    warnings = dict.fromkeys(map(printable, unlabelled), f"has no label in {labels}")
    for case, label_files in sorted(labelled.items()):
        maps, points = predicted.get(case, []), points_of.get(case, [])
        if not maps:
            missing[printable(case)] = f"has no prediction in {predictions}"
            continue
        files = {"label": label_files, "prediction": maps, "prompt": points}
        if reason := name_problem(case, recorded=False) or _ambiguous(
            {**files, **repeated.get(case, {})}
        ):
            missing[printable(case)] = reason
            continue
        lacks = [
            f"no {kind} in {folder}"
            for kind, folder, present in (
                ("image", images, case in images_of), ("points", prompts, bool(points)),
            )
            if folder is not None and not present
        ]  # fmt: skip
        if lacks:
            warnings[case] = f"has {' and '.join(lacks)}"
        case_images = images_of.get(case, ())
        pairs.append(_pair(case, maps[0], label_files[0], case_images, points, subtypes or {}))
    if not pairs and set(predicted) & set(labelled):
        case, reason = next((case, reason) for case, reason in missing.items()
                            if not reason.startswith("has no prediction"))  # fmt: skip
        raise RequestError(f"nothing to compare: {case} {reason}")
    if not pairs:
        raise RequestError(
            f"nothing to compare: none of the {len(labelled)} labels in {labels} has the name of"
            f" one of the {len(predicted)} predictions in {predictions}"
        )
    return Pairs(_read_as(pairs, reading), missing, warnings)


def _read_as(pairs: Sequence[Pair], reading: ReadOptions) -> tuple[Pair, ...]:
    return tuple(replace(pair, reading=reading) for pair in pairs)


def case_name(path: Path) -> str:
    """Return a label map's name without its suffix."""
    return path.name[: len(path.name) - len(suffix_of(path, READABLE_LABELS))]


def _single(
    prediction: Path,
    label: Path,
    images: Path | None,
    prompts: Path | None,
    subtypes: Mapping[str, str],
) -> Pairs:
    case = composed(case_name(prediction))
    if fault := name_problem(case, recorded=False):
        raise RequestError(f"{prediction}: {fault}")
    case_images: tuple[Path, ...] = () if images is None else (images,)
    if images is not None and images.is_dir():  # of cases, or else a DICOM series
        found, repeated = _by_case(images, {case})
        if reason := _ambiguous(repeated.get(case, {})):
            raise RequestError(f"{case}: {reason}")
        case_images = found.get(case, case_images)
    points = [] if prompts is None else [prompts]
    if prompts is not None and prompts.is_dir():
        points = stems(prompts, PROMPT_SUFFIXES).get(case, [])
    label_files = [label]
    if label.is_dir():  # of label maps, or of one structure set
        label_files = _files(label, folders=True).get(case, [])
        label_files = label_files or ([label] if is_one_structure(label) else [])
    if not label_files:
        raise RequestError(f"{label}: has no label map of {case}")
    if reason := _ambiguous({"label": label_files, "prompt": points}):
        raise RequestError(f"{case}: {reason}")
    pair = _pair(case, prediction, label_files[0], case_images, points, subtypes)
    return Pairs((pair,), {}, {})


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
    """Whether a file is the record of a prediction, and not a file of points, say.

    A file that cannot be read counts as one: measuring the case will name it.
    """
    try:
        content = read_json(path) if path.exists() else None
    except DataError:
        return True
    return isinstance(content, dict) and "objects" in content


def _files(folder: Path, *, folders: bool = False) -> dict[str, list[Path]]:
    """List the label maps, and outlines, of a folder by case.

    folders: take those in it that hold an RTSTRUCT or SEG, too; others are ignored.
    """
    from interactivenet.imaging.structures.reading.structure_files import holds_structures

    files = {
        case: [path for path in paths if not path.is_dir() or (folders and holds_structures(path))]
        for case, paths in stems(folder, READABLE_LABELS).items()
    }
    return {case: paths for case, paths in files.items() if paths}


def _predictions(folder: Path) -> dict[str, list[Path]]:
    """List the predictions of a folder by case, without what was exported from them."""
    predicted = _files(folder)
    for case, paths in predicted.items():
        if len(paths) > 1:
            exported = _exported(folder / f"{case}.json")
            predicted[case] = [path for path in paths if path.name not in exported] or paths
    return predicted


def _exported(record: Path) -> set[str]:
    """Return the names of the files that the record of a prediction says were exported."""
    try:
        exports = read_object(record).get("exports")
    except DataError:
        return set()
    entries = exports.values() if isinstance(exports, Mapping) else ()
    return {str(entry.get("file")) for entry in entries if isinstance(entry, Mapping)}


def _by_case(
    folder: Path, cases: set[str]
) -> tuple[dict[str, tuple[Path, ...]], dict[str, dict[str, list[Path]]]]:
    """Find the images of each case, CASE or CASE_0000 and so on, in modality order.

    Beside them, of cases of which several files claim to be one image: 'image' -> these.
    """
    images: dict[str, dict[int, list[Path]]] = {}
    for stem, paths in sorted(stems(folder, READABLE).items()):
        suffixed = SUFFIXED.fullmatch(stem)
        if stem in cases:
            images.setdefault(stem, {}).setdefault(0, []).extend(paths)
        elif suffixed and suffixed[1] in cases:
            images.setdefault(suffixed[1], {}).setdefault(int(suffixed[2]), []).extend(paths)
    repeated = {
        case: {"image": paths}
        for case, by_modality in images.items()
        for paths in by_modality.values()
        if len(paths) > 1
    }
    found = {
        case: tuple(by_modality[index][0] for index in sorted(by_modality))
        for case, by_modality in images.items()
    }
    return found, repeated


def _ambiguous(files: Mapping[str, list[Path]]) -> str:
    for kind, paths in files.items():
        if len(paths) > 1:
            return f"has {len(paths)} {kind} files, expected one: {list_names(paths)}"
    return ""
