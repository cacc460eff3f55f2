"""Bundles: a trained model in one folder, to be used elsewhere without its task.

``bundle.json`` holds the plan, what cross-validation chose, and the SHA-256 of each file of
weights; nothing in it names a patient, and nothing is executed when it is read.
"""

from __future__ import annotations

from pathlib import Path

from interactivenet import __version__
from interactivenet.errors import DataError, RequestError
from interactivenet.io.atomic import read_json, sha256, write_bytes, write_json
from interactivenet.model import Model, chosen, own_model
from interactivenet.plan import Plan
from interactivenet.task import Roots

BUNDLE = "bundle.json"
BUNDLE_VERSION = 1
_FIELDS = {
    "schema_version", "version", "plan", "weights", "checkpoint", "postprocessing", "uncertainty",
}  # fmt: skip


def write_bundle(model: Model, folder: Path) -> Path:
    """Write a model into a folder and return the path of its ``bundle.json``.

    The weights are copied as ``fold_K.safetensors``. The plan's notes stay behind: they may name
    cases.
    """
    weights = {}
    for number, path, digest in zip(model.folds, model.weights, model.digests, strict=True):
        name = f"fold_{number}.safetensors"
        write_bytes(folder / name, path.read_bytes(), durable=True)
        weights[name] = digest
    plan = {**model.plan.as_json()["plan"], "notes": []}
    content = {
        "schema_version": BUNDLE_VERSION,
        "version": __version__,
        "plan": plan,
        "weights": weights,
        **model.choices(),
    }
    write_json(folder / BUNDLE, content)
    return folder / BUNDLE


def read_bundle(folder: Path) -> Model:
    """Read a bundle; raises RequestError where there is none, DataError where it is not whole.

    Every field, the schema version and the SHA-256 of each file of weights are checked.
    """
    path = folder / BUNDLE
    if not path.is_file():
        raise RequestError(f"{folder}: holds no {BUNDLE}: expected the folder of a deployed model")
    content = read_json(path)
    if not isinstance(content, dict) or content.get("schema_version") != BUNDLE_VERSION:
        found = content.get("schema_version") if isinstance(content, dict) else None
        raise DataError(
            f"{path}: schema_version is {found}, this version of InteractiveNet reads"
            f" {BUNDLE_VERSION}"
        )
    if odd := set(content) ^ _FIELDS:
        name = min(odd)
        raise DataError(f"{path}: field {name} is {'unknown' if name in content else 'missing'}")
    plan = Plan.parse(content["plan"], path)
    weights = content["weights"]
    if not isinstance(weights, dict) or not weights:
        raise DataError(f"{path}: field weights must name at least one file")
    files = {}
    for name, digest in weights.items():
        number = name.removeprefix("fold_").removesuffix(".safetensors")
        if name != f"fold_{number}.safetensors" or not (number.isascii() and number.isdigit()):
            raise DataError(f"{path}: field weights names {name}, expected fold_K.safetensors")
        found = sha256(folder / name)
        if found != digest:
            raise DataError(
                f"{folder / name}: was altered: its SHA-256 is {found[:12]}..., {BUNDLE} says"
                f" {str(digest)[:12]}..."
            )
        files[int(number)] = folder / name
    try:
        choices = chosen(content)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    numbers = sorted(files)
    return Model(
        plan=plan, weights=tuple(files[number] for number in numbers), folds=tuple(numbers),
        name=f"{plan.task}, deployed, folds {', '.join(map(str, numbers))}, in {folder}", **choices,
    )  # fmt: skip


def find_model(roots: Roots, task: str, wish: str | None = None) -> Model:
    """Return the model that ``--model`` names, or the only one of a task.

    wish: 'deployed' (``models/TASK`` of the results), 'own' (the task's finished folds), a
    bundle's folder, or None. Where both are there and their weights differ, none is preferred:
    raises RequestError, as where there is no model.
    """
    folder = roots.results / "models" / task
    if wish == "own":
        return own_model(roots, task)
    if wish is not None:
        return read_bundle(folder if wish == "deployed" else Path(wish))
    if not (folder / BUNDLE).is_file():
        return own_model(roots, task)
    deployed = read_bundle(folder)
    try:
        own = own_model(roots, task)
    except RequestError:  # not here: a bundle needs no task
        return deployed
    if (own.digests, own.choices()) != (deployed.digests, deployed.choices()):
        raise RequestError(
            f"{task} has a deployed model in {folder} and other folds of its own in"
            f" {roots.results / task}: --model deployed or --model own says which is meant"
        )
    return deployed
