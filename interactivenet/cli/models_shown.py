"""What a user sees of pretrained models."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from interactivenet.cli.reporting import console, say
from interactivenet.errors import sanitize_text
from interactivenet.models.registry import (
    PUBLISHED,
    LocalModel,
    built_in_models,
    find_local,
    local_models,
)
from interactivenet.models.starter import STARTER
from interactivenet.system.files import read_text

_UNKNOWN = "-"


def in_words(size: int) -> str:
    """Return '3 kB', '12.3 MB' or '1.2 GB' of bytes."""
    if size < 10**6:
        return f"{-(-size // 1000)} kB"
    return f"{size / 10**6:.1f} MB" if size < 10**9 else f"{size / 10**9:.1f} GB"


def listed_json(models: Path) -> str:
    """Return what is built in, installed and published as JSON text."""
    described = local_models(models)
    installed = [_as_json(local) for local in described]
    names = {local.name for local in described}
    published = [
        {
            "name": name,
            "about": model.about,
            "modalities": list(model.modalities),
            "labels": {"1": model.label},
            "installed": name in names,
            "command": _command(name),
        }
        for name, model in PUBLISHED.items()
    ]
    built_in = [_as_json(local) for local in built_in_models()]
    content = {
        "folder": str(models), "built_in": built_in, "installed": installed,
        "published": published,
    }  # fmt: skip
    return json.dumps(content, indent=2, ensure_ascii=False)


def show_list(models: Path) -> None:
    """Print tables of models: built in, installed, and those that can be downloaded."""
    if built_in := built_in_models():
        _show_local("built in", built_in)
    if installed := local_models(models):
        _show_local("installed", installed)
    else:
        say(f"{models}: no model is installed")
    names = {local.name for local in installed}
    table = _table("published", "purpose", "command")
    for name, model in PUBLISHED.items():
        status = "installed" if name in names else _command(name)
        table.add_row(Text(name), Text(model.about), Text(status))
    console().print(table)


def _show_local(heading: str, models: Sequence[LocalModel]) -> None:
    table = _table(heading, "modalities", "labels", "folds", "Dice", "size")
    for local in models:
        table.add_row(Text(local.name), *map(Text, _cells(local)), Text(in_words(local.size)))
    console().print(table)
    for local in models:
        if local.fault:
            say(f"{local.name}: cannot be used: {sanitize_text(local.fault)}")


def show_model(models: Path, name: str) -> None:
    """Print what is known of one model, with its card; raises RequestError where it is unknown."""
    if name in PUBLISHED and not (models / name).is_dir():
        model = PUBLISHED[name]
        images = ", ".join(model.modalities)
        say(f"{name}: {model.about}; segments: {model.label}; images: {images}")
        say(f"not installed: run '{_command(name)}'")
        return
    local = find_local(models, name)
    built_in = "built in, " if name == STARTER else ""
    say(f"{name}: {built_in}in {local.folder}, {in_words(local.size)}")
    if local.description is None:
        say(f"cannot be used: {sanitize_text(local.fault)}")
        return
    modalities, labels, folds, dice = _cells(local)
    say(f"modalities: {modalities}; labels: {labels}; folds: {folds}; Dice: {dice}")
    if codes := _coded(local.description.get("codes")):
        say(f"codes: {codes}")
    card = local.folder / "MODEL_CARD.md"
    if card.is_file():
        say("")
        say(sanitize_text(read_text(card, "replace").rstrip(), "\n\t"))


def _command(name: str) -> str:
    return f"interactivenet models download {name}"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _cells(local: LocalModel) -> tuple[str, str, str, str]:
    """Return modalities, labels, folds and Dice of a model as text."""
    content = local.description
    if content is None:
        return (_UNKNOWN,) * 4
    labels = content.get("labels")
    named = labels.values() if isinstance(labels, Mapping) else ()
    return (
        sanitize_text(", ".join(map(str, content.get("modalities") or ()))) or _UNKNOWN,
        sanitize_text(", ".join(map(str, named))) or _UNKNOWN,
        str(len(content.get("weights") or ())) + _distilled(content, ", distilled from {}"),
        _dice(content) + _distilled(content, " (of those {})"),
    )


def _distilled(content: Mapping[str, Any], text: str) -> str:
    """Say of a distilled model from how many folds it was; '' of others."""
    folds = content.get("distilled_from")
    return text.format(len(folds)) if folds else ""


def _coded(codes: Any) -> str:
    """Name what DICOM calls each label; '' where the bundle does not say."""
    try:
        return sanitize_text(
            "; ".join(f"{label}: {entry['type'][2]}" for label, entry in codes.items())
        )
    except (AttributeError, LookupError, TypeError):  # altered
        return ""


def _dice(content: Mapping[str, Any]) -> str:
    try:
        dice = content["cross_validation"]["metrics"]["dice"]
        spread = "" if dice["std"] is None else f" ± {float(dice['std']):.3f}"
        return f"{float(dice['mean']):.3f}{spread}"
    except (KeyError, TypeError, ValueError, OverflowError):  # a converted model has none
        return _UNKNOWN


def _as_json(local: LocalModel) -> dict[str, Any]:
    content = local.description or {}
    fields = ("task", "modalities", "labels", "cross_validation", "version")
    return {
        "name": local.name,
        "folder": str(local.folder),
        "bytes": local.size,
        "usable": local.description is not None,
        "fault": local.fault or None,
        **{name: content.get(name) for name in fields},
        **{name: content[name] for name in ("codes", "distilled_from") if name in content},
        "folds": len(content.get("weights") or ()),
    }
