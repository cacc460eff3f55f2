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
#: what commands write: options that name a folder; a command that is not here needs none
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
    "evaluate": ("-o",),
    "evaluate --robustness": (RESULTS,),
    "deploy": (RESULTS, "--grand-challenge"),
    "infer": ("-o",),
    "models": (),
    "models download": (RESULTS,),
    "models install": (RESULTS,),
    "models remove": (RESULTS,),
    "models convert": (RESULTS,),
}
#: what they only read
_READ: dict[str, tuple[str, ...]] = {
    "plan": (RAW,),
    "train": (RAW, PROCESSED),
    "train --no-validate": (PROCESSED,),
    "postprocess": (PROCESSED,),
    "predict": (RAW, PROCESSED),
    "ensemble": (RAW, PROCESSED),
    "test": (RAW, PROCESSED),
    "evaluate --robustness": (RAW, PROCESSED),
    "infer": (RESULTS,),
    "models": (RESULTS,),
}
_LONG = {"-o": "--output"}
#: options of two letters, which are no flags in a row
_NO_BUNDLES = ("-in",)
#: an anonymous volume, which an engine makes where the image names a volume and the user does not:
#: docker's and podman's, nerdctl's, Kubernetes'. In the mount table its root ends so
_ANONYMOUS = re.compile(r"/volumes/(?:[^/]+/)?[0-9a-f]{64}(?:/_data)?$")
_TABLE = Path("/proc/self/mountinfo")
#: is there under Apptainer
_APPTAINER = Path("/.singularity.d")


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
    if not mounts or {"-h", "--help", "--version"} & set(words):
        return None
    named = next((one for one in words if not one.startswith("-")), "")
    written, read = (_of(table, named, words) for table in (_WRITTEN, _READ))
    if named == "infer" and _value(words, "--model") not in (None, "deployed", "own"):
        read = ()  # the model's folder is named
    for option in (*written, *read):
        path = _folder(named, words, option, environment)
        if path is None:
            continue
        if not lasts(path, mounts):
            return _how_to_mount(named, option, path, option in written)
        # of a folder that several share, perhaps only the task's own may be written to
        task = path / (_value(words, "-t") or _value(words, "--task") or "")
        if option in written and (why := _unwritable(task)):
            return f"{named} writes into {path}: {why}"
    return None


def _of(table: Mapping[str, tuple[str, ...]], named: str, words: Sequence[str]) -> tuple[str, ...]:
    """Look up a command; with a subcommand or a flag that changes what it needs, that."""
    more = (f"{named} {one}" for one in words)
    return next((table[one] for one in more if one in table), table.get(named, ()))


def _folder(
    named: str, words: Sequence[str], option: str, environment: Mapping[str, str]
) -> Path | None:
    """The folder that an option names or has as its default, None for none."""
    given = _value(words, option) or _value(words, _LONG.get(option, option))
    if option in _VARIABLES:
        given = given or environment.get(_VARIABLES[option])
    elif named == "demo":
        given = given or "demo"
    # as the table of mounts has it: without a look at links
    return None if not given else Path(os.path.abspath(given))  # noqa: PTH100


def _value(words: Sequence[str], option: str) -> str | None:
    """The value of an option, as click reads it: the last one.

    It is said as --name value, --name=value, -n value, -nvalue, or after flags, -wn value.
    """
    found = None
    for number, word in enumerate(words):
        following = words[number + 1] if number + 1 < len(words) else None
        if word == option:
            found = following
        elif option.startswith("--"):
            found = word.partition("=")[2] if word.startswith(f"{option}=") else found
        elif word.startswith(option):
            found = word.removeprefix(option)
        elif re.fullmatch(rf"-[a-z]{{1,2}}{option[1]}", word) and word not in _NO_BUNDLES:
            found = following
    return found


def lasts(path: Path, mounts: Sequence[Mount]) -> bool:
    """Whether what lies there outlives the container: it is mounted, and not by accident."""
    around = [mount for mount in mounts if path.is_relative_to(mount.point)]
    if not around:
        return False
    # of several at one point, the last covers the others
    nearest = max(enumerate(around), key=lambda one: (len(one[1].point.parts), one[0]))[1]
    if nearest.kind == "tmpfs" and nearest.root == "/" and not _APPTAINER.exists():
        return False  # docker run --tmpfs; under Apptainer it may be the host's own /tmp
    return nearest.point != Path("/") and not _ANONYMOUS.search(nearest.root)


def _unwritable(path: Path) -> str | None:
    """Why nothing can be written into a folder, which need not exist yet; None where it can."""
    # not Path.exists, which fails in a folder that may not be looked into
    existing = next(one for one in (path, *path.parents) if os.path.exists(one))  # noqa: PTH110
    if os.access(existing, os.W_OK | os.X_OK):
        return None
    if _read_only(existing):
        return "it is mounted read-only, to be mounted without :ro"
    owner, user = existing.stat(), os.getuid()
    if owner.st_uid == user:
        return (
            f"{existing} may not be written to by its owner, mode {owner.st_mode & 0o7777:o} (or"
            " SELinux forbids it: docker run -v FOLDER:...:z)"
        )
    return (
        f"{existing} belongs to user {owner.st_uid}, and this is {user}: run the container as who"
        ' may write there (docker run --user "$(id -u):$(id -g)", podman run --userns keep-id), or'
        f" change its owner (chown -R {user}:{os.getgid()} FOLDER)"
    )


def _read_only(path: Path) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _how_to_mount(named: str, option: str, path: Path, written: bool) -> str:
    volume = next((one for one in (Path("/data"), Path("/results")) if path.is_relative_to(one)),
                  path)  # fmt: skip
    why = "what is written there is lost with the container" if written else "it is read there"
    name = option if option.startswith("--") else f"{option} {path}"
    return (
        f"{named} needs {volume} ({name}), where nothing is mounted, and {why}:"
        f" docker run -v FOLDER:{volume}, or apptainer run -B FOLDER:{volume}"
    )


def _plain(text: str) -> str:
    r"""A field of the mount table without its escapes: '\040' is a space."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
