"""What simulated prompt files were made from: the record of a task, and a journal for the run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from interactivenet.datasets.simulated import SIMULATION, check_simulated, simulated_files
from interactivenet.errors import DataError, naming
from interactivenet.prompts.simulation import SimulationOptions
from interactivenet.system.files import sha256, write_json
from interactivenet.system.journal import Journal


class SimulationJournal:
    """What the prompt files that were simulated here were made from.

    ``simulation.json`` has the options and, per case, what its file was made from. During a run,
    each file is noted in a hidden journal before it gets its name, so that after a kill its files
    are not taken for a person's.
    """

    def __init__(self, folder: Path) -> None:
        self._record, self._journal = folder / SIMULATION, Journal(folder / ".simulation.journal")
        cases = simulated_files(folder)
        self._entries: dict[str, list[dict[str, Any]]] = {k: [v] for k, v in cases.items()}
        for case, entry in self._read():
            self._entries.setdefault(case, []).append(entry)

    def _read(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield what a run that was killed has noted: case, entry."""
        for number, noted in self._journal.read():
            with naming(self._journal.path):
                if not (isinstance(noted, list) and len(noted) == 2 and isinstance(noted[0], str)):
                    raise DataError(f"line {number} is not a case and what its file was made from")
                yield noted[0], check_simulated(noted[1], f"of {noted[0]} in line {number}")

    def entry_of(self, case: str, path: Path) -> dict[str, Any] | None:
        """Return what a case's file was made from, None if it was not simulated here."""
        file = {"file": relative_file(path), "prompt": sha256(path)}
        for entry in reversed(self._entries.get(case, [])):
            if file.items() <= entry.items():
                return dict(entry)
        return None

    def add(self, case: str, entry: dict[str, Any]) -> None:
        """Note a file that is about to get its name."""
        self._entries.setdefault(case, []).append(entry)
        self._journal.add([case, entry])

    def close(self, options: SimulationOptions) -> None:
        """Write ``simulation.json`` with what each case's file on disk was made from."""
        cases = {}
        for case, entries in sorted(self._entries.items()):
            for entry in reversed(entries):
                path = self._record.parent / entry.get("file", "")
                if path.is_file() and sha256(path) == entry.get("prompt"):
                    cases[case] = entry
                    break
        write_json(self._record, {"settings": asdict(options), "cases": cases})
        self._journal.remove()


def relative_file(path: Path) -> str:
    """Return a prompt file's path in its task."""
    return f"{path.parent.name}/{path.name}"
