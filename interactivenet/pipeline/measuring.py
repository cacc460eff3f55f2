"""What a stage measures of a task's cases, one after the other: it goes on where it was stopped.

Every case is added to a journal, ``NAME.cases.jsonl``, which becomes the record ``NAME.json`` at
the end, with a summary; what is in them was measured from just the same files, weights and
settings, or is measured again. A shard has both in its own folder; whoever comes later takes from
all of them what holds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interactivenet.datasets.case import Scan
from interactivenet.datasets.task import Case
from interactivenet.errors import DataError, RequestError, describe_failure
from interactivenet.inference.case_keys import how_computed
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.predictor import Predictor
from interactivenet.pipeline.measured_cases import NOTES, all_rows, recorded_cases
from interactivenet.pipeline.measurement_keys import measurement_key, possible_keys
from interactivenet.pipeline.sharding import (
    ALL_CASES,
    Part,
    shard_backends,
    shard_reasons,
    shards_in_turn,
)
from interactivenet.pipeline.unseen_cases import UnseenCases
from interactivenet.system.cache_key import MADE_FROM
from interactivenet.system.files import (
    interpreting,
    is_readable,
    json_bytes,
    read_object,
    remove,
    write_csv,
    write_json,
)
from interactivenet.system.journal import Journal
from interactivenet.system.signals import Signals
from interactivenet.system.written import FILES, WrittenFiles, noted_files

Row = Mapping[str, Any]
#: why a case fails that no shard has measured
NOT_MEASURED = "not measured yet: run the shards again"
#: where a record, or one of a shard, was edited
_AGAIN = "`overwrite=True` measures all cases again"
#: ending of the journal
_JOURNAL = ".cases.jsonl"


@dataclass(frozen=True)
class MeasuredCase:
    """Rows of a case, and what a user should know of it, a sentence each."""

    rows: Sequence[Row]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class MeasurementOutcome:
    """What became of a case that was to be measured: why it failed, if it did, and its notes.

    tried: of a case that failed, the digest of all that it was tried with.
    kept: whether it was measured before.  computed: what computed it.
    """

    case: str
    error: str = ""
    notes: tuple[str, ...] = ()
    tried: str = ""
    kept: bool = False
    computed: str = ""


@dataclass(frozen=True)
class Measurement:
    """A measurement in a folder: ``NAME.json``, ``NAME.csv``, and what else it draws.

    folder: gets them.  name: of the files.
    settings: all that decides the rows of a case beside its files and the model, as JSON data.
    measure: a scan's rows.  summarise: the rows of all cases, as JSON data.
    write: writes ``more`` files, whose endings these are, from the rows, the summary and the
        failures (case -> reason).
    part: all cases, a shard, which writes a record alone, or the gathering of all shards.
    stage: its name in ``failures.json``, where that is not the name of the files.
    options: how the networks are used. What they leave to the machine shards may have had
        otherwise: a gather takes any. None for the predictor's own alone.
    """

    folder: Path
    name: str
    settings: Mapping[str, Any]
    measure: Callable[[Predictor, Scan, Callable[[], None]], MeasuredCase]
    summarise: Callable[[Sequence[Row]], Any]
    write: Callable[[Sequence[Row], Any, Mapping[str, str]], None]
    more: tuple[str, ...] = (".png",)
    part: Part = ALL_CASES
    stage: str = ""
    options: InferenceOptions | None = None

    @property
    def place(self) -> Path:
        """The folder of the record: of a shard, its own."""
        return self.part.shard.folder(self.folder) if self.part.shard else self.folder

    def path(self, ending: str) -> Path:
        """Return the path of a file with an ending, such as '.json'."""
        return self.place / f"{self.name}{ending}"

    @property
    def record(self) -> Path:
        """The record of all cases, which is written at the end."""
        return self.path(".json")

    @property
    def journal(self) -> Path:
        """The cases that are not yet in the record."""
        return self.path(_JOURNAL)

    @property
    def others(self) -> list[Path]:
        """What is written beside the record."""
        return [] if self.part.shard else [self.path(e) for e in (".csv", *self.more)]

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
            written = WrittenFiles.of_record(self.place, content, self.others if content else ())
            strangers = written.strangers(self.others)
        except DataError:
            strangers = [self.record]
        try:
            Journal(self.journal).rows()
        except DataError:
            strangers = [self.journal]
        if strangers:
            raise RequestError(
                f"{strangers[0]}: is not as this program wrote it, and would be replaced",
                remedy="move it away, or write elsewhere with `output`",
            )
        return written

    def run(
        self, groups: Sequence[UnseenCases], *, overwrite: bool, signals: Signals
    ) -> Iterator[MeasurementOutcome]:
        """Measure cases, each with the predictor that never saw it, yielding each as it is done.

        At the end the other files are written; a gather measures none, and takes reasons of
        failures from the shards. Raises Interrupted where a signal came.
        """
        written = self.earlier_files()
        own = {} if overwrite else recorded_cases(self.record, self.journal)
        others = [] if overwrite else self._elsewhere()
        # of a gather, what shards have done last
        before = [*others, own] if self.part.gather else [own, *others]
        reasons = shard_reasons(self.folder, self.stage or self.name) if self.part.gather else {}
        backends = shard_backends(self.folder) if self.part.gather else []
        # an earlier summary is none of what comes, and an earlier journal is now in the record
        files = written.unchanged(self.others)
        with interpreting(self.record, _AGAIN):  # a number in it that is none
            self._write(None, own, files)
        journal = Journal(self.journal)
        now: dict[str, Any] = {}
        failures: dict[str, str] = {}
        for group in groups:
            for case in group.cases:
                result = self._case(group, case, before, reasons, backends, signals.check)
                if isinstance(result, MeasurementOutcome):
                    failures[case.name] = result.error
                    yield result
                else:
                    now[case.name] = result
                    if own.get(case.name) != result:
                        with interpreting(self.record, _AGAIN):
                            journal.add({"case": case.name, "record": result})
                    notes = tuple(map(str, result.get(NOTES, ())))
                    kept = any(result == records.get(case.name) for records in before)
                    computed = how_computed(result[MADE_FROM])
                    yield MeasurementOutcome(case.name, notes=notes, kept=kept, computed=computed)
                signals.check()
        self._finish(now, failures, written)

    def _finish(
        self, now: Mapping[str, Any], failures: Mapping[str, str], written: WrittenFiles
    ) -> None:
        """Write the record of all cases, and what is made of it."""
        if self.part.shard:
            self._write(None, now, {})
            return
        rows = all_rows(now)
        with interpreting(self.record, _AGAIN):  # rows that somebody has edited
            summary = self.summarise(rows)
            # known to be ours while they are being written
            self._write(summary, now, written.begun(self.others))
        if rows:
            write_csv(self.path(".csv"), rows)
            self.write(rows, summary, failures)
        else:  # what an earlier measurement has left is not of these cases
            written.remove(self.others)
        self._write(summary, now, noted_files(self.folder, self.others))

    def _write(self, summary: Any, cases: Mapping[str, Any], files: Mapping[str, str]) -> None:
        """Write the record; what its journal had is in it then.

        Very many cases, with which it would be too large to be read again, are in the journal.
        """
        content = {"summary": summary, "cases": cases, FILES: files}
        if is_readable(json_bytes(content)):
            write_json(self.record, content)
            remove(self.journal)
            return
        rows = ({"case": case, "record": record} for case, record in cases.items())
        Journal(self.journal).replace(rows)
        write_json(self.record, {**content, "cases": {}})

    def _elsewhere(self) -> list[dict[str, dict[str, Any]]]:
        """Return what others have measured for the same folder: all cases at once, and shards."""
        places = [self.folder, *reversed(shards_in_turn(self.folder))]
        return [
            recorded_cases(place / self.record.name, place / self.journal.name)
            for place in places
            if place != self.place
        ]

    def _case(
        self,
        group: UnseenCases,
        case: Case,
        before: Sequence[Mapping[str, Mapping[str, Any]]],
        reasons: Mapping[tuple[str, str], str],
        backends: Sequence[str],
        interrupt: Callable[[], None],
    ) -> dict[str, Any] | MeasurementOutcome:
        """Return a case's record, one of before where that was made from the same; or its failure.

        before: records by the names of the cases.  reasons: of a gather, why shards failed, and
        backends: what they named as theirs.
        """
        tried = ""
        try:
            key = measurement_key(group.predictor, case, self.settings)
            tried = key.digest
            keys = [key]
            if self.part.gather:
                recorded = [r[case.name][MADE_FROM] for r in before if case.name in r]
                named = [*backends, *(str(made.get("backend")) for made in recorded)]
                keys = possible_keys(key, self.options, named)
            for possible in keys:
                for records in before:
                    if possible.matches(earlier := records.get(case.name)):
                        return dict(earlier or {})
            if self.part.gather:
                told = [reasons[case.name, possible.digest] for possible in keys
                        if (case.name, possible.digest) in reasons]  # fmt: skip
                return MeasurementOutcome(case.name, told[0] if told else NOT_MEASURED, (), tried)
            measured = self.measure(group.predictor, group.read(case), interrupt)
        except Exception as failure:  # one odd case must not end the others
            return MeasurementOutcome(case.name, describe_failure(failure), (), tried)
        notes = {NOTES: list(measured.notes)} if measured.notes else {}
        return {MADE_FROM: key.content, "rows": list(measured.rows), **notes}
