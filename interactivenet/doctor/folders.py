"""Can the folders be read and written, and do the file operations work that commands need?"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from interactivenet.doctor.checks import Check, Status, gigabytes, isolated
from interactivenet.system.mounts import in_image, lasts, read_mounts

if TYPE_CHECKING:
    from interactivenet.datasets.roots import Roots

#: bytes: less is not enough for a checkpoint; less than the second is soon used up
_LEAST_FREE, _GOOD_FREE = 10**8, 5 * 10**9
_FREE_TEMPORARY = "free some space, or set TMPDIR to another folder"
#: what need not be writable, and for what that is enough
_READ_ONLY = {"raw": "anything but making a task", "processed": "anything but planning"}


@dataclass(frozen=True)
class FolderFacts:
    """What can be done in a folder: '' for each thing that can, otherwise why it cannot.

    kind: for 'missing', the rest describes the nearest existing folder above it.  locks: 'no' where
    the file system has none, which the commands tolerate.  free: bytes.
    """

    path: Path
    kind: Literal["folder", "missing", "other"]
    place: Path
    read: str = ""
    write: str = ""
    rename: str = ""
    locks: str = ""
    free: int = 0


def check_folders(roots: Roots) -> list[Check]:
    """Check the three roots, the temporary folder and the home folder."""
    inside = in_image()
    mounts = read_mounts() if inside else []
    checks = []
    for name, path in (
        ("raw", roots.raw), ("processed", roots.processed), ("results", roots.results)
    ):  # fmt: skip

        def check(name: str = name, path: Path = path) -> list[Check]:
            lost = bool(mounts) and not lasts(path.absolute(), mounts)
            return [judge_folder(name, read_folder(path), container=inside, lost=lost)]

        checks += isolated(name, check)
    checks += isolated("temporary files", lambda: [_temporary()])
    return [*checks, *isolated("home", lambda: [_home()])]


def read_folder(path: Path) -> FolderFacts:
    """Try what the commands do in a folder; leaves nothing behind."""
    place = path.absolute()
    while not _exists(place) and place != place.parent:
        place = place.parent
    if not place.is_dir():
        return FolderFacts(path, "other", place)
    kind: Literal["folder", "missing"] = "folder" if place == path.absolute() else "missing"
    read = write = rename = locks = ""
    free = 0
    try:
        with os.scandir(place) as entries:
            next(entries, None)
    except OSError as error:
        read = _reason(error)
    try:
        free = shutil.disk_usage(place).free
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=place) as folder:
            rename = _try_rename(Path(folder))
            locks = _try_locks(Path(folder))
    except OSError as error:
        write = _reason(error)
    return FolderFacts(path, kind, place, read, write, rename, locks, free)


def judge_folder(
    name: str, facts: FolderFacts, *, container: bool = False, lost: bool = False
) -> Check:
    """Judge one of the folders of tasks.

    name: of its option.  container: whether this is one.  lost: whether nothing is mounted there,
    so that what is written is lost with the container.
    """
    path = facts.path
    elsewhere = f"choose another folder with --{name} or the variable interactivenet_{name}"
    remedy = f"make it writable for this user, or {elsewhere}"
    if container:
        # raw and processed stand together in the image, in /data
        top = path.absolute().parent if path.name == name != "results" else path.absolute()
        mount = f"docker run -v FOLDER:{top} --user $(id -u):$(id -g)"
        remedy = f"mount a folder that this user may write to ({mount}), or {elsewhere}"
    unwritable: Status = "note" if name in _READ_ONLY else "problem"
    if facts.kind == "other":
        return Check(name, "problem", f"{facts.place} is not a folder", elsewhere)
    if facts.kind == "missing":
        if facts.write:
            fault = f"{path} does not exist and cannot be created: {facts.place}: {facts.write}"
            return Check(name, unwritable, fault, remedy)
        finding = f"{path} does not exist yet: it will be created"
    elif facts.read:
        return Check(name, "problem", f"{path} cannot be read: {facts.read}", remedy)
    elif facts.write:
        fault = f"{path} cannot be written: {facts.write}"
        if name in _READ_ONLY:
            return Check(name, "note", f"{fault}; reading is enough for {_READ_ONLY[name]}")
        return Check(name, "problem", fault, remedy)
    else:
        finding = str(path)
    if lost:
        fault = f"{path}: nothing is mounted there, and commands that need it will refuse to run"
        return Check(name, "note", fault, remedy)
    finding = f"{finding}, {gigabytes(facts.free)} free"
    if facts.rename:
        fault = f"{finding}: files in it cannot be renamed: {facts.rename}"
        return Check(name, "problem", fault, elsewhere)
    return _judge_room(
        name, _judge_locks(name, finding, facts.locks, elsewhere), facts.free, elsewhere
    )


def _judge_locks(name: str, finding: str, locks: str, remedy: str) -> Check:
    if locks == "no":
        fault = f"{finding}; the file system has no locks: two runs at once go unnoticed, and"
        fault += " may damage MLflow's database"
        return Check(name, "note", fault, f"{remedy}, or use --no-mlflow")
    if locks:
        return Check(name, "problem", f"{finding}: files in it cannot be locked: {locks}", remedy)
    return Check(name, "ok", finding)


def _judge_room(name: str, check: Check, free: int, remedy: str) -> Check:
    if check.status == "problem" or free >= _GOOD_FREE or name == "raw":
        return check
    if free < _LEAST_FREE:
        return Check(
            name, "problem", f"{check.found}: the disk is full", f"free some space, or {remedy}"
        )
    if check.status == "ok":
        return Check(
            name, "note", f"{check.found}: it will soon be full", f"free some space, or {remedy}"
        )
    return check


def _exists(path: Path) -> bool:
    """Whether a path exists; one that may not be looked at counts as missing."""
    try:
        return path.exists() or path.is_symlink()
    except OSError:
        return False


def _try_rename(folder: Path) -> str:
    """Replace a file by another one, as is done for every result."""
    try:
        (folder / "old").write_bytes(b"old")
        (folder / "new").write_bytes(b"new")
        (folder / "new").replace(folder / "old")
        return "" if (folder / "old").read_bytes() == b"new" else "the old file is still there"
    except OSError as error:
        return _reason(error)


def _try_locks(folder: Path) -> str:
    """Lock a file as filelock does, and see that it cannot be locked again meanwhile.

    Not by filelock itself, which falls back on another kind of lock where this one is missing.
    """
    try:
        import fcntl
    except ImportError:  # Windows, whose own locks need no try
        return ""
    path = folder / "lock"
    with path.open("w") as first, path.open("w") as second:
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            missing = error.errno in (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK)
            return "no" if missing else _reason(error)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return ""
        return "no"  # granted twice: it is none


def _temporary() -> Check:
    try:
        folder = Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        remedy = "set TMPDIR to a writable folder, or use docker run --tmpfs /tmp"
        return Check("temporary files", "problem", _reason(error), remedy)
    free = shutil.disk_usage(folder).free
    finding = f"{folder}, {gigabytes(free)} free"
    if free < _LEAST_FREE:
        return Check("temporary files", "note", f"{finding}: nearly full", _FREE_TEMPORARY)
    return Check("temporary files", "ok", finding)


def _home() -> Check:
    try:
        home = Path.home()
    except RuntimeError:  # a user without a passwd entry and HOME
        fault = "this user has no home folder, without which MLflow cannot be imported"
        return Check("home", "note", fault, "use docker run -e HOME=/tmp")
    facts = read_folder(home)
    if facts.kind == "folder" and not facts.write:
        return Check("home", "ok", str(home))
    reason = facts.write or ("does not exist" if facts.kind == "missing" else "is not a folder")
    return Check("home", "note", f"{home} cannot be written: {reason}; it is not needed")


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
