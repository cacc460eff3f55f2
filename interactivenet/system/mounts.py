"""The mount table: what is mounted where, and whether what lies there outlives this container."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: an anonymous volume, which an engine makes where an image declares a volume and the user mounts
#: nothing there: the forms of several engines. In the mount table, its root ends like this
_ANONYMOUS = re.compile(r"/volumes/(?:[^/]+/)?[0-9a-f]{64}(?:/_data)?$")
_TABLE = Path("/proc/self/mountinfo")
#: exists where the container shares the host's /tmp
_SHARED_TMP = Path("/.singularity.d")


@dataclass(frozen=True)
class Mount:
    """A line of the mount table.

    point: where.  root: the part of the file system that is mounted there.  kind, options: of it.
    """

    point: Path
    root: str
    kind: str = ""
    options: frozenset[str] = frozenset()

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody asked for this volume: it goes with the container."""
        return bool(_ANONYMOUS.search(self.root))


def in_image() -> bool:
    """Whether this program runs in its image, where only what is mounted lasts."""
    return bool(os.environ.get("INTERACTIVENET_IMAGE"))


def read_mounts(table: Path = _TABLE) -> list[Mount]:
    """Read the mount table (man 5 proc_pid_mountinfo); [] where there is none."""
    try:
        lines = table.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []
    mounts = []
    for line in lines:
        place, _, file_system = line.partition(" - ")
        fields, kinds = place.split(" "), file_system.split(" ")
        if len(fields) > 4 and len(kinds) > 2:
            root, point = (_unescape(field) for field in fields[3:5])
            mounts.append(Mount(Path(point), root, kinds[0], frozenset(kinds[2].split(","))))
    return mounts


def lasts(path: Path, mounts: Sequence[Mount]) -> bool:
    """Whether what lies at an absolute path outlives the container: it was mounted on purpose."""
    mount = nearest(path, mounts)
    if mount is None or mount.point == Path("/"):
        return False
    if mount.kind == "tmpfs" and mount.root == "/" and not _SHARED_TMP.exists():
        return False
    return not mount.is_anonymous


def nearest(path: Path, mounts: Sequence[Mount]) -> Mount | None:
    """Return the mount that an absolute path is in; of several at one point, the last, on top."""
    around = [mount for mount in mounts if path.is_relative_to(mount.point)]
    return max(reversed(around), key=lambda mount: len(mount.point.parts), default=None)


def _unescape(text: str) -> str:
    r"""Return a field of the mount table without its escapes: '\040' is a space."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
