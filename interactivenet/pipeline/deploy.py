"""The stage ``deploy``: a task's trained folds become a bundle, and a zip to hand on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from interactivenet.datasets.roots import Roots, check_task_name
from interactivenet.errors import DataError, RequestError
from interactivenet.evaluation.statistics import summarise
from interactivenet.imaging.structures.codes.structure_codes import StructureCodes
from interactivenet.models.bundle import BUNDLE, CARD, bundle_files, read_bundle, read_description
from interactivenet.models.bundle_codes import parse_codes_field, read_label_codes
from interactivenet.models.fold_results import FoldResults
from interactivenet.models.model import CHOICE, Model, own_model, read_choice
from interactivenet.pipeline.bundle_replacing import Deployment, replace_bundle
from interactivenet.pipeline.reporting import SILENT, Reporter, counted
from interactivenet.pipeline.segmenting import say_unused_codes
from interactivenet.pipeline.select import is_current, make_selection
from interactivenet.pipeline.stage import running_stage
from interactivenet.pipeline.student import StudentOptions
from interactivenet.pipeline.up_to_date import check_sources
from interactivenet.planning.planned_task import PLANS, PlannedTask
from interactivenet.system.archives import zip_folder
from interactivenet.system.files import interpreting, read_object, remove, write_json
from interactivenet.system.written import FILES, WrittenFiles, noted_files

#: of the fingerprint, what a model card tells; numbers only, no case is named
_MEASURED = ("spacing_mm", "shape", "object_mm", "volume_ml")
#: in the task's results: the stage's record, and what an old bundle had and the new one has not
FOLDER, BEFORE = "deploy", "before"


def deploy(
    task: str,
    *,
    folds: Sequence[int] | None = None,
    zip: bool = False,
    half: bool = False,
    description: str = "",
    codes: Path | str | None = None,
    distil: bool | StudentOptions = False,
    roots: Roots | None = None,
    reporter: Reporter = SILENT,
) -> Deployment:
    """Write a trained task as a bundle: weights, plan, postprocessing, checksums, model card.

    The bundle goes to ``models/TASK`` of the results, where inference finds it; it can be moved
    anywhere, and holds no patient's name. A model that is deployed already (or was installed)
    needs nothing of its task, and is left as it is where that has no trained fold.

    Args:
        task: Name of the task.
        folds: Numbers of the folds to deploy; None for those that are trained.
        zip: Also write ``models/TASK.zip``, to share.
        half: Write the weights in half precision: half the size, and hardly another voxel.
        description: First paragraph of the model card: data, makers, licence. Empty to keep that
            of the bundle before.
        codes: JSON file of what the labels are, name -> codes, for exports to archives and planning
            systems; None to keep those that were deployed before.
        distil: Deploy one network that has learned to say what the folds' mean says, instead of
            the folds: as many times faster as there are folds. It is trained on all cases, in
            ``TASK/distilled`` of the results, and goes on where it was interrupted. It expects no
            Dice of its outlines: that was learned of the folds. True trains it for a fifth of
            their epochs.
        roots: Folders of the tasks; by default those of the environment variables.
        reporter: Receives the messages and the progress.

    Returns:
        Where the bundle is, and what became of the one before.

    Raises:
        RequestError: Where a fold is not trained, what it was trained on has changed since, the
            task's cross-validation is not there, or a zip would replace somebody else's.
        DataError: Where the model that is deployed already is not whole.
    """
    check_task_name(task)
    roots = roots or Roots.choose()
    folder = roots.results / "models" / task
    archive = folder.with_name(f"{task}.zip")
    if os.path.lexists(folder) and not folder.is_dir():
        raise RequestError(f"{folder}: is a file", expected="the folder of a model")
    if zip and not _is_own_zip(archive):
        raise RequestError(
            f"{archive}: is not as this program wrote it, and would be replaced",
            remedy="move it away",
        )
    try:
        own = own_model(roots, task, folds, choice=False)
    except RequestError:
        asked = folds is not None or description or half or codes or distil
        if asked or not (folder / BUNDLE).exists():
            raise
        if _has_trained_folds(roots, task):  # which are out of date
            raise
        reporter.say(
            f"{folder}: already deployed, and left as it is: no fold of its plan is trained"
        )
        deployment = Deployment(folder, read_bundle(folder).folds, False)
    else:
        if distil and len(own.weights) < 2:  # before anything is chosen for that fold alone
            raise RequestError(
                f"{own.name}: is one network, which there is nothing to distil from",
                expected="two trained folds or more",
            )
        deployment = _deploy_own(
            roots, task, folds, folder, zip, half, description, codes,
            StudentOptions() if distil is True else distil or None, reporter,
        )  # fmt: skip
        if deployment.changed and archive.exists() and not zip:
            _remove_zip(archive, reporter)
    if not zip:
        return deployment
    zip_folder(folder, archive, task, bundle_files(folder))
    write_json(_zip_record(archive), {"task": task, FILES: noted_files(archive.parent, [archive])})
    reporter.say(f"{archive}: install it elsewhere with `install_model(file={archive.name!r})`")
    return replace(deployment, archive=archive)


def _zip_record(archive: Path) -> Path:
    """Return where the checksum of a zip is noted."""
    return archive.with_name(f"{archive.name}.json")


def _is_own_zip(archive: Path) -> bool:
    """Whether a zip may be replaced: it is not there, or it is as ``deploy`` wrote it."""
    try:
        record = read_object(_zip_record(archive))
        return WrittenFiles.of_record(archive.parent, record, ()).is_own(archive)
    except DataError:
        return False


def _remove_zip(archive: Path, reporter: Reporter) -> None:
    """Remove the zip of the previous model, unless somebody else made it."""
    if not _is_own_zip(archive):
        reporter.say(
            f"{archive}: is not as this program wrote it, and was left: it is of another model"
        )
        return
    remove(archive)
    remove(_zip_record(archive))
    reporter.say(
        f"{archive}: belonged to the previous model and was removed (`zip=True` writes it)"
    )


def _has_trained_folds(roots: Roots, task: str) -> bool:
    """Whether a task that is planned has folds that are trained to their end."""
    if not (roots.processed / task / PLANS).exists():
        return False
    count = len(PlannedTask.load(roots.processed / task).splits)
    return any(FoldResults(roots.results / task, number).is_finished for number in range(count))


def _deploy_own(
    roots: Roots,
    task: str,
    folds: Sequence[int] | None,
    folder: Path,
    zip: bool,
    half: bool,
    description: str,
    codes: Path | str | None,
    student: StudentOptions | None,
    reporter: Reporter,
) -> Deployment:
    place = roots.results / task / FOLDER
    arguments = {"task": task, "folds": folds and list(folds), "zip": zip, "half": half,
                 "description": description, "codes": codes,
                 "distil": student and asdict(student), "processed": roots.processed,
                 "results": roots.results}  # fmt: skip
    check_sources(roots, PlannedTask.load(roots.processed_task(task)), reporter)
    with running_stage("deploy", place, arguments) as stage:
        if not is_current(roots, task, folds):
            make_selection(roots, task, folds, reporter)
        model = own_model(roots, task, folds)
        model = replace(model, codes=_codes(codes, model, folder, reporter))
        stage.run.note(plan=model.plan.digest, weights=model.digests, choices=model.choices())
        about = describe(roots, model, description)
        if student:
            from interactivenet.pipeline.distil import distil

            model = distil(roots, model, student, reporter)
            reporter.say(
                "the distilled network expects no Dice: what an agreement is worth was learned of"
                " the folds"
            )
        with _rounded(model, place) if half else nullcontext(model) as written:
            deployment = replace_bundle(written, folder, about, place / BEFORE)
    for path in deployment.aside:
        reporter.say(f"{path}: kept from the previous bundle; the new one does not contain it")
    held = counted(len(model.folds), "fold")
    if student:
        held = f"one network, distilled from {len(model.distilled_from)}"
    outcome = "written" if deployment.changed else "already up to date"
    reporter.say(f"{folder}: {held}, {outcome}; read and complete its {CARD}")
    if student:  # beside its folds, which are another model
        reporter.say(f"segment with it: `infer(task={task!r}, model='deployed')`")
    return deployment


def _codes(
    path: Path | str | None, model: Model, folder: Path, reporter: Reporter
) -> dict[str, StructureCodes]:
    """Return the codes of the labels: those that are given, or those of the bundle before."""
    if path is not None:
        given, others = read_label_codes(path, model.plan)
        say_unused_codes(others, reporter)
        return given
    with suppress(DataError, RequestError):
        before = read_description(folder)
        try:
            codes = parse_codes_field(before, model.plan)
        except DataError as error:
            reporter.say(f"{folder}: its codes of before are not kept: {error}")
            return {}
        if codes:
            reporter.say(f"{folder}: the codes of its labels are kept: {', '.join(codes)}")
        return codes
    return {}


def _rounded(model: Model, place: Path) -> AbstractContextManager[Model]:
    from interactivenet.models.half_precision import half_precision

    return half_precision(model, place)


def describe(roots: Roots, model: Model, description: str = "") -> dict[str, Any]:
    """Say what a task's model was trained on and how it did, without the name of any case.

    Raises RequestError where its cross-validation is not there.
    """
    task = model.plan.task
    planned = PlannedTask.load(roots.processed_task(task))
    path = roots.results / task / CHOICE
    if not path.exists():
        raise RequestError(f"{path}: does not exist", remedy=f"run `select(task={task!r})` first")
    fingerprint = planned.fingerprint
    facts = read_object(model.weights[0].with_suffix(".json"))
    with interpreting(path, f"run `select(task={task!r})` again"):
        choice = read_choice(path)
        summary = summarise(choice["objects"])
        warnings = [str(warning) for warning in choice.get("warnings", [])]
    if lacking := [name for name in ("cases", "prompts", *_MEASURED) if name not in fingerprint]:
        raise DataError(
            f"{planned.path}: field fingerprint.{lacking[0]} is missing",
            remedy=f"run `plan(task={task!r})` again",
        )
    return {
        "description": description or None,
        "training": {
            "cases": fingerprint["cases"],
            "objects": fingerprint["prompts"],
            "folds": len(planned.splits),
            "epochs": facts.get("epochs"),
            **{name: fingerprint[name] for name in _MEASURED},
        },
        "cross_validation": {
            **summary["all"], "labels": summary["labels"], "subtypes": summary["subtypes"],
            **({"warnings": warnings} if warnings else {}),
        },
    }  # fmt: skip
