"""Whose result a record holds: two scans must not become one because their names are the same."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from interactivenet.datasets.task import Case
from interactivenet.errors import DataError
from interactivenet.system.cache_key import MADE_FROM
from interactivenet.system.names import record_fault

#: in a record, where its files came from
SOURCES = "sources"


def check_name(case: Case, seen: dict[str, Case]) -> None:
    """Raise DataError where a case's results cannot lie under its name.

    seen: the cases before it, by their names; gets this one.
    """
    if fault := record_fault(case.name):
        raise DataError(fault)
    first = seen.setdefault(case.name, case)
    if first is not case:
        names = (describe_sources(sources_of(one, ())) for one in (first, case))
        raise DataError(f"two scans have this name: {' and '.join(names)}: rename one of them")


def sources_of(case: Case, tags: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return where a case comes from, as JSON data: absolute paths, and the series of DICOM.

    tags: of its channels, as in a Volume. Where others are resampled onto one of its images,
    'reference' is the number of that one, if it is not the first.
    """
    series = [str(channel.get("SeriesInstanceUID", "")) for channel in tags]
    reference = case.reading.resample_to or 0
    return {
        "images": [os.path.abspath(path) for path in case.images],  # noqa: PTH100
        "points": os.path.abspath(case.interaction) if case.interaction else None,  # noqa: PTH100
        "series": series if all(series) else [],
        **({"reference": reference} if reference else {}),
    }


def other_scan(
    record: Mapping[str, Any],
    sources: Mapping[str, Any],
    inputs: Mapping[str, str],
    points: str,
) -> str:
    """Say which other scan a record's result is of, '' where it is this one's, or nothing tells.

    sources: of the scan that is due, as :func:`sources_of` gives them.  inputs: SHA-256 of its
    files, points: of its file of points, which may have changed.

    The series of DICOM decide where both are known. Otherwise a scan is the same where it comes
    from the same path, or where all of its files are the same.
    """
    before: Any = record.get(SOURCES)
    if not _is_sources(before):
        return ""
    if before["series"] and sources["series"]:
        return "" if before["series"] == sources["series"] else describe_sources(before)
    if before["images"] == sources["images"]:
        return ""
    made_from = record.get(MADE_FROM)
    recorded = made_from.get("inputs") if isinstance(made_from, dict) else None
    scan = set(inputs.values()) - {points}
    if scan and isinstance(recorded, dict) and scan <= set(map(str, recorded.values())):
        return ""  # moved, or reached by another path
    return describe_sources(before)


def describe_sources(sources: Mapping[str, Any]) -> str:
    """Name the images of a scan, and their series where these are known."""
    images = ", ".join(sources["images"])
    series = ", ".join(sources["series"])
    return f"{images} (series {series})" if series else images


def _is_sources(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(value.get(key), list) and all(isinstance(item, str) for item in value[key])
        for key in ("images", "series")
    )
