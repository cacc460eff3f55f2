"""The stage ``train``: train folds of a planned task, and validate them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass

from interactivenet.datasets.roots import Roots
from interactivenet.datasets.task import Task
from interactivenet.errors import RequestError
from interactivenet.inference.requirements import check_plan
from interactivenet.models.device import choose_device, choose_precision, rank
from interactivenet.models.fold_results import CHECKPOINT, METRICS, VALIDATION, FoldResults
from interactivenet.models.network import build_network, count_parameters
from interactivenet.pipeline.epoch_time import SlowEpochs
from interactivenet.pipeline.reporting import SILENT, Reporter, counted, recorded_reasons
from interactivenet.pipeline.stage import Stage, running_stage, tracked_run
from interactivenet.pipeline.tracking import Epochs, Tracker
from interactivenet.pipeline.up_to_date import check_sources
from interactivenet.pipeline.validate import fold_numbers, validate_fold
from interactivenet.pipeline.validation_results import SHOWN, Validated, ValidatedFold
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.preprocessing.folds import Fold, read_fold
from interactivenet.system.files import sha256
from interactivenet.system.signals import Interrupted
from interactivenet.training.checkpointing import BEST, CURVES
from interactivenet.training.options import TrainingOptions
from interactivenet.training.starting import Start, read_start, start_saw
from interactivenet.training.trainer import Trained, check_training, train_fold


@dataclass(frozen=True)
class TrainedFold:
    """What became of a fold.

    Attributes:
        results: Its files: weights, metrics, validation.
        trained: The metrics of every epoch, and the best of them.
        validated: Of the checkpoints 'best' and 'last'; empty where validation was not asked for.
        failures: Validation case to why it could not be segmented.
    """

    results: FoldResults
    trained: Trained
    validated: tuple[Validated, ...]
    failures: Mapping[str, str]


def train(
    task: str,
    fold: int | str = "all",
    options: TrainingOptions = TrainingOptions(),
    *,
    validate: bool = True,
    overwrite: bool = False,
    mlflow: bool = True,
    roots: Roots | None = None,
    reporter: Reporter = SILENT,
) -> list[TrainedFold]:
    """Train one fold of a planned task, or all of them in turn, and validate it.

    Writes weights, ``checkpoint.ckpt``, ``metrics.csv``, ``curves.png``, ``run.json`` and
    ``validation/`` into ``TASK/fold_FOLD`` of the results. A training that was interrupted is
    continued when it is called again, whatever interrupted it; a finished one is left alone.

    Args:
        task: Name of the task, such as 'Task101_LIVER'.
        fold: Number of the fold, or 'all'.
        options: How it is trained. With ``devices`` above 1, Lightning starts the running script
            once more for every further device; what is called there returns nothing.
        validate: Segment and measure the fold's validation cases afterwards.
        overwrite: Start over instead of continuing.
        mlflow: Record the training in MLflow.
        roots: Folders of the tasks; by default those of the environment variables.
        reporter: Receives the progress and the metrics.

    Returns:
        What became of each fold.

    Raises:
        RequestError: There is no such task or fold, its scans, labels or points have changed since
            it was planned, the results hold the training of something else, there is no model to
            start from, or none of its weights fit, or the device does not have enough memory.
        DataError: A region cannot be read.
        Interrupted: A signal came: the training is saved, and continued when it is called again.
    """
    roots = roots or Roots.choose()
    if fold == "all" and options.devices > 1:
        raise RequestError(
            field="devices", value=options.devices, expected="1 with `fold='all'`, as several"
            " devices can only train a single fold",
        )  # fmt: skip
    planned = PlannedTask.load(roots.processed_task(task))
    check_plan(planned.plan)
    numbers = fold_numbers(planned, fold)
    dataset = Task.load(roots.raw_task(task)) if validate else None
    start = None if options.start is None else read_start(options.start, roots)
    if not rank(options.devices):
        check_sources(roots, planned, reporter)
    arguments = {
        "task": task, "fold": fold, "options": options, "validate": validate,
        "overwrite": overwrite, "mlflow": mlflow, "roots": roots,
    }  # fmt: skip
    outcomes = []
    for number in numbers:
        chosen = read_fold(planned, number)
        results = FoldResults(roots.results / task, number)
        if rank(options.devices):  # a further process of the same training: the first one reports
            with suppress(Interrupted):
                train_fold(
                    chosen, results.folder, options, start=start, overwrite=overwrite,
                    warn=SILENT.say,
                )  # fmt: skip
            continue
        parameters = {"fold": number, **asdict(options), **asdict(planned.plan)}
        with running_stage(
            "train", results.folder, arguments, seed=planned.plan.seed, keep=not overwrite
        ) as stage:
            # what is refused leaves the run of the training that is there as it was
            check_training(chosen, results.folder, options, start=start, overwrite=overwrite)
            with tracked_run(
                roots, task, f"fold_{number}", parameters,
                mlflow=mlflow, reporter=reporter, note=results.folder, anew=overwrite,
            ) as tracker:  # fmt: skip
                tracker.artefact(planned.path)
                trained = _train(
                    planned, chosen, results, options, start, overwrite, stage, tracker, reporter
                )
                validated = _validate(dataset, chosen, results, options, stage, tracker, reporter)
        checkpoints, failures = (
            (validated.checkpoints, validated.failures) if validated else ((), {})
        )
        outcomes.append(TrainedFold(results, trained, checkpoints, failures))
    return outcomes


def _train(
    planned: PlannedTask,
    fold: Fold,
    results: FoldResults,
    options: TrainingOptions,
    start: Start | None,
    overwrite: bool,
    stage: Stage,
    tracker: Tracker,
    reporter: Reporter,
) -> Trained:
    run, folder = stage.run, results.folder
    for line in describe(fold, options):
        reporter.say(line)
    precision = choose_precision(options.precision, choose_device(options.device))
    run.note(plan=fold.plan.digest, fold=fold.number, precision=precision)
    if start:
        run.note(start=start.facts)
    if saw := start_saw(start, fold):
        warning = saw.warning(fold.number)
        reporter.say(f"warning: {warning}")
        run.note(start_saw=saw.as_json(), warnings=[warning])
    run.inputs({planned.path.name: sha256(planned.path), **fold.inputs})
    try:
        with run.step("train"), reporter.epochs(options.epochs) as shown:
            trained = train_fold(
                fold, folder, options, [shown, Epochs(tracker), SlowEpochs(run, reporter)],
                start=start, overwrite=overwrite, warn=reporter.say, signals=stage.signals,
            )  # fmt: skip
    except Interrupted:
        reporter.say(f"the training is saved in {folder / CHECKPOINT}")
        raise
    best, epochs = trained.best, len(trained.history)
    run.note(resumed=trained.resumed, best=dict(best), epochs=epochs)
    for path in (folder / METRICS, folder / CURVES, (folder / BEST).with_suffix(".json")):
        tracker.artefact(path)
    if trained.complete:
        reporter.say(
            f"{folder}: already trained for {options.budget} (`overwrite=True` starts over)"
        )
    reporter.say(
        f"best epoch {best['epoch']} of {epochs}: Dice {best['dice']:.3f}, moving average"
        f" {best['dice_average']:.3f}"
    )
    return trained


def _validate(
    dataset: Task | None,
    fold: Fold,
    results: FoldResults,
    options: TrainingOptions,
    stage: Stage,
    tracker: Tracker,
    reporter: Reporter,
) -> ValidatedFold | None:
    """Validate the fold; None where there is no dataset, because that was not asked for."""
    if dataset is None:
        return None
    with stage.run.step("validate"):
        validated = validate_fold(
            dataset, fold, results,
            device=options.device, precision=options.precision, reporter=reporter,
            signals=stage.signals,
        )  # fmt: skip
    for checkpoint in validated.checkpoints:
        metrics = {name: checkpoint.mean(name) for name in SHOWN} | {"missed": checkpoint.missed}
        tracker.metrics(
            {f"{checkpoint.checkpoint}_{name}": value for name, value in metrics.items()}
        )
    for path in sorted(results.validation.glob("[!.]*.*")):
        tracker.artefact(path, VALIDATION)
    stage.run.note(failures=recorded_reasons(validated.failures, reporter))
    return validated


def describe(fold: Fold, options: TrainingOptions) -> list[str]:
    """Say what is about to be trained, on what."""
    plan = fold.plan
    weights = count_parameters(build_network(plan.network, plan.channels))
    device = choose_device(options.device)
    shape = "x".join(map(str, plan.sample_shape))
    lines = [
        f"{plan.task} fold {fold.number}: {counted(len(fold.learnable), 'object')} to train on,"
        f" {len(fold.measurable)} to validate, {options.budget}",
        f"network of {weights / 1e6:.1f} million weights, samples {plan.channels}x{shape}, batch"
        f" {plan.batch_size}: about {plan.estimated_gb:.1f} GB in fp32; {device},"
        f" {choose_precision(options.precision, device)}",
    ]
    if fold.empty:
        lines.append(
            f"warning: {', '.join(fold.empty)}: not trained on, since no voxel of the object is"
            " left at the planned spacing (`plan()` with a finer `spacing` keeps it)"
        )
    return lines
