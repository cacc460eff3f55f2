"""What a stage that measures cases tells and records of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from interactivenet.pipeline.measuring import NOT_MEASURED, Measurement, MeasurementOutcome
from interactivenet.pipeline.reporting import Reporter, recorded_notes, recorded_reasons
from interactivenet.pipeline.segmenting import report_failures, report_notes, say_computed
from interactivenet.pipeline.sharding import FAILED_KEYS, say_missing
from interactivenet.pipeline.stage import Stage


def follow_measurement(
    measurement: Measurement,
    results: Iterator[MeasurementOutcome],
    names: Sequence[str],
    stage: Stage,
    reporter: Reporter,
) -> dict[str, str]:
    """Follow a measurement through its cases, record and report it; returns case -> failure.

    names: of the cases, in order.
    """
    total = len(names)
    name = stage.run.record["stage"]
    failures: dict[str, str] = {}
    tried: dict[str, str] = {}
    notes: dict[str, tuple[str, ...]] = {}
    computed: Counter[str] = Counter()
    for result in reporter.track(results, total, name, names):
        computed.update([result.computed] if result.computed else [])
        if result.error:
            failures[result.case] = result.error
            if result.tried:
                tried[result.case] = result.tried
        if result.notes:
            notes[result.case] = result.notes
    stage.run.note(cases=total, failures=recorded_reasons(failures, reporter))
    if tried:
        stage.run.note(**{FAILED_KEYS: tried})
    if notes:
        stage.run.note(notes=recorded_notes(notes, reporter))
    report_notes(notes, reporter)
    report_failures(stage.folder, name, failures, reporter, gather=measurement.part.gather)
    if measurement.part.gather:
        say_computed(computed, stage.run, reporter)
        missing = [case for case, reason in failures.items() if reason == NOT_MEASURED]
        say_missing(measurement.folder, missing, reporter)
    return failures
