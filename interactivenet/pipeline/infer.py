"""The stage ``infer``: new cases, segmented with a trained model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

from interactivenet.datasets.dicom_cases import NameBy
from interactivenet.datasets.inference_cases import check_output, check_scan, find_new_cases
from interactivenet.datasets.roots import EVALUATION, Roots
from interactivenet.errors import RequestError
from interactivenet.evaluation.earlier import earlier_evaluation
from interactivenet.evaluation.evaluate import Evaluation
from interactivenet.imaging.io import ReadOptions
from interactivenet.imaging.structures.reading.roi_names import check_rois
from interactivenet.inference.batch import predict_cases
from interactivenet.inference.export_formats import chosen_formats
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.output_checks import check_outputs
from interactivenet.inference.outputs import CaseResult, Output
from interactivenet.inference.requirements import check_model
from interactivenet.inference.timings import all_seconds
from interactivenet.models.bundle_codes import read_label_codes
from interactivenet.pipeline.case_summary import check_summary, write_summary
from interactivenet.pipeline.chosen_model import chosen_model
from interactivenet.pipeline.crowding import report_crowding
from interactivenet.pipeline.evaluate import evaluate_output
from interactivenet.pipeline.export import (
    Exports,
    add_export_failures,
    check_used,
    export_cases,
)
from interactivenet.pipeline.gathering import check_here, gather_cases, not_segmented
from interactivenet.pipeline.reporting import SILENT, Reporter, counted
from interactivenet.pipeline.segmenting import (
    add_failures,
    describe_model,
    follow_cases,
    say_unused_codes,
)
from interactivenet.pipeline.sharding import (
    Part,
    ShardLike,
    say_missing,
    shard_backends,
    shard_reasons,
)
from interactivenet.pipeline.stage import running_stage, tracked_run


@dataclass(frozen=True)
class Inference:
    """What became of new cases.

    Attributes:
        folder: Of the label maps.
        cases: How many there are.
        evaluation: None where no case has a label.
        failures: Case to why it could not be segmented, or compared.
    """

    folder: Path
    cases: int
    evaluation: Evaluation | None
    failures: Mapping[str, str]


def infer(
    task: str | None,
    images: Path | str | Sequence[Path | str],
    interactions: Path | str | Sequence[Path | str],
    output: Path | str,
    *,
    labels: Path | str | None = None,
    mlflow: bool = False,
    model: str | Path | None = None,
    format: str | Sequence[str] = "nii.gz",
    codes: Path | str | None = None,
    probabilities: bool = False,
    pictures: bool = True,
    any_points: bool = False,
    series: str = "",
    name_by: NameBy = "folder",
    modalities: Sequence[str] = (),
    resample_to: str | None = None,
    across_frames: bool = False,
    use_form: Literal["sform", "qform"] | None = None,
    rois: Sequence[str] = (),
    options: InferenceOptions | None = None,
    overwrite: bool = False,
    shard: ShardLike | None = None,
    gather: bool = False,
    roots: Roots | None = None,
    reporter: Reporter = SILENT,
) -> Inference:
    """Segment new cases with a trained model, and compare them with labels if given.

    Each case gives ``CASE.nii.gz`` on the grid of its image, ``CASE.json`` with what was found and
    ``pictures/CASE.png``; all of them ``summary.csv``, ``report.html`` and ``sheets/``.

    Args:
        task: Name of the task whose model is used; None where ``model`` alone says which.
        images: A folder of images, or the files of one case, one per modality; a DICOM series is
            its folder, or a tree of studies in which it is.
        interactions: A folder of files of points, named as the cases; or the file of one case, or
            several, each of other objects: of the only label, or named after their labels.
        output: Folder for the label maps.
        labels: Label map, or folder of them, to compare with; RTSTRUCT and DICOM SEG, too.
        mlflow: Record it in MLflow.
        model: 'deployed' or 'own', of the task; the name of an installed model; the folder or the
            zip of one; or 'starter', the model of any object that comes with the package. By
            default the only one of the task.
        format: Of the label maps, 'nii.gz' (the default), 'mha' or 'nrrd'; besides, any of
            'dcm-seg', 'rtstruct' and 'seg.nrrd', in which each result is exported, too.
        codes: What the labels are, for exports: a JSON file, name -> codes; by default those that
            the model came with, and for others what their names say.
        probabilities: Write ``CASE.npz``, too.
        pictures: Write ``pictures/CASE.png`` of each case, and sheets of them, too.
        any_points: Take any number of points, not six margin points.
        series: Number, UID or description of the series to segment, where a DICOM folder has
            several.
        name_by: Where the names of DICOM cases come from: 'folder', 'patient' (PatientID), 'study'
            or 'series' (PatientID and UID). Points and labels may have these names, too.
        modalities: What the series of each modality of the model are known by, where ``images`` is
            a DICOM tree of one or many patients: 'CT=2' (number), 'MR=T1*' (glob or part of the
            description), a UID, or 'PET' (all of that scanner). Results are named by PatientID and
            series; points and labels so, by PatientID, or by the UID of the series.
        resample_to: Of a tree, the modality whose grid counts: the others are resampled onto it.
        across_frames: Take series of several frames of reference for one: they are registered.
        use_form: Which position of a NIfTI header counts, where it has two that differ, or none:
            'sform' (as nibabel reads it) or 'qform' (as ITK and 3D Slicer do). Without it, a case
            with such an image and points in mm fails.
        rois: Which ROIs of an RTSTRUCT, or segments of a DICOM SEG, among ``labels`` are which
            label of the model, such as ``["GTV_Mass*=tumour"]``; as for :func:`evaluate`.
        options: How the networks are used: device, precision, mirroring.
        overwrite: Redo finished work; of a shard, that of its own cases.
        shard: Do one of several shares of the cases alone, such as '3/16': any number of jobs may
            do the others at the same time, in the same ``output``. Nothing is compared.
        gather: Segment nothing: look up what shards have done, with the same arguments, and make
            what is one for all of it. A case that no shard has done is among the failures.
        roots: Folders of the tasks; by default those of the environment variables.
        reporter: Receives the messages and the progress.

    Returns:
        Where the label maps are, how they compare with the labels, and which cases failed.

    Raises:
        RequestError: What is given does not fit together, or it is not clear which model is meant.
    """
    part = Part.chosen(shard, gather, overwrite=overwrite)
    options, roots = options or InferenceOptions(), roots or Roots.choose()
    scans, points = _paths(images), _paths(interactions)
    output = Path(output)
    labels = None if labels is None else Path(labels)
    part.check_begun(output)
    check_output(output, [*scans, *points, *([labels] if labels else [])])
    with chosen_model(roots, task, model, reporter) as trained:
        check_here(options, part)
        if not part.gather:
            check_model(trained, options.chosen_device)
        name = task or trained.plan.task
        settings = options.as_json()
        reading = ReadOptions(
            use_form=use_form or "", series=series,
            rois=check_rois(rois, trained.plan.label_names.only_names),
        )  # fmt: skip
        if modalities:
            from interactivenet.datasets.dicom_tree.inference import TreeQuery, find_tree_cases

            new = find_tree_cases(
                scans, points, labels, trained.plan.modalities,
                TreeQuery(tuple(modalities), resample_to, across_frames),
                reading=reading, name_by=name_by,
            )  # fmt: skip
        else:
            _check_no_tree(resample_to, across_frames)
            new = find_new_cases(
                scans, points, labels, trained.plan.modalities, reading=reading, name_by=name_by
            )
        found = len(new.cases) + len(new.failures)
        cases = [case for case in new.cases if part.has(case.name)]
        refused = [CaseResult(case, why) for case, why in new.failures.items() if part.has(case)]
        total = len(cases) + len(refused)
        suffix, exports = chosen_formats(format)
        check_used(codes, exports)
        given, others = read_label_codes(codes, trained.plan)
        label_codes = {**trained.codes, **given}
        say_unused_codes(others, reporter)
        target = Output(output, trained.folds, True, probabilities, f".{suffix}", exports, pictures)
        check_outputs([target], cases)
        check_summary(target)
        if part.is_one_for_all and any(case.label for case in cases):
            earlier_evaluation(output / EVALUATION, [case.name for case in cases if case.label])
        for line in describe_model(trained, options):
            reporter.say(line)
        for note in new.notes:
            reporter.say(note)
        part.announce(total, found, reporter)
        arguments = {
            "task": task, "images": scans, "interactions": points, "output": output,
            "labels": labels, "mlflow": mlflow, "model": model, "format": format,
            "codes": codes, "probabilities": probabilities, "pictures": pictures,
            "any_points": any_points,
            "series": series, "name_by": name_by, "modalities": list(modalities),
            "resample_to": resample_to, "across_frames": across_frames, "use_form": use_form,
            "rois": list(rois), "overwrite": overwrite, **part.arguments(),
            "options": options, "processed": roots.processed, "results": roots.results,
        }  # fmt: skip
        parameters = {"model": trained.name, "folds": list(trained.folds), **settings}
        evaluation: Evaluation | None = None
        with (
            running_stage(
                "infer", output, arguments, seed=trained.plan.seed, shard=part.shard
            ) as stage,
            tracked_run(
                roots, name, "inference", parameters,
                mlflow=mlflow and part.is_one_for_all, reporter=reporter,
            ) as tracker,
        ):  # fmt: skip
            stage.run.note(
                model=trained.name, plan=trained.plan.digest, weights=trained.digests,
                choices=trained.choices(), **settings,
            )  # fmt: skip
            report_crowding(output, found, 2 + probabilities, reporter, stage.run)
            with stage.run.step("segment"):
                if part.gather:
                    segmented = gather_cases(
                        cases, trained, [target], options, shard_reasons(output, "infer"),
                        backends=shard_backends(output), signals=stage.signals,
                    )  # fmt: skip
                else:
                    segmented = predict_cases(
                        cases, trained, [target], options,
                        check=lambda scan: check_scan(scan, any_points), overwrite=overwrite,
                        one_source=True, signals=stage.signals,
                    )  # fmt: skip
                names = [case.name for case in cases] + [result.case for result in refused]
                failures = follow_cases(
                    chain(segmented, refused), names, "infer", stage.run, stage.folder, reporter,
                    gather=part.gather,
                )  # fmt: skip
            if part.gather:
                say_missing(output, not_segmented(failures), reporter)
            exported: Exports | None = None
            if exports:
                with stage.run.step("export"):
                    exported = export_cases(
                        target, [case.name for case in cases if case.name not in failures],
                        exports, stage, codes=label_codes, names=trained.plan.label_names.names,
                        overwrite=overwrite, all_cases=part.is_one_for_all, reporter=reporter,
                    )  # fmt: skip
            tracker.metrics({"cases": total, "failed": len(failures)})
            segmented_cases = total - len(failures)  # the others are what is only not compared
            labelled = [case for case in cases if case.label and part.is_one_for_all]
            if labelled:
                with stage.run.step("evaluate"):
                    evaluation = evaluate_output(
                        labelled, target, output / EVALUATION, trained, mirrored=options.mirrored,
                        title=f"{name}: {counted(len(labelled), 'new case')}",
                        failures={case.name: failures[case.name] for case in labelled
                                  if case.name in failures},
                        signals=stage.signals, tracker=tracker, reporter=reporter,
                    )  # fmt: skip
                add_failures(
                    failures, evaluation.failures, "infer", stage.run, stage.folder, reporter
                )
            elif labels is not None and part.is_one_for_all:
                reporter.say(
                    f"{labels}: holds no label map for any of the cases: nothing to evaluate"
                )
            if exported is not None:
                add_export_failures(failures, exported, "infer", stage, reporter)
            if part.is_one_for_all:
                with stage.run.step("summary"):
                    write_summary(
                        target, names, failures, all_seconds(output),
                        title=f"{name}: {counted(total, 'new case')}", reporter=reporter,
                    )  # fmt: skip
        reporter.say(f"{output}: {counted(segmented_cases, 'case')}")
        return Inference(output, total, evaluation, failures)


def _check_no_tree(resample_to: str | None, across_frames: bool) -> None:
    """Raise RequestError where something is asked for that only a DICOM tree has."""
    for field, value in (("resample_to", resample_to), ("across_frames", across_frames)):
        if value:
            raise RequestError(
                "is for a DICOM tree alone", field=field, value=value,
                expected="`modalities`, which choose its series",
            )  # fmt: skip


def _paths(given: Path | str | Sequence[Path | str]) -> list[Path]:
    return [Path(path) for path in ([given] if isinstance(given, Path | str) else given)]
