"""What shards have segmented, looked up: the files, not what anybody says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from interactivenet.datasets.task import Case
from interactivenet.errors import DataError, describe_failure
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.outputs import CaseResult, Output, case_key, input_hashes
from interactivenet.inference.sources import check_name
from interactivenet.models.model import Model
from interactivenet.system.cache_key import MADE_FROM, CacheKey
from interactivenet.system.parallel import available_cores, map_cases
from interactivenet.system.signals import Signals

#: why a case fails that no shard has done
NOT_SEGMENTED = "not segmented yet: run the shards again"


def gather_cases(
    cases: Sequence[Case],
    model: Model,
    outputs: Sequence[Output],
    options: InferenceOptions,
    reasons: Mapping[tuple[str, str], str],
    *,
    signals: Signals,
) -> Iterator[CaseResult]:
    """Look up what :func:`~interactivenet.inference.batch.predict_cases` has done, in their order.

    A case is done where all outputs hold it, made from the files and settings of now: these are
    read and hashed, side by side. reasons: why others failed, as of
    :func:`~interactivenet.pipeline.sharding.shard_reasons`. Raises Interrupted where a signal came.
    """
    settings = options.as_json()
    seen: dict[str, Case] = {}
    faults: list[str] = []
    for case in cases:
        try:
            check_name(case, seen)
            faults.append("")
        except DataError as error:
            faults.append(describe_failure(error))

    def look_up(item: tuple[Case, str]) -> CaseResult:
        case, fault = item
        signals.check()
        if fault:
            return CaseResult(case.name, fault)
        try:
            hashes = input_hashes(case)
        except DataError as error:
            return CaseResult(case.name, describe_failure(error))
        keys = {
            output.folder: case_key(hashes, model, output.folds, settings, case.reading)
            for output in outputs
        }
        lacking = [
            output for output in outputs if not output.is_done(case.name, keys[output.folder])
        ]
        if not lacking:
            record = outputs[-1].read_record(case.name)
            return CaseResult(case.name, kept=True, record=record)
        tried = keys[outputs[-1].folder].digest
        reason = reasons.get((case.name, tried)) or _not_segmented(
            lacking[0], case.name, keys[lacking[0].folder]
        )
        return CaseResult(case.name, reason, tried=tried)

    yield from map_cases(look_up, zip(cases, faults, strict=True), available_cores())


def not_segmented(failures: Mapping[str, str]) -> list[str]:
    """Return which of the cases that failed no shard has done."""
    return [case for case, reason in failures.items() if reason.startswith(NOT_SEGMENTED)]


def _not_segmented(output: Output, case: str, key: CacheKey) -> str:
    """Say that a case is not done, and where there is another result, in what that differs."""
    made_from = output.read_record(case).get(MADE_FROM)
    if not isinstance(made_from, Mapping):
        return NOT_SEGMENTED
    differences = key.differences(made_from)
    if not differences:  # a file of it is gone
        return NOT_SEGMENTED
    return f"{NOT_SEGMENTED} ({output.record(case).name} is of other {', '.join(differences)})"
