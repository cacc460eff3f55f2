"""Options that name files and folders: whether a command reads or writes there, and what it lacks.

In the image, what is written where nothing is mounted is lost with the container, and folders that
were not mounted are missing or empty. So each command is refused in one line that says how to
mount them, before it does anything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click

from interactivenet.system.mounts import Mount, in_image, lasts, nearest, read_mounts

Access = Literal["reads", "writes", "ignores"]
#: what decides it: the values of all options of the command, by their names
Rule = Callable[[Mapping[str, Any]], Access]
#: options that have a default where they are not given (datasets/task.py), and a folder per task
_ROOTS = ("raw", "processed", "results")
#: the image's volumes
_VOLUMES = (Path("/data"), Path("/results"))


class DataPath(click.Path):
    """A file or folder that a command reads or writes.

    access: which of both, always or by the values of the command's options; 'ignores' where the
    command can do without it.  more: as for click.Path.
    """

    def __init__(self, access: Access | Rule, **more: Any) -> None:
        super().__init__(path_type=Path, **more)
        self._access = access

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Make it a path; what is missing in a container is said with how to mount it, later."""
        if in_image() and not os.path.lexists(value):
            return Path(os.fsdecode(value))
        return super().convert(value, param, ctx)

    def access(self, options: Mapping[str, Any]) -> Access:
        """Say what a command with these options does there."""
        return self._access if isinstance(self._access, str) else self._access(options)


def only_with(flag: str, access: Access = "reads") -> Rule:
    """Return a rule: the access with an option, 'ignores' without it.  flag: its Python name."""
    return lambda options: access if options[flag] else "ignores"


@dataclass(frozen=True)
class _Need:
    """A path that a command needs.

    name: of the option, as one types it.  folder: that must be mounted for it.  task: the folder
    in it that is the task's own.  must_exist: it is read, wherever it is.
    """

    name: str
    path: Path
    folder: Path
    task: Path
    written: bool
    must_exist: bool = False


def describe_missing_folder(ctx: click.Context) -> str | None:
    """Say in a line what the running command lacks in its container; None where nothing.

    Not in the image, or where there is no mount table, nothing is ever missing.
    """
    mounts = read_mounts() if in_image() else []
    if not mounts:
        return None
    command = ctx.command_path.removeprefix("interactivenet ")
    for need in sorted(_needs(ctx), key=lambda need: not need.written):
        if not (lasts(need.folder, mounts) if need.written else _is_there(need.path, mounts)):
            return _how_to_mount(command, need)
        if need.must_exist and not _exists(need.path):
            return (
                f"{command} needs {need.name}, which does not exist in this container: paths are"
                " those in the container, below what is mounted with docker run -v FOLDER:PLACE,"
                " or apptainer run -B FOLDER:PLACE"
            )
        if need.written and (reason := _why_unwritable(need.task)):
            return f"{command} writes into {need.path}: {reason}"
    return None


def _needs(ctx: click.Context) -> Iterator[_Need]:
    for parameter in ctx.command.params:
        if not isinstance(parameter.type, DataPath) or parameter.name is None:
            continue
        access = parameter.type.access(ctx.params)
        if access == "ignores":
            continue
        written, is_root = access == "writes", parameter.name in _ROOTS
        given = ctx.params[parameter.name]
        if given is None and is_root:
            given = _default_root(parameter.name)
        for value in given if isinstance(given, tuple) else [given] if given is not None else []:
            # as the mount table has it: links are not followed
            path = Path(os.path.abspath(value))  # noqa: PTH100
            # of results that several users share, perhaps only the task's own may be written to
            task = path / (ctx.params.get("task") or "") if is_root else path
            is_file = not parameter.type.dir_okay or path.is_file() or (
                not written and not is_root and path.suffix
            )  # fmt: skip
            # a file in / is mounted alone: the whole of / cannot be
            folder = path.parent if is_file and path.parent.name else path
            must_exist = not written and not is_root
            yield _Need(_typed(parameter, path, ctx), path, folder, task, written, must_exist)


def _default_root(name: str) -> Path:
    from interactivenet.datasets.roots import Roots

    root: Path = getattr(Roots.choose(), name)
    return root


def _typed(parameter: click.Parameter, path: Path, ctx: click.Context) -> str:
    if isinstance(parameter, click.Argument):
        return parameter.make_metavar(ctx)
    name = min(parameter.opts, key=len)
    return name if name.startswith("--") else f"{name} {path}"


def _is_there(path: Path, mounts: Sequence[Mount]) -> bool:
    """Whether something can be read: it is mounted, or was put into the image."""
    mount = nearest(path, mounts)
    # not Path.exists, which fails in a folder that may not be looked into
    exists = os.path.exists(path)  # noqa: PTH110
    return lasts(path, mounts) or (exists and mount is not None and not mount.is_anonymous)


def _exists(path: Path) -> bool:
    return os.path.lexists(path)


def _why_unwritable(path: Path) -> str | None:
    """Say why nothing can be written in a folder, which need not exist yet; None where it can."""
    # not Path.is_dir, which fails in a folder that may not be looked into
    folder = next(place for place in (path, *path.parents) if os.path.isdir(place))  # noqa: PTH112
    if os.access(folder, os.W_OK | os.X_OK):
        return None
    if _is_read_only(folder):
        return "it is mounted read-only: mount it without :ro"
    owner, user = folder.stat(), os.getuid()
    if owner.st_uid == user:
        return (
            f"{folder} is not writable by its owner, mode {owner.st_mode & 0o7777:o}: run chmod u+w"
            " FOLDER; or, if SELinux forbids writing, docker run -v FOLDER:...:z"
        )
    return (
        f"{folder} belongs to user {owner.st_uid}, but the container runs as user {user}: run it as"
        ' a user who may write there (docker run --user "$(id -u):$(id -g)", podman run --userns'
        f" keep-id), or change the folder's owner (chown -R {user}:{os.getgid()} FOLDER)"
    )


def _is_read_only(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _how_to_mount(command: str, need: _Need) -> str:
    inside = (volume for volume in _VOLUMES if need.path.is_relative_to(volume))
    volume = next(inside, need.folder)
    if need.written:
        reason = "nothing is mounted there, so that its output would be lost with the container"
    else:
        reason = "nothing is mounted there"
    return (
        f"{command} needs {volume} ({need.name}), but {reason}: use"
        f" docker run -v FOLDER:{volume}, or apptainer run -B FOLDER:{volume}"
    )
