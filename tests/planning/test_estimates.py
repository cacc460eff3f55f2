"""The memory that is estimated of a training step, against what PyTorch counts of it."""

from dataclasses import replace

import pytest

from benchmarks.live_bytes import training_bytes
from interactivenet.planning.architecture import (
    FIXED,
    PRESETS,
    divisible,
    isotropic_network,
    plan_network,
    training_gb,
)
from interactivenet.planning.object_grid import PRESETS as OBJECT_PRESETS
from interactivenet.planning.plan import Normalisation, ObjectGrid
from tests.sample_cases import make_plan


def plan_of(network, shape, batch, **changes):
    return replace(
        make_plan((1.0, 1.0, 1.0)), network=network, sample_shape=shape, batch_size=batch, **changes
    )


def check(plan):
    counted = training_bytes(plan)
    reserve = FIXED / 1e9
    estimated = training_gb(plan.network, plan.sample_shape, plan.channels, plan.batch_size)
    assert counted / 1e9 <= estimated - reserve <= 1.25 * counted / 1e9


@pytest.mark.parametrize(
    ("preset", "shape", "spacing"),
    [
        ("small", (40, 56, 40), (1.0, 1.0, 1.0)), ("default", (128, 128, 128), (1.0, 1.0, 1.0)),
        ("large", (160, 192, 24), (0.9, 0.9, 5.0)),
    ],
)  # fmt: skip
def test_a_step_takes_what_is_estimated(preset, shape, spacing):
    network = plan_network(shape, spacing, PRESETS[preset])
    check(plan_of(network, divisible(shape, network), 2))


@pytest.mark.parametrize("preset", ["tiny", "large"])
def test_a_step_on_object_grids_takes_what_is_estimated(preset):
    chosen = OBJECT_PRESETS[preset]
    network = isotropic_network(chosen.features, residual=chosen.residual)
    grid = {"grid": ObjectGrid(), "normalisation": (Normalisation("zscore"),)}
    check(plan_of(network, (chosen.voxels,) * 3, 4, **grid))


def test_counting_without_computing_is_counting():
    network = plan_network((16, 16, 16), (1.0, 1.0, 1.0), PRESETS["tiny"])
    plan = plan_of(network, divisible((16, 16, 16), network), 2)
    assert training_bytes(plan) == training_bytes(plan, fake=False)
    assert training_bytes(plan, half=True) < 0.7 * training_bytes(plan)
