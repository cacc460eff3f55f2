"""Are the libraries there, new enough, and do they start?"""

from __future__ import annotations

import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec

from interactivenet import __version__
from interactivenet.doctor.checks import Check
from interactivenet.errors import one_line
from interactivenet.system.provenance import DISTRIBUTION, libraries

#: the versions that are shown; as pyproject.toml's metadata names them
_SHOWN = ("torch", "monai", "lightning", "numpy", "simpleitk", "numba", "mlflow")
#: what is imported for a try; the last one imports the rest of this package
_IMPORTED = ("numpy", "SimpleITK", "numba", "torch", "monai", "lightning", "mlflow",
             "interactivenet.training.trainer")  # fmt: skip
#: seconds; a cold network file system takes its time
_PATIENCE = 300
_PROGRAM = """
import importlib, sys
sys.path[:] = {path!r}
for name in {names!r}:
    try:
        importlib.import_module(name)
        said = ""
    except Exception as error:
        said = " ".join(f"{{type(error).__name__}}: {{error}}".split())
    print("imported", name, said, sep="\\t", flush=True)
"""
_INSTALL = "install again with pip install -c constraints.txt, or use another image"


@dataclass(frozen=True)
class Imports:
    """How a process fared that imported ``wanted``, one after the other.

    said: '' for each that it could import, else why not; those that it did not get to are not in
    it.  code: its exit status, negative for a signal; None where it was given up.
    """

    wanted: tuple[str, ...]
    said: Mapping[str, str]
    code: int | None


def check_versions() -> list[Check]:
    """Check versions by what the package's metadata asks for."""
    try:
        wanted, there = requires(DISTRIBUTION) or [], libraries()
    except PackageNotFoundError:
        return [
            Check("interactivenet", "note", f"{__version__}, not installed but run from a folder:"
                  " the versions of libraries are unknown", "pip install it")
        ]  # fmt: skip
    python = Check("interactivenet", "ok", f"{__version__}, Python {platform.python_version()}")
    return [python, *judge_versions(wanted, there), judge_geodistk(_importable("GeodisTK"))]


def judge_versions(wanted: Sequence[str], found: Mapping[str, str]) -> list[Check]:
    """Compare versions with requirements such as 'torch>=2.4', those of extras left out."""
    checks = []
    for name, least in minimums(wanted):
        there = found.get(name)
        if there is None:
            checks.append(Check(name, "problem", "is not installed", _INSTALL))
        elif _numbers(there) < _numbers(least):
            checks.append(Check(name, "problem", f"{there}, expected >= {least}", _INSTALL))
    known = ", ".join(f"{name} {found[name]}" for name in _SHOWN if found.get(name))
    return [Check("libraries", "ok", known), *checks]


def judge_geodistk(there: bool) -> Check:
    """Say whether the original's own kernel can be asked for; nothing needs it."""
    if there:
        return Check("GeodisTK", "ok", "installed: kernel geodistk")
    return Check("GeodisTK", "note", "not installed: kernel geodistk not available")


def minimums(wanted: Sequence[str]) -> list[tuple[str, str]]:
    """Return names and lowest versions ('0' for any) of requirements that hold everywhere.

    Those with a condition, of extras for the most part, are left out.
    """
    found = []
    for line in wanted:
        requirement, _, marker = line.partition(";")
        name = re.match(r"[\w.-]+", requirement.strip())
        if name and not marker:
            least = re.search(r">=\s*([\d.]+)", requirement)
            found.append((name[0], least[1] if least else "0"))
    return found


def check_imports() -> list[Check]:
    """Import the large libraries in another process: some machines do not survive it."""
    command = [sys.executable, "-c", _PROGRAM.format(path=sys.path, names=_IMPORTED)]
    code: int | None = None
    try:
        with _apart() as places:
            ended = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=_PATIENCE,
                env={**os.environ, **places},
            )  # fmt: skip
            printed, code = ended.stdout, ended.returncode
    except subprocess.TimeoutExpired as error:
        printed = error.stdout or b""
    rows = [line.split("\t", 2)[1:] for line in printed.decode(errors="replace").splitlines()
            if line.startswith("imported\t")]  # fmt: skip
    return judge_imports(Imports(_IMPORTED, dict(rows), code))


@contextmanager
def _apart() -> Iterator[dict[str, str]]:
    """Give variables that say where libraries put what they make when imported, and remove it."""
    with ExitStack() as after:
        places = {}
        with suppress(OSError):  # nowhere to write: nothing will be left
            folder = after.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            places = dict.fromkeys(("TMPDIR", "MPLCONFIGDIR", "NUMBA_CACHE_DIR"), folder)
        yield places


def judge_imports(facts: Imports) -> list[Check]:
    """Name the libraries that could not be imported, and why."""
    found = [_judge_import(name, said) for name, said in facts.said.items() if said]
    broken = [name for name in facts.wanted if name not in facts.said]
    if broken:
        found.append(_judge_end(broken[0], facts.code))
    return found or [Check("imports", "ok", "all libraries can be imported")]


def _judge_import(name: str, said: str) -> Check:
    remedy = _INSTALL
    if "getpw" in said or "No username" in said:
        remedy = "give the user a name: docker run -e USER=me"
    elif "home directory" in said:
        remedy = "give the user a home folder: docker run -e HOME=/tmp"
    what = f"cannot be imported: {one_line(said)}"
    if name == "mlflow":
        return Check(name, "note", f"{what}; trainings go on without it", remedy)
    return Check(name, "problem", what, remedy)


def _judge_end(name: str, code: int | None) -> Check:
    """Judge what the process was importing when it ended."""
    if code is None:
        what = f"was not imported within {_PATIENCE} s"
        remedy = "a slow file system: copy the installation or image to a local disk"
        return Check(name, "problem", what, remedy)
    ended = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    remedy = {
        "SIGILL": "this processor lacks instructions that it needs: use another machine",
        "SIGKILL": "give it more memory: docker run --memory, sbatch --mem",
    }.get(ended, _INSTALL)
    return Check(name, "problem", f"cannot be imported: it ends the process ({ended})", remedy)


def _numbers(text: str) -> tuple[int, ...]:
    """Return (2, 13, 0) of '2.13.0+cpu'; what is no number at the end does not count."""
    start = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in start[0].split(".")) if start else ()


def _importable(name: str) -> bool:
    return find_spec(name) is not None
