"""Segmenting many cases into folders; what was done before, of the same files, is kept.

While the networks work on a case, the next one is read and the last one written; no more than
three are in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from interactivenet import __version__
from interactivenet.datasets.case import Scan
from interactivenet.datasets.task import Case
from interactivenet.errors import DataError, one_line
from interactivenet.imaging.io import write_label
from interactivenet.models.model import Model
from interactivenet.postprocessing.calibration import Calibration
from interactivenet.postprocessing.merging import PromptProbability, Segmentation, average
from interactivenet.postprocessing.probabilities import write_probabilities
from interactivenet.system.files import read_object, remove, sha256, write_json
from interactivenet.system.signals import Signals

if TYPE_CHECKING:
    from interactivenet.inference.predictor import Predictor, PreparedScan

#: folder of the maps that tell objects of one label apart
OBJECTS = "objects"


@dataclass(frozen=True)
class Output:
    """Where results go: the mean of some of the model's folds.

    folds: numbers of the folds.  nifti: whether label maps are written, probabilities: whether
    ``CASE.npz`` is.  suffix: of label maps.
    """

    folder: Path
    folds: tuple[int, ...]
    nifti: bool = True
    probabilities: bool = False
    suffix: str = ".nii.gz"


@dataclass(frozen=True)
class CaseResult:
    """What became of a case.

    kept: whether it was done before.  error: why it failed, '' if it did not.
    network_seconds: of the networks alone.  record: the content of ``CASE.json`` of the last
    output.
    """

    case: str
    error: str = ""
    kept: bool = False
    network_seconds: float = 0.0
    record: Mapping[str, Any] | None = None


def predict_cases(
    cases: Sequence[Case],
    predictor: Predictor | Callable[[], Predictor],
    model: Model,
    outputs: Sequence[Output],
    how: Mapping[str, Any],
    *,
    check: Callable[[Scan], None] | None = None,
    overwrite: bool = False,
    signals: Signals | None = None,
) -> Iterator[CaseResult]:
    """Segment cases, yielding each as it is done, in their order.

    predictor: or what makes it, once a case is due.  how: what else decides the result, JSON data
    ('mirrored', 'restore', 'precision').  check: raises DataError where a scan is not to be
    segmented. A case writes ``CASE.nii.gz``, ``CASE.npz`` and
    ``objects/CASE.nii.gz`` as its output asks for, and ``CASE.json`` last, which marks it done.
    A case that fails costs itself only. Raises Interrupted between two cases where a signal came.
    """
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        made: Predictor | None = None if callable(predictor) else predictor
        reading: Future[_Due] | None = None
        writing: Future[CaseResult] | None = None
        try:
            for number, case in enumerate(cases):
                if reading is None:
                    reading = reader.submit(_due, case, model, outputs, how, overwrite)
                due = reading.result()
                if due.open and made is None:
                    assert callable(predictor)
                    made = predictor()
                # prepared here for the first case, ahead of time for the others
                following = cases[number + 1] if number + 1 < len(cases) else None
                prepared = due.prepare(made, check) if due.prepared is None else due.prepared
                reading = None
                if following is not None:
                    reading = reader.submit(
                        _ahead, following, model, outputs, how, overwrite, made, check
                    )  # fmt: skip
                write = _ask(due, prepared, made)
                if writing is not None:
                    yield writing.result()
                writing = writer.submit(write)
                if signals and signals.received:
                    yield writing.result()
                    writing = None
                    signals.check()
            if writing is not None:
                yield writing.result()
                writing = None
        finally:
            if reading is not None:
                reading.cancel()


@dataclass(frozen=True, eq=False)
class _Due:
    """A case, which outputs lack it, and what made it; or why it cannot be used."""

    case: Case
    open: tuple[Output, ...]
    made_from: Mapping[str, Mapping[str, Any]]
    prepared: PreparedScan | Exception | None = None

    def prepare(
        self, predictor: Predictor | None, check: Callable[[Scan], None] | None
    ) -> PreparedScan | Exception | None:
        if not self.open or predictor is None:
            return self.prepared
        try:
            scan = predictor.read(self.case)
            if check:
                check(scan)
            return predictor.prepare(scan)
        except Exception as error:  # one odd case must not end the others
            return error


def _due(
    case: Case, model: Model, outputs: Sequence[Output], how: Mapping[str, Any], overwrite: bool
) -> _Due:
    try:
        hashes = input_hashes(case)
    except DataError as error:
        return _Due(case, tuple(outputs), {}, error)
    found = {str(one.folder): made_from(hashes, model, one.folds, how) for one in outputs}
    due = tuple(
        one for one in outputs if overwrite or not is_done(case.name, one, found[str(one.folder)])
    )
    return _Due(case, due, found)


def _ahead(
    case: Case, model: Model, outputs: Sequence[Output], how: Mapping[str, Any], overwrite: bool,
    predictor: Predictor | None,
    check: Callable[[Scan], None] | None,
) -> _Due:  # fmt: skip
    due = _due(case, model, outputs, how, overwrite)
    return (
        due if due.prepared else _Due(case, due.open, due.made_from, due.prepare(predictor, check))
    )


def _ask(
    due: _Due, prepared: PreparedScan | Exception | None, predictor: Predictor | None
) -> Callable[[], CaseResult]:
    """Ask the networks, and return what writes the results, to be run on another thread."""
    name = due.case.name
    if not due.open:
        record = read_object(_record_path(name, due))
        return lambda: CaseResult(name, kept=True, record=record)
    if isinstance(prepared, Exception) or prepared is None or predictor is None:
        error = prepared if isinstance(prepared, Exception) else DataError("was not read")
        return lambda: _failed(due, error)
    start = perf_counter()
    try:
        answers = predictor.answer(prepared)
    except Exception as problem:
        failure = problem
        return lambda: _failed(due, failure)
    seconds = perf_counter() - start

    def write() -> CaseResult:
        try:
            record: Mapping[str, Any] | None = None
            claims = predictor.claims(prepared, answers)
            numbers = list(predictor.model.folds)
            for output in due.open:
                mine = [numbers.index(fold) for fold in output.folds]
                means = [average([of_prompt[i] for i in mine]) for of_prompt in claims]
                found = predictor.merged(prepared, means)
                record = write_case(
                    name, output, means, found, due.made_from[str(output.folder)]
                )  # fmt: skip
            return CaseResult(name, network_seconds=seconds, record=record)
        except Exception as problem:
            return _failed(due, problem)

    return write


def _failed(due: _Due, error: Exception) -> CaseResult:
    """Report a failure; results of other files or settings do not stay as if they were these."""
    name = due.case.name
    for output in due.open:
        wanted = due.made_from.get(str(output.folder))
        with suppress(DataError):
            record = read_object(output.folder / f"{name}.json")
            if wanted is not None and record and record.get("made_from") != wanted:
                remove(output.folder / f"{name}.json")
                remove(output.folder / f"{name}.npz")
                remove(output.folder / f"{name}{output.suffix}")
                remove(output.folder / OBJECTS / f"{name}{output.suffix}")
    return CaseResult(name, why(error))


def _record_path(name: str, due: _Due) -> Path:
    return Path(list(due.made_from)[-1]) / f"{name}.json"


def write_case(
    name: str,
    output: Output,
    claims: Sequence[PromptProbability],
    found: Segmentation,
    made_from: Mapping[str, Any],
) -> dict[str, Any]:
    """Write a case's results into an output, its record last; returns the record."""
    folder = output.folder
    record_path = folder / f"{name}.json"
    remove(record_path)  # while files change, none is marked done
    if output.nifti:
        write_label(folder / f"{name}{output.suffix}", found.label, found.source)
        objects = folder / OBJECTS / f"{name}{output.suffix}"
        if found.shares_labels:
            write_label(objects, found.instance_map, found.source)
        else:
            remove(objects)
    if output.probabilities:
        write_probabilities(folder / f"{name}.npz", claims, found.source)
    record = {
        "case": name,
        "made_from": dict(made_from),
        "objects": [one.as_json() for one in found.objects],
    }
    write_json(record_path, record)
    return record


