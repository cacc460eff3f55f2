"""What can be opened: images of folders, and those that were uploaded."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Literal

from interactivenet.datasets.task import Task
from interactivenet.errors import RequestError
from interactivenet.imaging.io import READABLE, suffix_of
from interactivenet.prompts.prompt import Prompt


@dataclass(frozen=True)
class WorklistEntry:
    """One image that can be opened, or one of several modalities on one grid."""

    id: str
    name: str
    images: tuple[Path, ...]
    source: str
    series: str = ""
    problem: str = ""
    status: Literal["new", "points", "outlined"] = "new"
    expected_dice: float | None = None


class Worklist:
    """The images that a server offers, in their order."""

    def __init__(self, folders: Sequence[Path], task: Task | None = None) -> None:
        self._lock = Lock()
        self._entries: list[WorklistEntry] = []
        for folder in folders:
            if not folder.exists():
                raise RequestError(f"{folder}: does not exist")
            paths = sorted(folder.iterdir()) if folder.is_dir() else [folder]
            for path in paths:
                if suffix_of(path):
                    self._add(path, str(folder))

    def entries(self) -> list[WorklistEntry]:
        """Return them in the order in which they are offered."""
        with self._lock:
            return list(self._entries)

    def find(self, entry_id: str) -> WorklistEntry:
        """Return one; raises RequestError where none has the id."""
        for entry in self.entries():
            if entry.id == entry_id:
                return entry
        raise RequestError("there is no case of this id")

    def add_upload(self, name: str, file: Path) -> WorklistEntry:
        """Add a file that was sent; name: what its sender calls it."""
        return self._add(file, "uploaded", name)

    def prompts_of(self, entry: WorklistEntry) -> tuple[Prompt, ...]:
        """Return what a person has placed before."""
        return ()

    def next(self, *, after: set[str]) -> WorklistEntry | None:
        """Return the first whose id is none of ``after``."""
        return next((each for each in self.entries() if each.id not in after), None)

    def _add(self, path: Path, source: str, name: str = "") -> WorklistEntry:
        called = name or path.name[: len(path.name) - len(suffix_of(path))]
        entry = WorklistEntry(secrets.token_urlsafe(9), called, (path,), source)
        with self._lock:
            self._entries.append(entry)
        return entry
