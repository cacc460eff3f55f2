"""All that decides what is measured of a case, here and on the machines of shards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from interactivenet.datasets.task import Case
from interactivenet.inference.case_keys import input_hashes
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.predictor import Predictor
from interactivenet.system.cache_key import CacheKey


def measurement_key(predictor: Predictor, case: Case, settings: Mapping[str, Any]) -> CacheKey:
    """Return all that decides the rows of a case.

    settings: of the measurement, beside those of the predictor.
    """
    model, reading = predictor.model, case.reading.as_json()
    return CacheKey(
        {
            "inputs": input_hashes(case, label=True), "weights": model.digests,
            "plan": model.plan.digest,
            "postprocessing": model.postprocessing.name, **predictor.settings, **settings,
            **({"reading": reading} if reading else {}),
        }
    )  # fmt: skip


def possible_keys(
    key: CacheKey, options: InferenceOptions | None, backends: Iterable[str]
) -> list[CacheKey]:
    """Return the key of a case as it is here first, and then as it may be of shards elsewhere.

    options: how the networks are used; what they leave to the machine may be another on theirs.
    None for no other key.  backends: that shards, or the records there, name.
    """
    if options is None:
        return [key]
    devices = options.possible_devices if "device" in key.content else [None]
    fixed = {name: value for name, value in key.content.items() if name != "backend"}
    return [
        CacheKey({**fixed, **settings, **({"device": device} if device else {})})
        for device in devices
        for settings in options.possible_settings(backends)
    ]
