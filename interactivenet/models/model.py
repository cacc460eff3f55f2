"""A trained model: plan, weights, and what cross-validation chose for their use."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from interactivenet.datasets.task import Roots
from interactivenet.errors import DataError, RequestError
from interactivenet.planning.plan import Plan
from interactivenet.postprocessing.calibration import Calibration
from interactivenet.postprocessing.components import Postprocessing
from interactivenet.preprocessing.folds import PLANS, WEIGHTS, read_splits
from interactivenet.system.files import read_object, sha256
from interactivenet.system.schema import parse_json_as

CHOICE = "postprocessing.json"
CHOICE_VERSION = 1


@dataclass(frozen=True)
class Model:
    """All that :class:`~interactivenet.inference.Predictor` needs.

    weights: one file per fold; folds: their numbers.  checkpoint: 'best' or 'last'.
    postprocessing: of each object's mask.  calibrations: 'mirrored' and 'single' (without
    mirroring) -> what agreements are worth.  name: how it is called where a choice is reported.
    """

    plan: Plan
    weights: tuple[Path, ...]
    folds: tuple[int, ...] = ()
    checkpoint: str = "best"
    postprocessing: Postprocessing = field(default_factory=Postprocessing)
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    name: str = ""

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """SHA-256 of each file of weights."""
        return tuple(sha256(path) for path in self.weights)

    def calibration(self, mirrored: bool) -> Calibration | None:
        """What agreements of mirrored members, or of single predictions, are worth."""
        return self.calibrations.get("mirrored" if mirrored else "single")

    def fold(self, number: int) -> Model:
        """Return the model of one of the folds alone."""
        index = self.folds.index(number)
        return replace(self, weights=(self.weights[index],), folds=(number,))

    def choices(self) -> dict[str, Any]:
        """What cross-validation chose, as JSON data."""
        return {
            "checkpoint": self.checkpoint,
            "postprocessing": asdict(self.postprocessing),
            "uncertainty": {name: asdict(one) for name, one in self.calibrations.items()},
        }


def own_model(
    roots: Roots, task: str, folds: Collection[int] | None = None, *, choice: bool = True
) -> Model:
    """Return the model of a task's own finished folds: those that there are, or those named.

    With what ``postprocessing.json`` chose; without one, or with ``choice`` off, the best
    checkpoint and nothing else.
    Raises RequestError where no fold is finished, or not all of those named.
    """
    processed = roots.processed_task(task)
    results = roots.results / task
    plan = Plan.load(processed / PLANS)
    count = len(read_splits(processed))
    wanted = range(count) if folds is None else sorted(folds)
    finished = [number for number in wanted if is_finished(results, number)]
    if folds is None and not finished:
        raise RequestError(
            f"{results}: has no trained fold: run 'interactivenet train -t {task} -f all' first"
        )
    if folds is not None and len(finished) < len(wanted):
        missing = ", ".join(str(number) for number in wanted if number not in finished)
        there = ", ".join(str(n) for n in range(count) if is_finished(results, n)) or "none"
        raise RequestError(
            f"{results}: fold {missing} is not trained to its end; finished: {there}"
            f" (interactivenet train -t {task} -f FOLD)"
        )
    path = results / CHOICE
    known = read_choice(path) if choice and path.exists() else {}
    if known and known["plan"] != plan.digest:
        raise RequestError(
            f"{path}: was chosen for another plan: run 'interactivenet postprocess -t {task}' again"
        )
    checkpoint = known.get("checkpoint", "best")
    return Model(
        plan=plan,
        weights=tuple(results / f"fold_{number}" / WEIGHTS[checkpoint] for number in finished),
        folds=tuple(finished),
        name=f"{task}, own folds {', '.join(map(str, finished))}, in {results}",
        **chosen(known),
    )


def is_finished(results: Path, number: int) -> bool:
    """Whether a fold was trained to its end: its last weights are written then."""
    return all((results / f"fold_{number}" / name).exists() for name in WEIGHTS.values())


def read_choice(path: Path) -> dict[str, Any]:
    """Read a ``postprocessing.json``.

    Raises DataError where it is none, or of another version of this program.
    """
    content = read_object(path)
    if content.get("schema_version") != CHOICE_VERSION:
        raise DataError(
            f"{path}: schema_version is {content.get('schema_version')}, this version of"
            f" InteractiveNet reads {CHOICE_VERSION}: run 'interactivenet postprocess' again"
        )
    with_faults = {name for name in ("plan", "checkpoint", "folds") if name not in content}
    if with_faults or content["checkpoint"] not in WEIGHTS:
        raise DataError(f"{path}: field {min(with_faults or {'checkpoint'})} cannot be used")
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
        raise RequestError(f"folds '{text}': expected all, or numbers such as 0,1,2")
    return sorted({int(part) for part in parts})
