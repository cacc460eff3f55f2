"""What the stages share that segment cases: which model, what became of the cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from interactivenet.datasets.findings import Finding
from interactivenet.datasets.task import FAILURES, record_failures
from interactivenet.inference.case_keys import how_computed, inputs_by_part, named_differences
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.outputs import CaseResult
from interactivenet.inference.timings import note_seconds
from interactivenet.models.model import Model
from interactivenet.pipeline.reporting import (
    SEGMENTED,
    Reporter,
    counted,
    recorded_notes,
    recorded_reasons,
)
from interactivenet.pipeline.sharding import FAILED_KEYS
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
    backend = "" if options.chosen_backend == "torch" else f", {options.chosen_backend}"
    return [
        f"model: {model.name}",
        f"{model.checkpoint} checkpoint, postprocessing {model.postprocessing.name}; {copies} per"
        f" fold and object; {options.chosen_device}, {options.chosen_precision}"
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
    total = len(cases)
    failures: dict[str, str] = {}
    tried: dict[str, str] = {}
    inputs: dict[str, str | dict[str, Any]] = {}
    kept, pictured, seconds = 0, 0, 0.0
    notes: dict[str, list[str]] = {}
    review: dict[str, list[str]] = {}
    replaced: dict[str, str] = {}
    outdated: list[str] = []
    computed: Counter[str] = Counter()
    corrected: list[str] = []
    for result in reporter.track(results, total, name, cases):
        kept += result.kept
        pictured += result.pictured
        seconds += result.network_seconds
        if result.error:
            failures[result.case] = result.error
            if result.tried:
                tried[result.case] = result.tried
        elif result.record:
            made_from = result.record[MADE_FROM]
            if result.seconds is not None:
                note_seconds(folder, result.case, CacheKey(made_from).digest, result.seconds)
            computed[how_computed(made_from)] += 1
            hashes = inputs_by_part(made_from["inputs"])
            inputs |= {f"{result.case}/{part}": digest for part, digest in hashes.items()}
            if result.replaced:
                replaced[result.case] = result.replaced
            elif result.outdated:
                outdated.append(", ".join(named_differences(result.outdated)))
            if told := result.record.get("notes"):
                notes[result.case] = list(told)
            if any(segmented.get("corrections") for segmented in result.record["objects"]):
                corrected.append(result.case)
            if any(segmented.get("look") for segmented in result.record["objects"]):
                review[result.case] = review_reasons(result.record["objects"])
    run.inputs(inputs)
    run.note(
        cases=total, kept=kept, failures=recorded_reasons(failures, reporter),
        notes=recorded_notes(notes, reporter), review=recorded_notes(review, reporter),
    )  # fmt: skip
    if tried:
        run.note(**{FAILED_KEYS: tried})
    run.record["seconds"]["network"] = round(seconds, 3)
    report_notes(notes, reporter, review)
    report_failures(folder, name, failures, reporter, gather=gather)
    for case, other in replaced.items():
        reporter.say(f"{case}: the result of another scan of this name was replaced: {other}")
    if replaced:
        run.note(replaced=replaced)
    for differences, number in Counter(outdated).items():
        were = "result was" if number == 1 else "results were"
        reporter.say(f"{number} earlier {were} replaced: made with {differences}")
    if corrected:
        run.note(corrected=corrected)
        reporter.say(
            f"corrected by clicks in the files of points, and no first results: {_few(corrected)}"
        )
    if kept and gather:
        reporter.say(f"{counted(kept, 'case')} gathered, all done from these files and settings")
        say_computed(computed, run, reporter)
    elif kept:
        reporter.say(
            f"{counted(kept, 'case')} already done from the same files and settings: kept"
            " (`overwrite=True` redoes them)"
        )
    if pictured:
        reporter.say(f"{counted(pictured, 'picture')} drawn of results that were kept")
    if review:
        reporter.say(f"review first: {_few([*review])}")
    if total >= _MANY and (fields := left_out(run.record)):
        reporter.say(
            f"{run.path} would be too large to be read again: it has no {', '.join(fields)} of the"
            f" {total} cases, which their own records and {FAILURES} have"
        )
    return failures


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


def review_reasons(objects: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return why the objects of a record are to be looked at first, each after its name."""
    return [
        f"{segmented.get('name') or segmented.get('label')}: {reason}"
        for segmented in objects
        for reason in segmented.get("reasons") or ()
    ]


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
