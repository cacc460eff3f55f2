"""A bundle in place of the one before: nothing that a person has written or added is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import isclose
from pathlib import Path
from typing import Any

from interactivenet.datasets.task import set_aside
from interactivenet.errors import DataError, RequestError
from interactivenet.models.bundle import (
    BUNDLE,
    CARD,
    bundle_content,
    read_bundle,
    read_description,
    write_bundle,
)
from interactivenet.models.model import Model
from interactivenet.models.model_card import render_card
from interactivenet.system.files import read_bytes, read_text, write_bytes
from interactivenet.system.folders import replacing_folder
from interactivenet.system.written import JUNK, files_in

#: of a bundle, what only tells who wrote it
_OF_WRITER = ("version", "libraries", "digest")


@dataclass(frozen=True)
class Deployment:
    """A deployed model.

    Attributes:
        folder: Of the bundle, ``models/TASK`` of the results.
        folds: Numbers of the folds that it holds.
        changed: False where just that was there.
        aside: Files of the bundle before that the new one does not have, where they are kept: a
            model card that a person had completed, and what is no part of a bundle.
        archive: The zip, None where none was asked for.
        failures: Empty; as of other stages, which may fail for single cases.
    """

    folder: Path
    folds: tuple[int, ...]
    changed: bool
    aside: tuple[Path, ...] = ()
    archive: Path | None = None
    failures: Mapping[str, str] = field(default_factory=dict)


def replace_bundle(model: Model, folder: Path, about: Mapping[str, Any], aside: Path) -> Deployment:
    """Write a model's bundle in place of what is in ``folder``.

    A description is kept where ``about`` has none.  aside: folder for what would be lost.
    """
    before: dict[str, Any] = {}
    with suppress(DataError, RequestError):
        before = read_description(folder)
    if before and not about["description"]:
        about = {**about, "description": before["description"]}
    content = bundle_content(model, about)
    with suppress(DataError, RequestError):
        read_bundle(folder)  # its weights are whole
        if all(
            _agree(before.get(name), content[name]) for name in content if name not in _OF_WRITER
        ):
            return Deployment(folder, model.folds, False)
    kept = _set_aside(folder, before, aside)
    with replacing_folder(folder) as temporary:
        write_bundle(model, temporary, about)
    return Deployment(folder, model.folds, True, kept)


def _set_aside(folder: Path, before: Mapping[str, Any], aside: Path) -> tuple[Path, ...]:
    """Copy what a new bundle would not have out of the folder of the old one."""
    if not folder.is_dir():
        return ()
    own = {BUNDLE, *before["weights"]} if before else set()
    if before and (folder / CARD).exists():
        written = render_card(before)
        own |= {CARD} if read_text(folder / CARD) == written else set()
    others = [path.relative_to(folder) for path in files_in(folder) if path.name not in JUNK]
    others = [name for name in others if str(name) not in own and (folder / name).is_file()]
    for name in others:
        content = read_bytes(folder / name)
        if (aside / name).exists() and read_bytes(aside / name) != content:
            set_aside(aside / name)  # what was kept before is kept, too
        write_bytes(aside / name, content)
    return tuple(aside / name for name in others)


def _agree(one: Any, other: Any) -> bool:
    """Whether two values of JSON data say the same; processors sum in orders of their own."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_agree(one[key], other[key]) for key in one)
    if isinstance(one, Sequence) and isinstance(other, Sequence) and not isinstance(one, str):
        return len(one) == len(other) and all(map(_agree, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=1e-9)
    return bool(one == other)
