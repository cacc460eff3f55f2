"""What a stage measures of a task's cases, one after the other: it goes on where it was stopped.

The record, ``NAME.json``, is written after every case, with a summary at the end; what is in it was
measured from just the same files, weights and settings, or is measured again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interactivenet.datasets.case import Scan
from interactivenet.datasets.task import Case
from interactivenet.errors import DataError, RequestError, describe_failure, naming
from interactivenet.inference.outputs import input_hashes
from interactivenet.inference.predictor import Predictor
from interactivenet.pipeline.reporting import Reporter, recorded_notes, recorded_reasons
from interactivenet.pipeline.segmenting import report_failures, report_notes
from interactivenet.pipeline.stage import Stage
from interactivenet.pipeline.unseen_cases import UnseenCases
from interactivenet.system.cache_key import MADE_FROM, CacheKey
from interactivenet.system.fields import field_of_kind, fields_of_kinds
from interactivenet.system.files import read_object, write_csv, write_json
from interactivenet.system.signals import Signals
from interactivenet.system.written import FILES, WrittenFiles, noted_files

Row = Mapping[str, Any]
#: in a case's record, what is to be told of it
_NOTES = "notes"


@dataclass(frozen=True)
class MeasuredCase:
    """Rows of a case, and what a user should know of it, a sentence each."""

    rows: Sequence[Row]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class CaseResult:
    """What became of a case: why it failed, '' where it did not, and its notes."""

    case: str
    error: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measurement:
    """A measurement in a folder: ``NAME.json``, ``NAME.csv``, and what else it draws.

    folder: gets them.  name: of the files.
    settings: all that decides the rows of a case beside its files and the model, as JSON data.
    measure: a scan's rows.  summarise: the rows of all cases, as JSON data.
    write: writes ``more`` files, whose endings these are, from the rows, the summary and the
        failures (case -> reason).
    """

    folder: Path
    name: str
    settings: Mapping[str, Any]
    measure: Callable[[Predictor, Scan, Callable[[], None]], MeasuredCase]
    summarise: Callable[[Sequence[Row]], Any]
    write: Callable[[Sequence[Row], Any, Mapping[str, str]], None]
    more: tuple[str, ...] = (".png",)

    def path(self, ending: str) -> Path:
        """Return the path of a file with an ending, such as '.json'."""
        return self.folder / f"{self.name}{ending}"

    @property
    def record(self) -> Path:
        """The record, which is written after every case."""
        return self.path(".json")

    @property
    def others(self) -> list[Path]:
        """What is written beside the record."""
        return [self.path(ending) for ending in (".csv", *self.more)]

    def summary(self) -> Any:
        """Return the summary that is in the record, once :meth:`run` has ended."""
        return read_object(self.record)["summary"]

    def earlier_files(self) -> WrittenFiles:
        """Return what a measurement before this one has written.

        Raises RequestError, naming the file, where one that is about to be written is somebody
        else's.
        """
        try:
            content = read_object(self.record)
            if os.path.lexists(self.record) and not {"summary", "cases"} <= set(content):
                raise DataError(f"{self.record}: is not the record of a measurement")
            written = WrittenFiles.of_record(self.folder, content, self.others if content else ())
            strangers = written.strangers(self.others)
        except DataError:
            strangers = [self.record]
        if strangers:
            raise RequestError(
                f"{strangers[0]}: is not as this program wrote it, and would be replaced",
                remedy="move it away, or write elsewhere with `output`",
            )
        return written

    def run(
        self, groups: Sequence[UnseenCases], *, overwrite: bool, signals: Signals
    ) -> Iterator[CaseResult]:
        """Measure cases, each with the predictor that never saw it, yielding each as it is done.

        At the end the other files are written. Raises Interrupted where a signal came.
        """
        written = self.earlier_files()
        content = {} if overwrite else read_object(self.record)
        with naming(self.record):
            before = field_of_kind(content.get("cases", {}), dict, "cases")
            for name, record in before.items():
                fields_of_kinds(
                    record, {MADE_FROM: dict, "rows": list}, f"cases.{name}", whole=True
                )
                fields_of_kinds(record, {_NOTES: list}, f"cases.{name}")
        now: dict[str, Any] = {}
        failures: dict[str, str] = {}
        for group in groups:
            for case in group.cases:
                error = ""
                try:
                    now[case.name] = self._case(
                        group, case, before.get(case.name, {}), signals.check
                    )
                except Exception as failure:  # one odd case must not end the others
                    failures[case.name] = error = describe_failure(failure)
                files = written.unchanged(self.others)
                # summarised at the end: intervals of many figures take longer than some cases
                write_json(self.record, {"summary": None, "cases": {**before, **now}, FILES: files})
                notes = now.get(case.name, {}).get(_NOTES, ())
                yield CaseResult(case.name, error, tuple(map(str, notes)))
                signals.check()
        rows = all_rows(now)
        content = {"summary": self.summarise(rows), "cases": now}
        # known to be ours while they are being written
        write_json(self.record, {**content, FILES: written.begun(self.others)})
        if rows:
            write_csv(self.path(".csv"), rows)
            self.write(rows, content["summary"], failures)
        else:  # what an earlier measurement has left is not of these cases
            written.remove(self.others)
        write_json(self.record, {**content, FILES: noted_files(self.folder, self.others)})

    def _case(
        self,
        group: UnseenCases,
        case: Case,
        before: Mapping[str, Any],
        interrupt: Callable[[], None],
    ) -> dict[str, Any]:
        """Return a case's record: that of before where it was made from the same, or a new one."""
        key = _case_key(group.predictor, case, self.settings)
        if key.matches(before):
            return dict(before)
        measured = self.measure(group.predictor, group.read(case), interrupt)
        notes = {_NOTES: list(measured.notes)} if measured.notes else {}
        return {MADE_FROM: key.content, "rows": list(measured.rows), **notes}


def follow_measurement(
    results: Iterator[CaseResult], total: int, folder: Path, stage: Stage, reporter: Reporter
) -> dict[str, str]:
    """Follow a measurement through its cases, record and report it; returns case -> failure."""
    name = stage.run.record["stage"]
    failures: dict[str, str] = {}
    notes: dict[str, tuple[str, ...]] = {}
    for result in reporter.track(results, total, name):
        if result.error:
            failures[result.case] = result.error
        if result.notes:
            notes[result.case] = result.notes
    stage.run.note(cases=total, failures=recorded_reasons(failures, reporter))
    if notes:
        stage.run.note(notes=recorded_notes(notes, reporter))
    report_notes(notes, reporter)
    report_failures(folder, name, failures, reporter)
    return failures


def all_rows(cases: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of the records of all cases."""
    return [row for record in cases.values() for row in record["rows"]]


def _case_key(predictor: Predictor, case: Case, settings: Mapping[str, Any]) -> CacheKey:
    model, reading = predictor.model, case.reading.as_json()
    return CacheKey(
        {
            "inputs": input_hashes(case, label=True), "weights": model.digests,
            "plan": model.plan.digest,
            "postprocessing": model.postprocessing.name, "mirrored": predictor.mirrored,
            "restore": predictor.restore, "precision": predictor.precision, **settings,
            **({"reading": reading} if reading else {}),
        }
    )  # fmt: skip
