"""A task's trained folds become one network, as a part of the stage ``deploy``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from interactivenet.datasets.roots import Roots
from interactivenet.errors import DataError, RequestError
from interactivenet.models.fold_results import CHECKPOINT, WEIGHTS
from interactivenet.models.model import Model
from interactivenet.pipeline.reporting import Reporter, counted
from interactivenet.pipeline.stage import running_stage
from interactivenet.pipeline.student import StudentOptions
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.system.files import read_object
from interactivenet.system.signals import Interrupted
from interactivenet.training.distillation import Teacher, every_case
from interactivenet.training.trainer import identity, train_fold, training_differs

#: in the task's results
FOLDER = "distilled"


def distil(roots: Roots, model: Model, student: StudentOptions, reporter: Reporter) -> Model:
    """Train one network on what a task's folds say, and return the model that it is.

    A training that was interrupted is continued; one that is complete is left as it is. One of
    other folds, or of data or a plan that have changed, is of no use any more: it is done anew.

    model: the folds, with what cross-validation chose.  student: how it is trained.
    What an agreement lets expect was learned of the folds' networks and holds for none that was
    trained on every case: the model expects no Dice.
    """
    task = model.plan.task
    planned = PlannedTask.load(roots.processed_task(task))
    teacher = Teacher(model)
    fold = every_case(planned, model.folds)
    options = student.training(read_object(model.weights[0].with_suffix(".json")))
    folder = roots.results / task / FOLDER
    reporter.say(
        f"distilling {counted(len(model.folds), 'fold')} of {task} into one network:"
        f" {counted(len(fold.learnable), 'object')}, {options.budget}"
    )
    arguments = {"task": task, "folds": list(model.folds), "options": options, "roots": roots}
    with running_stage("distil", folder, arguments, seed=fold.seed, keep=True) as stage:
        stage.run.note(plan=model.plan.digest, teacher=list(model.digests))
        outdated = training_differs(folder, identity(fold, options, teacher=teacher))
        if outdated:
            reporter.say(
                f"{folder}: holds what was distilled from other folds or data, which differ in"
                f" {', '.join(outdated)}: it is distilled anew"
            )
        try:
            with stage.run.step("train"), reporter.epochs(options.epochs) as shown:
                trained = train_fold(
                    fold, folder, options, [shown], overwrite=bool(outdated),
                    teacher=teacher, warn=reporter.say, signals=stage.signals,
                )  # fmt: skip
        except Interrupted:
            reporter.say(f"the training is saved in {folder / CHECKPOINT}")
            raise
        except RequestError as error:  # whose remedy is an argument that is none here
            error.remedy = f"remove {folder}, to distil anew"
            raise
        stage.run.note(resumed=trained.resumed, epochs=len(trained.history))
    return distilled_model(model, folder / WEIGHTS["last"])


def distilled_model(model: Model, weights: Path) -> Model:
    """Return the model that a distilled network is; raises DataError where it is of others."""
    told = read_object(weights.with_suffix(".json")).get("teacher")
    if told != list(model.digests):
        raise DataError(f"{weights}: was distilled from other networks than {model.name}")
    return replace(
        model, weights=(weights,), folds=model.folds[:1], checkpoint="last", calibrations={},
        name=f"{model.name}, distilled", half_of=(), distilled_from=model.digests,
    )  # fmt: skip
