"""Folders of results that are about to hold very many files: why that is, said once.

What nobody looks for by its name is spread over subfolders (system/spread.py). Label maps, their
records and pictures are not: people and programs find a case's by its name in one folder.
"""

from __future__ import annotations

from pathlib import Path

from interactivenet.datasets.findings import Finding
from interactivenet.pipeline.reporting import Reporter
from interactivenet.preprocessing.storage import REGIONS
from interactivenet.system.provenance import Run
from interactivenet.system.spread import MOST_ENTRIES


def crowding(folder: Path, cases: int, files: int) -> str:
    """Say that a folder gets more entries than most file systems are quick with; '' if it does not.

    files: how many a case has in it.
    """
    entries = cases * files
    if entries <= MOST_ENTRIES:
        return ""
    return (
        f"{folder}: gets {entries} files or more, since a case's are found there by its name; a"
        f" network file system may be slow with over {MOST_ENTRIES} in one folder: divide the"
        " cases among several folders where yours is"
    )


def report_crowding(folder: Path, cases: int, files: int, reporter: Reporter, run: Run) -> None:
    """Tell the user, and the record, where a folder gets very many files."""
    if text := crowding(folder, cases, files):
        reporter.say(f"note: {text}")
        run.note(crowded=text)


def crowded_regions(folder: Path) -> list[Finding]:
    """Note that an earlier version has put too many regions of a processed task in one folder."""
    regions = folder / REGIONS
    entries = sum(1 for _ in regions.iterdir()) if regions.is_dir() else 0
    if entries <= MOST_ENTRIES:
        return []
    return [
        Finding(
            "note", "",
            f"{regions} holds {entries} files of an earlier version in one folder:"
            " `overwrite=True` spreads them over subfolders",
        )
    ]  # fmt: skip