def is_done(name: str, output: Output, made_from: Mapping[str, Any]) -> bool:
    """Whether an output holds a case already, made from just the same."""
    files = [f"{name}{output.suffix}"] * output.nifti + [f"{name}.npz"] * output.probabilities
    if not all((output.folder / file).exists() for file in files):
        return False
    try:
        return bool(read_object(output.folder / f"{name}.json").get("made_from") == made_from)
    except DataError:  # damaged: done again
        return False


def made_from(
    inputs: Mapping[str, str], model: Model, folds: Sequence[int], how: Mapping[str, Any]
) -> dict[str, Any]:
    """What decides the result of a case, as JSON data."""
    weights = dict(zip(model.folds, model.digests, strict=True))
    calibration = model.calibration(bool(how["mirrored"]))
    return {
        "version": __version__,
        "inputs": dict(inputs),
        "plan": model.plan.digest,
        "weights": {str(number): weights[number] for number in folds},
        "postprocessing": asdict(model.postprocessing),
        "calibration": _plain(calibration),
        **how,
    }


def input_hashes(case: Case) -> dict[str, str]:
    """SHA-256 of the files of a case, by their names: images (of a DICOM folder, each) and points.

    Raises DataError, naming the file, where one cannot be read.
    """
    files = []
    for path in case.images:
        files += sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]
    if case.interaction:
        files.append(case.interaction)
    return {f"{path.parent.name}/{path.name}": sha256(path) for path in files}


def why(error: BaseException) -> str:
    """Say in one line why a case failed."""
    if isinstance(error, DataError):
        return one_line(error)
    return f"unexpected {type(error).__name__}: {one_line(error)} (please report it)"


def _plain(calibration: Calibration | None) -> Any:
    """As it reads back from JSON: lists, not tuples."""
    if calibration is None:
        return None
    found = asdict(calibration)
    return {name: list(one) if isinstance(one, tuple) else one for name, one in found.items()}
