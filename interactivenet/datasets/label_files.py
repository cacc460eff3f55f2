"""Which label map, or outlines, in a folder are those of a case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from interactivenet.datasets.file_matching import is_one_structure, stems
from interactivenet.datasets.stray_files import unread_files
from interactivenet.datasets.task import Case
from interactivenet.errors import RequestError
from interactivenet.imaging.io import READABLE_LABELS, suffix_of
from interactivenet.system.names import composed, list_names, list_some

#: so many names are listed where more are meant
_NAMED = 8


def label_of(path: Path, names: Sequence[str]) -> Path | None:
    """Find the label map or outlines of a case: the file itself, or one, or its folder, in one."""
    if file := file_of_case(path, names, READABLE_LABELS):
        return file
    if is_one_structure(path):
        return path
    folders = (path / name for name in names)
    return next((folder for folder in folders if folder.is_dir()), None)


def file_of_case(path: Path, names: Sequence[str], suffixes: Sequence[str]) -> Path | None:
    """The file itself, or the one of the case in a folder; raises RequestError for several."""
    if not path.is_dir():
        return path
    files = [
        file
        for file in sorted(path.iterdir())
        if (suffix := suffix_of(file, suffixes))
        and composed(file.name[: len(file.name) - len(suffix)]) in {composed(n) for n in names}
    ]
    if len(files) > 1:
        raise RequestError(
            f"{path}: has {len(files)} files for {names[0]}, expected one: {list_names(files)}"
        )
    return files[0] if files else None


def label_notes(labels: Path, cases: Sequence[Case], failed: Iterable[str]) -> list[str]:
    """Say which cases have no label in a folder, and which labels no case; failed: other cases."""
    names = {case.name for case in cases} | set(failed)
    lacking = [case.name for case in cases if case.label is None]
    spare = {name: files for name, files in stems(labels, READABLE_LABELS).items()
             if name not in names}  # fmt: skip
    notes = []
    if lacking and len(lacking) < len(cases):
        notes.append(f"{labels}: holds no label map for {list_some(lacking, _NAMED)}: not compared")
    if spare:
        belong = "belongs" if len(spare) == 1 else "belong"
        notes.append(f"{labels}: {list_some(sorted(spare), _NAMED)} {belong} to no case: not used")
    for reason in unread_files(labels, READABLE_LABELS, names).values():
        notes.append(f"{labels}: {reason}: not used")
    return notes
