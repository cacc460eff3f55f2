"""Which file of ``/input`` is what, as grand-challenge.org lays it out, now and formerly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interactivenet.errors import DataError, RequestError, naming
from interactivenet.grand_challenge.settings import POINTS, AlgorithmSettings
from interactivenet.imaging.io import READABLE, suffix_of
from interactivenet.system.files import read_json, resolved
from interactivenet.system.names import SafeName, safe_path

LIST = "inputs.json"


@dataclass(frozen=True)
class Inputs:
    """The files of the case. images: in the model's order of modalities; points: JSON."""

    images: tuple[Path, ...]
    points: Path

    @property
    def name(self) -> str:
        """The first image's name without suffix, by which the result is called, too."""
        name = self.images[0].name
        return name[: len(name) - len(suffix_of(self.images[0], READABLE))]


def find_inputs(folder: Path, modalities: tuple[str, ...], settings: AlgorithmSettings) -> Inputs:
    """Find the images and the points of the case in ``/input``.

    With ``inputs.json``, the list of interfaces ("interface" or "socket": slug, kind, super_kind,
    relative_path), it alone counts; without, images are ``images/SLUG/UUID.mha`` and values
    ``SLUG.json``. Raises RequestError naming what is there, where something is not or is not clear.
    """
    images, values = _listed(folder) if (folder / LIST).exists() else _flat(folder)
    chosen = []
    for modality in modalities:
        slugs = settings.image_slugs(modality)
        fitting = [slug for slug in slugs if slug in images]
        if not fitting and len(modalities) == len(images) == 1 and modality not in settings.images:
            fitting = list(images)
        if len(fitting) != 1:
            raise RequestError(
                f"{folder}: {_number(fitting)} image for modality {modality}: expected"
                f" {' or '.join(slugs)}, found {_names(images)}",
                remedy="name it under 'images' in the settings",
            )
        chosen.append(_one_file(images[fitting[0]]))
    if len({path.resolve() for path in chosen}) < len(chosen):
        raise RequestError(
            f"{folder}: the same image fits several of the modalities {', '.join(modalities)}",
            remedy="name one for each under 'images' in the settings",
        )
    wanted = settings.points or POINTS
    fitting = [wanted] if wanted in values else []
    if not fitting and not settings.points:
        fitting = list(values)
    if len(fitting) != 1:
        raise RequestError(
            f"{folder}: {_number(fitting)} input of points: expected {wanted}, found"
            f" {_names(values)}",
            remedy="name it under 'points' in the settings",
        )
    return Inputs(tuple(chosen), values[fitting[0]])


def _listed(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    path = folder / LIST
    content = read_json(path)
    images: dict[str, Path] = {}
    values: dict[str, Path] = {}
    try:
        for entry in content:
            socket = entry.get("socket") or entry["interface"]
            texts = [socket[key] for key in ("slug", "super_kind", "relative_path")]
            if not all(isinstance(text, str) and text.isprintable() for text in texts):
                raise TypeError
            kind = texts[1]
            with naming(path):
                slug = SafeName(texts[0], "slug")
                place = folder / safe_path(texts[2], "relative_path")
            if slug in images or slug in values:
                raise DataError(f"{path}: holds {slug} twice")
            if not resolved(place).is_relative_to(resolved(folder)):
                raise DataError(f"{path}: {texts[2]} lies outside of {folder}")
            (images if kind == "Image" else values)[slug] = place
    except (TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{path}: is not a list of interfaces, expected"
            ' [{"interface": {"slug", "kind", "super_kind", "relative_path"}}]'
        ) from error
    return images, values


def _flat(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    if not folder.is_dir():
        raise RequestError(f"{folder}: does not exist", expected="the inputs of grand-challenge")
    images = {path.name: path for path in sorted(folder.glob("images/*")) if path.is_dir()}
    return images, {path.stem: path for path in sorted(folder.glob("*.json"))}


def _one_file(place: Path) -> Path:
    """The image in the folder of an interface."""
    if place.is_file():
        return place
    files = sorted(place.glob("[!.]*"))
    if len(files) != 1:
        names = ", ".join(file.name for file in files) or "none"
        raise RequestError(f"{place}: has {len(files)} files ({names}), expected one image")
    return files[0]


def _names(inputs: Mapping[str, Any]) -> str:
    return ", ".join(sorted(inputs)) or "none"


def _number(slugs: list[str]) -> str:
    return f"{len(slugs)} inputs could be the" if slugs else "there is no"
