"""New cases: images and points in folders or files of their own, not in a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from interactivenet.datasets.case import Scan
from interactivenet.datasets.file_matching import SUFFIXED, match_cases, name_problem
from interactivenet.datasets.task import Case, check_no_raw_task
from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.io import READABLE, suffix_of
from interactivenet.prompts.checks import check_prompt
from interactivenet.prompts.io import PROMPT_SUFFIXES
from interactivenet.prompts.prompt import MARGIN_POINTS
from interactivenet.prompts.prompt_objects import PromptObjects
from interactivenet.system.files import resolved
from interactivenet.system.names import composed, list_names, printable


def find_new_cases(
    images: Sequence[Path],
    interactions: Path,
    labels: Path | None,
    modalities: Sequence[str],
) -> tuple[list[Case], dict[str, str]]:
    """Match images with points, and with labels where there are any.

    images: one folder of images named as in a task, or the files of one case in the order of the
    modalities (a DICOM series is its folder); interactions, labels: a folder, or one file.
    Returns the cases, and case -> why one cannot be used. Raises RequestError where what is given
    does not fit together.
    """
    for path in (*images, interactions, *([labels] if labels else [])):
        if not path.exists():
            raise RequestError(f"{path}: does not exist")
    single = len(images) > 1 or not images[0].is_dir() or _is_series(images[0])
    if single:
        return _one_case(images, interactions, labels, modalities)
    if not interactions.is_dir():
        raise RequestError(
            f"{interactions}: is one file, but {images[0]} is a folder of cases: expected a folder"
            " with a file of points for each"
        )
    if labels and not labels.is_dir():
        raise RequestError(f"{labels}: is one file: expected a folder with a label map per case")
    matched = match_cases(images[0], labels, interactions, modalities, labelled=False)
    failures = {
        finding.case: finding.message for finding in matched.findings if finding.level == "error"
    }
    cases = []
    for case in matched.cases:
        if case.interaction is None:
            failures[case.name] = f"has no points in {interactions}: expected {case.name}.json"
        else:
            cases.append(case)
    if not cases and not failures:
        raise RequestError(
            f"{images[0]}: holds no images: expected files such as CASE_0000.nii.gz, or one DICOM"
            " series"
        )
    return cases, failures


def check_output(output: Path, inputs: Sequence[Path]) -> None:
    """Raise RequestError where results would be written among data: a raw task's, or the inputs."""
    for path in inputs:
        folder = path if path.is_dir() else path.parent
        if resolved(output) in (resolved(folder), resolved(path)):
            raise RequestError(
                "contains input files, which the results could overwrite",
                field="output",
                value=output,
                expected="another folder",
            )
    check_no_raw_task(output)


def check_scan(scan: Scan, any_points: bool) -> None:
    """Raise DataError for a new scan whose points cannot be what was meant.

    any_points: their number and arrangement are not checked.
    """
    objects = PromptObjects(None)  # a label is for comparison only, it must not excuse anything

    def add(level: str, message: str) -> None:
        if level == "error":
            raise DataError(f"{scan.name}: {message}")

    if not scan.prompts:
        raise DataError(f"{scan.name}: has no points")
    for prompt in scan.prompts:
        if not any_points and len(prompt.points) > MARGIN_POINTS:
            raise DataError(
                f"{scan.name}: prompt of label {prompt.label} has {len(prompt.points)} points,"
                f" expected {MARGIN_POINTS}: a second object's points have '#2' after their names"
            )
        check_prompt(prompt, scan.image.grid, objects, add, margin=not any_points)


def _one_case(
    images: Sequence[Path], interactions: Path, labels: Path | None, modalities: Sequence[str]
) -> tuple[list[Case], dict[str, str]]:
    if len(images) != len(modalities):
        raise RequestError(
            f"{len(images)} given for one case",
            field="images",
            expected=f"{len(modalities)}, in the order {', '.join(modalities)}",
        )
    suffix = suffix_of(images[0], READABLE)
    name = images[0].name[: len(images[0].name) - len(suffix)] if suffix else images[0].name
    match = SUFFIXED.fullmatch(name)
    base = match[1] if match and match[2] == "0000" else name
    base = composed(base)
    if problem := name_problem(base, recorded=True):
        return [], {printable(base): problem}
    case = Case(base, tuple(images))
    points = _of_case(interactions, (base, name), PROMPT_SUFFIXES)
    if points is None:
        raise RequestError(f"{interactions}: holds no points of {base}: expected {base}.json")
    case = replace(case, interaction=points)
    if labels is not None:
        case = replace(case, label=_of_case(labels, (base, name), READABLE))
    return [case], {}


def _of_case(path: Path, names: Sequence[str], suffixes: Sequence[str]) -> Path | None:
    """The file itself, or the one of the case in a folder; raises RequestError for several."""
    if not path.is_dir():
        return path
    files = [
        file
        for file in sorted(path.iterdir())
        if (suffix := suffix_of(file, suffixes))
        and composed(file.name[: len(file.name) - len(suffix)]) in {composed(n) for n in names}
    ]
    if len(files) > 1:
        raise RequestError(
            f"{path}: has {len(files)} files for {names[0]}, expected one: {list_names(files)}"
        )
    return files[0] if files else None


def _is_series(folder: Path) -> bool:
    """Whether a folder is one DICOM series: files, none of another kind of image, no folders."""
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    files = [entry for entry in entries if entry.is_file()]
    return any(not suffix_of(file, PROMPT_SUFFIXES) for file in files) and not any(
        entry.is_dir() or suffix_of(entry, READABLE) for entry in entries
    )
