"""Are the libraries installed and new enough, and can they be imported?"""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec

from packaging.requirements import Requirement

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
        fault = ""
    except Exception as error:
        fault = " ".join(f"{{type(error).__name__}}: {{error}}".split())
    print("imported", name, fault, sep="\\t", flush=True)
"""
_INSTALL = "reinstall with pip install -c constraints.txt, or use another image"


@dataclass(frozen=True)
class Imports:
    """What came of a process that imported ``wanted``, one after the other.

    faults: '' for each that it could import, otherwise why not; those that it did not reach are
    left out.  code: its exit status, negative for a signal; None where it took too long.
    """

    wanted: tuple[str, ...]
    faults: Mapping[str, str]
    code: int | None


def check_versions() -> list[Check]:
    """Check versions by what the package's metadata asks for."""
    try:
        wanted = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return [
            Check("interactivenet", "note", f"{__version__}, run from a folder without installing:"
                  " the versions of libraries that it needs are unknown", "pip install it")
        ]  # fmt: skip
    python = Check("interactivenet", "ok", f"{__version__}, Python {platform.python_version()}")
    return [python, *judge_versions(wanted, libraries()), judge_geodistk(_importable("GeodisTK"))]


def judge_versions(wanted: Sequence[str], installed: Mapping[str, str]) -> list[Check]:
    """Compare versions with requirements such as 'torch>=2.4', those of extras left out."""
    checks = []
    for requirement in map(Requirement, wanted):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        version = installed.get(requirement.name)
        if version is None:
            checks.append(Check(requirement.name, "problem", "is not installed", _INSTALL))
        elif not requirement.specifier.contains(version, prereleases=True):
            finding = f"{version}, expected {requirement.specifier}"
            checks.append(Check(requirement.name, "problem", finding, _INSTALL))
    shown = ", ".join(f"{name} {installed[name]}" for name in _SHOWN if installed.get(name))
    return [Check("libraries", "ok", shown), *checks]


def judge_geodistk(installed: bool) -> Check:
    """Say whether the kernel of the original program is available; nothing needs it."""
    if installed:
        return Check("GeodisTK", "ok", "installed: the kernel geodistk is available")
    return Check("GeodisTK", "note", "not installed: the kernel geodistk is not available")


def check_imports() -> list[Check]:
    """Import the large libraries in another process: some machines do not survive it."""
    command = [sys.executable, "-c", _PROGRAM.format(path=sys.path, names=_IMPORTED)]
    code: int | None = None
    try:
        with _temporary_folders() as variables:
            ended = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=_PATIENCE,
                env={**os.environ, **variables},
            )  # fmt: skip
            printed, code = ended.stdout, ended.returncode
    except subprocess.TimeoutExpired as error:
        printed = error.stdout or b""
    rows = [line.split("\t", 2)[1:] for line in printed.decode(errors="replace").splitlines()
            if line.startswith("imported\t")]  # fmt: skip
    return judge_imports(Imports(_IMPORTED, dict(rows), code))


@contextmanager
def _temporary_folders() -> Iterator[dict[str, str]]:
    """Yield environment variables that let libraries write into a folder that is then removed."""
    with ExitStack() as after:
        variables = {}
        with suppress(OSError):  # nowhere to write: nothing will be left
            folder = after.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            variables = dict.fromkeys(("TMPDIR", "MPLCONFIGDIR", "NUMBA_CACHE_DIR"), folder)
        yield variables


def judge_imports(facts: Imports) -> list[Check]:
    """Name the libraries that could not be imported, and why."""
    checks = [_judge_import(name, fault) for name, fault in facts.faults.items() if fault]
    missing = [name for name in facts.wanted if name not in facts.faults]
    if missing:
        checks.append(_judge_end(missing[0], facts.code))
    return checks or [Check("imports", "ok", "all libraries can be imported")]


def _judge_import(name: str, fault: str) -> Check:
    remedy = _INSTALL
    if "getpw" in fault or "No username" in fault:
        remedy = "give the user a name: docker run -e USER=me"
    elif "home directory" in fault:
        remedy = "give the user a home folder: docker run -e HOME=/tmp"
    finding = f"cannot be imported: {one_line(fault)}"
    if name == "mlflow":
        return Check(name, "note", f"{finding}; training works without it", remedy)
    return Check(name, "problem", finding, remedy)


def _judge_end(name: str, code: int | None) -> Check:
    """Judge what the process was importing when it ended."""
    if code is None:
        finding = f"importing it takes more than {_PATIENCE} s"
        remedy = "if the file system is slow, copy the installation or image to a local disk"
        return Check(name, "problem", finding, remedy)
    ended = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    remedy = {
        "SIGILL": "use another machine: this processor lacks instructions that the library needs",
        "SIGKILL": "allow more memory: docker run --memory, sbatch --mem",
    }.get(ended, _INSTALL)
    return Check(
        name, "problem", f"cannot be imported: importing it ends the process ({ended})", remedy
    )


def _importable(name: str) -> bool:
    return find_spec(name) is not None
