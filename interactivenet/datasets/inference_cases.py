"""New cases: images and points in folders or files of their own, not in a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from interactivenet.datasets.case import Scan
from interactivenet.datasets.dicom_cases import (
    NameBy,
    case_of,
    dicom_name,
    dicom_names,
    is_study,
    renamed,
)
from interactivenet.datasets.file_matching import SUFFIXED, match_cases, name_problem, stems
from interactivenet.datasets.label_files import file_of_case, label_notes, label_of
from interactivenet.datasets.modalities import modalities_of
from interactivenet.datasets.roots import check_no_raw_task
from interactivenet.datasets.stray_files import has_companion_name, nearest_file, unread_files
from interactivenet.datasets.task import Case
from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.io import AS_IT_IS, READABLE, ReadOptions, suffix_of
from interactivenet.prompts.checks import check_prompt
from interactivenet.prompts.io import PROMPT_SUFFIXES
from interactivenet.prompts.prompt import MARGIN_POINTS
from interactivenet.prompts.prompt_objects import PromptObjects
from interactivenet.system.files import resolved
from interactivenet.system.names import composed, printable


@dataclass
class NewCases:
    """What is to be segmented.

    failures: case -> why it cannot be.  notes: what a user should know besides.
    """

    cases: list[Case] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def find_new_cases(
    images: Sequence[Path],
    interactions: Sequence[Path],
    labels: Path | None,
    modalities: Sequence[str],
    *,
    reading: ReadOptions = AS_IT_IS,
    name_by: NameBy = "folder",
) -> NewCases:
    """Match images with points, and with labels where there are any.

    images: one folder of images named as in a task, or the files of one case in the order of the
    modalities (a DICOM series is its folder, or a tree of studies); any number of them where any
    modality will do.  interactions: a folder, or the file of one case, or several.  labels: a
    folder, or one file.  reading: how images are read.  name_by: where the names of cases come
    from; points may have these names, or those of the folders. What belongs to no other file, or
    cannot be read, is a case that failed. Raises RequestError where what is given does not fit
    together.
    """
    for path in (*images, *interactions, *([labels] if labels else [])):
        if not path.exists():
            raise RequestError(f"{path}: does not exist")
    if reading.series and not any(path.is_dir() or not suffix_of(path) for path in images):
        raise RequestError(
            f"{images[0]} is not DICOM", field="series", value=reading.series,
            expected="a DICOM folder to choose from",
        )  # fmt: skip
    first = images[0]
    single = len(images) > 1 or not first.is_dir() or _is_series(first)
    if single or is_study(first, interactions[0]):
        return _one_case(images, interactions, labels, modalities, reading, name_by)
    if len(interactions) > 1 or not interactions[0].is_dir():
        given = f"{interactions[0]}: is one file" if len(interactions) == 1 else (
            f"{interactions[0]} and {len(interactions) - 1} more: are points of one case"
        )  # fmt: skip
        raise RequestError(
            f"{given}, but {images[0]} is a folder of cases: expected a folder with a file of"
            " points for each"
        )
    if labels and not labels.is_dir():
        raise RequestError(f"{labels}: is one file: expected a folder with a label map per case")
    if not stems(images[0], READABLE) and not unread_files(images[0], READABLE):
        raise RequestError(
            f"{images[0]}: holds no images: expected files such as CASE_0000.nii.gz, or one DICOM"
            " series"
        )
    return _in_folders(images[0], interactions[0], labels, modalities, reading, name_by)


def _in_folders(
    images: Path,
    points: Path,
    labels: Path | None,
    modalities: Sequence[str],
    reading: ReadOptions,
    name_by: NameBy,
) -> NewCases:
    names: dict[Path, str] = {}
    unnamed: dict[Path, str] = {}
    if name_by != "folder":
        paths = [path for listed in stems(images, READABLE).values() for path in listed]
        names, unnamed = dicom_names(paths, reading.series, name_by)
    pointed = stems(points, PROMPT_SUFFIXES)
    matched = match_cases(
        images, labels, points, modalities, labelled=False, several=True,
        aliases={path.name: name for path, name in names.items()
                 if path.name not in pointed and case_of(path.name) not in pointed},
    )  # fmt: skip
    new = NewCases()
    new.failures = {
        finding.case: finding.message for finding in matched.findings if finding.level == "error"
    }
    for name in [name for name, (path, *_) in pointed.items() if has_companion_name(path)]:
        del pointed[name]
    with_image = {case.name: case.images for case in matched.cases}
    alone = {name: files for name, files in pointed.items()
             if name not in with_image and printable(name) not in new.failures}  # fmt: skip
    pointless = {case.name: case.images for case in matched.cases if case.name not in pointed}
    unread_images = unread_files(images, READABLE, pointed)
    unread_points = unread_files(points, PROMPT_SUFFIXES, with_image)
    for case in matched.cases:
        if reason := unnamed.get(case.images[0]) or _dangling(case):
            new.failures[case.name] = reason
        elif case.name in pointless:
            reason = unread_points.pop(case.name, "") or (
                f"expected {case.name}.json{nearest_file(case.name, alone)}"
            )
            new.failures[case.name] = f"has no points in {points}: {reason}"
        else:
            new.cases.append(replace(case, reading=reading))
    new.cases, doubled = renamed(new.cases, names)
    new.failures |= doubled
    for name, files in alone.items():
        reason = unread_images.pop(name, "") or (
            f"{points.name}/{files[0].name} belongs to none{nearest_file(name, pointless)}"
        )
        new.failures[name] = f"has no image in {images}: {reason}"
    for name, reason in (*unread_images.items(), *unread_points.items()):
        before = new.failures.get(name)
        new.failures[name] = f"{before}; {reason}" if before else reason
    new.failures = {printable(name): why for name, why in sorted(new.failures.items())}
    if labels:
        new.notes = label_notes(labels, new.cases, new.failures)
    return new


def _dangling(case: Case) -> str:
    """Say which file of a case is a link that leads nowhere, '' for none."""
    for path in (*case.images, *filter(None, (case.label, case.interaction))):
        if path.is_symlink() and not path.exists():
            target = path.readlink()
            return f"{path.parent.name}/{path.name} is a link to {target}, which leads nowhere"
    return ""


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


def check_scan(scan: Scan, any_points: bool) -> tuple[str, ...]:
    """Return what is doubtful about the points of a new scan, for its user.

    any_points: their number and arrangement are not checked. Raises DataError where the points
    cannot be what was meant.
    """
    objects = PromptObjects(None)  # a label is for comparison only, it must not excuse anything
    remedy = "" if any_points else "`any_points=True` takes them as they are"
    notes: dict[str, None] = {}

    def add(level: str, message: str) -> None:
        if level == "error":  # which may be due to what was left out
            reasons = [message, *(note for prompt in scan.prompts for note in prompt.notes)]
            raise DataError(f"{scan.name}: {'; '.join(reasons)}")
        notes[message] = None

    if not scan.prompts:
        raise DataError(f"{scan.name}: has no points")
    for prompt in scan.prompts:
        if not any_points and len(prompt.points) > MARGIN_POINTS:
            add(
                "error",
                f"prompt of label {prompt.label} has {len(prompt.points)} points, expected"
                f" {MARGIN_POINTS}: a second object's points have '#2' after their names,"
                f" and corrections '+' or '-'; {remedy}",
            )
        check_prompt(prompt, scan.image.source, objects, add, margin=not any_points, remedy=remedy)
    return tuple(notes)


def _one_case(
    images: Sequence[Path],
    interactions: Sequence[Path],
    labels: Path | None,
    modalities: Sequence[str],
    reading: ReadOptions,
    name_by: NameBy,
) -> NewCases:
    expected = modalities_of(modalities, len(images))
    if len(images) != len(expected):
        raise RequestError(
            f"{len(images)} given for one case",
            field="images",
            expected=f"{len(expected)}, in the order {', '.join(expected)}",
        )
    suffix = suffix_of(images[0], (*READABLE, ".dcm") if images[0].is_file() else READABLE)
    name = images[0].name[: len(images[0].name) - len(suffix)] if suffix else images[0].name
    match = SUFFIXED.fullmatch(name)
    base = match[1] if match and match[2] == "0000" else name
    base = composed(base)
    if problem := name_problem(base, recorded=True):
        return NewCases(failures={printable(base): problem})
    case = Case(base, tuple(images), reading=reading)
    names = [base, name]
    if name_by != "folder":
        try:
            case = replace(case, name=dicom_name(images[0], reading.series, name_by))
        except DataError as error:
            return NewCases(failures={base: str(error)})
        names.append(case.name)
    if len(interactions) > 1:
        for path in interactions:
            if path.is_dir():
                raise RequestError(f"{path}: is a folder, expected the files of one case's points")
            if list(interactions).count(path) > 1:
                raise RequestError(f"{path}: is given twice, expected each file of points once")
        case = replace(case, interaction=interactions[0], more_interactions=tuple(interactions[1:]))
    else:
        points = file_of_case(interactions[0], names, PROMPT_SUFFIXES)
        if points is None:
            hint = nearest_file(base, stems(interactions[0], PROMPT_SUFFIXES))
            raise RequestError(
                f"{interactions[0]}: holds no points of {base}: expected {base}.json{hint}"
            )
        case = replace(case, interaction=points)
    if labels is not None:
        case = replace(case, label=label_of(labels, names))
    return NewCases([case])


def _is_series(folder: Path) -> bool:
    """Whether a folder is one DICOM series: files, none of another kind of image, no folders."""
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    files = [entry for entry in entries if entry.is_file()]
    return any(not suffix_of(file, PROMPT_SUFFIXES) for file in files) and not any(
        entry.is_dir() or suffix_of(entry, READABLE) for entry in entries
    )
