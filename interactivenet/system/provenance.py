"""What ran: ``run.json``, beside the results of every stage, is enough to repeat it."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from types import TracebackType
from typing import Any

from interactivenet import __version__
from interactivenet.errors import DataError, one_line
from interactivenet.system.files import read_bytes, read_object, write_bytes
from interactivenet.system.large_records import EARLIER, write_record
from interactivenet.system.parallel import peak_memory_mb

RUN = "run.json"
#: the name by which pip knows this package: the original program has the shorter one
DISTRIBUTION = "interactivenet-segmentation"
#: the folder that holds the package: of a working copy, its root
_ROOT = Path(__file__).resolve().parents[2]


class Run:
    """Records one stage while it runs: ``with Run(folder, "plan", arguments, seed) as run:``.

    The record is written at the start with status 'running', which is what a killed stage leaves,
    and again at the end, with 'done' or the error. Its folder is made if need be.
    keep: the records of earlier runs in the folder stay in it, as 'earlier', the first one first.
    """

    def __init__(
        self,
        folder: Path,
        stage: str,
        arguments: Mapping[str, Any],
        seed: int | None = None,
        *,
        keep: bool = False,
    ) -> None:
        self.path = folder / RUN
        self._before: bytes | None = None
        with suppress(DataError):
            self._before = read_bytes(self.path) if self.path.is_file() else None
        self._forgotten = False
        self.workers_mb: dict[str, float] = {}
        self._start = time.monotonic()
        self.record: dict[str, Any] = {
            "stage": stage,
            "status": "running",
            "version": __version__,
            "revision": revision(),
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
            "arguments": {name: _plain(value) for name, value in arguments.items()},
            "seed": seed,
            "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "device": _device(),
            "libraries": libraries(),
            "seconds": {},
            "inputs": {},
        }
        if keep:
            previous = _read_record(self.path)
            earlier = previous.pop(EARLIER, [])
            self.record[EARLIER] = [*earlier, previous] if previous else []

    def __enter__(self) -> Run:
        write_record(self.path, self.record)
        return self

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a part of the stage."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.record["seconds"][name] = round(time.monotonic() - start, 3)

    def inputs(self, hashes: Mapping[str, str | Mapping[str, Any]]) -> None:
        """Note the SHA-256 of files that were read, by their paths within the task.

        Of an image of many files, what :func:`digest_of_files` says of them all.
        """
        self.record["inputs"].update(sorted(hashes.items()))

    def workers(self, count: int, peak_mb: float) -> None:
        """Note how many worker processes there were, and the most memory that one held."""
        self.record["workers"] = count
        self.workers_mb = {"largest_worker": peak_mb}

    def note(self, **facts: Any) -> None:
        """Note anything else that belongs to the record, as JSON data."""
        self.record.update({name: _plain(value) for name, value in facts.items()})

    def forget(self) -> None:
        """Leave the record that was there before: this run changes nothing that it is beside."""
        self._forgotten = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.record["status"] = "done" if error is None else f"{kind and kind.__name__}: {error}"
        self.record["status"] = one_line(self.record["status"])
        self.record["seconds"]["all"] = round(time.monotonic() - self._start, 3)
        self.record["peak_memory_mb"] = {"process": peak_memory_mb(), **self.workers_mb}
        if self._forgotten and self._before is not None:
            write_bytes(self.path, self._before)
        else:
            write_record(self.path, self.record)


def digest_of_files(hashes: Mapping[str, str]) -> dict[str, Any]:
    """Return one entry for all files of an image, such as the slices of a DICOM series.

    hashes: name of a file -> its SHA-256. 'files' says how many there are; 'sha256' is that of a
    line for each, ``SHA-256  NAME``, in the order of their names, as ``sha256sum`` writes it.
    """
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items()))
    data = lines.encode("utf-8", "surrogateescape")
    return {"files": len(hashes), "sha256": hashlib.sha256(data).hexdigest()}


def libraries() -> dict[str, str]:
    """Return the versions of Python and of the libraries that this package needs, if installed.

    Only that of Python where the package itself is not installed but run from a folder.
    """
    return dict(_installed(DISTRIBUTION))


@cache
def _installed(distribution: str) -> dict[str, str]:
    from packaging.requirements import Requirement

    versions = {"python": platform.python_version()}
    with suppress(PackageNotFoundError):
        for line in requires(distribution) or []:
            name = Requirement(line).name
            with suppress(PackageNotFoundError):
                versions[name] = version(name)
    return versions


@cache
def revision() -> str:
    """Return the commit of this program's source; '' where unknown.

    An image names it in the environment variable INTERACTIVENET_REVISION; git knows it of a
    working copy, and '-dirty' behind it says that something there is not committed.
    """
    if named := os.environ.get("INTERACTIVENET_REVISION"):
        return named
    if not (_ROOT / ".git").exists():
        return ""
    try:
        commit = _git("rev-parse", "HEAD")
        return f"{commit}-dirty" if _git("status", "-s", "-uno") else commit
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(*words: str) -> str:
    # without its optional locks, which would be in the way of who works in the folder
    return subprocess.run(
        ["git", "-C", str(_ROOT), *words], env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        capture_output=True, text=True, check=True, timeout=30,
    ).stdout.strip()  # fmt: skip


def _read_record(path: Path) -> dict[str, Any]:
    try:
        return read_object(path)
    except DataError:  # damaged: nothing to keep
        return {}


def _device() -> dict[str, Any]:
    device: dict[str, Any] = {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
    }
    torch = sys.modules.get("torch")  # a stage without the network does not load it for this
    if torch is not None and torch.cuda.is_available():
        device["cuda"] = torch.cuda.get_device_name()
    return device


def _plain(value: Any) -> Any:
    """Turn what arguments are made of into JSON data."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return value
