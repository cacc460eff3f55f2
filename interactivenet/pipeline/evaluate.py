"""The stage ``evaluate``, and the evaluation at the end of other stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from interactivenet.datasets.case_lists import read_subtypes
from interactivenet.datasets.findings import Finding
from interactivenet.datasets.roots import check_no_raw_task
from interactivenet.datasets.task import Case
from interactivenet.evaluation.earlier import FIGURES, earlier_evaluation
from interactivenet.evaluation.evaluate import Evaluation, evaluate_cases
from interactivenet.evaluation.matching import Pair, build_pairs, case_name
from interactivenet.imaging.io import ReadOptions
from interactivenet.imaging.structures.reading.roi_names import check_rois
from interactivenet.metric_names import METRIC, TOLERANCE_MM
from interactivenet.pipeline.crowding import report_crowding
from interactivenet.pipeline.reporting import (
    SILENT,
    Reporter,
    Table,
    counted,
    recorded_notes,
    recorded_reasons,
)
from interactivenet.pipeline.segmenting import report_failures, report_notes
from interactivenet.pipeline.stage import running_stage
from interactivenet.prompts.prompt import LabelNames
from interactivenet.system.parallel import available_cores

if TYPE_CHECKING:
    from interactivenet.inference.outputs import Output
    from interactivenet.models.model import Mirrored, Model
    from interactivenet.pipeline.tracking import Tracker
    from interactivenet.system.signals import Signals

#: what is counted of objects beside the metrics, in words
_COUNTS = (
    ("missed", "missed"),
    ("false", "predicted where there is no label"),
    ("both_empty", "empty in both label and prediction (not counted in the means)"),
)


def evaluate(
    predictions: Path | str,
    labels: Path | str,
    *,
    images: Path | str | None = None,
    interactions: Path | str | None = None,
    output: Path | str | None = None,
    subtypes: Path | str | None = None,
    names: Mapping[int, str] | None = None,
    tolerance_mm: float = TOLERANCE_MM,
    pictures: bool = True,
    use_form: Literal["sform", "qform"] | None = None,
    rois: Sequence[str] = (),
    jobs: int | None = None,
    reporter: Reporter = SILENT,
) -> Evaluation:
    """Compare predictions, of this or any other program, with labels of the same name.

    Writes ``metrics.json``, ``metrics.csv``, ``report.html``, ``figures/`` and ``run.json``.
    ``CASE.json`` and ``objects/`` beside the predictions are used where they are there.

    Args:
        predictions: Folder of label maps, or one label map.
        labels: Folder of the true label maps, or the true one. RTSTRUCT and DICOM SEG are label
            maps, too, as files ``CASE.dcm`` or one in each folder ``CASE``: contours become voxels
            on the grid of the image, or else of the prediction.
        images: Folder of ``CASE_0000``, ``CASE_0001`` ... or ``CASE``, for pictures.
        interactions: Folder of points, for pictures and to tell objects of one label apart.
        output: Folder to write to; None for ``evaluation`` in that of the predictions.
        subtypes: JSON file, ``{"CASE": "subtype", ...}``; the summary is then by subtype, too.
        names: Value of a label -> its name.
        tolerance_mm: Surfaces within this distance, mm, agree for the NSD.
        pictures: Draw the worst object of every case that has an image.
        use_form: Which position of a NIfTI header counts, where it has two that differ, or none;
            as for :func:`infer`.
        rois: Which ROIs of an RTSTRUCT, or segments of a DICOM SEG, are which label, such as
            ``["GTV_Mass*=tumour", "Liver=liver"]``: patterns in any case, several for one label.
            Without them, those of the labels' names.
        jobs: Threads and processes; None for the available cores.
        reporter: Receives the messages and the progress.

    Returns:
        A row per object, the summary, and case -> why it could not be compared.

    Raises:
        RequestError: Where a path does not exist or nothing matches.
        DataError: Where the file of subtypes cannot be used.
    """
    predictions, labels = Path(predictions), Path(labels)
    images, interactions, output, subtypes = (
        None if path is None else Path(path) for path in (images, interactions, output, subtypes)
    )
    matched = build_pairs(
        predictions, labels, images=images, prompts=interactions,
        subtypes=read_subtypes(subtypes) if subtypes else None,
        reading=ReadOptions(use_form=use_form or "", rois=check_rois(rois, names or None)),
    )  # fmt: skip
    if output is None:
        output = predictions / "evaluation"
        if predictions.is_file():
            output = predictions.parent / f"{case_name(predictions)}_evaluation"
    check_no_raw_task(output)
    earlier_evaluation(output, [pair.case for pair in matched.pairs])
    reporter.findings([Finding("warning", case, text) for case, text in matched.warnings.items()])
    arguments = {
        "predictions": predictions, "labels": labels, "images": images,
        "interactions": interactions, "output": output, "subtypes": subtypes, "names": names,
        "tolerance_mm": tolerance_mm, "pictures": pictures, "use_form": use_form,
        "rois": list(rois), "jobs": jobs,
    }  # fmt: skip
    with running_stage("evaluate", output, arguments) as stage:
        drawn = sum(bool(pair.images) for pair in matched.pairs) if pictures else 0
        report_crowding(output / FIGURES / "cases", drawn, 1, reporter, stage.run)
        evaluation = evaluate_cases(
            matched.pairs, output, labels=LabelNames(dict(names)) if names else None,
            tolerance_mm=tolerance_mm, title=predictions.resolve().name, pictures=pictures,
            jobs=jobs or available_cores(), track=reporter.track, signals=stage.signals,
            missing=matched.missing,
        )  # fmt: skip
        recorded = recorded_reasons(evaluation.failures, reporter)
        reasons = _reasons(evaluation)
        stage.run.note(
            cases=len(matched.pairs), failures=recorded,
            notes=recorded_notes(evaluation.notes, reporter),
            review=recorded_notes(reasons, reporter),
        )  # fmt: skip
        report_notes(evaluation.notes, reporter, reasons)
        report_failures(output, "evaluate", evaluation.failures, reporter)
    report_evaluation(evaluation, reporter)
    return evaluation


def evaluate_output(
    cases: Sequence[Case],
    output: Output,
    folder: Path,
    model: Model,
    *,
    mirrored: Mirrored,
    title: str,
    failures: Mapping[str, str],
    signals: Signals,
    tracker: Tracker,
    reporter: Reporter,
) -> Evaluation:
    """Compare an output with the labels of its cases; report and log what is found.

    folder: to write to.  mirrored: how the model was used.  failures: of the cases, why
    some were not segmented.
    """
    calibration = model.calibration(mirrored)
    evaluation = evaluate_cases(
        labelled_pairs([case for case in cases if case.name not in failures], output), folder,
        labels=model.plan.label_names, modalities=model.plan.modalities, title=title,
        calibration=asdict(calibration) if calibration else None, jobs=available_cores(),
        track=reporter.track, signals=signals, missing=failures,
    )  # fmt: skip
    # what is doubtful about the scans was told when they were segmented
    new = {
        case: [note for note in notes if note not in output.read_record(case).get("notes", ())]
        for case, notes in evaluation.notes.items()
    }
    report_notes(new, reporter)
    report_evaluation(evaluation, reporter)
    everything = evaluation.summary["all"]
    metrics = everything["metrics"]
    tracker.metrics({f"{name}_mean": summary["mean"] for name, summary in metrics.items()})
    tracker.metrics({name: everything[name] for name in ("objects", "missed")})
    for path in (folder / "metrics.json", folder / "metrics.csv", evaluation.report,
                 *sorted((folder / "figures").glob("*.png"))):  # fmt: skip
        tracker.artefact(path, "evaluation")
    return evaluation


def _reasons(evaluation: Evaluation) -> dict[str, list[str]]:
    """Return case -> why its objects are to be looked at first, as was noted when segmented."""
    reasons: dict[str, list[str]] = {}
    for row in evaluation.rows:
        if row["reasons"]:
            reasons.setdefault(row["case"], []).append(
                f"{row['name'] or row['label']}: {row['reasons']}"
            )
    return reasons


def labelled_pairs(cases: Sequence[Case], output: Output) -> list[Pair]:
    """Pair the predictions of an output with the labels of its cases, where there are any."""
    pairs = []
    for case in cases:
        prediction, objects = output.label_map(case.name), output.object_map(case.name)
        if case.label and prediction.exists():
            pairs.append(
                Pair(
                    case=case.name, prediction=prediction, label=case.label, images=case.images,
                    prompts=case.interaction, subtype=case.subtype,
                    objects=objects if objects.exists() else None,
                    record=output.record(case.name), reading=case.reading,
                )
            )  # fmt: skip
    return pairs


def report_evaluation(evaluation: Evaluation, reporter: Reporter) -> None:
    """Report the metrics, what was missed, and where the report is."""
    everything = evaluation.summary["all"]
    metrics: Mapping[str, Mapping[str, Any]] = everything["metrics"]
    if metrics:
        rows = tuple(_metric_row(name, summary) for name, summary in metrics.items())
        reporter.table(Table(("", "mean ± sd", "median", "95 % interval", "n"), rows))
    counts = [
        f"{counted(everything['objects'], 'object')} of {counted(everything['cases'], 'case')}"
    ]
    counts += [f"{everything[key]} {words}" for key, words in _COUNTS if everything[key]]
    if evaluation.failures:
        counts.append(f"{counted(len(evaluation.failures), 'case')} failed")
    reporter.say(", ".join(counts))
    reporter.say(f"report: {evaluation.report}")


def _metric_row(name: str, summary: Mapping[str, Any]) -> tuple[str, ...]:
    metric = METRIC.get(name)
    heading = metric.heading if metric else name.replace("_", " ").capitalize()
    digits = metric.digits if metric else 3
    mean, sd, median, low, high = (
        "-" if summary[key] is None else f"{summary[key]:.{digits}f}"
        for key in ("mean", "std", "median", "low", "high")
    )
    interval = f"{low} to {high}" if summary["low"] is not None else "-"
    spread = f"{mean} ± {sd}" if summary["std"] is not None else mean
    return heading, spread, median, interval, str(summary["n"])
