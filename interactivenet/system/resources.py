"""What a container, a batch system or systemd grants this process: CPU time and memory.

The machine's own numbers of cores and bytes say nothing about that. Both versions of Linux
control groups are read; on other systems there are no limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from interactivenet.system.mounts import read_mounts

#: version 1 writes the largest multiple of a page for 'no limit'
_UNLIMITED = 1 << 60


@dataclass(frozen=True)
class Limits:
    """The tightest limits of a process's control group and those around it; None: there is none.

    cores: of CPU time, may be a fraction.  memory: bytes.  used: bytes that the group with that
    limit holds, without files that are merely cached.
    """

    cores: float | None = None
    memory: int | None = None
    used: int | None = None


@dataclass(frozen=True)
class _Mount:
    """A mounted hierarchy: where, from which of its groups on, and what it controls.

    controls: controllers of version 1; empty for version 2.
    """

    folder: Path
    top: PurePosixPath
    controls: frozenset[str]


def read_limits(root: Path = Path("/")) -> Limits:
    """Read the limits of this process.  root: the folder in which proc/ and sys/ stand."""
    groups = _groups(root)
    cores: list[float] = []
    memory: list[tuple[int, Path, bool]] = []
    for mount in _mounts(root):
        newer = not mount.controls
        if newer or "cpu" in mount.controls:
            name = groups.get("" if newer else "cpu")
            for folder in _upwards(mount, name):
                quota = _quota(folder, newer)
                if quota is not None:
                    cores.append(quota)
        if newer or "memory" in mount.controls:
            name = groups.get("" if newer else "memory")
            for folder in _upwards(mount, name):
                limit = _number(folder / ("memory.max" if newer else "memory.limit_in_bytes"))
                if limit is not None and limit < _UNLIMITED:
                    memory.append((limit, folder, newer))
    if not memory:
        return Limits(min(cores, default=None))
    limit, folder, newer = min(memory)
    return Limits(min(cores, default=None), limit, _used(folder, newer))


def _groups(root: Path) -> dict[str, PurePosixPath]:
    """Return the group that this process is in, by controller; '' for version 2."""
    groups = {}
    for line in _text(root / "proc/self/cgroup").splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            for control in parts[1].split(","):
                groups[control] = PurePosixPath(parts[2])
    return groups


def _mounts(root: Path) -> Iterator[_Mount]:
    for mount in read_mounts(root / "proc/self/mountinfo"):
        if mount.kind in ("cgroup", "cgroup2"):
            controls = mount.options if mount.kind == "cgroup" else frozenset()
            folder = root / str(mount.point).lstrip("/")
            yield _Mount(folder, PurePosixPath(mount.root), controls)


def _upwards(mount: _Mount, group: PurePosixPath | None) -> Iterator[Path]:
    """Yield the folders of a group and of those around it, as far as they can be seen."""
    if group is None:
        return
    try:
        inside = group.relative_to(mount.top)
    except ValueError:  # a container that sees its own group as the top, by another name
        inside = PurePosixPath()
    if ".." in inside.parts:  # the process is outside of what its namespace shows
        inside = PurePosixPath()
    for part in (inside, *inside.parents):
        yield mount.folder / part
        if part == PurePosixPath():
            return


def _quota(folder: Path, newer: bool) -> float | None:
    """Return the cores' worth of CPU time of a group."""
    if newer:
        words = _text(folder / "cpu.max").split()
        if len(words) != 2 or not all(word.isdecimal() for word in words):  # 'max 100000', or none
            return None
        quota, period = int(words[0]), int(words[1])
    else:
        limit = _number(folder / "cpu.cfs_quota_us")
        length = _number(folder / "cpu.cfs_period_us")
        if limit is None or length is None:  # -1: no limit
            return None
        quota, period = limit, length
    return quota / period if quota and period else None


def _used(folder: Path, newer: bool) -> int | None:
    """Return the bytes that a group holds and that the system cannot take back at once."""
    used = _number(folder / ("memory.current" if newer else "memory.usage_in_bytes"))
    if used is None:
        return None
    cached = "inactive_file" if newer else "total_inactive_file"
    match = re.search(rf"^{cached} (\d+)$", _text(folder / "memory.stat"), re.MULTILINE)
    return max(0, used - (int(match[1]) if match else 0))


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdecimal() else None


def _text(path: Path) -> str:
    with suppress(OSError, ValueError):
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    return ""
