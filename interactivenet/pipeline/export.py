"""The stage ``export``: results in the formats of archives, planning systems and 3D Slicer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interactivenet.datasets.findings import Finding
from interactivenet.datasets.inference_cases import check_output
from interactivenet.datasets.task import record_failures
from interactivenet.errors import RequestError, describe_failure
from interactivenet.imaging.structures.codes.structure_codes import StructureCodes
from interactivenet.inference.export_formats import EXPORT_FORMATS, ExportFormat, chosen_exports
from interactivenet.inference.exporting.recorded_source import images_of
from interactivenet.inference.outputs import Output
from interactivenet.pipeline.exportable import (
    check_names,
    codes_of,
    exportable_cases,
    maps_without_record,
)
from interactivenet.pipeline.reporting import (
    SEGMENTED,
    SILENT,
    Reporter,
    counted,
    recorded_notes,
    recorded_reasons,
)
from interactivenet.pipeline.segmenting import report_failures, report_notes, say_unused_codes
from interactivenet.pipeline.stage import Stage, running_stage
from interactivenet.prompts.prompt import LabelNames


@dataclass(frozen=True)
class Exports:
    """What became of results.

    Attributes:
        folder: Of the files.
        files: Those that were written, and those that were there already.
        cases: How many cases there are.
        failures: Case to why it lacks a file.
    """

    folder: Path
    files: tuple[Path, ...]
    cases: int
    failures: Mapping[str, str]


def export(
    results: Path | str,
    format: str | Sequence[str],
    *,
    images: Path | str | Sequence[Path | str] | None = None,
    codes: Path | str | None = None,
    names: Sequence[str] = (),
    output: Path | str | None = None,
    overwrite: bool = False,
    reporter: Reporter = SILENT,
) -> Exports:
    """Write results as DICOM SEG, as RTSTRUCT, or as a segmentation of 3D Slicer.

    Each case of a folder that ``infer``, ``test`` or the viewer has written gives CASE.seg.dcm,
    CASE.rtstruct.dcm or CASE.seg.nrrd, on the DICOM series that it was segmented on. What was
    exported from the same outlines before is kept.

    Args:
        results: Folder of label maps and their records, CASE.json.
        format: One or several of 'dcm-seg', 'rtstruct' and 'seg.nrrd'.
        images: Folders in which series are looked for that are not where the records say, or that
            were segmented in another format: by their UID, or by grid and values.
        codes: What the labels are: a JSON file, name -> codes; by default those that the model came
            with, and for others what their names say.
        names: Names of labels in place of those of the records: 'tumour' of 1, or '3=tumour'.
        output: Folder to write to, with copies of the records; by default that of the results.
        overwrite: Write again what was exported already.
        reporter: Receives the messages and the progress.

    Returns:
        Where the files are, and which cases lack one.

    Raises:
        RequestError: There are no results, or what is given cannot be used.
        DataError: The file of codes cannot be used.
    """
    results = Path(results)
    formats = chosen_exports(format)
    given = [] if images is None else [images] if isinstance(images, Path | str) else [*images]
    folders = [Path(each) for each in given]
    for folder in (results, *folders):
        if not folder.exists():
            raise RequestError(f"{folder}: does not exist")
    cases = exportable_cases(results)
    if not cases:
        raise RequestError(
            f"{results}: holds no CASE.json of a case that was segmented",
            expected="a folder of label maps, each with the record that was written with it",
        )
    target = Output(Path(output) if output is not None else results, ())
    records = [Output(results, ()).read_record(case) for case in cases]
    if output is not None:
        check_output(target.folder, [*folders, *images_of(records)])
    labels = LabelNames.parse(names).names
    check_names(labels, records)
    chosen, others = codes_of(codes, records, labels)
    say_unused_codes(others, reporter)
    arguments = {
        "results": results, "format": formats, "images": folders,
        "codes": codes, "names": list(names),
        "output": output, "overwrite": overwrite,
    }  # fmt: skip
    with running_stage("export", target.folder, arguments, keep=True) as stage:
        reporter.findings(maps_without_record(results, cases))
        exports = export_cases(
            Output(results, ()), cases, formats, stage, images=folders, codes=chosen,
            names=labels, target=target, overwrite=overwrite, reporter=reporter,
        )  # fmt: skip
        report_failures(target.folder, "export", dict(exports.failures), reporter)
        stage.run.note(
            cases=exports.cases, failures=recorded_reasons(exports.failures, reporter),
        )  # fmt: skip
    return exports


def export_cases(
    results: Output,
    cases: Sequence[str],
    formats: Sequence[ExportFormat],
    stage: Stage,
    *,
    images: Sequence[Path] = (),
    codes: Mapping[str, StructureCodes] | None = None,
    names: Mapping[int, str] | None = None,
    target: Output | None = None,
    overwrite: bool = False,
    all_cases: bool = True,
    reporter: Reporter = SILENT,
) -> Exports:
    """Export the cases of an output, within a stage that runs; tells notes, but not failures.

    images, overwrite: as for :func:`export`.  codes: by names of labels.  names: by their values.
    target: where files are written; None for the output itself.  all_cases: whether they are all
    that there are, so that a label that none of them has is none.
    """
    from interactivenet.inference.exporting.exporter import Exporter, export_case
    from interactivenet.inference.exporting.outlined_structures import Naming, labels_in
    from interactivenet.inference.exporting.source_series import SourceFinder

    exporter = Exporter(
        tuple(formats), Naming(names or {}, codes or {}), SourceFinder(images), overwrite
    )
    files: list[Path] = []
    kept = 0
    notes: dict[str, list[str]] = {}
    failures: dict[str, str] = {}

    def attempt(case: str) -> Any:
        try:
            return export_case(results, case, exporter, target)
        except Exception as error:  # one odd case must not end the others
            return describe_failure(error)

    for case, exported in stage.interruptible(
        zip(cases, reporter.track(map(attempt, cases), len(cases), "exported", cases), strict=True)
    ):
        if isinstance(exported, str):
            failures[case] = exported
            continue
        files += [*exported.written, *exported.kept]
        kept += len(exported.kept)
        if exported.notes:
            notes[case] = list(exported.notes)
        if exported.failures:
            # of both formats of DICOM, mostly one reason
            reasons = dict.fromkeys(exported.failures.values())
            failures[case] = "; ".join(
                f"{', '.join(k for k, r in exported.failures.items() if r == reason)}: {reason}"
                for reason in reasons
            )
    report_notes(notes, reporter)
    if all_cases:
        known = {label for case in cases for label in labels_in(results.read_record(case))}
        say_unused_codes({*(codes or {})} - known - {*(names or {}).values()}, reporter)
    stage.run.note(
        exported=[str(path) for path in files], export_notes=recorded_notes(notes, reporter)
    )
    folder = (target or results).folder
    reporter.say(f"{folder}: {counted(len(files), 'file')} in {', '.join(formats)}")
    if kept:
        reporter.say(
            f"{counted(kept, 'file')} already written from the same outlines: kept"
            " (`overwrite=True` writes them again)"
        )
    return Exports(folder, tuple(files), len(cases), failures)


def add_export_failures(
    failures: dict[str, str],
    exports: Exports,
    name: str,
    stage: Stage,
    reporter: Reporter,
) -> None:
    """Tell and record which cases that were segmented lack a file; name: of the stage."""
    new = {case: f"{SEGMENTED} exported: {why}" for case, why in exports.failures.items()}
    report = {case: f"{failures[case]}; {why}" if case in failures else why
              for case, why in new.items()}  # fmt: skip
    failures.update(report)
    recorded = recorded_reasons(failures, reporter)
    if new:
        stage.run.note(failures=recorded)
        path = record_failures(stage.folder, name, recorded)
        reporter.findings([Finding("error", case, reason) for case, reason in new.items()])
        reporter.say(f"{counted(len(failures), 'case')} failed, see {path}")


def check_used(codes: Path | str | None, exports: Sequence[ExportFormat]) -> None:
    """Raise RequestError where codes are given that no format would hold."""
    if codes is not None and not exports:
        raise RequestError(
            f"{codes}: label maps hold no codes", field="codes",
            expected=f"one of the formats {', '.join(EXPORT_FORMATS)} with it",
        )  # fmt: skip
