"""Raw tasks made of other programs' datasets, and of DICOM trees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interactivenet.datasets.conversion import RECORD, ImportOptions, import_cases
from interactivenet.datasets.dicom_cases import is_dicom_tree
from interactivenet.datasets.findings import Finding
from interactivenet.datasets.formats import find_source, some_of
from interactivenet.datasets.roots import Roots, check_task_name
from interactivenet.datasets.sources import Source
from interactivenet.datasets.task import Task, record_failures
from interactivenet.errors import RequestError, naming
from interactivenet.pipeline.dataset import CheckedTask, check_task
from interactivenet.pipeline.reporting import SILENT, Reporter, counted, recorded_reasons
from interactivenet.prompts.prompt import LabelNames
from interactivenet.system.fields import field_of_kind
from interactivenet.system.files import read_object


def convert_dataset(
    source: Path | str,
    task: str,
    *,
    modalities: Sequence[str] = (),
    labels: LabelNames | None = None,
    rois: Sequence[str] = (),
    structures: str = "",
    resample_to: str | None = None,
    across_frames: bool = False,
    merge_labels: str | None = None,
    copy: bool = False,
    cases: int | None = None,
    test_cases: int = 0,
    seed: int = 0,
    dry_run: bool = False,
    roots: Roots | None = None,
    jobs: int | None = None,
    reporter: Reporter = SILENT,
) -> CheckedTask:
    """Import a dataset, or a tree of DICOM studies, as a raw task, then check it.

    The source is never altered. What becomes of a tree is said before anything is written. An
    import that was interrupted is continued; one that was done before is only checked again.

    Args:
        source: Folder of a Medical Segmentation Decathlon dataset (4D images become one file per
            modality), of an nnU-Net dataset (v1 or v2), or one with ``images/`` and ``labels/``,
            whose labels may be RTSTRUCT or DICOM SEG; or a tree of DICOM studies with such.
        task: Name of the task to make, such as 'Task101_LIVER'.
        modalities: Their names, where the source does not name them; of a tree, with what their
            series are known by: 'MR=T1*' (glob or part of the description), 'CT=2' (number), a UID,
            or 'PET' (all series of that kind of scanner).
        labels: Names of the label values, instead of the source's own.
        rois: Which ROIs of structure sets are which label, 'GTV_Mass*=tumour'.
        structures: Of a tree, which structure set, where a case has several: a glob or part of its
            label, description or file name, or its UID.
        resample_to: Of a tree, the modality whose grid counts: the others are resampled onto it.
        across_frames: Take series of several frames of reference for one: they are registered.
        merge_labels: Merge all labels into one with this name.
        copy: Copy files instead of hard-linking them where the disk allows it.
        cases: Number of labelled cases to take; by default all cases.
        test_cases: Number of further labelled cases to take as test cases.
        seed: Of the random draw of these cases.
        dry_run: Only say what would be imported.
        roots: Folders of the tasks; by default those of the environment variables.
        jobs: Threads; by default one for each available core.
        reporter: Receives the progress and the findings.

    Returns:
        The task, what was noticed, and which cases are left out.

    Raises:
        RequestError: The source is no dataset, it does not name its modalities or labels, it has
            too few cases, or the task exists and was made from something else.
    """
    check_task_name(task)
    source, folder = Path(source), (roots or Roots.choose()).raw / task
    if merge_labels is not None and labels is not None:
        raise RequestError(
            "cannot be combined with `labels`: merged labels have one name", field="merge_labels"
        )
    labels, is_tree = labels or labels_of(rois), is_dicom_tree(source)
    is_tree = is_tree or any("=" in name for name in modalities)
    options = ImportOptions(copy=copy, merge_labels=merge_labels is not None, rois=tuple(rois))
    if is_tree:
        from interactivenet.pipeline.dicom_tree import read_source

        tree, options, modalities = read_source(
            source, options, modalities=modalities, labels=labels, structures=structures,
            resample_to=resample_to, across_frames=across_frames, reporter=reporter,
        )  # fmt: skip
        dataset = some_of(tree, cases, test_cases, seed)
    else:
        _check_no_tree(source, structures, resample_to, across_frames)
        dataset = some_of(find_source(source, labels), cases, test_cases, seed)
    names = LabelNames({1: merge_labels}) if merge_labels is not None else dataset.labels
    modalities = modalities or tuple(name for name in dataset.modalities if name)
    check_modalities(dataset, modalities)
    if not names.names:
        raise RequestError(
            f"{dataset.folder} does not name its labels",
            field="labels",
            expected="a name for each",
        )
    reporter.say(f"{dataset.kind} dataset, {counted(len(dataset.cases), 'case')} -> {folder}")
    known = _findings(dataset)
    if is_tree or dry_run:
        reporter.findings(known)
    if dry_run:
        reporter.say(f"nothing was written: {folder} would have the labels {names}")
        listed = Task(folder.name, folder, tuple(modalities), names, (), ())
        return CheckedTask(listed, tuple(known), dict(dataset.left_out))
    imported = import_cases(dataset, folder, options)
    found = [case.name for case in dataset.cases]
    if not sum(1 for _ in reporter.track(imported, len(found), "imported", found)):
        reporter.say(f"{folder} is already imported: it is only checked again")
    left_out, noticed = _read_record(folder / RECORD)
    noticed += [Finding("warning", "", note) for note in dataset.notes]
    reporter.findings([finding for finding in noticed if not (is_tree and finding in known)])
    record_failures(folder, "convert", recorded_reasons(left_out, reporter))
    return check_task(folder, modalities, names, jobs, reporter, left_out=left_out)


def labels_of(rois: Sequence[str]) -> LabelNames | None:
    """Return the labels that definitions of ROIs name, numbered from 1; None without any."""
    if not rois:
        return None
    from interactivenet.imaging.structures.reading.roi_names import RoiNames

    return LabelNames.parse(RoiNames.parse(rois).labels)


def _check_no_tree(
    source: Path, structures: str, resample_to: str | None, across_frames: bool
) -> None:
    """Raise RequestError where something is asked for that only a DICOM tree has."""
    given = {"structures": structures, "resample_to": resample_to, "across_frames": across_frames}
    for field, value in given.items():
        if value:
            raise RequestError(
                f"{source}: is no tree of DICOM studies", field=field, value=value,
                expected="one to choose from",
            )  # fmt: skip


def _findings(dataset: Source) -> list[Finding]:
    """Return what is known of a source before it is imported."""
    return [
        *(Finding("error", case, reason) for case, reason in dataset.left_out.items()),
        *(Finding("warning", case.name, note) for case in dataset.cases for note in case.notes),
        *(Finding("warning", "", note) for note in dataset.notes),
    ]


def _read_record(path: Path) -> tuple[dict[str, str], list[Finding]]:
    """Return why an import left cases out, and what was noticed: these, and notes on others."""
    with naming(path):
        content = read_object(path)
        left_out: dict[str, str] = field_of_kind(content.get("left_out", {}), dict, "left_out")
        for case, reason in left_out.items():
            field_of_kind(reason, str, f"left_out.{case}")
        findings = [Finding("error", case, reason) for case, reason in left_out.items()]
        records: dict[str, Any] = field_of_kind(content.get("cases", {}), dict, "cases")
        for case, said in records.items():
            notes = field_of_kind(said, dict, f"cases.{case}").get("notes", [])
            for note in field_of_kind(notes, list, f"cases.{case}.notes"):
                text = field_of_kind(note, str, f"cases.{case}.notes")
                findings.append(Finding("warning", case, text))
    return left_out, findings


def check_modalities(source: Source, modalities: Sequence[str]) -> None:
    """Raise RequestError unless the names given, or the source's own, name each modality once."""
    if not modalities:
        raise RequestError(
            f"{source.folder} does not name its modalities",
            field="modalities",
            expected="a name for each",
        )
    if len(modalities) != len(source.modalities):
        count = counted(len(source.modalities), "modality", "modalities")
        raise RequestError(
            f"{source.folder} has {count}, {counted(len(modalities), 'name')} were given:"
            f" {', '.join(modalities)}",
            field="modalities",
        )
    if twice := [name for name, count in Counter(modalities).items() if count > 1]:
        raise RequestError(
            f"{source.folder} has several modalities named '{twice[0]}'",
            field="modalities",
            expected="another name for each",
        )
