"""``plans.json`` as plain data: its schema version and its sections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from interactivenet.errors import DataError, RequestError
from interactivenet.system.files import read_json

SCHEMA_VERSION = 2
#: what the file may hold beside its schema version
_SECTIONS = ("plan", "splits", "coverage", "fingerprint")


def read_plans(path: Path) -> dict[str, Any]:
    """Read a plans.json as plain data: 'plan', and perhaps more of ``_SECTIONS``.

    Raises RequestError where there is no such file, DataError where it is of another version.
    """
    if not path.exists():
        raise RequestError(
            f"{path} does not exist", remedy=f"run `plan(task={path.parent.name!r})` first"
        )
    content = read_json(path)
    if not isinstance(content, dict) or "schema_version" not in content:
        raise DataError(f"{path}: is not an InteractiveNet plan: it has no field schema_version")
    if content["schema_version"] != SCHEMA_VERSION:
        raise DataError(
            f"{path}: schema_version is {content['schema_version']}, but this version of"
            f" InteractiveNet reads {SCHEMA_VERSION}",
            remedy="plan the task again, or use the version that wrote it",
        )
    for name in content:
        if name != "schema_version" and name not in _SECTIONS:
            raise DataError(f"{path}: field {name} is unknown")
    if "plan" not in content:
        raise DataError(f"{path}: field plan is missing")
    return content
