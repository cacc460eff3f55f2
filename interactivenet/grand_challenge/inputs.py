"""Which file of ``/input`` is what, as grand-challenge.org lays it out, now and formerly."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interactivenet.datasets.modalities import ANY, is_any
from interactivenet.errors import DataError, RequestError, naming
from interactivenet.grand_challenge.settings import POINTS, AlgorithmSettings
from interactivenet.imaging.io import READABLE, suffix_of
from interactivenet.system.files import open_regular, read_json
from interactivenet.system.names import SafeName

LIST = "inputs.json"
#: what every input says of itself
_TEXTS = ("slug", "relative_path")
_EXPECTED = '[{"socket": {"slug", "relative_path", "is_image_kind" or "super_kind"}}]'
_IMAGE_KINDS = ("Image", "Segmentation", "Heat Map", "Displacement field", "DICOM Image Set")
#: endings of the voxels of a .mhd file
_VOXELS = (".raw", ".zraw")
#: bytes of a part of a path; files in a message
_LONGEST, _MOST = 200, 4


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

    A model of any modality takes all images that there are, unless the settings name one.
    With ``inputs.json``, the list of inputs ("socket", formerly "interface": slug, relative_path,
    and is_image_kind, formerly super_kind), it alone counts; without, images are in
    ``images/SLUG/``, as one ``UUID.mha`` or the ``UID.dcm`` of a DICOM series, and values are
    ``SLUG.json``. Raises RequestError naming what is there, where something is not or is not clear.
    """
    images, values = _listed(folder) if (folder / LIST).exists() else _flat(folder)
    if is_any(modalities) and ANY not in settings.images:
        chosen = [_one_image(images[slug]) for slug in sorted(images)]
    else:
        chosen = [
            _image_of(modality, modalities, images, settings, folder) for modality in modalities
        ]
    if not chosen:
        raise RequestError(f"{folder}: there is no image: expected one or more")
    if len({_without_links(path) for path in chosen}) < len(chosen):
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


def _image_of(
    modality: str,
    modalities: tuple[str, ...],
    images: Mapping[str, Path],
    settings: AlgorithmSettings,
    folder: Path,
) -> Path:
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
    return _one_image(images[fitting[0]])


def _listed(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    path = folder / LIST
    content = read_json(path)
    if not isinstance(content, list):
        raise DataError(f"{path}: is not a list of inputs, expected {_EXPECTED}")
    images: dict[str, Path] = {}
    values: dict[str, Path] = {}
    with naming(path):
        for entry in content:
            socket = _socket(entry)
            slug = SafeName(socket["slug"], "slug")
            if slug in images or slug in values:
                raise DataError(f"holds {slug} twice")
            place = _place(folder, socket["relative_path"])
            if _is_image(socket):
                images[slug] = place
            elif place.suffix.lower() == ".json":
                values[slug] = place
    return images, values


def _socket(entry: Any) -> dict[str, Any]:
    """Return what an entry says of its input: under "socket", formerly "interface", or both."""
    given = [entry.get(key) for key in ("socket", "interface")] if isinstance(entry, dict) else []
    sockets = [socket for socket in given if socket is not None]
    for socket in sockets:
        texts = [socket.get(key) for key in _TEXTS] if isinstance(socket, dict) else [None]
        if not all(isinstance(text, str) and text and text.isprintable() for text in texts):
            raise DataError(f"has an entry that is not an input's, expected {_EXPECTED}")
    if not sockets:
        raise DataError(f"has an entry that is not an input's, expected {_EXPECTED}")
    if len({tuple(socket[key] for key in _TEXTS) for socket in sockets}) > 1:
        raise DataError(
            f"has an entry whose socket ({sockets[0]['slug']}) and interface"
            f" ({sockets[1]['slug']}) differ in slug or relative_path"
        )
    merged: dict[str, Any] = {**sockets[-1], **sockets[0]}
    return merged


def _is_image(socket: Mapping[str, Any]) -> bool:
    """Whether an input is an image: as it says in one of the ways that there have been."""
    said = {
        "is_image_kind": socket.get("is_image_kind"),
        "super_kind": socket["super_kind"] == "Image" if socket.get("super_kind") else None,
        "kind": socket["kind"] in _IMAGE_KINDS if socket.get("kind") else None,
    }
    answers = {key: answer for key, answer in said.items() if isinstance(answer, bool)}
    if not answers:
        return str(socket["relative_path"]).startswith("images/")
    first = next(iter(answers.values()))
    if answers.get("super_kind", first) != first:
        raise DataError(f"says of {socket['slug']} both that it is an image and that it is not")
    return first


def _place(folder: Path, relative: str) -> Path:
    """Return the path of an input, which must lie in its folder."""
    parts = relative.split("/")
    if any(not part or part.startswith(".") or "\\" in part or len(part.encode()) > _LONGEST
           for part in parts):  # fmt: skip
        raise DataError(
            f"has the relative_path {relative!r}", expected="one such as images/ct-image"
        )
    if relative == LIST:
        raise DataError(f"has itself as the relative_path of an input, {relative!r}")
    place = folder / relative
    if not _without_links(place).is_relative_to(_without_links(folder)):
        raise DataError(f"{relative} lies outside of {folder}")
    return place


def _without_links(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve fails where links lead in a circle


def _flat(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    if not folder.is_dir():
        raise RequestError(f"{folder}: does not exist", expected="the inputs of grand-challenge")
    images = {path.name: path for path in sorted(folder.glob("images/*")) if path.is_dir()}
    return images, {path.stem: path for path in sorted(folder.glob("*.json"))}


def _one_image(place: Path) -> Path:
    """Return the image in the folder of an input: its only image file, or the folder of a series.

    Raises RequestError naming the files where they are anything else.
    """
    if place.is_file():
        return place
    if not place.is_dir():
        raise RequestError(f"{place}: does not exist", expected="the folder of an image")
    entries = sorted(place.glob("[!.]*"))
    images = [path for path in entries if suffix_of(path, READABLE)]
    others = [path for path in entries if path not in images]
    if len(images) == 1 and (not others or (images[0].suffix.lower() == ".mhd"
                             and all(suffix_of(path, _VOXELS) for path in others))):  # fmt: skip
        return images[0]
    if entries and not images and all(map(_is_dicom, entries)):
        return place
    some = ", ".join(path.name for path in entries[:_MOST]) or "none"
    more = " ..." if len(entries) > _MOST else ""
    raise RequestError(
        f"{place}: has {len(entries)} files ({some}{more})",
        expected=f"one image ({', '.join(READABLE)}), or the files of one DICOM series",
    )


def _is_dicom(path: Path) -> bool:
    """Whether a file is DICOM, by its name or by its content."""
    if not path.is_file():
        return False
    if path.suffix.lower() == ".dcm":
        return True
    try:
        with open_regular(path) as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _names(inputs: Mapping[str, Any]) -> str:
    return ", ".join(sorted(inputs)) or "none"


def _number(slugs: list[str]) -> str:
    return f"{len(slugs)} inputs ({', '.join(slugs)}) could be the" if slugs else "there is no"
