"""Disturbed points: how far they go, and that they stay in the image."""

import numpy as np
import pytest

from interactivenet.prompts.perturbation import PERTURBATIONS, Perturbation, perturb
from interactivenet.prompts.prompt import Prompt
from tests.sample_cases import stored_grid

GRID = stored_grid((30, 28, 20), (1.0, 1.2, 2.0), angles=(0.1, 0.0, 0.2)).ras
VOXELS = np.array([[8, 14, 10], [22, 14, 10], [15, 7, 10], [15, 21, 10], [15, 14, 6], [15, 14, 14]])
PROMPT = Prompt(2, GRID.voxel_to_world(VOXELS), "lesion")


def disturbed(perturbation, prompt=PROMPT, mask=None, seed=0):
    mask = np.zeros(GRID.shape, bool) if mask is None else mask
    result = perturb(prompt, perturbation, mask, GRID, np.random.default_rng(seed))
    assert (result.label, result.name) == (prompt.label, prompt.name)
    return result.points


def test_as_placed_nothing_moves():
    assert PERTURBATIONS[0].kind == "none"
    np.testing.assert_array_equal(disturbed(PERTURBATIONS[0]), PROMPT.points)


@pytest.mark.parametrize("mm", [1.0, 3.0, 5.0])
def test_moved_by_so_many_mm(mm):
    points = disturbed(Perturbation("moved", "moved", mm))
    np.testing.assert_allclose(np.linalg.norm(points - PROMPT.points, axis=1), mm, rtol=1e-6)


def test_no_point_leaves_the_image():
    edge = Prompt(1, GRID.voxel_to_world(np.array([[0, 0, 0], [29, 27, 19]])), "")
    voxels = GRID.world_to_voxel(disturbed(Perturbation("moved", "moved", 50.0), edge))
    assert (voxels > -1e-6).all() and (voxels < np.array(GRID.shape) - 1 + 1e-6).all()


def test_one_is_missing_unless_it_is_the_only_one():
    missing = Perturbation("missing", "missing")
    points = disturbed(missing)
    assert len(points) == 5
    assert {tuple(point) for point in points} < {tuple(point) for point in PROMPT.points}
    single = Prompt(1, PROMPT.points[:1], "")
    np.testing.assert_array_equal(disturbed(missing, single), single.points)


def test_anew_points_lie_in_the_object():
    mask = np.zeros(GRID.shape, bool)
    mask[8:23, 7:22, 6:15] = True
    anew = Perturbation("anew", "anew")
    points = disturbed(anew, mask=mask)
    assert points.shape == (6, 3)
    assert mask[tuple(GRID.nearest_voxel(points).T)].all()
    assert not np.array_equal(points, disturbed(anew, mask=mask, seed=1))
    np.testing.assert_array_equal(disturbed(anew), PROMPT.points)  # there is no object
