"""Results of a task are confined to what its points tell where no object reaches farther."""

from dataclasses import replace

import pytest

from interactivenet.planning.extent import plan_extent_prior
from interactivenet.planning.like import make_plan_like
from interactivenet.planning.options import PlanningOptions
from interactivenet.planning.plan import ExtentPrior
from interactivenet.planning.rules import make_plan
from interactivenet.prompts.prompt import LabelNames
from tests.planning.test_object_grid import some_cases
from tests.planning.test_rules import prompt_facts


def with_overhangs(*overhangs, depth=None):
    """Objects of one case each, whose first axis reaches so far beyond the points."""
    fingerprint = some_cases(count=len(overhangs))
    cases = [
        replace(case, prompts=(replace(
            prompt_facts(overhang=((mm, 5.0), (5.0, 5.0), (5.0, 5.0))), depth_mm=depth
        ),))
        for case, mm in zip(fingerprint.cases, overhangs, strict=True)
    ]  # fmt: skip
    return replace(fingerprint, cases=tuple(cases))


def test_objects_that_end_where_their_points_say():
    prior, notes = plan_extent_prior(some_cases(), own_grid=True)
    assert prior == ExtentPrior(beyond=80.0, ellipsoid=3.0, depth_mm=None) and notes == ()


def test_on_a_grid_of_one_spacing_points_lie_as_deep_as_the_farthest_object_reaches():
    prior, notes = plan_extent_prior(with_overhangs(5, 9, 1, depth=(2.0,) * 3), own_grid=False)
    assert prior == ExtentPrior(80.0, 0.0, depth_mm=(9.0, 5.0, 5.0)) and notes == ()


@pytest.mark.parametrize(
    ("overhangs", "depth", "confined"),
    [
        ((5, 5, 6.7), None, True),  # a quarter deeper than usual, and half a voxel
        ((5, 5, 6.8), None, False),
        ((5, 5, 9), (8.0, 5.0, 5.0), True),  # as their points say themselves
        ((5, 5, 9), (6.0, 5.0, 5.0), False),
        ((5,) * 99 + (9,), None, True),  # one of a hundred
        ((5,) * 98 + (9, 9), None, False),
    ],
)
def test_objects_that_reach_farther(overhangs, depth, confined):
    prior, notes = plan_extent_prior(with_overhangs(*overhangs, depth=depth), own_grid=True)
    assert (prior is not None) == confined
    if not confined:
        (note,) = notes
        beyond = sum(mm > 6.75 for mm in overhangs)
        assert note.startswith(f"{beyond} of {len(overhangs)} objects reach farther beyond")


def test_plans_have_it():
    labels, own = LabelNames({1: "a"}), PlanningOptions(grid="object")
    plan = make_plan("Task001_A", labels, some_cases(), own)
    assert plan.extent_prior == ExtentPrior(ellipsoid=3.0)
    farther = make_plan("Task001_A", labels, with_overhangs(5, 5, 9), own)
    assert farther.extent_prior is None
    assert sum("not confined" in note for note in farther.notes) == 1
    spacing = make_plan(
        "Task001_A", labels, with_overhangs(5, 5, 9), PlanningOptions(grid="spacing")
    )
    assert spacing.extent_prior == ExtentPrior(depth_mm=(9.0, 5.0, 5.0))
    for like, fingerprint, expected in (
        (plan, some_cases(), plan), (plan, with_overhangs(5, 5, 9), farther),
        (spacing, with_overhangs(5, 5, 9), spacing),
    ):  # fmt: skip
        changed = replace(like, extent_prior=ExtentPrior(1.0, 2.0))
        made = make_plan_like("Task001_A", labels, fingerprint, PlanningOptions(), changed)
        assert made.extent_prior == expected.extent_prior
        assert ("not confined" in " ".join(made.notes)) == (expected is farther)
