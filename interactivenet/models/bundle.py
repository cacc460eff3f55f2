"""Bundles: a trained model in one folder, to be used elsewhere without its task.

``bundle.json`` holds the plan, what cross-validation chose, how it did, and the SHA-256 of each
file of weights; nothing in it names a patient, and nothing is executed when it is read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from interactivenet import __version__
from interactivenet.errors import DataError, RequestError
from interactivenet.models.bundle_codes import codes_field, parse_codes_field
from interactivenet.models.model import Model, chosen, parse_training_set
from interactivenet.models.model_card import render_card
from interactivenet.models.starter import STARTER, starter_folder
from interactivenet.planning.plan import Plan
from interactivenet.system.files import (
    read_bytes,
    read_json,
    sha256,
    write_bytes,
    write_json,
    write_text,
)
from interactivenet.system.provenance import libraries
from interactivenet.system.written import JUNK, files_in

BUNDLE, CARD = "bundle.json", "MODEL_CARD.md"
BUNDLE_VERSION = 2
#: of bundles in half precision, with codes of their labels, and of a distilled network: programs
#: before cannot read them; others stay readable for them
HALF_VERSION, CODES_VERSION, DISTILLED_VERSION = 3, 4, 5
_WEIGHTS = re.compile(r"fold_\d+\.safetensors")
_NEW = ("half_of", "codes", "distilled_from")
#: fields that bundles of an earlier version do not have; what they tell is not known of these
_LATER = {
    1: {"training_set", *_NEW}, BUNDLE_VERSION: set(_NEW), HALF_VERSION: set(_NEW[1:]),
    CODES_VERSION: set(_NEW[2:]), DISTILLED_VERSION: set[str](),
}  # fmt: skip
_OPTIONAL = {CODES_VERSION: {"half_of"}, DISTILLED_VERSION: {"half_of", "codes"}}
#: repeated from the plan, for whoever reads the file without knowing plans
_OF_PLAN = ("task", "modalities", "labels", "encoding")
#: what is known of a model beside what its use needs; null where it is not
ABOUT = ("description", "training", "cross_validation")
_FIELDS = {
    "schema_version", "version", "libraries", *_OF_PLAN, *ABOUT, "plan", "weights", "checkpoint",
    "postprocessing", "uncertainty", "training_set", "half_of", "codes", "distilled_from", "digest",
}  # fmt: skip


def bundle_content(model: Model, about: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the content of a model's ``bundle.json``.

    about: what is known of it, by the names in ABOUT. The plan's notes, which may name cases, stay.
    """
    plan = replace(model.plan, notes=()).as_json()["plan"]
    names = [f"fold_{number}.safetensors" for number in model.folds]
    half = dict(zip(names, model.half_of, strict=True)) if model.half_of else {}
    version = CODES_VERSION if model.codes else HALF_VERSION if half else BUNDLE_VERSION
    version = DISTILLED_VERSION if model.distilled_from else version
    content = {
        "schema_version": version,
        "version": __version__,
        **{name: plan[name] for name in _OF_PLAN},
        **dict.fromkeys(ABOUT),
        **(about or {}),
        **model.choices(),
        "training_set": model.training.as_json() if model.training else None,
        "weights": dict(zip(names, model.digests, strict=True)),
        **({"half_of": half} if half else {}),
        **codes_field(model),
        **({"distilled_from": list(model.distilled_from)} if model.distilled_from else {}),
        "plan": plan,
        "libraries": libraries(),
    }
    content = json.loads(json.dumps(content))  # as it reads back
    return {**content, "digest": _digest(content)}


def _digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of all fields but 'digest'."""
    fields = {name: value for name, value in content.items() if name != "digest"}
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def write_bundle(
    model: Model, folder: Path, about: Mapping[str, Any] | None = None, *, half: bool = False
) -> Path:
    """Write a model into a folder and return the path of its ``bundle.json``, written last.

    The weights are copied as ``fold_K.safetensors``; about: as for :func:`bundle_content`.
    half: in float16, half as large.  Raises DataError, then, where one is too large for it.
    """
    if half:
        from interactivenet.models.half_precision import half_precision

        with half_precision(model) as rounded:
            return write_bundle(rounded, folder, about)
    content = bundle_content(model, about)
    for name, path in zip(content["weights"], model.weights, strict=True):
        write_bytes(folder / name, read_bytes(path), durable=True)
    write_text(folder / CARD, render_card(content))
    write_json(folder / BUNDLE, content)
    return folder / BUNDLE


def check_no_others(folder: Path) -> None:
    """Raise RequestError where a folder that is to be replaced is no bundle's or holds more."""
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise RequestError(f"{folder}: is a file", expected="the folder of a model")
    names = {path: path.relative_to(folder).as_posix() for path in files_in(folder)}
    others = [path for path, name in names.items()
              if name not in (BUNDLE, CARD) and not _WEIGHTS.fullmatch(name)]  # fmt: skip
    if others := [path for path in others if path.name not in JUNK]:
        raise RequestError(
            f"{others[0]}: is no part of a model, and would be lost", remedy="move it away"
        )


