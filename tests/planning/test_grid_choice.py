"""Which grid a dataset gets: asked for, or by rule, and why."""

from dataclasses import replace

import pytest

from interactivenet.errors import RequestError
from interactivenet.planning.fingerprint import Fingerprint
from interactivenet.planning.grid_choice import FEW_CASES, choose_grid
from interactivenet.planning.options import PlanningOptions
from tests.planning.test_rules import case_facts, prompt_facts


def dataset(cases, sizes, spacing=(1.0, 1.0, 1.0)):
    """So many cases with one object each, cubes whose sides (mm) go around in ``sizes``."""
    objects = [(sizes[number % len(sizes)],) * 3 for number in range(cases)]
    return Fingerprint(
        ("MR",),
        tuple(
            case_facts(f"c{number}", spacing=spacing,
                       prompts=(replace(prompt_facts(), object_mm=extent),))
            for number, extent in enumerate(objects)
        ),
    )  # fmt: skip


#: the measured kinds: 24 sarcomas, and hippocampi, many or a few of them
SARCOMAS = dataset(24, (47.0, 80.0, 131.0))
HIPPOCAMPI = dataset(182, (15.0, 18.0, 22.0))


@pytest.mark.parametrize(
    ("fingerprint", "grid"),
    [
        (SARCOMAS, "object"),
        (HIPPOCAMPI, "spacing"),
        (dataset(5, (15.0, 18.0, 22.0)), "spacing"),
        # each of the three reasons is needed
        (dataset(FEW_CASES - 1, (47.0, 80.0, 131.0)), "object"),
        (dataset(FEW_CASES, (47.0, 80.0, 131.0)), "spacing"),
        (dataset(24, (80.0, 90.0)), "spacing"),
        (dataset(24, (47.0, 80.0, 131.0), spacing=(3.0, 3.0, 3.0)), "spacing"),
        (dataset(1, (80.0,)), "spacing"),
    ],
)
def test_by_rule(fingerprint, grid):
    choice = choose_grid(fingerprint, PlanningOptions())
    assert choice.grid == grid and len(choice.notes) == 1


def test_anisotropic_scans_count_by_the_mean_of_their_axes():
    flat = dataset(24, (47.0, 80.0, 131.0), spacing=(1.0, 1.0, 8.0))
    assert choose_grid(flat, PlanningOptions()).grid == "object"  # 40 voxels: 80 / 8^(1/3)
    flatter = dataset(24, (47.0, 80.0, 131.0), spacing=(1.0, 2.0, 8.0))
    assert choose_grid(flatter, PlanningOptions()).grid == "spacing"  # 32 would do: 31.7


def test_the_reasons_are_told_with_their_numbers():
    (why,) = choose_grid(SARCOMAS, PlanningOptions()).notes
    assert why.startswith("each object gets a grid of its own: objects 80 voxels across (from 32)")
    assert "sizes a factor of 2.8 apart (from 1.75), 24 cases (fewer than 50)" in why
    (why,) = choose_grid(HIPPOCAMPI, PlanningOptions()).notes
    assert "objects 18 voxels across (not from 32)" in why
    assert "182 cases (not fewer than 50)" in why and "`grid='object'` overrules it" in why


@pytest.mark.parametrize(
    ("options", "grid"),
    [
        ({"grid": "spacing"}, "spacing"),
        ({"spacing": (2.0, 2.0, 2.0)}, "spacing"),
        ({"grid": "object"}, "object"),
        ({"grid_voxels": 64}, "object"),
    ],
)
def test_what_is_asked_for_is_taken_without_a_word(options, grid):
    for fingerprint in (SARCOMAS, HIPPOCAMPI):
        choice = choose_grid(fingerprint, PlanningOptions(**options))
        assert (choice.grid, choice.notes) == (grid, ())


def without_a_box(fingerprint, count, box_mm=None):
    """The same cases, with one point each, or with six in a plane."""
    return Fingerprint(
        fingerprint.modalities,
        tuple(
            replace(case, prompts=tuple(
                replace(prompt, points=count, box_mm=box_mm or prompt.box_mm)
                for prompt in case.prompts))
            for case in fingerprint.cases
        ),
    )  # fmt: skip


@pytest.mark.parametrize(("count", "box_mm"), [(1, None), (3, None), (6, (40.0, 40.0, 1.0))])
def test_points_without_a_box_want_no_grid_of_the_objects(count, box_mm):
    points = without_a_box(SARCOMAS, count, box_mm)
    choice = choose_grid(points, PlanningOptions())
    assert choice.grid == "spacing"
    assert "6 points that span a box on 0% of the objects (not at least 90%)" in choice.notes[0]
    with pytest.raises(RequestError, match="100% of the objects lack 6 points that span a box"):
        choose_grid(points, PlanningOptions(grid="object"))
