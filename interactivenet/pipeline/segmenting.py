"""What the stages share that segment cases: which model, what became of the cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from interactivenet.datasets.findings import Finding
from interactivenet.datasets.task import FAILURES, record_failures
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.outputs import CaseResult
from interactivenet.inference.timings import note_seconds
from interactivenet.models.model import Model
from interactivenet.pipeline.reporting import SEGMENTED, Reporter, counted, recorded_reasons
from interactivenet.pipeline.segmented_cases import SegmentedCases
from interactivenet.system.cache_key import MADE_FROM, CacheKey
from interactivenet.system.large_records import left_out
from interactivenet.system.provenance import Run

#: of mirroring along every combination of the axes
_MIRRORED = 8
#: so many cases are named where more are meant
_NAMED = 8
#: cases from which on a record may be too large
_MANY = 10_000


def describe_model(model: Model, options: InferenceOptions) -> list[str]:
    """Say what is about to segment."""
    copies = counted(_MIRRORED if options.mirrored else 1, "prediction")
    if options.mirrored == "adaptive":
        copies = f"at most {copies}, no more than are needed,"
    look = " and a second look" if model.plan.second_look else ""
    backend = "" if options.chosen_backend == "torch" else f", {options.chosen_backend}"
    return [
        f"model: {model.name}",
        f"{model.checkpoint} checkpoint, postprocessing {model.postprocessing.name}; {copies}{look}"
        f" per fold and object; {options.chosen_device}, {options.chosen_precision}"
        f"{backend}",
    ]


def follow_cases(
    results: Iterable[CaseResult],
    cases: Sequence[str],
    name: str,
    run: Run,
    folder: Path,
    reporter: Reporter,
    *,
    gather: bool = False,
) -> dict[str, str]:
    """Follow a stage through its cases, record and report it; returns case -> why it failed.

    cases: their names, in order.  name: of the stage, in ``failures.json`` of the folder.
    gather: whether shards have done them.
    """
    done = SegmentedCases()
    for result in reporter.track(results, len(cases), name, cases):
        if result.record and result.seconds is not None:
            key = CacheKey(result.record[MADE_FROM])
            note_seconds(folder, result.case, key.digest, result.seconds)
        done.add(result)
    done.record(run, len(cases), reporter)
    _report(done, name, folder, reporter, gather=gather)
    if gather and done.kept:
        say_computed(done.computed, run, reporter)
    if len(cases) >= _MANY and (fields := left_out(run.record)):
        reporter.say(
            f"{run.path} would be too large to be read again: it has no {', '.join(fields)} of the"
            f" {len(cases)} cases, which their own records and {FAILURES} have"
        )
    return done.failures


def _report(
    done: SegmentedCases, name: str, folder: Path, reporter: Reporter, *, gather: bool
) -> None:
    """Tell what became of the cases; those that failed go into ``failures.json``, too."""
    report_notes(done.notes, reporter, done.review)
    report_failures(folder, name, done.failures, reporter, gather=gather)
    for case, other in done.replaced.items():
        reporter.say(f"{case}: the result of another scan of this name was replaced: {other}")
    for differences, number in Counter(done.outdated).items():
        were = "result was" if number == 1 else "results were"
        reporter.say(f"{number} earlier {were} replaced: made with {differences}")
    if done.corrected:
        reporter.say(
            "corrected by clicks in the files of points, and no first results:"
            f" {_few(done.corrected)}"
        )
    if done.kept and gather:
        reporter.say(
            f"{counted(done.kept, 'case')} gathered, all done from these files and settings"
        )
    elif done.kept:
        reporter.say(
            f"{counted(done.kept, 'case')} already done from the same files and settings: kept"
            " (`overwrite=True` redoes them)"
        )
    if done.pictured:
        reporter.say(f"{counted(done.pictured, 'picture')} drawn of results that were kept")
    if done.review:
        reporter.say(f"review first: {_few([*done.review])}")


def say_computed(computed: Mapping[str, int], run: Run, reporter: Reporter) -> None:
    """Say and record what has computed gathered results, where that was not the same for all.

    computed: as of :func:`~interactivenet.inference.case_keys.how_computed` -> how many cases.
    """
    run.note(computed=dict(sorted(computed.items())))
    if len(computed) > 1:
        named = "; ".join(f"{counted(n, 'case')} with {how}" for how, n in sorted(computed.items()))
        reporter.say(f"the shards' machines differed: {named}")


def _few(cases: Sequence[str]) -> str:
    """Name the first of some cases, and count them."""
    more = " ..." if len(cases) > _NAMED else ""
    return f"{', '.join(cases[:_NAMED])}{more} ({counted(len(cases), 'case')})"


def report_notes(
    notes: Mapping[str, Iterable[str]],
    reporter: Reporter,
    review: Mapping[str, Iterable[str]] | None = None,
) -> None:
    """Tell what is doubtful about cases, and why some are to be looked at first.

    notes, review: case -> sentences.
    """
    findings = [Finding("warning", case, note) for case, told in notes.items() for note in told]
    findings += [
        Finding("warning", case, f"look first: {reason}")
        for case, reasons in (review or {}).items()
        for reason in reasons
    ]
    if findings:
        reporter.findings(findings)


def add_failures(
    failures: dict[str, str],
    more: Mapping[str, str],
    name: str,
    run: Run,
    folder: Path,
    reporter: Reporter,
) -> None:
    """Tell and record which cases that were segmented could not be compared.

    failures: of the cases; gets what there is ``more``.  name: of the stage.
    """
    new = {
        case: f"{SEGMENTED} compared: {reason}"
        for case, reason in more.items()
        if case not in failures
    }
    if not new:
        return
    failures.update(new)
    run.note(failures=recorded_reasons(failures, reporter))
    path = record_failures(folder, name, recorded_reasons(failures, reporter))
    reporter.findings([Finding("error", case, reason) for case, reason in new.items()])
    reporter.say(f"{counted(len(failures), 'case')} failed, see {path}")


def report_failures(
    folder: Path, stage: str, failures: dict[str, str], reporter: Reporter, *, gather: bool = False
) -> None:
    """Note what failed in ``failures.json`` of the folder, and tell it, where anything did.

    gather: some may only be not done yet.
    """
    path = record_failures(folder, stage, recorded_reasons(failures, reporter))
    if failures:
        reporter.findings([Finding("error", case, reason) for case, reason in failures.items()])
        became = "have no result" if len(failures) > 1 else "has no result"
        reporter.say(
            f"{counted(len(failures), 'case')} {became if gather else 'failed'}, see {path}"
        )


def say_unused_codes(labels: Iterable[str], reporter: Reporter) -> None:
    """Say which labels have codes in a user's file, but are none here: a slip of a pen, perhaps."""
    if labels := sorted(labels):
        reporter.say(f"`codes`: not used of {', '.join(labels)}: there is no such label here")