def read_description(folder: Path) -> dict[str, Any]:
    """Read a ``bundle.json`` without its weights, the types of its fields checked.

    Raises as :func:`read_bundle` does.
    """
    path = folder / BUNDLE
    if not path.is_file():
        raise RequestError(
            f"{folder}: holds no {BUNDLE}", expected="the folder of a deployed model"
        )
    content = read_json(path)
    version = content.get("schema_version") if isinstance(content, dict) else None
    if not isinstance(content, dict) or version not in tuple(_LATER):
        raise DataError(
            f"{path}: schema_version is {version}, but this version of InteractiveNet reads"
            f" {', '.join(map(str, _LATER))}"
        )
    differing = set(content) ^ (_FIELDS - _LATER[version])
    if differing := differing - (_OPTIONAL.get(version, set()) - set(content)):
        name = min(differing)
        raise DataError(f"{path}: field {name} is {'unknown' if name in content else 'missing'}")
    kinds: dict[str, tuple[type, ...]] = {
        "description": (str, type(None)), "training": (dict, type(None)),
        "cross_validation": (dict, type(None)), "labels": (dict,), "modalities": (list,),
        "weights": (dict,), "libraries": (dict,), "plan": (dict,), "half_of": (dict,),
        "codes": (dict,), "distilled_from": (list,),
    }  # fmt: skip
    for name, kind in kinds.items():
        if name in content and not isinstance(content[name], kind):
            given, expected = type(content[name]).__name__, kind[0].__name__
            raise DataError(f"{path}: field {name} is of type {given}, expected {expected}")
    for name in content["weights"]:
        number = name.removeprefix("fold_").removesuffix(".safetensors")
        if name != f"fold_{number}.safetensors" or not re.fullmatch("[0-9]{1,4}", number):
            raise DataError(f"{path}: field weights names {name}, expected fold_K.safetensors")
    return content


def read_bundle(folder: Path) -> Model:
    """Read a bundle; raises RequestError where there is none, DataError where it is not whole.

    Every field, the schema version and each file's SHA-256 are checked.
    """
    path, content = folder / BUNDLE, read_description(folder)
    plan = Plan.parse(content["plan"], path)
    planned = json.loads(json.dumps(asdict(plan)))
    for name in _OF_PLAN:
        if content[name] != planned[name]:
            raise DataError(
                f"{path}: field {name} is {content[name]!r}, but its plan says {planned[name]!r}"
            )
    weights = content["weights"]
    if not weights:
        raise DataError(f"{path}: field weights must name at least one file")
    files = {}
    for name, digest in weights.items():
        actual = sha256(folder / name)
        if actual != digest:
            raise DataError(
                f"{folder / name}: was altered: its SHA-256 is {actual[:12]}..., {BUNDLE} says"
                f" {str(digest)[:12]}..."
            )
        files[int(name[len("fold_") : -len(".safetensors")])] = folder / name
    half_of = content.get("half_of", weights)
    if set(half_of) != set(weights) or not all(isinstance(one, str) for one in half_of.values()):
        raise DataError(f"{path}: field half_of must have a checksum for each file of weights")
    teacher = content.get("distilled_from", [])
    try:
        if not all(isinstance(one, str) for one in teacher):
            raise ValueError("field distilled_from must be a list of checksums")
        choices = chosen(content)
        codes = parse_codes_field(content, plan)
        training = parse_training_set(content.get("training_set"))
        if training is not None and len(training.channels) != len(plan.modalities):
            raise ValueError("field training_set must have a channel per modality")
    except (ValueError, DataError) as error:
        raise DataError(f"{path}: {error}") from error
    if content["digest"] != (actual := _digest(content)):
        raise DataError(
            f"{path}: was altered: its digest is {actual[:12]}..., it says"
            f" {str(content['digest'])[:12]}..."
        )
    numbers = sorted(files)
    networks = f"one network, distilled from {len(teacher)}" if teacher else (
        f"folds {', '.join(map(str, numbers))}"
    )  # fmt: skip
    return Model(
        plan=plan, weights=tuple(files[number] for number in numbers), folds=tuple(numbers),
        name=f"{plan.task}, deployed, {networks}, in {folder}",
        training=training,
        half_of=tuple(half_of[files[number].name] for number in numbers if "half_of" in content),
        codes=codes, distilled_from=tuple(teacher), **choices,
    )  # fmt: skip


def load_model(path: Path | str) -> Model:
    """Load a deployed model from its folder, such as ``results/models/Task101_SARCOMA``.

    Args:
        path: The folder of a bundle: ``bundle.json`` and its weights, as ``deploy`` writes it and
            ``download_model`` installs it; or the text ``"starter"``, for the model of any object
            that comes with the package (a folder of that name is ``Path("starter")``).

    Returns:
        The plan, the files of weights and what cross-validation chose. No network is built yet:
        ``Predictor(model)`` does that.

    Raises:
        RequestError: The folder holds no bundle, or the installation lacks the starter.
        DataError: The bundle is not whole, was altered, or is of another version. Every field and
            the SHA-256 of each file of weights are checked.
    """
    return read_bundle(starter_folder() if path == STARTER else Path(path))


def bundle_files(folder: Path) -> list[Path]:
    """Return the files of a bundle, and nothing else that may lie in its folder.

    Raises as :func:`read_description` does.
    """
    names = sorted([BUNDLE, CARD, *read_description(folder)["weights"]])
    return [path for name in names if (path := folder / name).is_file()]


def verify_bundle(folder: Path) -> Model:
    """Read a bundle, and its weights into the network that they are for.

    Raises as :func:`read_bundle` does, and DataError for weights of another network or plan.
    """
    from interactivenet.models.network import load_network

    model = read_bundle(folder)
    for path in model.weights:
        load_network(path, model.plan)
    return model
