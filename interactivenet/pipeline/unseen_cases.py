"""A task's labelled cases, each with a model that never saw it: what can be measured fairly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from interactivenet.datasets.case import Scan, read_scan
from interactivenet.datasets.modalities import modalities_of
from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Case, Task
from interactivenet.errors import DataError, RequestError
from interactivenet.inference.loading import load_predictor
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.predictor import Predictor
from interactivenet.models.fold_results import FoldResults
from interactivenet.models.model import Model, own_model
from interactivenet.pipeline.reporting import Reporter, counted, loading
from interactivenet.pipeline.segmenting import describe_model
from interactivenet.pipeline.select import check_choice
from interactivenet.pipeline.sharding import Part
from interactivenet.pipeline.up_to_date import check_sources
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.prompts.prompt import LabelNames


@dataclass(frozen=True)
class UnseenCases:
    """Cases that a model never saw.

    labels: what the names of the cases' points mean: as in their label maps.
    """

    predictor: Predictor
    cases: tuple[Case, ...]
    labels: LabelNames

    def read(self, case: Case) -> Scan:
        """Read one of the cases; raises DataError, naming the file, where that cannot be done."""
        expected = modalities_of(self.predictor.plan.modalities, len(case.images))
        scan = read_scan(case, len(expected), self.labels)
        if scan.label is None:
            raise DataError(f"{case.name}: has no label map to compare with")
        return scan


def folders_read(roots: Roots, task: str, *, planned: bool = True) -> list[Path]:
    """Return the folders of files that a measurement reads, and that other stages write.

    planned: whether the task's own folds are measured, which stand on its plan.
    Raises RequestError where the task is not there.
    """
    raw, results = roots.raw_task(task), roots.results / task
    inside = (path for path in raw.rglob("*") if path.is_dir())
    folds = results.glob("fold_*")
    processed = [roots.processed_task(task)] if planned else []
    return [raw, *inside, *processed, *(p for p in (results, *folds) if p.is_dir())]


def unseen_by_own_folds(
    roots: Roots, task: str, options: InferenceOptions, reporter: Reporter
) -> list[UnseenCases]:
    """Return a task's labelled test cases, with all of its folds, and say which they are.

    Without any, its training cases, each with the fold that never saw it.
    Raises RequestError where no fold is trained, or what it was trained on has changed since, or no
    labelled case has points.
    """
    dataset = Task.load(roots.raw_task(task))
    reporter.say(loading(f"the trained folds of {task}", roots.results / task))
    check_sources(roots, PlannedTask.load(roots.processed_task(task)), reporter)
    model = own_model(roots, task)
    check_choice(roots, task)
    for line in describe_model(model, options):
        reporter.say(line)
    if test := _labelled(dataset.test):
        reporter.say(counted(len(test), "labelled test case"))
        return [UnseenCases(load_predictor(model, options), test, model.plan.label_names)]
    reporter.say("no labelled test cases: using each fold's validation cases, with that fold alone")
    cases = {case.name: case for case in dataset.training if case.interaction}
    splits = PlannedTask.load(roots.processed_task(task)).splits
    groups = []
    for number in model.folds:
        unseen = tuple(cases[name] for name in splits[number].validation if name in cases)
        if unseen:
            if warning := FoldResults(roots.results / task, number).start_warning:
                reporter.say(f"warning: {warning}")
            predictor = load_predictor(model.fold(number), options)
            groups.append(UnseenCases(predictor, unseen, model.plan.label_names))
    if not groups:
        raise _no_cases(dataset)
    return groups


def unseen_by_model(
    roots: Roots,
    task: str,
    model: Model,
    name: str,
    options: InferenceOptions,
    reporter: Reporter,
) -> list[UnseenCases]:
    """Return the labelled cases of a task that a model of elsewhere never saw, and say which.

    name: what the user calls the model. Of its own task a deployed model has seen the training
    cases, so that the test cases alone count; of any other, all of them.
    Raises RequestError where there is no such case with points, or the images of the task are not
    those of the model.
    """
    dataset = Task.load(roots.raw_task(task))
    expected = modalities_of(model.plan.modalities, len(dataset.modalities))
    if len(expected) != len(dataset.modalities):
        raise RequestError(
            f"{dataset.folder}: its cases have images of {', '.join(dataset.modalities)}, but model"
            f" '{name}' expects {', '.join(expected)}",
            remedy="choose a model of these modalities with `model`",
        )
    for line in describe_model(model, options):
        reporter.say(line)
    if model.plan.task == task:
        cases = _labelled(dataset.test)
        if not cases:
            raise RequestError(
                f"{dataset.folder}: has no labelled test cases with points, and model '{name}' was"
                f" trained on the others",
                remedy="measure the task's own folds, each on what it never saw, without `model`",
            )
        reporter.say(
            f"{counted(len(cases), 'labelled test case')}: model '{name}' was trained on the"
            " training cases of this task"
        )
    else:
        cases = _labelled((*dataset.training, *dataset.test))
        if not cases:
            raise _no_cases(dataset)
        reporter.say(
            f"{counted(len(cases), 'labelled case')}, of training and test: model '{name}' is taken"
            " as never having seen these cases"
        )
    return [UnseenCases(load_predictor(model, options), cases, dataset.labels)]


def shared_out(groups: Sequence[UnseenCases], part: Part) -> list[UnseenCases]:
    """Return the groups with the cases of a part alone."""
    return [
        replace(group, cases=tuple(case for case in group.cases if part.has(case.name)))
        for group in groups
    ]


def without_corrections(scan: Scan) -> tuple[Scan, tuple[str, ...]]:
    """Return a scan whose prompts have no corrections, and a note where it had any.

    Somebody who had seen an outline, and knew better, has placed them: what is measured with them
    says nothing of first results.
    """
    count = sum(len(prompt.corrections) for prompt in scan.prompts)
    if not count:
        return scan, ()
    prompts = tuple(replace(prompt, corrections=()) for prompt in scan.prompts)
    note = f"{counted(count, 'correction')} of its points' file left out: it begins with the points"
    return replace(scan, prompts=prompts), (f"{note} alone",)


def _labelled(cases: Sequence[Case]) -> tuple[Case, ...]:
    return tuple(case for case in cases if case.label and case.interaction)


def _no_cases(dataset: Task) -> RequestError:
    return RequestError(f"{dataset.folder}: no labelled case has points")
