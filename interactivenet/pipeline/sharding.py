"""Shards of a job: each does its own cases in one folder, and a gather makes what is one for all.

Which shard a case belongs to follows from its name alone, whatever other cases there are. Results
lie in the folder of all, as ever; ``FOLDER/shards/I-of-N/`` has the record of each shard.

What is done, a gather tells from the results alone: from what they were made. Of what failed, it
takes a shard's reason, whatever its N, where that shard tried just the same files with the same
settings, the one that began last first. Nothing else in ``shards/`` counts: what an earlier number
of shards, or other inputs, have left there is out of date by itself and confuses nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interactivenet.datasets.task import FAILURES
from interactivenet.errors import DataError, RequestError
from interactivenet.pipeline.reporting import Reporter, counted
from interactivenet.system.files import read_object
from interactivenet.system.locks import shard_folder, shard_folders
from interactivenet.system.names import composed
from interactivenet.system.provenance import RUN

#: more than a scheduler gives to one user; and no folder gets more entries than it bears
MOST_SHARDS = 10_000
#: in ``run.json`` of what did cases: case that failed -> digest of all that it was tried with
FAILED_KEYS = "failed_keys"
#: so many shards are named where more are meant
_NAMED = 20
_TEXT = re.compile(r"\s*(\d{1,6})\s*/\s*(\d{1,6})\s*", re.ASCII)


@dataclass(frozen=True)
class Shard:
    """One of several jobs that share the cases of one folder.

    Args:
        number: Which one, from 1.
        of: How many there are.

    Raises:
        RequestError: There is no such shard.
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of <= MOST_SHARDS:
            raise _no_shard(f"{self.number}/{self.of}")

    @staticmethod
    def parse(given: ShardLike) -> Shard:
        """Return the shard of a text such as '3/16', or of two numbers.

        Raises RequestError where it is none.
        """
        if isinstance(given, Shard):
            return given
        if isinstance(given, str):
            match = _TEXT.fullmatch(given)
            if match:
                return Shard(int(match[1]), int(match[2]))
        elif len(given) == 2 and all(type(part) is int for part in given):
            return Shard(*given)
        raise _no_shard(given)

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def has(self, case: str) -> bool:
        """Whether a case of this name is one of this shard's."""
        return shard_number(case, self.of) == self.number

    def folder(self, output: Path) -> Path:
        """Return where this shard's own record of what it does in a folder lies."""
        return shard_folder(output, self.number, self.of)


#: a shard, '3/16', or (3, 16)
ShardLike = Shard | str | tuple[int, int]


@dataclass(frozen=True)
class Part:
    """What a stage does of its cases: all of them, a shard, or the gathering of all shards.

    shard: None for all cases.  gather: nothing is done but what is one for all.
    """

    shard: Shard | None = None
    gather: bool = False

    @staticmethod
    def chosen(shard: ShardLike | None, gather: bool, *, overwrite: bool) -> Part:
        """Return what a user asks for; raises RequestError where that contradicts itself."""
        part = Part(None if shard is None else Shard.parse(shard), gather)
        if gather and part.shard:
            raise RequestError(
                "a shard cannot gather", field="shard", value=str(part.shard),
                expected="`gather=True` alone, once all shards have ended",
            )  # fmt: skip
        if gather and overwrite:
            raise RequestError(
                "a gather segments nothing", field="overwrite", value=True,
                expected="it with the shards, and then `gather=True` without it",
            )  # fmt: skip
        return part

    @property
    def is_one_for_all(self) -> bool:
        """Whether what is one for all cases is made: evaluation, summary, tracking."""
        return self.shard is None

    @property
    def is_shared(self) -> bool:
        """Whether several jobs do the cases: this is one of them, or gathers them."""
        return self.shard is not None or self.gather

    def has(self, case: str) -> bool:
        """Whether a case of this name is among those of this part."""
        return self.shard is None or self.shard.has(case)

    def check_begun(self, output: Path) -> None:
        """Raise RequestError where a gather is to look into a folder that is not there."""
        if self.gather and not output.is_dir():
            raise RequestError(
                f"{output}: is not there: no shard has written to it, nothing can be gathered",
                remedy="run the shards first, or correct the name of the folder",
            )

    def arguments(self) -> dict[str, Any]:
        """Return what belongs to the arguments of a stage's record."""
        return {"shard": str(self.shard) if self.shard else None, "gather": self.gather}

    def announce(self, own: int, total: int, reporter: Reporter) -> None:
        """Say which cases a shard has, and what it leaves to the gathering."""
        if self.shard is None:
            return
        which = f"{own} of {counted(total, 'case')}" if own else (
            f"none of {counted(total, 'case')} belongs to it"
        )  # fmt: skip
        reporter.say(
            f"shard {self.shard}: {which}; the results of all cases together (report, evaluation,"
            " MLflow) come with `gather=True`, once all shards have ended"
        )


#: nothing is shared: one run does all cases
ALL_CASES = Part()


def shard_number(case: str, of: int) -> int:
    """Return which of so many shards a case belongs to, from 1: stable by its name alone."""
    name = composed(case).encode("utf-8", "surrogateescape")
    return 1 + int.from_bytes(hashlib.sha256(name).digest()[:8], "big") % of


def shard_reasons(output: Path, stage: str) -> dict[tuple[str, str], str]:
    """Return why cases failed in the shards of a folder: (case, digest of what was tried) -> why.

    stage: whose, as in ``failures.json``. Of what cannot be read, or is from a shard that was
    killed, nothing is taken.
    """
    found: dict[tuple[str, str], str] = {}
    for place, run in _runs(output):
        keys = run.get(FAILED_KEYS)
        reasons: Any = {}
        with suppress(DataError):
            reasons = read_object(place / FAILURES).get(stage)
        if isinstance(keys, dict) and isinstance(reasons, dict):
            found |= {(case, str(keys[case])): str(why) for case, why in reasons.items()
                      if case in keys}  # fmt: skip
    return found


def shard_backends(output: Path) -> list[str]:
    """Return what computed the networks in the shards of a folder where that was not PyTorch."""
    return list(dict.fromkeys(str(run["backend"]) for _, run in _runs(output) if "backend" in run))


def say_missing(output: Path, cases: Sequence[str], reporter: Reporter) -> None:
    """Say which shards have to run again, where they have left out cases.

    They are those of the last number of shards that ran in the folder.
    """
    if not cases:
        return
    runs = _runs(output)
    again = "run the shards again, or all cases without `shard`"
    if runs:
        of = int(runs[-1][0].name.partition("-of-")[2])
        numbers = sorted({shard_number(case, of) for case in cases})
        named = ", ".join(f"{number}/{of}" for number in numbers[:_NAMED])
        more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
        again = f"run shard {named}{more} again, or all cases without `shard`"
    reporter.say(f"{counted(len(cases), 'case')} not done yet: {again}")


def shards_in_turn(output: Path) -> list[Path]:
    """Return the folders of the shards of a folder, the one that began last at the end."""
    return [place for place, _ in _runs(output)]


def _runs(output: Path) -> list[tuple[Path, Mapping[str, Any]]]:
    """Return the shards of a folder with what ``run.json`` says of each, the last one last."""
    runs = []
    for place in shard_folders(output):
        with suppress(DataError):
            if run := read_object(place / RUN):
                runs.append((place, run))
    return sorted(runs, key=lambda item: str(item[1].get("started")))


def _no_shard(given: object) -> RequestError:
    return RequestError(
        field="shard", value=given,
        expected=f"I/N, such as 3/16: I from 1 to N, N at most {MOST_SHARDS}",
    )  # fmt: skip
