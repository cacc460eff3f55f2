"""One job in a process of its own: what it measures, what it took, written when it is whole.

    python -m benchmarks.learning.worker JOB.json

Its memory is the job's alone then, and what ends it ends nothing else. A training that is
interrupted goes on where it was when the same job runs again.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning.arms import Arm
from benchmarks.learning.ceiling import seen_on_the_grid
from benchmarks.learning.datasets import Dataset, LabelledCase, TestObject
from benchmarks.learning.ellipsoid import best_growth, score_growths
from benchmarks.learning.job import Job, Unavailable, digest
from benchmarks.learning.scores import score
from benchmarks.learning.starters import find_starter, starter_bundle, starter_model
from benchmarks.report import machine
from interactivenet import __version__
from interactivenet.datasets.case import Scan
from interactivenet.models.model import Model
from interactivenet.models.network import load_network, save_weights
from interactivenet.system.files import read_json, sha256, write_json
from interactivenet.system.parallel import peak_memory_mb
from interactivenet.system.provenance import revision

#: finds an object by its prompt, or, to see what is possible, knows it
Segment = Callable[[Scan, TestObject], NDArray[np.bool_]]


def main() -> None:
    """Do the job of the file; the record has 'unavailable' where it cannot be done here."""
    job = Job.parse(read_json(Path(sys.argv[1])))
    if job.budget.threads:
        import torch

        torch.set_num_threads(job.budget.threads)
    try:
        run_job(job)
    except Unavailable as error:
        print(f"{job.arm}, {job.dataset}: {error}", file=sys.stderr)
        sys.exit(UNAVAILABLE)


#: exit status of a job that this version, or this machine, cannot do
UNAVAILABLE = 3


def check_available(job: Job) -> None:
    """Raise Unavailable where a job cannot be done here, before anything is read."""
    from benchmarks.learning.folds import planning_options, training_options
    from benchmarks.learning.nnunet import check_installed

    arm, dataset = job.of
    weights = find_starter(dataset, job.work, job.shared) if arm.starter else None
    if arm.how == "pipeline":
        planning_options(job, weights)
        training_options(job, weights)
    if arm.how == "nnunet":
        check_installed(job)


def run_job(job: Job) -> dict[str, Any]:
    """Do a job and write its record, unless it is there and of the same inputs; returns it.

    Raises Unavailable.
    """
    arm, dataset = job.of
    weights = find_starter(dataset, job.work, job.shared) if arm.starter else None
    starter = sha256(weights) if weights else ""
    # how a starter is asked is decided by the recipe's plan, which may change without its weights
    asked = {"plan": starter_model(weights).plan.digest} if weights and not arm.trains else {}
    identity = json.loads(json.dumps({**job.identity(starter), **asked}, default=list))
    if job.record.exists():
        kept: dict[str, Any] = read_json(job.record)
        if kept["identity"] == identity:
            return kept
    begun = time.monotonic()
    cost: dict[str, Any] = {}
    _, tested = job.cases()
    if arm.how == "ellipsoid":
        measured = _ellipsoids(dataset, tested)
    elif arm.how == "ceiling":
        voxels = int(arm.planning["grid_voxels"])
        seen = partial(seen_on_the_grid, voxels=voxels)
        measured = {"objects": measure(dataset, tested, seen)}
    else:
        segment, cost = _segmenter(job, arm, weights, starter)
        measured = {"objects": measure(dataset, tested, segment)}
    record = {
        "arm": job.arm, "dataset": job.dataset, "fold": job.fold, "seed": job.seed,
        "budget": job.budget.name if arm.trains else "untrained",
        "settings": {**identity["budget"], "how": arm.how, "mirrored": arm.mirrored},
        "trained_on": [case.name for case in job.cases()[0]],
        "starter": {"name": weights.parent.name, "sha256": starter} if weights else None,
        "inputs": digest({**identity["inputs"], **identity["tested"]}),
        "version": __version__, "revision": revision(), "machine": _machine(job),
        "cost": {**cost, "seconds": round(time.monotonic() - begun, 1), **_memory(job)},
        **measured,
        "identity": identity,
    }  # fmt: skip
    write_json(job.record, record)
    return record


def measure(dataset: Dataset, cases: list[LabelledCase], segment: Segment) -> list[dict[str, Any]]:
    """Score what is found of every object of the cases, on their scans' own grids."""
    rows = []
    for case in cases:
        scan, things = dataset.read(case)
        for thing in things:
            begun = time.monotonic()
            mask = segment(scan, thing)
            seconds = round(time.monotonic() - begun, 2)
            scores = score(mask, thing.mask, scan.image.grid)
            rows.append({"case": case.name, "object": thing.name, **scores, "seconds": seconds})
    return rows


def _ellipsoids(dataset: Dataset, cases: list[LabelledCase]) -> dict[str, Any]:
    rows = []
    for case in cases:
        scan, things = dataset.read(case)
        for thing in things:
            of = {"case": case.name, "object": thing.name}
            rows += [{**of, **row} for row in score_growths(thing, scan.image.grid)]
    return best_growth(rows)


def _segmenter(
    job: Job, arm: Arm, weights: Path | None, starter: str
) -> tuple[Segment, dict[str, Any]]:
    """Train, if the arm does; return what segments, and what it cost to make."""
    if arm.how == "nnunet":
        from benchmarks.learning.nnunet import train_nnunet

        return train_nnunet(job)
    from benchmarks.learning.folds import train_fold
    from interactivenet.inference.predictor import Predictor

    cost: dict[str, Any] = {}
    if arm.how == "starter":
        assert weights is not None
        model = starter_model(weights)
    else:
        bundle = starter_bundle(weights) if weights else None
        model, cost = train_fold(job, bundle, starter)
    if arm.mirrored and not model.plan.is_mirrored:
        model = mirrored_model(model, job.record.with_suffix(".safetensors"))
    predictor = Predictor(model, device=job.budget.device, mirrored=arm.mirrored)

    def segment(scan: Scan, thing: TestObject) -> NDArray[np.bool_]:
        found = predictor.open(scan).segment(thing.prompt)
        return np.asarray(found.instance_map == 1)

    return segment, cost


def mirrored_model(model: Model, path: Path) -> Model:
    """Return a model whose mirrored copies are averaged, although it was not trained on any.

    path: of its weights, written with what they are said to be of.
    """
    assert model.plan.grid is not None
    plan = replace(model.plan, grid=replace(model.plan.grid, mirrored=True))
    network, facts = load_network(model.weights[0], model.plan)
    save_weights(path, network, {**facts, "plan": plan.digest})
    path.with_suffix(".json").unlink()  # records are the JSON files here
    return replace(model, plan=plan, weights=(path,))


def _machine(job: Job) -> dict[str, Any]:
    content = machine("torch", "numpy")
    if job.budget.device == "cuda":
        import torch

        content["gpu"] = torch.cuda.get_device_name()
    return {**content, "threads": job.budget.threads or os.cpu_count()}


def _memory(job: Job) -> dict[str, float]:
    memory = {"peak_gb": round(peak_memory_mb() / 1000, 2)}
    if job.budget.device == "cuda":
        import torch

        memory["peak_gpu_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
    return memory


if __name__ == "__main__":
    main()
