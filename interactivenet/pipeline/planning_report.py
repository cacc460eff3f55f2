"""What the stage ``plan`` says of its cases and its decisions: findings, and lines for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from interactivenet.datasets.findings import Finding
from interactivenet.datasets.task import Task
from interactivenet.planning.fingerprint import Fingerprint
from interactivenet.planning.options import PlanningOptions
from interactivenet.planning.plan import Plan
from interactivenet.planning.planned_task import PlannedTask
from interactivenet.planning.rules import cases_of_small_objects, lone_margins
from interactivenet.preprocessing.preparation import PreparedCase
from interactivenet.preprocessing.region import is_lost

if TYPE_CHECKING:
    pass


#: a cut that holds less of an object than this is worth a warning
ENOUGH = 0.999


def odd_cases(plan: Plan, fingerprint: Fingerprint, options: PlanningOptions) -> list[Finding]:
    """Warn of the cases that alone make the grid of all finer, or the cuts of all larger.

    None does where each object has a grid of its own, or another model's plan says both.
    """
    if plan.grid is not None or options.like is not None:
        return []
    finer = [] if options.spacing else cases_of_small_objects(plan.spacing, fingerprint)
    lone = lone_margins(fingerprint, plan.spacing)
    return [Finding("warning", case, message) for case, message in (*finer, *lone)]


def low_coverage(prepared: list[PreparedCase]) -> list[Finding]:
    """Warn of the cases whose planned cut holds too little of an object."""
    return [
        Finding(
            "warning",
            case.name,
            f"{region}: the planned cut holds {100 * coverage:.2f} % of the object, expected"
            f" {100 * ENOUGH:g} %: does part of it lie away from the points?",
        )
        for case in prepared
        for region, coverage in case.coverage.items()
        if coverage < ENOUGH
    ]


def lost_objects(prepared: Sequence[PreparedCase], task: Task) -> dict[str, dict[str, Any]]:
    """Return what the target grid has lost, or more than half of it, as JSON data, by region."""
    return {
        region: {
            "case": case.name,
            "object": _object_name(region, case.name, task),
            "volume_ml": volume[0],
            "volume_at_spacing_ml": volume[1],
        }
        for case in prepared
        for region, volume in case.volumes.items()
        if is_lost(volume)
    }


def small_objects(lost: Mapping[str, Mapping[str, Any]], plan: Plan) -> list[Finding]:
    """Warn of each object of which the target grid holds less than half."""
    grid = f"at the planned spacing of {_times(plan.spacing)} mm"
    more = "choose a finer `spacing`"
    if plan.grid is not None:
        grid = f"on a grid of {_times(plan.sample_shape)} voxels around its points"
        more = "choose more `grid_voxels`, look at its points"
    findings = []
    for found in lost.values():
        before, after = found["volume_ml"], found["volume_at_spacing_ml"]
        left = f"{after:.4g} ml are left" if after else "nothing is left"
        then = "" if after else ", so that it is not trained on"
        findings.append(
            Finding(
                "warning",
                found["case"],
                f"{found['object']}: {left} of {before:.4g} ml {grid}{then}: {more}, or leave the"
                " case out",
            )
        )
    return findings


def _object_name(region: str, case: str, task: Task) -> str:
    """Name an object as people know it: 'label 1 (tumour)', 'label 1 (tumour), object 2'."""
    label, _, number = region.removeprefix(f"{case}__").partition("_")
    name = task.labels.names.get(int(label), "")
    named = f"label {label} ({name})" if name else f"label {label}"
    return f"{named}, object {number}" if number else named


def describe(planned: PlannedTask) -> list[str]:
    """Return the decisions in a few lines for a person."""
    plan, splits, coverage = planned.plan, planned.splits, planned.coverage

    sides = " ".join(
        f"{axis} {low:.1f}/{high:.1f} mm + {100 * a:.0f}/{100 * b:.0f} %"
        for axis, (low, high), (a, b) in zip("RAS", plan.cut.mm, plan.cut.fraction, strict=True)
    )
    normalisations = ", ".join(
        f"{name} " + (f"{rule.low:.4g} to {rule.high:.4g}" if rule.kind == "ct" else "z-score")
        for name, rule in zip(plan.modalities, plan.normalisation, strict=True)
    )
    strides = " ".join(_times(stride) for stride in plan.network.strides)
    grid, box = f"spacing {_times(plan.spacing)} mm", "the points' box"
    if plan.grid is not None:
        grid = f"a grid for each object, its voxels {_times(plan.spacing)} mm in the median"
        deep = f", {_times(plan.grid.depth_mm)} mm" if plan.grid.depth_mm else ""
        box = f"the points' box, grown by their depth{deep}"
    lines = [
        f"{grid}; {normalisations}; margins around {box}: {sides}",
        f"sample {_times(plan.sample_shape)} voxels, batch {plan.batch_size}, about"
        f" {plan.estimated_gb:.1f} of {plan.memory_gb:g} GB; preset {plan.preset}: strides"
        f" {strides}, {plan.network.features[0]} to {plan.network.features[-1]} features",
        f"{len(splits)} folds of {', '.join(str(len(split.validation)) for split in splits)}"
        f" validation cases, seed {plan.seed}",
    ]
    if plan.extent_prior is not None:
        lines.insert(1, "results are confined to the extremes that the points and their depth tell")
    if len(splits) == 1:
        lines[-1] = (
            "1 fold that trains and validates on the same cases: its validation says nothing about"
            " new cases"
        )
    if coverage:
        worst = min(coverage, key=lambda name: coverage[name])
        lines.append(
            f"the cuts hold {100 * float(np.mean(list(coverage.values()))):.3f} % of the objects'"
            f" voxels on average, at least {100 * coverage[worst]:.3f} % ({worst})"
        )
    return lines


def _times(values: tuple[float, ...]) -> str:
    return "x".join(f"{value:.4g}" for value in values)
