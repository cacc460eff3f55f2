"""Starters for the benchmark: made without what they are then tested on, or refused.

``WORK/starters/without-KIND[-KIND...]`` is the work folder of one training by
``recipes/starter``: its ``facts.json`` says which kinds of objects it never saw.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from benchmarks.learning.datasets import Dataset
from benchmarks.learning.job import Unavailable
from interactivenet.models.bundle import write_bundle
from interactivenet.models.model import Model
from interactivenet.planning.plan import Plan
from interactivenet.system.files import read_object, sha256

WEIGHTS, FACTS = "weights.safetensors", "facts.json"
#: data sets that no recipe reads; everything else has to be left out by its kind
NEVER_SEEN = ("hippocampus_mr", "brain_tumour_mr")


def starter_folder(dataset: Dataset, work: Path) -> Path:
    """Return the folder of the starter that a data set may be tested with."""
    name = "-".join(("without", *dataset.kind)) if dataset.kind else "full"
    return work / "starters" / name


def find_starter(dataset: Dataset, work: Path, shared: Path) -> Path:
    """Return the weights of a starter that has seen nothing of the data set's kind.

    Raises Unavailable where there is none, with the command that makes it, or where its facts say
    that it was trained on that kind.
    """
    folder = starter_folder(dataset, work)
    if not dataset.kind and dataset.folder not in NEVER_SEEN:
        raise Unavailable(f"{dataset.name}: nobody says what a starter must not have seen")
    if not (folder / WEIGHTS).exists() or not (folder / FACTS).exists():
        left_out = f" --without {' '.join(dataset.kind)}" if dataset.kind else ""
        command = f"python -m recipes.starter.train {shared} --work {folder}{left_out}"
        raise Unavailable(f"there is no starter in {folder}: `{command}` makes it")
    facts = read_object(folder / FACTS)
    seen = set(dataset.kind) - set(facts.get("without", ()))
    if seen:
        raise Unavailable(f"{folder}: was trained on {', '.join(sorted(seen))}, too")
    return folder / WEIGHTS


def starter_model(weights: Path) -> Model:
    """Return a starter as a model. Raises Unavailable where the recipe is of another plan."""
    facts = read_object(weights.with_name(FACTS))
    plan = _recipe().plan_of(facts)
    if plan is None:
        raise Unavailable(f"{weights}: was trained with another plan than the recipe has now")
    return Model(plan, (weights,), (0,), "last", name=f"starter {weights.parent.name}")


def starter_bundle(weights: Path) -> Path:
    """Return the folder of a starter's bundle, written if need be."""
    model = starter_model(weights)
    folder = weights.with_name(f"bundle-{sha256(weights)[:12]}-{model.plan.digest[:8]}")
    if not (folder / "bundle.json").exists():
        write_bundle(model, folder)
    return folder


def starter_plan() -> Plan:
    """Return the plan of the recipe's starter. Raises Unavailable where there is no recipe."""
    plan = _recipe().starter_plan()
    assert isinstance(plan, Plan)
    return plan


def _recipe() -> Any:
    try:
        return importlib.import_module("recipes.starter.train")
    except ModuleNotFoundError as error:
        raise Unavailable("this version has no recipe of a starter") from error
