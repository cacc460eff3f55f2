"""What is to be done for each case of a batch: found out, read, segmented, and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from interactivenet.datasets.case import Scan
from interactivenet.datasets.task import Case
from interactivenet.errors import DataError, describe_failure
from interactivenet.inference.case_keys import case_key, input_hashes
from interactivenet.inference.later_pictures import draw_pictures
from interactivenet.inference.loading import load_predictor
from interactivenet.inference.model_record import describe_made_by
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.outputs import CaseResult, Output
from interactivenet.inference.sources import check_name, describe_sources, other_scan, sources_of
from interactivenet.models.model import Model
from interactivenet.postprocessing.merging import average
from interactivenet.system.cache_key import MADE_FROM, CacheKey
from interactivenet.system.files import sha256
from interactivenet.system.signals import Signals

if TYPE_CHECKING:
    from interactivenet.inference.networks import NetworkOutput
    from interactivenet.inference.predictor import Predictor, PreparedScan


@dataclass(frozen=True, eq=False)
class CaseWork:
    """What is to be done for a case.

    open: the outputs that lack it.  keys: folder of an output -> all that decides its result.
    prepared: its samples, or why it cannot be used; None where it is not yet read.
    replaced: the other scan whose result is there.  tried: digest of the key of the last output.
    seconds: what it took so far.  pictured: whether its picture was all that was lacking, and has
    been drawn.
    """

    case: Case
    open: tuple[Output, ...]
    keys: Mapping[Path, CacheKey]
    prepared: PreparedScan | Exception | None = None
    replaced: str = ""
    tried: str = ""
    seconds: float = 0.0
    pictured: bool = False

    @property
    def is_due(self) -> bool:
        """Whether it has to be read yet."""
        return bool(self.open) and self.prepared is None

    @property
    def voxels(self) -> int:
        """Bytes of its image, 0 where it is not in memory."""
        if self.prepared is None or isinstance(self.prepared, Exception):
            return 0
        return int(self.prepared.scan.image.array.nbytes)


@dataclass
class BatchWork:
    """What all cases share. predictor: None until a case is due."""

    model: Model
    outputs: Sequence[Output]
    options: InferenceOptions
    predictor: Predictor | None
    check: Callable[[Scan], object] | None
    overwrite: bool
    one_source: bool
    signals: Signals

    def __post_init__(self) -> None:
        self._settings = self.options.as_json()
        self._seen: dict[str, Case] = {}

    def expect(self, case: Case) -> Case:
        """Note a case's name before any thread reads it: the first one in order keeps it."""
        self._seen.setdefault(case.name, case)
        return case

    def load(self) -> bool:
        """Load the model; returns whether that was yet to be done."""
        if self.predictor is not None:
            return False
        self.predictor = load_predictor(self.model, self.options)
        return True

    def read(self, case: Case) -> CaseWork:
        """Find out which outputs lack a case and, where the model is loaded, prepare it."""
        start = perf_counter()
        work = self._find(case)
        return self.prepare(replace(work, seconds=perf_counter() - start))

    def _find(self, case: Case) -> CaseWork:
        """Find out which outputs lack a case."""
        try:
            check_name(case, self._seen)
            hashes = input_hashes(case)
        except DataError as error:
            return CaseWork(case, tuple(self.outputs), {}, error)
        keys = {
            output.folder: case_key(hashes, self.model, output.folds, self._settings, case.reading)
            for output in self.outputs
        }
        tried = keys[self.outputs[-1].folder].digest
        lacking = tuple(
            output
            for output in self.outputs
            if self.overwrite or not output.is_done(case.name, keys[output.folder])
        )
        open_before = len(lacking)
        try:
            if not self.overwrite:
                lacking = draw_pictures(lacking, case, keys, self.model.plan)
            for output in lacking:
                output.check_own(case.name)
        except DataError as error:  # without keys: what is there stays
            return CaseWork(case, lacking, {}, error, tried=tried)
        return CaseWork(case, lacking, keys, tried=tried, pictured=len(lacking) < open_before)

    def prepare(self, work: CaseWork) -> CaseWork:
        """Read an open case and make its samples, unless that was done, or no model is loaded."""
        if not work.is_due or self.predictor is None:
            return work
        start = perf_counter()
        prepared = self._prepared(work, self.predictor)
        return replace(prepared, seconds=prepared.seconds + perf_counter() - start)

    def _prepared(self, work: CaseWork, predictor: Predictor) -> CaseWork:
        try:
            self.signals.check()
            # a label is for comparison only: one that cannot be read costs no segmentation
            scan = predictor.read(replace(work.case, label=None))
            if replaced := self._other_scan(work, scan):
                if not self.overwrite:
                    return replace(work, keys={}, prepared=_would_replace(work, scan, replaced))
                work = replace(work, replaced=replaced)
            if self.check:
                self.check(scan)
            prepared = predictor.prepare(scan, interrupt=self.signals.check)
            return replace(work, prepared=prepared)
        except Exception as error:  # one odd case must not end the others
            return replace(work, prepared=error)

    def _other_scan(self, work: CaseWork, scan: Scan) -> str:
        """Say which other scan's result lies where this one's would; '' for none."""
        if not self.one_source:
            return ""
        case, sources = work.case, sources_of(work.case, scan.image.tags)
        points = sha256(case.interaction) if case.interaction else ""
        for output in work.open:
            inputs = work.keys[output.folder].content["inputs"]
            if other := other_scan(output.read_record(case.name), sources, inputs, points):
                return other
        return ""

    def segment(self, work: CaseWork) -> Callable[[], CaseResult]:
        """Ask the networks, and return what writes the results, to be run on another thread."""
        case, prepared = work.case.name, work.prepared
        if not work.open:
            record = self.outputs[-1].read_kept(case)
            return lambda: CaseResult(case, kept=True, record=record, pictured=work.pictured)
        assert prepared is not None
        if isinstance(prepared, Exception):
            unusable = prepared
            return lambda: self._failed(work, unusable)
        assert self.predictor is not None
        start = perf_counter()
        try:
            answers = self.predictor.answer(prepared, interrupt=self.signals.check)
        except Exception as error:
            failure = error
            return lambda: self._failed(work, failure)
        seconds = perf_counter() - start

        def write() -> CaseResult:
            start = perf_counter()
            outdated = self._outdated(work)
            try:
                record = self._write(work, prepared, answers)
            except Exception as error:
                return self._failed(work, error)
            return CaseResult(
                case, network_seconds=seconds, record=record, replaced=work.replaced,
                seconds=work.seconds + seconds + perf_counter() - start, outdated=outdated,
            )  # fmt: skip

        return write

    def _outdated(self, work: CaseWork) -> tuple[str, ...]:
        """Name the fields in which a result that is there was made from something else."""
        output = work.open[-1]
        made_from = output.read_record(work.case.name).get(MADE_FROM)
        key = work.keys[output.folder]
        return tuple(key.differences(made_from)) if isinstance(made_from, Mapping) else ()

    def _write(
        self, work: CaseWork, prepared: PreparedScan, answers: Sequence[NetworkOutput]
    ) -> dict[str, Any]:
        """Write a case into the outputs that lack it; returns the last one's record."""
        assert self.predictor is not None
        record: dict[str, Any] = {}
        claims = self.predictor.claims(prepared, answers)
        sources = sources_of(work.case, prepared.scan.image.tags)
        position = {fold: index for index, fold in enumerate(self.model.folds)}
        for output in work.open:
            members = [position[fold] for fold in output.folds]
            means = [average([of_prompt[index] for index in members]) for of_prompt in claims]
            segmentation = self.predictor.merged(prepared, means)
            key = work.keys[output.folder]
            made_by = describe_made_by(self.model, output.folds, prepared.scan.prompts)
            record = output.write(
                work.case.name, key, means, segmentation, sources, made_by,
                image=prepared.scan.image,
            )  # fmt: skip
        return record

    def _failed(self, work: CaseWork, error: Exception) -> CaseResult:
        """Report a failure; results of other files or settings do not stay as if they were these.

        Where the case's own files cannot be read, nothing says what its results were made from.
        """
        reason = describe_failure(error)
        for output in work.open:
            if output.folder in work.keys:
                try:
                    left = output.remove_other(work.case.name, work.keys[output.folder])
                except DataError as fault:  # and the others are still done
                    reason += f"; of an earlier result, {fault}"
                    continue
                for path in left:
                    reason += f"; {path}, of an earlier result, was changed since: it stays"
        return CaseResult(work.case.name, reason, tried=work.tried)


def _would_replace(work: CaseWork, scan: Scan, other: str) -> DataError:
    case, output = work.case, work.open[0]
    mine = describe_sources(sources_of(case, scan.image.tags))
    return DataError(
        f"{output.record(case.name)}: holds the result of another scan of this name, {other}; this"
        f" one is {mine}",
        remedy="write it into another folder, or rename it; `overwrite=True` replaces that result",
    )
