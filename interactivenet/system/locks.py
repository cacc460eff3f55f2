"""Who may write into a folder: one run alone, or any number of shards of one job.

A run alone holds ``FOLDER/.lock``. A shard holds ``FOLDER/shards/I-of-N/.lock``, and the run's lock
only for the moment in which it begins; ``FOLDER/shards/.lock`` is the door through which shards and
runs pass one at a time, so that none is refused because another one is just looking. Locks end with
their process, however that ends; on a file system without locks there are none.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from interactivenet.errors import DataError, RequestError
from interactivenet.system.files import remove

#: in a folder, what its shards note and lock
SHARDS = "shards"
#: the folder of a shard in it
_SHARD = re.compile(r"([1-9]\d{0,4})-of-([1-9]\d{0,4})")
_LOCK = ".lock"
#: temporary names of :func:`interactivenet.system.files.replacing`
_TEMPORARY = re.compile(r"\.\d+-[0-9a-f]{8}-.+")
#: errors of a file system without locks
_NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK}
#: seconds within which those that are beginning have passed the door
_AT_THE_DOOR = 300.0


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Make sure that no other run, and no shard, writes into a folder, which is made if need be.

    Temporary files that killed runs left in the folder, those right below and those of its shards
    are removed. Raises RequestError where another run or a shard is writing, DataError where the
    folder is not writable.
    """
    with ExitStack() as opened:
        with ExitStack() as beginning:
            if (folder / SHARDS).is_dir():
                beginning.enter_context(_door(folder))
            opened.enter_context(
                _held(folder, folder / _LOCK, RequestError(
                    f"{folder}: another run is writing to it", remedy="wait until that has ended"
                ))
            )  # fmt: skip
            if running := _running_shard(folder):
                raise RequestError(
                    f"{folder}: shard {running} is writing to it",
                    remedy="wait until all shards have ended",
                )
        _sweep(folder)
        for below in _folders_in(folder):
            _sweep(below)
        for place in shard_folders(folder):
            _sweep(place)
        yield


@contextmanager
def shard_lock(folder: Path, number: int, of: int) -> Iterator[None]:
    """Make sure that only other shards of the same job write into a folder while this one does.

    Both are made if need be. Temporary files are left alone: they may be another shard's.
    Raises RequestError where a run without shards, the same shard or one of another number of
    shards is writing, DataError where the folder is not writable.
    """
    place = shard_folder(folder, number, of)
    with ExitStack() as opened:
        with _door(folder), _held(folder, folder / _LOCK, RequestError(
            f"{folder}: a run without shards is writing to it, or gathers them",
            remedy="wait until that has ended",
        )):  # fmt: skip
            if running := _running_shard(folder, but_of=of):
                raise RequestError(
                    f"{folder}: shard {running} is writing to it, and shard {number}/{of} might"
                    " write the same cases",
                    remedy="wait until the shards of that other number have ended",
                )
            opened.enter_context(
                _held(folder, place / _LOCK, RequestError(
                    f"{folder}: shard {number}/{of} is running already",
                    remedy="wait until that has ended",
                ))
            )  # fmt: skip
        _sweep(place)
        yield


def shard_folder(folder: Path, number: int, of: int) -> Path:
    """Return the folder in which a shard notes what it does in a folder."""
    return folder / SHARDS / f"{number}-of-{of}"


def shard_folders(folder: Path) -> list[Path]:
    """Return the folders of all shards that ever wrote into a folder, in the order of names."""
    return sorted(
        (path for path in _folders_in(folder / SHARDS) if _SHARD.fullmatch(path.name)),
        key=_numbers,
    )


def _numbers(place: Path) -> tuple[int, int]:
    """Return N and I of a shard's folder."""
    match = _SHARD.fullmatch(place.name)
    assert match is not None
    return int(match[2]), int(match[1])


def _running_shard(folder: Path, *, but_of: int | None = None) -> str:
    """Return a shard that writes into a folder, as 'I/N'; '' for none.

    but_of: those of this number of shards do not count.
    """
    for place in shard_folders(folder):
        of, number = _numbers(place)
        # a lock is never made here: looking changes nothing
        if of == but_of or not (place / _LOCK).exists():
            continue
        held = RequestError(f"{number}/{of}")
        try:
            with _held(folder, place / _LOCK, held):
                pass
        except RequestError as error:
            if error is not held:
                raise
            return f"{number}/{of}"
    return ""


def _door(folder: Path) -> AbstractContextManager[None]:
    """Let others pass that are beginning, and keep those that come later waiting."""
    return _held(
        folder, folder / SHARDS / _LOCK,
        RequestError(f"{folder}: too many runs begin in it at once", remedy="begin this one again"),
        _AT_THE_DOOR,
    )  # fmt: skip


@contextmanager
def _held(folder: Path, path: Path, refusal: RequestError, seconds: float = 0.0) -> Iterator[None]:
    """Hold a lock of a folder; raises the refusal where another process has it for so long."""
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=seconds)
    except Timeout as error:
        raise refusal from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise DataError(
                f"{path.parent}: cannot be written: {error.strerror or error}"
            ) from error
    try:
        yield
    finally:
        lock.release()


def _folders_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:  # thousands of files, of which none is asked for more
            return [Path(entry) for entry in entries if entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _sweep(folder: Path) -> None:
    """Remove the temporary files that killed runs left in a folder."""
    with os.scandir(folder) as entries:
        left = [Path(entry) for entry in entries if _TEMPORARY.fullmatch(entry.name)]
    for path in left:
        remove(path)
