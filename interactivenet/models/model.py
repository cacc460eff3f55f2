"""A trained model: plan, weights, and what cross-validation chose for their use."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from interactivenet.datasets.roots import Roots
from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.structures.codes.structure_codes import StructureCodes
from interactivenet.models.fold_results import WEIGHTS, FoldResults
from interactivenet.planning.plan import Plan
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.planning.training_set import TrainingSet
from interactivenet.postprocessing.calibration import Calibration
from interactivenet.postprocessing.components import Postprocessing
from interactivenet.system.files import read_object, sha256
from interactivenet.system.schema import parse_json_as

#: whether a sample's mirrored copies are asked: all, none but itself, or as many as are needed
Mirrored = bool | Literal["adaptive"]
CHOICE = "postprocessing.json"
CHOICE_VERSION = 1


@dataclass(frozen=True)
class Model:
    """A trained model: all that :class:`~interactivenet.inference.predictor.Predictor` needs.

    Attributes:
        plan: What the networks are, and how scans are brought to them.
        weights: One file per fold.
        folds: Their numbers.
        checkpoint: Which weights of each fold they are, 'best' or 'last'.
        postprocessing: Of each object's mask.
        calibrations: 'mirrored', 'single' (without mirroring) and 'adaptive' (as many copies as are
            needed; models of before lack it) -> what Dice an agreement of the predictions lets
            expect.
        name: What the model is called in messages.
        training: What its training set looks like; None where that is not known.
        half_of: Of weights in half precision, the SHA-256 of those that they were rounded from;
            empty where they are float32.
        distilled_from: Of a network that an ensemble was distilled into, the SHA-256 of the weights
            of each of its networks; empty otherwise.
        codes: Name of a label to what it is, as archives and planning systems know it; of labels
            that it lacks, their names say it.
    """

    plan: Plan
    weights: tuple[Path, ...]
    folds: tuple[int, ...] = ()
    checkpoint: str = "best"
    postprocessing: Postprocessing = field(default_factory=Postprocessing)
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    name: str = ""
    training: TrainingSet | None = None
    half_of: tuple[str, ...] = ()
    codes: Mapping[str, StructureCodes] = field(default_factory=dict)
    distilled_from: tuple[str, ...] = ()

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """SHA-256 of each file of weights."""
        return tuple(sha256(path) for path in self.weights)

    def calibration(self, mirrored: Mirrored) -> Calibration | None:
        """What agreements of mirrored members, of some of them, or of single ones, are worth."""
        if mirrored == "adaptive":
            return self.calibrations.get("adaptive")
        return self.calibrations.get("mirrored" if mirrored else "single")

    def fold(self, number: int) -> Model:
        """Return the model of one of the folds alone."""
        index = self.folds.index(number)
        return replace(
            self, weights=(self.weights[index],), folds=(number,),
            half_of=self.half_of[index : index + 1],
        )  # fmt: skip

    def is_same(self, other: Model) -> bool:
        """Whether another has the same weights, or the same before rounding, and choices."""
        mine, others = (model.half_of or model.digests for model in (self, other))
        return mine == others and self.choices() == other.choices()

    def choices(self) -> dict[str, Any]:
        """What cross-validation chose, as JSON data."""
        return {
            "checkpoint": self.checkpoint,
            "postprocessing": asdict(self.postprocessing),
            "uncertainty": {
                members: asdict(calibration) for members, calibration in self.calibrations.items()
            },
        }


def own_model(
    roots: Roots, task: str, folds: Collection[int] | None = None, *, choice: bool = True
) -> Model:
    """Return the model of a task's own finished folds: those that there are, or those named.

    With what ``postprocessing.json`` chose; without one, or with ``choice`` off, the best
    checkpoint and nothing else.
    Raises RequestError where no fold is finished, not all of those named, or one was trained by
    another plan, or on other scans, labels or points than those that are planned now.
    """
    planned = PlannedTask.load(roots.processed_task(task))
    results = roots.results / task
    every = [FoldResults(results, number) for number in range(len(planned.splits))]
    finished = [fold.number for fold in every if fold.is_finished]
    if not finished and folds is None:
        raise RequestError(
            f"{results}: has no trained fold",
            remedy=f"run `train(task={task!r}, fold='all')` first",
        )
    if missing := sorted(set(folds or ()) - set(finished)):
        raise RequestError(
            f"{results}: fold {', '.join(map(str, missing))} is not fully trained;"
            f" finished: {', '.join(map(str, finished)) or 'none'}",
            remedy=f"run `train(task={task!r}, fold={missing[0]})` first",
        )
    numbers = finished if folds is None else sorted(set(folds))
    path = results / CHOICE
    content = read_choice(path) if choice and path.exists() else {}
    if content and content["plan"] != planned.plan.digest:
        raise RequestError(
            f"{path}: was chosen for another plan", remedy=f"run `select(task={task!r})` again"
        )
    checkpoint = content.get("checkpoint", "best")
    for number in numbers:
        every[number].check_current(planned, checkpoint)
    weights = tuple(every[number].weights(checkpoint) for number in numbers)
    return Model(
        plan=planned.plan,
        weights=weights,
        folds=tuple(numbers),
        name=f"{task}, own folds {', '.join(map(str, numbers))}, in {results}",
        training=_training_set(planned),
        **chosen(content),
    )


def parse_training_set(content: Any) -> TrainingSet | None:
    """Read what a training set looks like from JSON data; None from none.

    Raises ValueError, naming the field, where one cannot be used.
    """
    if content is None:
        return None
    parsed = parse_json_as(TrainingSet, content, "training_set")
    assert isinstance(parsed, TrainingSet)
    return parsed


def _training_set(planned: PlannedTask) -> TrainingSet | None:
    try:
        return parse_training_set(planned.fingerprint.get("training_set"))
    except ValueError as error:
        raise DataError(f"{planned.path}: {error}", remedy="plan the task again") from error


def read_choice(path: Path) -> dict[str, Any]:
    """Read a ``postprocessing.json``.

    Raises DataError where it is none, or of another version of this program.
    """
    content = read_object(path)
    if content.get("schema_version") != CHOICE_VERSION:
        raise DataError(
            f"{path}: schema_version is {content.get('schema_version')}, but this version"
            f" of InteractiveNet reads {CHOICE_VERSION}",
            remedy="run `select()` again",
        )
    missing = {name for name in ("plan", "checkpoint", "folds") if name not in content}
    if missing or content["checkpoint"] not in WEIGHTS:
        raise DataError(f"{path}: field {min(missing or {'checkpoint'})} cannot be used")
    try:
        chosen(content)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    return content


def chosen(content: Mapping[str, Any]) -> dict[str, Any]:
    """Turn :meth:`Model.choices` back into fields of a model; {} into the defaults.

    Raises ValueError, naming the field, where one cannot be used.
    """
    if not content:
        return {}
    return {
        "checkpoint": content["checkpoint"],
        "postprocessing": _field(Postprocessing, content, "postprocessing"),
        "calibrations": _field(dict[str, Calibration], content, "uncertainty"),
    }


def _field(kind: Any, content: Mapping[str, Any], name: str) -> Any:
    if name not in content:
        raise ValueError(f"field {name} is missing")
    return parse_json_as(kind, content[name], name)


def parse_folds(text: str | None) -> list[int] | None:
    """Read '0,2,3' or 'all' (None); raises RequestError for anything else."""
    if text is None or text.strip() == "all":
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise RequestError(field="folds", value=text, expected="'all', or numbers such as 0,1,2")
    return sorted({int(part) for part in parts})
