"""Pretrained models: those that are published, and those installed in the folder of models."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from interactivenet.datasets.roots import check_task_name
from interactivenet.errors import DataError, InteractiveNetError, RequestError
from interactivenet.models.download import WAITS, Progress, fetch, parse_checksum
from interactivenet.models.starter import STARTER, has_starter, starter_folder
from interactivenet.models.unpacking import is_legacy, unpacked, visible
from interactivenet.system.files import copy_file
from interactivenet.system.folders import replacing_folder
from interactivenet.system.http import TIMEOUT, Remote, get_json, remote_zip
from interactivenet.system.locks import folder_lock
from interactivenet.system.names import name_fault, printable

if TYPE_CHECKING:
    from interactivenet.models.model import Model

#: the archive that holds the published models
ZENODO = "https://zenodo.org"
#: in the folder of models, what is not yet installed
DOWNLOADS = ".downloads"
INSTALLED, SAME = "installed", "already installed"
#: makes a bundle of a model of the original program: (its folder, the bundle's folder)
Convert = Callable[[Path, Path], object]


@dataclass(frozen=True)
class PublishedModel:
    """A model that can be downloaded by its name.

    record: of Zenodo; its file is NAME.zip.  modalities, label: what it needs, what it segments.
    legacy: it is of the original program, and is converted when it is installed.
    """

    record: int
    about: str
    modalities: tuple[str, ...]
    label: str
    legacy: bool = True


#: sizes and checksums are asked of the archive, at the time of the download
PUBLISHED: Mapping[str, PublishedModel] = {
    "Task800_WORC_MRI": PublishedModel(
        8054038, "soft tissue tumours on T1-weighted MRI (WORC database)", ("T1",), "tumour"
    ),
    "Task801_WORC_CT": PublishedModel(
        8054038, "soft tissue tumours on CT (WORC database)", ("CT",), "tumour"
    ),
}


@dataclass(frozen=True)
class LocalModel:
    """A model in the folder of models.

    description: as :func:`~interactivenet.models.bundle.read_description` gives it, None where it
    cannot be used: fault says why.  size: bytes.
    """

    name: str
    folder: Path
    size: int
    description: Mapping[str, Any] | None = None
    fault: str = ""


def find_remote(
    name_or_url: str,
    *,
    checksum: str | None = None,
    base: str | None = None,
    timeout: float = TIMEOUT,
) -> Remote:
    """Say where a model is downloaded from: a name in PUBLISHED, or an address of a zip.

    checksum: 'sha256:...' or 'md5:...', in place of what the archive says.  base: address of the
    archive.  timeout: seconds. Raises RequestError for other names and where the archive does not
    answer, DataError where its answer is not understood.
    """
    expected = parse_checksum(checksum) if checksum else None
    published = PUBLISHED.get(name_or_url)
    if published is None:
        if "://" not in name_or_url:
            raise RequestError(
                f"no published model is called '{name_or_url}': expected one of"
                f" {', '.join(PUBLISHED)}, or an address that begins with https://"
            )
        return remote_zip(name_or_url, expected)
    name = f"{name_or_url}.zip"
    address = f"{base or ZENODO}/api/records/{published.record}"
    content = get_json(address, timeout)
    try:
        files = {str(file["key"]): file for file in content["files"]}
        if name not in files:
            names = ", ".join(sorted(files)) or "nothing"
            raise DataError(f"{address}: has no {name}, but {names}")
        file = files[name]
        url = str(file.get("links", {}).get("self") or f"{address}/files/{quote(name)}/content")
        if not url.startswith(f"{urlsplit(address).scheme}://"):
            raise DataError(f"{address}: links to {url}, expected an address of the same kind")
        return Remote(
            url, name, expected or parse_checksum(str(file["checksum"])), int(file["size"])
        )  # fmt: skip
    except (
        KeyError, TypeError, ValueError, OverflowError, AttributeError, RequestError
    ) as error:  # fmt: skip
        raise DataError(f"{address}: the answer is not as expected: {error!r}") from error


def download(
    name_or_url: str,
    folder: Path,
    *,
    checksum: str | None,
    progress: Progress | None = None,
    base: str | None = None,
    waits: Sequence[float] = WAITS,
    timeout: float = TIMEOUT,
) -> Path:
    """Download a model's zip into a folder and return its path; an interrupted one is continued.

    Raises as :func:`find_remote` and :func:`~interactivenet.models.download.fetch` do, RequestError
    where another download is at work in the folder.
    """
    remote = find_remote(name_or_url, checksum=checksum, base=base, timeout=timeout)
    with folder_lock(folder):
        return fetch(remote, folder, progress=progress, timeout=timeout, waits=waits)


def install(
    path: Path,
    models: Path,
    *,
    overwrite: bool,
    name: str | None = None,
    convert: Convert | None = None,
) -> tuple[str, str]:
    """Install a bundle, a zip or a folder, as ``models/NAME``; return the name and what was done.

    What was done is INSTALLED or SAME. name: in place of its task's.  convert: makes a bundle of a
    model of the original program. Raises RequestError where another model has the name, unless
    ``overwrite``, and for a model of the original program without ``convert``; DataError, naming
    the file, where the bundle is not whole or holds anything else. Nothing is changed then.
    """
    from interactivenet.models.bundle import check_no_others, verify_bundle

    if name is not None:
        check_task_name(name)
    with unpacked(path, models) as (folder, scratch):
        if is_legacy(folder) and convert is None:
            raise RequestError(
                f"{path}: is a model of the original program",
                remedy=f"`convert_model(source={str(path)!r})` turns it into a bundle",
            )
        try:
            if is_legacy(folder) and convert is not None:
                convert(folder, scratch / "converted")
                folder = scratch / "converted"
            model = verify_bundle(folder)
        except DataError as error:  # nobody knows the folder of a zip
            raise DataError(str(error).replace(f"{folder}{os.sep}", f"{path}: ")) from error
        files = _files_of(folder, model, path)
        task = name or model.plan.task
        try:
            check_task_name(task)
        except RequestError as error:
            raise DataError(f"{path}: {error}") from error
        target = models / task
        if target.exists():
            if _is_same(target, model):
                return task, SAME
            if not overwrite:
                raise RequestError(
                    f"{target} is a different model", remedy="`overwrite=True` replaces it"
                )
            check_no_others(target)
        with replacing_folder(target) as temporary:
            for file in files:
                copy_file(file, temporary / file.name)
    return task, INSTALLED


def local_models(models: Path) -> list[LocalModel]:
    """Describe what is installed, in the order of names; no weights are read."""
    if not models.is_dir():
        return []
    return [describe_folder(folder) for folder in visible(models) if folder.is_dir()]


def built_in_models() -> list[LocalModel]:
    """Describe what comes with the package: the starter, or nothing in installations without."""
    return [describe_folder(starter_folder())] if has_starter() else []


def find_local(models: Path, name: str) -> LocalModel:
    """Describe one model, installed or built in; raises RequestError, naming those there are."""
    return describe_folder(starter_folder() if name == STARTER else _existing(models, name))


def find_removable(models: Path, name: str) -> LocalModel:
    """Describe a model that can be removed; raises RequestError as :func:`remove` does."""
    if name == STARTER:
        raise RequestError(f"{STARTER}: is built in, a part of the package: it cannot be removed")
    return find_local(models, name)


def remove(models: Path, name: str) -> None:
    """Remove an installed model.

    Raises RequestError where there is none, or it is built in, DataError if it stays.
    """
    folder = find_removable(models, name).folder
    for old in models.glob(f".{name}.old-*"):  # of a job that was killed: it must not come back
        shutil.rmtree(old, ignore_errors=True)
    try:
        if folder.is_symlink():  # what it leads to is somebody else's
            folder.unlink()
        else:
            shutil.rmtree(folder)
    except OSError as error:
        raise DataError(f"{folder}: cannot be removed: {error.strerror or error}") from error


def _existing(models: Path, name: str) -> Path:
    folder = models / name
    if name_fault(name) or not folder.is_dir():
        there = visible(models) if models.is_dir() else []
        names = ", ".join(path.name for path in there if path.is_dir())
        told = printable(name[:100])
        raise RequestError(f"{models}: has no model '{told}'; installed: {names or 'none'}")
    return folder


def _files_of(folder: Path, model: Model, path: Path) -> list[Path]:
    """Return a bundle's files; raises DataError for any other that is there."""
    from interactivenet.models.bundle import BUNDLE, CARD

    names = {BUNDLE, CARD, *(file.name for file in model.weights)}
    files = visible(folder)
    for file in files:
        if file.name not in names:
            raise DataError(
                f"{path}: holds {file.name}, which is not part of a bundle", remedy="remove it"
            )
        if file.is_symlink() or not file.is_file():
            raise DataError(f"{path}: {file.name} is a link or a folder: expected a file")
    return files


def _is_same(folder: Path, model: Model) -> bool:
    from interactivenet.models.bundle import read_bundle

    try:
        installed = read_bundle(folder)
    except InteractiveNetError:
        return False
    return (installed.plan.digest, installed.digests, installed.choices(), installed.codes) == (
        model.plan.digest, model.digests, model.choices(), model.codes,
    )  # fmt: skip


def describe_folder(folder: Path) -> LocalModel:
    """Describe the model of a folder; where it cannot be used, its fault says why."""
    from interactivenet.models.bundle import read_description

    content, fault = None, ""
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    try:
        if is_legacy(folder):
            raise DataError(
                "is a model of the original program",
                remedy=f"move it, and convert it with `convert_model(source={folder.name!r})`",
            )
        content = read_description(folder)
        if missing := [name for name in content["weights"] if not (folder / name).is_file()]:
            raise DataError(f"{folder / missing[0]}: is missing")
    except InteractiveNetError as error:
        content, fault = None, str(error)
    return LocalModel(folder.name, folder, size, content, fault)
