"""Recipes: today's as it was, and that of object grids; learning rates, averages."""

from dataclasses import replace

import pytest
import torch
from torch.optim import SGD, AdamW

from interactivenet.planning.plan import Normalisation, ObjectGrid
from interactivenet.training.recipe import (
    OBJECT_GRID,
    OBJECT_GRID_FINE_TUNING,
    SPACING_GRID,
    SPACING_GRID_FINE_TUNING,
    recipe_for,
)
from tests.sample_cases import make_plan

PLAN = make_plan((1.0, 1.0, 1.0))
OBJECT = replace(PLAN, normalisation=(Normalisation("zscore"),), grid=ObjectGrid())


def rates(recipe, total):
    return [recipe.learning_rate(step, step / total) for step in range(total)]


def test_the_plan_decides():
    assert recipe_for(PLAN) == SPACING_GRID and recipe_for(OBJECT) == OBJECT_GRID
    assert recipe_for(PLAN, fine_tuning=True) == SPACING_GRID_FINE_TUNING
    assert recipe_for(OBJECT, fine_tuning=True) == OBJECT_GRID_FINE_TUNING


def test_with_a_planned_spacing_it_is_what_it_was():
    """To the last bit."""
    assert rates(SPACING_GRID, 700) == [0.01 * (1 - step / 700) ** 0.9 for step in range(700)]
    optimiser = SPACING_GRID.build([torch.nn.Parameter(torch.zeros(1))])
    assert type(optimiser) is SGD
    (group,) = optimiser.param_groups
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.01, 0.99, 3e-5)
    assert group["nesterov"] and SPACING_GRID.clip == 12
    assert SPACING_GRID.averaged(torch.nn.Linear(1, 1)) is None


def test_an_object_grid_warms_up_and_falls_along_a_cosine():
    optimiser = OBJECT_GRID.build([torch.nn.Parameter(torch.zeros(1))])
    assert type(optimiser) is AdamW and optimiser.param_groups[0]["weight_decay"] == 0.02
    found = rates(OBJECT_GRID, 1100)
    assert found[:100] == pytest.approx([1.5e-3 * (step + 1) / 100 for step in range(100)])
    assert found[100] == pytest.approx(1.5e-3) and found[600] == pytest.approx(0.75e-3)
    assert found[100:] == sorted(found[100:], reverse=True) and found[-1] < 1e-7
    assert OBJECT_GRID.learning_rate(1100, 1.0) == 0


@pytest.mark.parametrize("recipe", [OBJECT_GRID, OBJECT_GRID_FINE_TUNING, SPACING_GRID_FINE_TUNING])
def test_a_warm_up_takes_a_tenth_of_a_short_training(recipe):
    found = rates(recipe, 50)
    assert 0 < found[0] < found[1] < found[4] < found[5] == max(found) == pytest.approx(recipe.rate)
    assert found[5:] == sorted(found[5:], reverse=True)


def test_the_average_soon_forgets_the_first_weights_and_later_keeps_most_of_the_past():
    network = torch.nn.Linear(1, 1, bias=False)
    average = OBJECT_GRID.averaged(network)
    assert not any(weight.requires_grad for weight in average.parameters())
    expected = None
    for step in range(5000):
        with torch.no_grad():
            network.weight.fill_(float(step))
        average.update_parameters(network)
        past = min(0.998, (1 + step) / (10 + step))
        expected = step if expected is None else past * expected + (1 - past) * step
    assert float(average.module.weight) == pytest.approx(expected, rel=1e-3)
    assert float(average.module.weight) == pytest.approx(4999 - 499, rel=0.01)  # 1 / 0.002 behind
