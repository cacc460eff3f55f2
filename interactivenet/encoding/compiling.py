"""Compiled functions that are kept from one run to the next, wherever the program runs.

numba keeps what it has compiled beside the source or under the user's home, and refuses to
compile where it can write to neither: a read-only container without a home. Here the place is
chosen before the first function is declared.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import numba
from llvmlite.binding import get_host_cpu_features
from platformdirs import user_cache_path

from interactivenet.system.folders import temporary_folder

_IN_TREE = Path(__file__).parent / "__pycache__"
#: what x86-64-v3 has, as nearly every x86 processor since 2013; LLVM's names
_COMMON = ("avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe")


def compiled(*, inlined: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Declare a function that numba compiles at its first call, for one thread, without the GIL.

    inlined: it becomes part of the compiled functions that call it.
    """
    return partial(_declare, inlined=inlined)


def _declare(function: Callable[..., Any], inlined: bool) -> Any:
    options: dict[str, Any] = {
        "nogil": True,
        "forceinline": inlined,
        "error_model": "numpy",  # a division by zero is no exception: loops can be vectorised
        "fastmath": {"contract", "nnan", "nsz"},
    }
    folder = None if inlined else cache_folder()
    if folder is None:
        return numba.njit(**options)(function)
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = "" if folder == _IN_TREE else str(folder)
    try:
        dispatcher = numba.njit(cache=True, **options)(function)
    finally:
        numba.config.CACHE_DIR = before  # other libraries' functions stay where they would be
    if folder != _IN_TREE:
        _take_over(Path(dispatcher.stats.cache_path))
    return dispatcher


def choose_processor(features: Mapping[str, bool]) -> None:
    """Have kernels compiled for the processors that are common, where this one has ``features``.

    By default numba compiles for the very processor it runs on, so that the kernels kept in an
    image would be of use on processors like its builder's only: elsewhere, each container would
    compile for seconds at its start. These kernels are as fast for x86-64-v3
    (docs/how-to/containers.md).
    """
    if all(features.get(name) for name in _COMMON):
        # not numba.config, which numba sets anew from the environment whenever that has changed
        os.environ.setdefault("NUMBA_CPU_NAME", "x86-64-v3")
        os.environ.setdefault("NUMBA_CPU_FEATURES", "")
        numba.config.reload_config()


@cache
def cache_folder() -> Path | None:
    """Choose where compiled functions are kept; None where there is no good place.

    In this order: NUMBA_CACHE_DIR; beside the source; the user's cache; a folder for this user
    among the temporary files. Compiled functions are pickles: the latter two must belong to this
    user alone, since others could have put theirs there.
    """
    requested = os.environ.get("NUMBA_CACHE_DIR")
    if requested and _is_writable(Path(requested)):
        return Path(requested)
    if _is_writable(_IN_TREE):
        return _IN_TREE
    temporary = temporary_folder()
    own = temporary / f"interactivenet-{_user()}" if temporary else None
    for folder in (_user_cache(), own):
        if folder is not None and _is_private(folder) and _is_writable(folder):
            return folder
    return None


def kept_places() -> tuple[Path, ...]:
    """Return the folders that may hold what was compiled before; to the first it is written."""
    folder = cache_folder()
    if folder is None or folder == _IN_TREE:
        return (_IN_TREE,) if folder else ()
    return (folder, _IN_TREE)


def _user() -> int | str:
    return os.getuid() if hasattr(os, "getuid") else "cache"


def _user_cache() -> Path | None:
    try:
        folder = user_cache_path("interactivenet", appauthor=False)
    except RuntimeError:  # a user without a passwd entry and HOME
        return None
    return folder if folder.is_absolute() else None


def _is_private(folder: Path) -> bool:
    """Make the folder if need be; tell whether this user, and nobody else, may write there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(status.st_mode):  # a link
        return False
    if not hasattr(os, "getuid"):  # Windows: the profile folders are the user's own
        return True
    return status.st_uid == os.getuid() and not status.st_mode & 0o077


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _take_over(folder: Path) -> None:
    """Copy what was compiled beside the source, when an image was built, to where it is used."""
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for source in sorted(_IN_TREE.glob("kernels.*.nb[ci]")):
            target = folder / source.name
            if not target.exists():
                handle, name = tempfile.mkstemp(dir=folder)
                os.close(handle)
                shutil.copyfile(source, name)
                Path(name).replace(target)


choose_processor(get_host_cpu_features())
