"""What shards have segmented, looked up: the files, not what anybody says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from interactivenet.datasets.task import Case
from interactivenet.errors import DataError, RequestError, describe_failure
from interactivenet.inference.case_keys import case_key, input_hashes, named_differences
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.outputs import CaseResult, Output
from interactivenet.inference.sources import check_name
from interactivenet.models.model import Model
from interactivenet.pipeline.sharding import Part
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
    backends: Sequence[str] = (),
    signals: Signals,
) -> Iterator[CaseResult]:
    """Look up what :func:`~interactivenet.inference.batch.predict_cases` has done, in their order.

    A case is done where all outputs hold it, made from the files and settings of now: these are
    read and hashed, side by side. A precision or a backend that is left to the machine is that of
    the shards, which may have had another. reasons: why others failed, as of
    :func:`~interactivenet.pipeline.sharding.shard_reasons`.  backends: of the shards, as of
    :func:`~interactivenet.pipeline.sharding.shard_backends`. Raises Interrupted where a signal
    came.
    """
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

        def keys_of(settings: Mapping[str, Any]) -> dict[Path, CacheKey]:
            return {
                output.folder: case_key(hashes, model, output.folds, settings, case.reading)
                for output in outputs
            }

        made_from = outputs[-1].read_record(case.name).get(MADE_FROM)
        recorded = made_from if isinstance(made_from, Mapping) else {}
        possible = options.possible_settings([*backends, str(recorded.get("backend"))])
        # those that the result there was made with first: most often it is one of them
        for settings in sorted(possible, key=lambda each: _is_other(recorded, each)):
            keys = keys_of(settings)
            if all(output.is_done(case.name, keys[output.folder]) for output in outputs):
                record = outputs[-1].read_kept(case.name)
                return CaseResult(case.name, kept=True, record=record)
        every = [keys_of(settings) for settings in possible]
        digests = [keys[outputs[-1].folder].digest for keys in every]
        told = [reasons[case.name, tried] for tried in digests if (case.name, tried) in reasons]
        reason = told[0] if told else _not_segmented(outputs, case.name, every[0])
        return CaseResult(case.name, reason, tried=digests[0])

    yield from map_cases(look_up, zip(cases, faults, strict=True), available_cores())


def _is_other(recorded: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """Whether a result was made with another precision or backend than these."""
    return any(recorded.get(name) != settings.get(name) for name in ("precision", "backend"))


def check_here(options: InferenceOptions, part: Part) -> None:
    """Raise RequestError where the networks cannot be used as asked for on this machine.

    A gather uses none, and says what it can be asked for in place of what is not here.
    """
    try:
        options.as_json()
    except RequestError as error:
        if not part.gather:
            raise
        raise RequestError(
            str(error),
            remedy="a gather computes nothing: give it 'auto' for `device`, `precision` or"
            " `backend` where this machine has not what the shards had, and it takes theirs",
        ) from error


def not_segmented(failures: Mapping[str, str]) -> list[str]:
    """Return which of the cases that failed no shard has done."""
    return [case for case, reason in failures.items() if reason.startswith(NOT_SEGMENTED)]


def _not_segmented(outputs: Sequence[Output], case: str, keys: Mapping[Path, CacheKey]) -> str:
    """Say that a case is not done, and where there is another result, in what that differs.

    The same words for all such cases: of thousands, one finding is told.
    """
    for output in outputs:
        made_from = output.read_record(case).get(MADE_FROM)
        if not isinstance(made_from, Mapping):
            continue
        differences = keys[output.folder].differences(made_from)
        if differences:
            named = ", ".join(named_differences(differences))
            alike = "" if differences == ["inputs"] else ", or gather with their settings"
            return f"{NOT_SEGMENTED}{alike} (the result there is of {named})"
        if lacking := output.lacking(case):
            name = lacking[0].relative_to(output.folder).as_posix().replace(case, "CASE")
            return f"{NOT_SEGMENTED} ({name} is not there)"
    return NOT_SEGMENTED
