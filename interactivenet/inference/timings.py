"""How long cases took: a line each in ``timings.jsonl``, apart from the results.

Results are the same bytes whenever and wherever they are made; how long that took is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from interactivenet.errors import DataError, RequestError
from interactivenet.system.journal import Journal
from interactivenet.system.locks import shard_folders

TIMINGS = "timings.jsonl"
_FIELDS = {"case", "made_from", "seconds"}
#: no case takes so long
_MOST_SECONDS = 1e9


def note_seconds(folder: Path, case: str, digest: str, seconds: float) -> None:
    """Add a case's time to ``timings.jsonl`` of a folder.

    digest: of the ``CacheKey`` of its result.  seconds: from reading to writing.
    Raises DataError, naming the file, where it cannot be written.
    """
    line = {"case": case, "made_from": digest, "seconds": round(seconds, 3)}
    Journal(folder / TIMINGS).add(line)


def read_seconds(folders: Iterable[Path]) -> dict[tuple[str, str], float]:
    """Read the times of folders: (case, digest of its result) -> seconds, the last one noted.

    What is no such line, as the last one of a run that was killed, is passed over. Raises DataError
    where a file cannot be read, or is somebody else's.
    """
    return {
        (str(line["case"]), str(line["made_from"])): line["seconds"]
        for folder in folders
        for line in Journal(folder / TIMINGS).rows()
        if _is_time(line)
    }


def all_seconds(folder: Path) -> dict[tuple[str, str], float]:
    """Read the times of a folder's runs, those of its shards too; as :func:`read_seconds`."""
    return read_seconds(_all_folders(folder))


def check_timings(folder: Path) -> None:
    """Raise RequestError where times would be added to a file that this program did not write.

    Or be read of one, among those of shards: that is not to be refused after the cases.
    """
    for place in _all_folders(folder):
        try:
            Journal(place / TIMINGS).rows()
        except DataError as error:
            raise RequestError(
                f"{place / TIMINGS}: was not written by this program, and would be added to",
                remedy="move it away, or write elsewhere",
            ) from error


def _all_folders(folder: Path) -> list[Path]:
    return [folder, *shard_folders(folder)]


def _is_time(line: Mapping[str, Any]) -> bool:
    """Whether a line says how long a case took."""
    if set(line) != _FIELDS or type(line["seconds"]) not in (int, float):
        return False
    # a whole number beyond all floats is no time either
    return bool(0 <= line["seconds"] <= _MOST_SECONDS)
