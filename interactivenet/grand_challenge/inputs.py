"""Which file of ``/input`` is what, as grand-challenge.org lays it out, now and formerly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interactivenet.errors import DataError, RequestError
from interactivenet.grand_challenge.settings import POINTS, AlgorithmSettings
from interactivenet.imaging.io import READABLE, suffix_of
from interactivenet.system.files import read_json

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
    found = []
    for modality in modalities:
        slugs = settings.image_slugs(modality)
        fitting = [slug for slug in slugs if slug in images]
        if not fitting and len(modalities) == len(images) == 1 and modality not in settings.images:
            fitting = list(images)
        if len(fitting) != 1:
            raise RequestError(
                f"{folder}: {_number(fitting)} image for modality {modality}: expected"
                f" {' or '.join(slugs)}, found {_names(images)}; 'images' of the settings says"
                " which"
            )
        found.append(_one_file(images[fitting[0]]))
    if len({path.resolve() for path in found}) < len(found):
        raise RequestError(
            f"{folder}: one image for several of the modalities {', '.join(modalities)}: 'images'"
            " of the settings says which is which"
        )
    wanted = settings.points or POINTS
    fitting = [wanted] if wanted in values else []
    if not fitting and not settings.points:
        fitting = list(values)
    if len(fitting) != 1:
        raise RequestError(
            f"{folder}: {_number(fitting)} value for the points: expected {wanted}, found"
            f" {_names(values)}; 'points' of the settings says which"
        )
    return Inputs(tuple(found), values[fitting[0]])


def _listed(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    path = folder / LIST
    content = read_json(path)
    images: dict[str, Path] = {}
    values: dict[str, Path] = {}
    try:
        for entry in content:
            socket = entry.get("socket") or entry["interface"]
            slug, kind, where = (socket[key] for key in ("slug", "super_kind", "relative_path"))
            if not all(isinstance(one, str) and one.isprintable() for one in (slug, kind, where)):
                raise TypeError
            if slug in images or slug in values:
                raise DataError(f"{path}: holds {slug} twice")
            place = folder / where
            if not place.resolve().is_relative_to(folder.resolve()):
                raise DataError(f"{path}: {where} lies outside of {folder}")
            (images if kind == "Image" else values)[slug] = place
    except (TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{path}: is no list of interfaces, expected"
            ' [{"interface": {"slug", "kind", "super_kind", "relative_path"}}]'
        ) from error
    return images, values


def _flat(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    if not folder.is_dir():
        raise RequestError(f"{folder}: does not exist: expected the inputs of grand-challenge")
    places = folder / "images"
    images = {one.name: one for one in sorted(places.iterdir()) if one.is_dir()} if (
        places.is_dir()) else {}  # fmt: skip
    return images, {one.stem: one for one in sorted(folder.glob("*.json"))}


def _one_file(place: Path) -> Path:
    """The image in the folder of an interface."""
    if place.is_file():
        return place
    files = [one for one in sorted(place.iterdir()) if not one.name.startswith(".")] if (
        place.is_dir()) else []  # fmt: skip
    if len(files) != 1:
        names = ", ".join(one.name for one in files) or "none"
        raise RequestError(f"{place}: has {len(files)} files ({names}), expected one image")
    return files[0]


def _names(found: Mapping[str, Any]) -> str:
    return ", ".join(sorted(found)) or "none"


def _number(found: list[str]) -> str:
    return f"{len(found)} inputs can be the" if found else "there is no"
