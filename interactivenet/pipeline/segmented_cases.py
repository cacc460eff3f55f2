"""What became of the cases of a stage that segments: collected one by one, and recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from interactivenet.inference.case_keys import how_computed, inputs_by_part, named_differences
from interactivenet.inference.outputs import CaseResult
from interactivenet.pipeline.reporting import Reporter, recorded_notes, recorded_reasons
from interactivenet.pipeline.sharding import FAILED_KEYS
from interactivenet.system.cache_key import MADE_FROM
from interactivenet.system.provenance import Run


@dataclass
class SegmentedCases:
    """What became of cases, as far as their stage has come.

    kept: how many were done before.  pictured: of how many of these a picture was drawn.
    network_seconds: of the networks alone, of all cases.
    failures: case -> why it failed.  tried: of those, case -> the digest of all that it was tried
    with.  inputs: 'CASE/PART' -> SHA-256 of the file.  notes: case -> sentences about it.
    review: case -> why it should be looked at first.  replaced: case -> the other scan whose result
    was there.  outdated: of each earlier result that was replaced, how it was made otherwise.
    computed: what computed results -> how many.  corrected: cases whose files of points hold
    corrections.
    """

    kept: int = 0
    pictured: int = 0
    network_seconds: float = 0.0
    failures: dict[str, str] = field(default_factory=dict)
    tried: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, str | dict[str, Any]] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    review: dict[str, list[str]] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)
    outdated: list[str] = field(default_factory=list)
    computed: Counter[str] = field(default_factory=Counter)
    corrected: list[str] = field(default_factory=list)

    def add(self, result: CaseResult) -> None:
        """Take in what became of one more case."""
        self.kept += result.kept
        self.pictured += result.pictured
        self.network_seconds += result.network_seconds
        if result.error:
            self.failures[result.case] = result.error
            if result.tried:
                self.tried[result.case] = result.tried
        elif result.record:
            made_from, objects = result.record[MADE_FROM], result.record["objects"]
            self.computed[how_computed(made_from)] += 1
            hashes = inputs_by_part(made_from["inputs"])
            self.inputs |= {f"{result.case}/{part}": digest for part, digest in hashes.items()}
            if result.replaced:
                self.replaced[result.case] = result.replaced
            elif result.outdated:
                self.outdated.append(", ".join(named_differences(result.outdated)))
            if told := result.record.get("notes"):
                self.notes[result.case] = list(told)
            if any(segmented.get("corrections") for segmented in objects):
                self.corrected.append(result.case)
            if any(segmented.get("look") for segmented in objects):
                self.review[result.case] = review_reasons(objects)

    def record(self, run: Run, total: int, reporter: Reporter) -> None:
        """Note all of it in the record of a run, in the words of the reporter.

        total: how many cases there are.
        """
        run.inputs(self.inputs)
        run.note(
            cases=total, kept=self.kept, failures=recorded_reasons(self.failures, reporter),
            notes=recorded_notes(self.notes, reporter),
            review=recorded_notes(self.review, reporter),
        )  # fmt: skip
        if self.tried:
            run.note(**{FAILED_KEYS: self.tried})
        if self.replaced:
            run.note(replaced=self.replaced)
        if self.corrected:
            run.note(corrected=self.corrected)
        run.record["seconds"]["network"] = round(self.network_seconds, 3)


def review_reasons(objects: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return why the objects of a record are to be looked at first, each after its name."""
    return [
        f"{segmented.get('name') or segmented.get('label')}: {reason}"
        for segmented in objects
        for reason in segmented.get("reasons") or ()
    ]
