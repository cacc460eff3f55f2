"""What a container must have mounted for a command: what is written elsewhere is lost with it.

Imports nothing that takes time: it runs before every command of the image.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RAW, PROCESSED, RESULTS = "--raw", "--processed", "--results"
_VARIABLES = {
    RAW: "interactivenet_raw",
    PROCESSED: "interactivenet_processed",
    RESULTS: "interactivenet_results",
}
#: what commands write, and what they only read; a command that is not here needs no folder
_WRITTEN: dict[str, tuple[str, ...]] = {
    "demo": ("-o",),
    "dataset": (RAW,),
    "simulate": (RAW,),
    "plan": (PROCESSED,),
    "train": (RESULTS,),
    "postprocess": (RESULTS,),
    "predict": (RESULTS,),
    "ensemble": (RESULTS,),
    "test": (RESULTS,),
    "deploy": (RESULTS,),
    "infer": ("-o",),
    "models": (RESULTS,),
}
_READ: dict[str, tuple[str, ...]] = {
    "plan": (RAW,),
    "train": (RAW, PROCESSED),
    "postprocess": (RAW, PROCESSED),
    "predict": (RAW, PROCESSED),
    "ensemble": (RAW, PROCESSED),
    "test": (RAW, PROCESSED),
    "infer": (RESULTS,),
}
#: options that make a root unnecessary
_INSTEAD = {("infer", RESULTS): "--model"}
_LONG = {"-o": "--output"}
#: an anonymous volume, which docker and podman make where the image names a volume and the user
#: does not; in the mount table its root is this
_ANONYMOUS = re.compile(r"/volumes/[0-9a-f]{64}/_data$")
_TABLE = Path("/proc/self/mountinfo")


@dataclass(frozen=True)
class Mount:
    """A line of the mount table.

    point: where.  root: the part of the file system that is mounted there.  kind, options: of it.
    """

    point: Path
    root: str
    kind: str = ""
    options: frozenset[str] = frozenset()


def read_mounts(table: Path = _TABLE) -> list[Mount]:
    """Read the mount table (man 5 proc_pid_mountinfo); [] where there is none."""
    try:
        lines = table.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        place, _, what = line.partition(" - ")
        fields, kinds = place.split(" "), what.split(" ")
        if len(fields) > 4 and len(kinds) > 2:
            root, point = (_plain(field) for field in fields[3:5])
            found.append(Mount(Path(point), root, kinds[0], frozenset(kinds[2].split(","))))
    return found


def missing(
    words: Sequence[str], environment: Mapping[str, str], mounts: Sequence[Mount]
) -> str | None:
    """Say in a line what a command lacks to run in this container; None where nothing.

    words: the command and its options, as typed after the image's name.
    """
    if not words or not mounts or {"-h", "--help", "--version"} & set(words):
        return None
    command = words[0]
    for option in (*_WRITTEN.get(command, ()), *_READ.get(command, ())):
        written = option in _WRITTEN.get(command, ())
        instead = _INSTEAD.get((command, option))
        if instead and _value(words, instead):
            continue
        path = _folder(words, option, environment)
        if path is None:
            continue
        if not lasts(path, mounts):
            return _how_to_mount(command, option, path, written)
        if written and (why := _unwritable(path)):
            return f"{command} writes into {path}: {why}"
    return None


def _folder(words: Sequence[str], option: str, environment: Mapping[str, str]) -> Path | None:
    """The folder that an option names or has as its default, None for none."""
    given = _value(words, option) or _value(words, _LONG.get(option, option))
    if option in _VARIABLES:
        given = given or environment.get(_VARIABLES[option])
    elif words[0] == "demo":
        given = given or "demo"
    # as the table of mounts has it: without a look at links
    return None if not given else Path(os.path.abspath(given))  # noqa: PTH100


def _value(words: Sequence[str], option: str) -> str | None:
    """The value of an option, as click reads it: --name value, --name=value, -o value."""
    for number, word in enumerate(words):
        if word == option and number + 1 < len(words):
            return words[number + 1]
        if word.startswith(f"{option}=") and option.startswith("--"):
            return word.partition("=")[2]
    return None


def lasts(path: Path, mounts: Sequence[Mount]) -> bool:
    """Whether what lies there outlives the container: it is mounted, and not by accident."""
    around = [mount for mount in mounts if path.is_relative_to(mount.point)]
    if not around:
        return False
    # of several at one point, the last covers the others
    nearest = max(enumerate(around), key=lambda one: (len(one[1].point.parts), one[0]))[1]
    return nearest.point != Path("/") and not _ANONYMOUS.search(nearest.root)


def _unwritable(path: Path) -> str | None:
    """Why nothing can be written into a folder, which need not exist yet; None where it can."""
    # not Path.exists, which fails in a folder that may not be looked into
    existing = next(one for one in (path, *path.parents) if os.path.exists(one))  # noqa: PTH110
    if os.access(existing, os.W_OK | os.X_OK):
        return None
    if _read_only(existing):
        return "it is mounted read-only, to be mounted without :ro"
    owner = existing.stat()
    return (
        f"{existing} belongs to user {owner.st_uid}, and this is {os.getuid()}: run the container"
        ' as who may write there (docker run --user "$(id -u):$(id -g)"), or give it away on the'
        " host"
        f" (chown -R {os.getuid()}:{os.getgid()} FOLDER)"
    )


def _read_only(path: Path) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _how_to_mount(command: str, option: str, path: Path, written: bool) -> str:
    volume = next((one for one in (Path("/data"), Path("/results")) if path.is_relative_to(one)),
                  path)  # fmt: skip
    why = "what is written there is lost with the container" if written else "it is read there"
    name = option if option.startswith("--") else f"{option} {path}"
    return (
        f"{command} needs {volume} ({name}), where nothing is mounted, and {why}:"
        f" docker run -v FOLDER:{volume}, or apptainer run -B FOLDER:{volume}"
    )


def _plain(text: str) -> str:
    r"""A field of the mount table without its escapes: '\040' is a space."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
