"""The order of the demo's steps, and the coarser plan that a CPU gets."""

from __future__ import annotations

import math
from contextlib import suppress

import numpy as np

from interactivenet.datasets.roots import Roots
from interactivenet.errors import DataError
from interactivenet.pipeline.demo_stages import (
    NEW,
    TASK,
    DemoOptions,
    Numbers,
    Step,
    check_step,
    deploy_step,
    import_step,
    infer_step,
    phantom_step,
    plan_step,
    simulate_step,
    starter_step,
    test_step,
    train_step,
)
from interactivenet.planning.plan import Plan
from interactivenet.planning.planned_task import PLANS
from interactivenet.system.files import read_object
from interactivenet.system.provenance import RUN

#: of a sample: more take a CPU too long; what is aimed at where there are more, as a share
_VOXELS, _MARGIN = 80_000, 0.5


def demo_steps(options: DemoOptions, spacing: Numbers | None = None) -> list[Step]:
    """Return the demo's steps; raises RequestError where the data cannot be used.

    spacing: of the plan that an earlier run has made coarser, see :func:`planned_spacing`.
    """
    if options.data:
        first, new, subset = import_step(options), TASK, "Ts"
        infer_purpose = "segment scans that it has not seen with the deployed model"
        last: list[Step] = []
    else:
        purpose = "make synthetic scans with tumours"
        first, new, subset = (
            phantom_step(purpose, TASK, options.cases, options.test_cases),
            NEW,
            "Tr",
        )
        infer_purpose = "segment it with the deployed model"
        purpose = "make one more scan for the deployed model"
        last = [
            phantom_step(purpose, NEW, 1, 0, seed=1),
            simulate_step("simulate its points, as a clinician would click them", NEW),
        ]
    return [
        first,
        simulate_step("place six interior margin points in every object", TASK),
        check_step("check images, labels and points"),
        plan_step("measure, plan and preprocess", options, spacing),
        train_step(options),
        test_step("choose the postprocessing, segment the test cases and write the report"),
        deploy_step("deploy: write one folder with everything that a user needs"),
        *last,
        infer_step(infer_purpose, new, subset),
        starter_step(new, subset, compared=not options.data),
    ]


def coarser_plan(options: DemoOptions, roots: Roots) -> Step | None:
    """Return a step that plans again with larger voxels, where a CPU would take hours.

    None where the planned sample is small enough, or has as many voxels whatever their size. The
    finest axes become coarser first.
    """
    plan = Plan.load(roots.processed / TASK / PLANS)
    if plan.grid is not None or math.prod(plan.sample_shape) <= _VOXELS:
        return None
    spacing = np.array(plan.spacing)
    extent = spacing * plan.sample_shape
    finest, coarsest = float(spacing.min()), float(extent.max())
    for _ in range(40):  # by halves: of this least spacing, the sample has just as many voxels
        middle = (finest + coarsest) / 2
        many = np.prod(extent / np.maximum(spacing, middle)) > _VOXELS * _MARGIN
        finest, coarsest = (middle, coarsest) if many else (finest, middle)
    right, anterior, superior = (float(f"{mm:.3g}") for mm in np.maximum(spacing, coarsest))
    voxels = f"{right:g} x {anterior:g} x {superior:g} mm"
    purpose = f"plan again with voxels of {voxels}, for a demo on the CPU, not for use"
    return plan_step(purpose, options, (right, anterior, superior))


def planned_spacing(roots: Roots) -> Numbers | None:
    """Return the spacing that the plan in a demo's folder was asked for; None for no such plan.

    A demo that goes on keeps its coarser plan: folds may be trained with it.
    """
    folder = roots.processed / TASK
    with suppress(DataError, AttributeError, TypeError, ValueError):
        spacing = read_object(folder / RUN).get("arguments", {}).get("spacing")
        if spacing and (folder / PLANS).exists():
            right, anterior, superior = (float(mm) for mm in spacing)
            return right, anterior, superior
    return None
