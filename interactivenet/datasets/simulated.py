"""``simulation.json``: what a task's simulated prompt files were made from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interactivenet.errors import naming
from interactivenet.system.fields import field_of_kind, fields_of_kinds
from interactivenet.system.files import read_object, sha256
from interactivenet.system.names import safe_path
from interactivenet.system.stamps import ReadOnce

#: settings and files of simulated prompts, in a raw task's folder
SIMULATION = "simulation.json"
_KINDS: dict[str, type | tuple[type, ...]] = {
    "file": str, "prompt": str, "label": str, "settings": dict, "names": dict,
}  # fmt: skip


def simulated_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Read what a task's simulated prompt files were made from: 'Tr/CASE' -> record.

    Raises DataError, naming file and field, where it is not as this program writes it.
    """
    return dict(_records(folder / SIMULATION))


def _read(path: Path) -> Mapping[str, dict[str, Any]]:
    with naming(path):
        cases: dict[str, Any] = field_of_kind(read_object(path).get("cases", {}), dict, "cases")
        return {case: check_simulated(record, f"cases.{case}") for case, record in cases.items()}


#: asked for every case of a task
_records = ReadOnce(_read, most=2)


def simulation_settings(file: Path, case: str, digest: str | None = None) -> dict[str, Any] | None:
    """Return the settings that a raw task's prompt file was simulated with; None for a person's.

    file: in one of the task's folders ``interactions{Tr,Ts}``.  digest: its SHA-256, where known.
    One that was edited since is a person's. Raises as :func:`simulated_files` does.
    """
    subset = file.parent.name.removeprefix("interactions")
    record = _records(file.parent.parent / SIMULATION).get(f"{subset}/{case}", {})
    if record.get("file") != f"{file.parent.name}/{file.name}":
        return None
    if record.get("prompt") != (digest or sha256(file)):
        return None
    settings = record.get("settings")
    return dict(settings) if isinstance(settings, dict) else None


def check_simulated(record: Any, field: str) -> dict[str, Any]:
    """Return the record of a simulated file; raises DataError, naming the field, if it is none."""
    checked = fields_of_kinds(record, _KINDS, field)
    if "file" in checked:
        safe_path(checked["file"], f"field {field}.file")
    return checked
